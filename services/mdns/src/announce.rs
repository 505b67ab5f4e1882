//! What is said on the network, what was seen there, and what of that is told to the daemon.
//!
//! A device shows a tag, which the daemon makes anew each day and friends recognise; and a port.
//! The name of the service and of the host are drawn anew with each tag, so that nothing of it is
//! the same tomorrow. Without a tag nothing is said, and nobody is asked: who has no friends and no
//! other device does not listen either.
//!
//! What others show is told with all addresses that came in within a moment. It is told again when
//! addresses come, and all of it when the daemon has another tag, since it may know more people by
//! then.
//!
//! It knows no socket, no bus and no clock.

use crate::limits::{ADDRESSES_MAX, GATHER_MS, SEEN_MAX};
use kith_plugins_api::Moment;
use kith_plugins_api::contract::Tag;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The version in what is shown.
pub const VERSION: &str = "1";

/// What this device shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The service's name: any.
    pub name: String,
    /// The host's name: any.
    pub host: String,
    /// The tag.
    pub tag: Tag,
    /// Where to dial.
    pub port: u16,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Take part in what goes on on the network.
    Join,
    /// Take no part any more, and forget what was said.
    Leave,
    /// Show this, and nothing else.
    Show(Announcement),
    /// Show nothing.
    Hide,
    /// Tell the daemon who was seen, and where.
    Tell(Tag, Vec<String>),
}

/// What a device has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The name that it goes by on the network.
    pub name: String,
    /// Its tag.
    pub tag: Tag,
    /// Where it can be dialled.
    pub addresses: Vec<SocketAddr>,
}

/// Everything about the network.
#[derive(Debug, Default)]
pub struct Announcer {
    beacon: Option<(Tag, Moment)>,
    port: Option<u16>,
    shown: Option<Announcement>,
    has_joined: bool,
    seen: BTreeMap<String, Seen>,
    acts: VecDeque<Act>,
}

#[derive(Debug)]
struct Seen {
    tag: Tag,
    addresses: Vec<SocketAddr>,
    tell_at: Option<Moment>,
}

impl Announcer {
    /// The daemon says how this device is recognised now. `random` is for the names.
    pub fn beacon(&mut self, tag: Option<Tag>, until: Moment, random: [u64; 2], now: Moment) {
        let is_new = self.beacon.map(|(tag, _)| tag) != tag;
        self.beacon = tag.map(|tag| (tag, until));
        if is_new {
            self.seen.values_mut().for_each(|seen| seen.tell_at = Some(now));
        }
        self.settle(random, now);
    }

    /// The transport says at which port it listens; or that it does not.
    pub fn port(&mut self, port: Option<u16>, random: [u64; 2], now: Moment) {
        self.port = port;
        self.settle(random, now);
    }

    /// It is later.
    pub fn tick(&mut self, random: [u64; 2], now: Moment) {
        self.settle(random, now);
        let own = self.beacon.map(|(tag, _)| tag);
        for seen in self.seen.values_mut() {
            if seen.tell_at.is_some_and(|at| at <= now) {
                seen.tell_at = None;
                // After a change of tags our own old one may still be around.
                if Some(seen.tag) != own && !seen.addresses.is_empty() {
                    self.acts.push_back(Act::Tell(seen.tag, told(&seen.addresses)));
                }
            }
        }
    }

    /// Somebody was heard.
    pub fn heard(&mut self, shown: Shown, now: Moment) {
        let is_own = self.shown.as_ref().is_some_and(|own| shown.tag == own.tag);
        let has_room = self.seen.len() < SEEN_MAX || self.seen.contains_key(&shown.name);
        if is_own || !self.has_joined || !has_room {
            return;
        }
        let seen = self.seen.entry(shown.name).or_insert_with(|| Seen {
            tag: shown.tag,
            addresses: Vec::new(),
            tell_at: None,
        });
        let mut is_new = seen.tag != shown.tag;
        if is_new {
            seen.tag = shown.tag;
            seen.addresses.clear();
        }
        for address in shown.addresses {
            if !seen.addresses.contains(&address) {
                is_new = true;
                // Of too many the newest are the likeliest.
                if seen.addresses.len() >= ADDRESSES_MAX {
                    seen.addresses.remove(0);
                }
                seen.addresses.push(address);
            }
        }
        if is_new && seen.tell_at.is_none() {
            seen.tell_at = Some(now + Duration::from_millis(GATHER_MS));
        }
    }

    /// Somebody has gone, or has not been heard for long. If they come again, that is news.
    pub fn gone(&mut self, name: &str) {
        self.seen.remove(name);
    }

    /// The network is another one: everything is said and asked anew.
    pub fn moved(&mut self) {
        if self.has_joined {
            self.seen.clear();
            self.acts.extend([Act::Leave, Act::Join]);
            self.acts.extend(self.shown.clone().map(Act::Show));
        }
    }

    /// When to call [`Announcer::tick`], if nothing happens before.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Moment> {
        let tells = self.seen.values().filter_map(|seen| seen.tell_at);
        tells.chain(self.beacon.map(|(_, until)| until)).min()
    }

    /// How many others were seen and have not gone.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// What is to be done next.
    pub fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// Compares what is shown with what should be.
    fn settle(&mut self, random: [u64; 2], now: Moment) {
        self.beacon = self.beacon.filter(|(_, until)| *until > now);
        let Some((tag, _)) = self.beacon else {
            if std::mem::take(&mut self.has_joined) {
                self.shown = None;
                self.seen.clear();
                self.acts.push_back(Act::Leave);
            }
            return;
        };
        if !std::mem::replace(&mut self.has_joined, true) {
            self.acts.push_back(Act::Join);
        }
        let should = self.port.map(|port| (tag, port));
        if self.shown.as_ref().map(|shown| (shown.tag, shown.port)) == should {
            return;
        }
        self.shown = should.map(|(tag, port)| {
            let [name, host] = random.map(|number| format!("{number:016x}"));
            Announcement { name, host, tag, port }
        });
        self.acts.push_back(self.shown.clone().map_or(Act::Hide, Act::Show));
    }
}

/// The tag as it is shown.
#[must_use]
pub fn tag_text(tag: &Tag) -> String {
    data_encoding::HEXLOWER.encode(tag)
}

/// The tag that is shown so.
#[must_use]
pub fn tag_of(text: &str) -> Option<Tag> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// The addresses as a sighting has them: what surely is on this network first.
fn told(addresses: &[SocketAddr]) -> Vec<String> {
    let mut addresses = addresses.to_vec();
    addresses.sort_by_key(|address| match address.ip() {
        IpAddr::V4(_) => 0,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 2,
        IpAddr::V6(_) => 1,
    });
    addresses.iter().map(SocketAddr::to_string).collect()
}

#[cfg(test)]
mod tests;
