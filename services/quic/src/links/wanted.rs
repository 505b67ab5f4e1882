//! Whom the daemon wants to be reached, where, and when to try again.
//!
//! After a dial that failed the next one waits, twice as long each time and never quite as long as
//! another device's; after so many it waits for the daemon. A device that is dialled anew, or was
//! just lost, is tried at once.

use super::Key;
use crate::limits::{BACK_OFF_MS, BACK_OFF_MS_MAX, TRIES_MAX, WANTED_MAX};
use kith_plugins_api::Moment;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Who is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// This device.
    Device(Key),
    /// Whoever answers; a number tells them apart.
    Anybody(u64),
}

/// What is known of one.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tls_key: Option<Key>,
    tries: u32,
    state: State,
    /// When the daemon asked for it.
    asked_at: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is to be done.
    Resting,
    /// It is to be dialled then.
    At(Moment),
    /// It is being dialled.
    Dialling,
}

/// All of them.
#[derive(Debug)]
pub(super) struct WantedList {
    all: BTreeMap<Target, Wanted>,
    chance: u64,
}

impl WantedList {
    pub(super) fn new(seed: u64) -> Self {
        Self { all: BTreeMap::new(), chance: seed }
    }

    /// Makes room for one more: whoever was asked for longest ago goes, but for those with links.
    pub(super) fn make_room(&mut self, has_link: impl Fn(&Target) -> bool) {
        if self.all.len() < WANTED_MAX {
            return;
        }
        let idle = self.all.iter().filter(|(_, wanted)| wanted.state != State::Dialling);
        let oldest = idle.min_by_key(|(target, wanted)| (has_link(target), wanted.asked_at));
        if let Some(target) = oldest.map(|(target, _)| *target) {
            self.all.remove(&target);
        }
    }

    /// It is wanted, from now on.
    pub(super) fn want(
        &mut self,
        target: Target,
        tls_key: Option<Key>,
        addresses: Vec<SocketAddr>,
        now: Moment,
    ) {
        let wanted = self.all.entry(target).or_insert_with(|| Wanted {
            addresses: Vec::new(),
            tls_key: None,
            tries: 0,
            state: State::Resting,
            asked_at: now,
        });
        let is_new = addresses.iter().any(|address| !wanted.addresses.contains(address))
            || (tls_key.is_some() && tls_key != wanted.tls_key);
        if !addresses.is_empty() {
            wanted.addresses = addresses;
        }
        wanted.tls_key = tls_key.or(wanted.tls_key);
        wanted.tries = 0;
        wanted.asked_at = now;
        // A dial to the same addresses goes on; to others it begins beside.
        if wanted.state != State::Dialling || is_new {
            wanted.state = wanted.at(now);
        }
    }

    pub(super) fn forget(&mut self, target: Target) {
        self.all.remove(&target);
    }

    /// There is a link.
    pub(super) fn reached(&mut self, target: Target) {
        match target {
            Target::Anybody(_) => self.forget(target),
            Target::Device(_) => self.rest(target),
        }
    }

    /// Nothing is to be done about it for now.
    pub(super) fn rest(&mut self, target: Target) {
        if let Some(wanted) = self.all.get_mut(&target) {
            wanted.tries = 0;
            wanted.state = State::Resting;
        }
    }

    /// A dial has come to nothing.
    pub(super) fn missed(&mut self, target: Target, now: Moment) {
        let chance = self.draw();
        let Some(wanted) = self.all.get_mut(&target) else { return };
        wanted.tries += 1;
        if matches!(target, Target::Anybody(_)) {
            self.all.remove(&target);
        } else if wanted.tries >= TRIES_MAX {
            wanted.state = State::Resting;
        } else {
            wanted.state = State::At(now + back_off(wanted.tries, chance));
        }
    }

    /// Its link is gone: where nobody has closed it, it is dialled at once.
    pub(super) fn lost(&mut self, target: Target, at_once: bool, now: Moment) {
        let chance = self.draw();
        if let Some(wanted) = self.all.get_mut(&target) {
            wanted.tries = 1;
            let wait = if at_once { Duration::ZERO } else { back_off(1, chance) };
            wanted.state = wanted.at(now + wait);
        }
    }

    /// Tries it now, if it is not being tried.
    pub(super) fn retry(&mut self, target: Target, now: Moment) {
        if let Some(wanted) = self.all.get_mut(&target)
            && wanted.state != State::Dialling
        {
            wanted.state = wanted.at(now);
        }
    }

    /// Tries all now that wait for their time.
    pub(super) fn retry_all(&mut self, now: Moment) {
        for wanted in self.all.values_mut() {
            if let State::At(_) = wanted.state {
                wanted.tries = 0;
                wanted.state = State::At(now);
            }
        }
    }

    /// One whose time has come; it counts as being dialled then.
    pub(super) fn next_due(&mut self, now: Moment) -> Option<(Target, Wanted)> {
        let is_due = |wanted: &Wanted| matches!(wanted.state, State::At(at) if at <= now);
        let (target, wanted) = self.all.iter_mut().find(|(_, wanted)| is_due(wanted))?;
        wanted.state = State::Dialling;
        Some((*target, wanted.clone()))
    }

    pub(super) fn wakes_at(&self) -> Option<Moment> {
        let times = self.all.values().filter_map(|wanted| match wanted.state {
            State::At(at) => Some(at),
            _ => None,
        });
        times.min()
    }

    pub(super) fn dialling(&self) -> usize {
        self.all.values().filter(|wanted| wanted.state == State::Dialling).count()
    }

    pub(super) fn anybody(&self) -> usize {
        self.all.keys().filter(|target| matches!(target, Target::Anybody(_))).count()
    }

    /// The next number: SplitMix64.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Wanted {
    fn at(&self, moment: Moment) -> State {
        if self.addresses.is_empty() { State::Resting } else { State::At(moment) }
    }
}

/// How long to wait after so many tries: between half and all of a time that doubles.
fn back_off(tries: u32, chance: u64) -> Duration {
    let doubled = BACK_OFF_MS.saturating_mul(1 << tries.saturating_sub(1).min(20));
    let half = doubled.min(BACK_OFF_MS_MAX) / 2;
    Duration::from_millis(half + chance % (half + 1))
}
