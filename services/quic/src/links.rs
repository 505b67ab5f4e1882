//! Which links there are: whom to dial and when, who may come in, and which of two links stays.
//!
//! What happens comes in as calls, with the time; what is to be done comes out of
//! [`Links::next_act`]. It knows no socket, no TLS and no bus.
//!
//! A connection is an *attempt* until the other end has shown who it is; then it is a *link*. So
//! whatever somebody sends who can't show that, a recorded handshake for one, never touches a link.
//! A dial goes to all addresses of a device at once. The first that proves its key is told who we
//! are; the others wait until that has come to an end.
//!
//! A device has one link. When a second one comes up, they settle without a word:
//!
//! - Both were dialled by the same end: it would not have dialled again if the first were of use to
//!   it, so the newer one stays.
//! - The other end has begun a new life, does not answer on the first, or the first is older than
//!   any dial that could have crossed it: the newer one stays.
//! - Else both were dialled at the same time, and the one stays that was dialled by the device with
//!   the lower key. Both ends come to the same.
//!
//! Deliberately absent: who is a friend. Whoever has a device may come in; the daemon hangs up.

use crate::hello::Goodbye;
use crate::limits::{
    ANYBODY_MAX, DIAL_MS, DIALS_MAX, HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX,
    HANDSHAKES_TRUSTED_MAX, HELLO_MS, LINKS_MAX, LINKS_TAKEN_MAX, PROBE_MS, REFUSED_MAX, SETTLE_MS,
};
use kith_plugins_api::Moment;
use kith_plugins_api::contract::Key;
use kith_plugins_api::contract::transports::Ending;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use wanted::{Target, Wanted, WantedList};

mod wanted;

/// A connection: an attempt, and then the link of the same number.
pub type Number = u64;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Connect to this address. With `expected` nobody else's key will do.
    Dial {
        /// The attempt.
        number: Number,
        /// Where.
        address: SocketAddr,
        /// The key that TLS has to prove.
        expected: Option<Key>,
    },
    /// Say our hello on this attempt, and wait for the other's.
    Greet(Number),
    /// The attempt is a link now.
    Up(Number),
    /// The link is still up: say so again.
    Still(Number),
    /// Ask the other end of this link whether it is there.
    Probe(Number),
    /// Close the attempt.
    Drop(Number, Goodbye),
    /// Close the link and say that it is down.
    Down(Number, Goodbye),
}

/// Whether somebody may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Take,
    /// When it has shown that its address is its own.
    Challenge,
    /// No: too many are at it.
    Refuse,
}

/// What a device has shown, as far as it counts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its sign key.
    pub device: Key,
    /// Which of its lives this is.
    pub life: u64,
}

/// All links, attempts and wishes.
#[derive(Debug)]
pub struct Links {
    me: Option<Key>,
    last: Number,
    attempts: BTreeMap<Number, Attempt>,
    links: BTreeMap<Number, Link>,
    by_device: BTreeMap<Key, Number>,
    wanted: WantedList,
    refused: VecDeque<Key>,
    acts: VecDeque<Act>,
}

#[derive(Debug)]
struct Attempt {
    side: Side,
    stage: Stage,
    until: Moment,
}

/// Who has dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    We(Target),
    /// They, from this address, of which the lower half of an IPv6 one is left out.
    They(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// TLS has proved nothing yet.
    Connecting,
    /// It has; another one of the same dial is being greeted.
    Proved,
    /// Our hello is said.
    Greeted,
}

#[derive(Debug)]
struct Link {
    peer: Peer,
    is_ours: bool,
    since: Moment,
    /// It was asked whether it is there, and has until then to answer.
    probed_until: Option<Moment>,
    /// It has not answered. It is dialled beside, and stays until then, or until QUIC gives it up.
    is_silent: bool,
    /// Its answer is to be told.
    is_asked_for: bool,
}

impl Links {
    /// No links yet. `seed` is for the waits between dials.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            me: None,
            last: 0,
            attempts: BTreeMap::new(),
            links: BTreeMap::new(),
            by_device: BTreeMap::new(),
            wanted: WantedList::new(seed),
            refused: VecDeque::new(),
            acts: VecDeque::new(),
        }
    }

    /// The daemon has certified our key for this device, or does not any more. Without that nobody
    /// is dialled and nobody let in.
    pub fn set_me(&mut self, me: Option<Key>, now: Moment) {
        if self.me == me {
            return;
        }
        if self.me.is_some() {
            for number in std::mem::take(&mut self.attempts).into_keys() {
                self.acts.push_back(Act::Drop(number, Goodbye::Closed));
            }
            for number in self.links.keys().copied().collect::<Vec<_>>() {
                self.close(number, Goodbye::Closed);
            }
        }
        self.me = me;
        self.wanted.retry_all(now);
        self.tick(now);
    }

    /// The daemon wants a device to be reached, or whoever answers at these addresses.
    pub fn dial(
        &mut self,
        device: Option<Key>,
        tls_key: Option<Key>,
        addresses: Vec<SocketAddr>,
        now: Moment,
    ) {
        let Some(device) = device else {
            if self.wanted.anybody() < ANYBODY_MAX && !addresses.is_empty() {
                let target = Target::Anybody(self.draw());
                self.wanted.want(target, tls_key, addresses, now);
                self.tick(now);
            }
            return;
        };
        self.refused.retain(|refused| *refused != device);
        if self.me == Some(device) {
            return;
        }
        let (links, target) = (&self.by_device, Target::Device(device));
        self.wanted.make_room(
            |other| matches!(other, Target::Device(device) if links.contains_key(device)),
        );
        self.wanted.want(target, tls_key, addresses, now);
        match self.by_device.get(&device).copied() {
            Some(link) => {
                // It is dialled only if it is not there any more.
                self.wanted.rest(target);
                self.probe(link, true, now);
            }
            None => self.tick(now),
        }
    }

    /// The network has changed: asks all links whether they are there, and dials again at once.
    pub fn look_around(&mut self, now: Moment) {
        for number in self.links.keys().copied().collect::<Vec<_>>() {
            self.probe(number, false, now);
        }
        self.wanted.retry_all(now);
        self.tick(now);
    }

    /// Closes the links to this device, and refuses it until it is dialled.
    pub fn hang_up(&mut self, device: Key, refuse: bool) {
        self.wanted.forget(Target::Device(device));
        self.drop_attempts(Target::Device(device), None);
        if refuse && !self.refused.contains(&device) {
            if self.refused.len() >= REFUSED_MAX {
                self.refused.pop_front();
            }
            self.refused.push_back(device);
        }
        if let Some(link) = self.by_device.get(&device).copied() {
            self.close(link, if refuse { Goodbye::Refused } else { Goodbye::Closed });
        }
    }

    /// Whether somebody at this address may begin a handshake.
    #[must_use]
    pub fn admit(&self, address: IpAddr, is_proved: bool) -> Admission {
        let network = network(address);
        let theirs = |attempt: &&Attempt| matches!(attempt.side, Side::They(_));
        let all = self.attempts.values().filter(theirs).count();
        let same = |attempt: &&Attempt| attempt.side == Side::They(network);
        let from_there = self.attempts.values().filter(same).count();
        if self.me.is_none()
            || all >= HANDSHAKES_MAX
            || (is_proved && from_there >= HANDSHAKES_PER_ADDRESS_MAX)
        {
            Admission::Refuse
        } else if !is_proved
            && (all >= HANDSHAKES_TRUSTED_MAX || from_there >= HANDSHAKES_PER_ADDRESS_MAX)
        {
            Admission::Challenge
        } else {
            Admission::Take
        }
    }

    /// Somebody at this address has begun a handshake.
    pub fn taken(&mut self, address: IpAddr, now: Moment) -> Number {
        let number = self.draw();
        let until = now + Duration::from_millis(HELLO_MS);
        let side = Side::They(network(address));
        self.attempts.insert(number, Attempt { side, stage: Stage::Connecting, until });
        number
    }

    /// TLS has proved the other end's key on an attempt that we have dialled.
    pub fn proved(&mut self, number: Number) {
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        attempt.stage = Stage::Proved;
        if let Side::We(target) = attempt.side {
            self.greet_next(target);
        }
    }

    /// The other end has shown who it is.
    pub fn shown(&mut self, number: Number, peer: Peer, now: Moment) {
        let Some(attempt) = self.attempts.remove(&number) else { return };
        let is_ours = matches!(attempt.side, Side::We(_));
        if let Some(why) = self.objection(&attempt, &peer) {
            self.acts.push_back(Act::Drop(number, why));
            self.attempt_ended(&attempt, now);
            return;
        }
        if let Side::We(target) = attempt.side {
            self.drop_attempts(target, None);
            self.wanted.reached(target);
        }
        // Ours to the same device that have said nothing yet are not needed.
        self.drop_attempts(Target::Device(peer.device), Some(Stage::Greeted));
        self.wanted.rest(Target::Device(peer.device));
        if let Some(old) = self.by_device.get(&peer.device).copied() {
            if !self.is_newer_kept(old, &peer, is_ours, now) {
                self.acts.push_back(Act::Drop(number, Goodbye::Replaced));
                return;
            }
            self.close(old, Goodbye::Replaced);
        }
        let link = Link {
            peer,
            is_ours,
            since: now,
            probed_until: None,
            is_silent: false,
            is_asked_for: false,
        };
        self.links.insert(number, link);
        self.by_device.insert(peer.device, number);
        self.acts.push_back(Act::Up(number));
    }

    /// An attempt has come to nothing. The other end may be there none the less.
    pub fn failed(&mut self, number: Number, now: Moment) {
        if let Some(attempt) = self.attempts.remove(&number) {
            self.attempt_ended(&attempt, now);
        }
    }

    /// A link has ended, not by an [`Act`]. Whether it was one.
    pub fn ended(&mut self, number: Number, how: Ending, now: Moment) -> bool {
        let Some(link) = self.links.remove(&number) else { return false };
        if self.by_device.get(&link.peer.device) == Some(&number) {
            self.by_device.remove(&link.peer.device);
            let target = Target::Device(link.peer.device);
            self.wanted.lost(target, how == Ending::Lost, now);
            self.tick(now);
        }
        true
    }

    /// The other end of a link is there: it has answered.
    pub fn answered(&mut self, number: Number) {
        let Some(link) = self.links.get_mut(&number) else { return };
        (link.probed_until, link.is_silent) = (None, false);
        let device = link.peer.device;
        if std::mem::take(&mut link.is_asked_for) {
            self.acts.push_back(Act::Still(number));
        }
        self.wanted.rest(Target::Device(device));
        self.drop_attempts(Target::Device(device), Some(Stage::Greeted));
    }

    /// The link to a device.
    #[must_use]
    pub fn link_to(&self, device: &Key) -> Option<Number> {
        self.by_device.get(device).copied()
    }

    /// How many links are up.
    #[must_use]
    pub fn count(&self) -> usize {
        self.links.len()
    }

    /// What is to be done next.
    pub fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When to call [`Links::tick`], if nothing happens before.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Moment> {
        let attempts = self.attempts.values().map(|attempt| attempt.until);
        let probes = self.links.values().filter_map(|link| link.probed_until);
        // With as many dials as may be, the end of one is waited for.
        let may_dial = self.me.is_some() && self.wanted.dialling() < DIALS_MAX;
        let dials = if may_dial { self.wanted.wakes_at() } else { None };
        attempts.chain(probes).chain(dials).min()
    }

    /// It is later.
    pub fn tick(&mut self, now: Moment) {
        let is_late =
            |(number, attempt): (&Number, &Attempt)| (attempt.until <= now).then_some(*number);
        for number in self.attempts.iter().filter_map(is_late).collect::<Vec<_>>() {
            self.acts.push_back(Act::Drop(number, Goodbye::Garbled));
            self.failed(number, now);
        }
        for link in self.links.values_mut() {
            if link.probed_until.is_some_and(|until| until <= now) {
                (link.probed_until, link.is_silent) = (None, true);
                self.wanted.retry(Target::Device(link.peer.device), now);
            }
        }
        if self.me.is_some() {
            let mut room = DIALS_MAX.saturating_sub(self.wanted.dialling());
            while room > 0
                && let Some((target, wanted)) = self.wanted.next_due(now)
            {
                room -= 1;
                self.begin(target, &wanted, now);
            }
        }
    }

    fn begin(&mut self, target: Target, wanted: &Wanted, now: Moment) {
        let until = now + Duration::from_millis(DIAL_MS);
        for address in wanted.addresses.iter().copied() {
            let number = self.draw();
            let side = Side::We(target);
            self.attempts.insert(number, Attempt { side, stage: Stage::Connecting, until });
            self.acts.push_back(Act::Dial { number, address, expected: wanted.tls_key });
        }
    }

    /// Of the attempts of one dial that have proved their keys, one at a time is greeted.
    fn greet_next(&mut self, target: Target) {
        let ours = |attempt: &&Attempt| attempt.side == Side::We(target);
        if self.attempts.values().filter(ours).any(|attempt| attempt.stage == Stage::Greeted) {
            return;
        }
        let next = self.attempts.iter_mut().find(|(_, attempt)| {
            attempt.side == Side::We(target) && attempt.stage == Stage::Proved
        });
        if let Some((number, attempt)) = next {
            attempt.stage = Stage::Greeted;
            self.acts.push_back(Act::Greet(*number));
        }
    }

    /// After an attempt that failed: the next of its dial, or the end of the dial.
    fn attempt_ended(&mut self, attempt: &Attempt, now: Moment) {
        let Side::We(target) = attempt.side else { return };
        if self.attempts.values().any(|other| other.side == attempt.side) {
            self.greet_next(target);
        } else if self.has_live_link(target) {
            self.wanted.rest(target);
        } else {
            self.wanted.missed(target, now);
        }
    }

    fn has_live_link(&self, target: Target) -> bool {
        let Target::Device(device) = target else { return false };
        let link = self.by_device.get(&device).and_then(|number| self.links.get(number));
        link.is_some_and(|link| !link.is_silent)
    }

    /// Drops the attempts of a dial, but for those at this stage.
    fn drop_attempts(&mut self, target: Target, but: Option<Stage>) {
        let acts = &mut self.acts;
        self.attempts.retain(|number, attempt| {
            let goes = attempt.side == Side::We(target) && Some(attempt.stage) != but;
            if goes {
                acts.push_back(Act::Drop(*number, Goodbye::Slower));
            }
            !goes
        });
    }

    /// Why whoever has shown this may not have a link.
    fn objection(&self, attempt: &Attempt, peer: &Peer) -> Option<Goodbye> {
        let is_other = |target| matches!(target, Target::Device(device) if device != peer.device);
        let has_link = self.by_device.contains_key(&peer.device);
        let taken = || self.links.values().filter(|link| !link.is_ours).count();
        match attempt.side {
            _ if self.me.is_none() || self.me == Some(peer.device) => Some(Goodbye::Refused),
            _ if self.refused.contains(&peer.device) => Some(Goodbye::Refused),
            Side::We(target) if is_other(target) => Some(Goodbye::Refused),
            _ if has_link => None,
            Side::They(_) if taken() >= LINKS_TAKEN_MAX => Some(Goodbye::Busy),
            _ if self.links.len() >= LINKS_MAX => Some(Goodbye::Busy),
            _ => None,
        }
    }

    /// Whether a new link to the same device stays, and not the old one.
    fn is_newer_kept(&self, old: Number, peer: &Peer, is_ours: bool, now: Moment) -> bool {
        let Some(old) = self.links.get(&old) else { return true };
        let settled = now.since(old.since) >= Duration::from_millis(SETTLE_MS);
        if old.is_ours == is_ours
            || old.peer.life != peer.life
            || old.probed_until.is_some()
            || old.is_silent
            || settled
        {
            return true;
        }
        let we_are_lower = self.me.is_some_and(|me| me < peer.device);
        we_are_lower == is_ours
    }

    fn probe(&mut self, number: Number, is_asked_for: bool, now: Moment) {
        let Some(link) = self.links.get_mut(&number) else { return };
        link.is_asked_for |= is_asked_for;
        if link.probed_until.is_none() {
            link.probed_until = Some(now + Duration::from_millis(PROBE_MS));
            self.acts.push_back(Act::Probe(number));
        }
    }

    /// Closes a link by our own choice.
    fn close(&mut self, number: Number, why: Goodbye) {
        if let Some(link) = self.links.remove(&number) {
            self.by_device.remove(&link.peer.device);
            self.acts.push_back(Act::Down(number, why));
        }
    }

    fn draw(&mut self) -> Number {
        self.last += 1;
        self.last
    }
}

/// What is counted as one place: an address, or one network of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests;
