//! Ids of messages that were published with an id of the client's own, so that a publish that is
//! repeated after a reconnect is delivered once.
//!
//! A memory, not a promise for ever: bounded in time, per client and in all. When it is full, those
//! forget who remember the most, so no client can make another's repetitions pass. The daemon's
//! restart forgets what was not stored; the store knows of the rest ([`Remembered::recall`]).

use super::client::ClientId;
use crate::durable::OnDisk;
use crate::limits::{
    REMEMBERED_CLIENTS_MAX, REMEMBERED_IDS_MAX, REMEMBERED_IDS_TOTAL_MAX, REMEMBERED_MS_MAX,
};
use kith_wire::{MessageId, Until};
use std::collections::{BTreeMap, VecDeque};

/// Whose ids they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Publisher {
    /// A connection that gave no client id.
    Connection(u64),
    /// Whoever gives this client id.
    Identity([u8; 16]),
}

impl Publisher {
    pub(crate) fn new(id: ClientId, identity: Option<[u8; 16]>) -> Self {
        identity.map_or(Self::Connection(id.serial), Self::Identity)
    }
}

/// All remembered ids. Ordered maps, because clients choose the keys.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    windows: BTreeMap<Publisher, Window>,
    /// Publishers without a connection, the one that has been gone longest first.
    gone: VecDeque<[u8; 16]>,
    total: usize,
}

/// What is known of a message that was published before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Whether it is on this disk.
    pub(crate) on_disk: Option<OnDisk>,
    /// How far the post has said that it is, if it went there.
    pub(crate) reached: Option<Until>,
}

#[derive(Debug, Default)]
struct Window {
    ids: BTreeMap<MessageId, Known>,
    order: VecDeque<(u64, MessageId)>,
    connections: usize,
}

impl Remembered {
    /// Whether this publisher published this id before; and if so, what became of it.
    pub(crate) fn is_repeated(
        &mut self,
        publisher: Publisher,
        id: MessageId,
        monotonic_ms: u64,
    ) -> Option<Known> {
        let window = self.windows.get_mut(&publisher)?;
        while let Some((at, _)) = window.order.front()
            && at.saturating_add(REMEMBERED_MS_MAX) <= monotonic_ms
        {
            window.forget_oldest(&mut self.total);
        }
        window.shrink();
        window.ids.get(&id).copied()
    }

    /// Remembers an id that this publisher, who is connected, has published now.
    pub(crate) fn remember(&mut self, publisher: Publisher, id: MessageId, monotonic_ms: u64) {
        while REMEMBERED_IDS_TOTAL_MAX <= self.total {
            let before = self.total;
            self.make_room();
            if self.total == before && self.gone.is_empty() {
                return;
            }
        }
        let Some(window) = self.windows.get_mut(&publisher) else { return };
        if REMEMBERED_IDS_MAX <= window.order.len() {
            window.forget_oldest(&mut self.total);
        }
        if window.ids.insert(id, Known::default()).is_none() {
            window.order.push_back((monotonic_ms, id));
            self.total += 1;
        }
    }

    /// What this publisher published with this id is on the disk.
    pub(crate) fn confirm(&mut self, publisher: Publisher, id: MessageId, on_disk: OnDisk) {
        let window = self.windows.get_mut(&publisher);
        if let Some(known) = window.and_then(|window| window.ids.get_mut(&id)) {
            known.on_disk = Some(on_disk);
        }
    }

    /// What this publisher sent elsewhere with this id has got so far.
    pub(crate) fn reach(&mut self, publisher: Publisher, id: MessageId, until: Until) {
        let window = self.windows.get_mut(&publisher);
        if let Some(known) = window.and_then(|window| window.ids.get_mut(&id)) {
            known.reached = known.reached.max(Some(until));
        }
    }

    /// It was refused after all: it can be published again.
    pub(crate) fn forget(&mut self, publisher: Publisher, id: MessageId) {
        let Some(window) = self.windows.get_mut(&publisher) else { return };
        if window.ids.remove(&id).is_some() {
            window.order.retain(|(_, other)| *other != id);
            self.total = self.total.saturating_sub(1);
        }
    }

    /// Remembers what publishers who are not there now published before a restart.
    pub(crate) fn recall(
        &mut self,
        ids: &VecDeque<([u8; 16], MessageId, OnDisk)>,
        monotonic_ms: u64,
    ) {
        for (identity, id, on_disk) in ids {
            let publisher = Publisher::Identity(*identity);
            self.attach(publisher);
            self.remember(publisher, *id, monotonic_ms);
            self.confirm(publisher, *id, *on_disk);
            self.detach(publisher);
        }
    }

    /// A connection uses this name from now on.
    pub(crate) fn attach(&mut self, publisher: Publisher) {
        let window = self.windows.entry(publisher).or_default();
        window.connections += 1;
        if let Publisher::Identity(identity) = publisher
            && window.connections == 1
        {
            self.gone.retain(|other| *other != identity);
        }
    }

    /// A connection that used this name has ended.
    pub(crate) fn detach(&mut self, publisher: Publisher) {
        let Some(window) = self.windows.get_mut(&publisher) else { return };
        window.connections = window.connections.saturating_sub(1);
        if window.connections > 0 {
            return;
        }
        match publisher {
            Publisher::Identity(identity) if !window.ids.is_empty() => {
                self.gone.push_back(identity);
                while REMEMBERED_CLIENTS_MAX < self.gone.len() {
                    self.forget_longest_gone();
                }
            }
            _ => self.drop_window(publisher),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.total
    }

    /// Forgets who has been gone longest, or else a quarter of what the one remembers who remembers
    /// the most; a quarter, so that the search for it is rare.
    fn make_room(&mut self) {
        if !self.gone.is_empty() {
            self.forget_longest_gone();
            return;
        }
        let largest = self.windows.values_mut().max_by_key(|window| window.order.len());
        let Some(window) = largest else { return };
        for _ in 0..window.order.len().div_ceil(4) {
            window.forget_oldest(&mut self.total);
        }
    }

    fn forget_longest_gone(&mut self) {
        if let Some(identity) = self.gone.pop_front() {
            self.drop_window(Publisher::Identity(identity));
        }
    }

    fn drop_window(&mut self, publisher: Publisher) {
        if let Some(window) = self.windows.remove(&publisher) {
            self.total = self.total.saturating_sub(window.ids.len());
        }
    }
}

impl Window {
    fn forget_oldest(&mut self, total: &mut usize) {
        if let Some((_, id)) = self.order.pop_front()
            && self.ids.remove(&id).is_some()
        {
            *total = total.saturating_sub(1);
        }
    }

    /// Gives memory back after a burst.
    fn shrink(&mut self) {
        if 1024 < self.order.capacity() && self.order.len() < self.order.capacity() / 8 {
            self.order.shrink_to(2 * self.order.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> MessageId {
        MessageId::from_parts(1, &[0; 10]).advance(n)
    }

    /// Publishes: whether it was a repetition.
    fn publish(all: &mut Remembered, publisher: Publisher, id: MessageId, ms: u64) -> bool {
        let is_repeated = all.is_repeated(publisher, id, ms).is_some();
        if !is_repeated {
            all.remember(publisher, id, ms);
        }
        is_repeated
    }

    #[test]
    fn an_id_is_new_once_for_each_publisher() {
        let mut all = Remembered::default();
        let (a, b) = (Publisher::Connection(1), Publisher::Identity([2; 16]));
        all.attach(a);
        all.attach(b);
        assert!(!publish(&mut all, a, id(1), 0));
        assert!(publish(&mut all, a, id(1), 1));
        assert!(!publish(&mut all, b, id(1), 1));
        assert!(!publish(&mut all, a, id(2), 1));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_named_client_is_remembered_when_it_is_gone_and_a_connection_is_not() {
        let mut all = Remembered::default();
        for publisher in [Publisher::Connection(1), Publisher::Identity([2; 16])] {
            all.attach(publisher);
            assert!(!publish(&mut all, publisher, id(1), 0));
            all.detach(publisher);
            let named = matches!(publisher, Publisher::Identity(_));
            assert_eq!(all.is_repeated(publisher, id(1), 5).is_some(), named);
        }
    }

    #[test]
    fn ids_are_forgotten_by_time_and_by_number() {
        let mut all = Remembered::default();
        let publisher = Publisher::Connection(1);
        all.attach(publisher);
        assert!(!publish(&mut all, publisher, id(0), 0));
        assert!(!publish(&mut all, publisher, id(0), REMEMBERED_MS_MAX));
        for n in 1..=u32::try_from(REMEMBERED_IDS_MAX).unwrap() {
            assert!(!publish(&mut all, publisher, id(n), REMEMBERED_MS_MAX));
        }
        assert_eq!(all.len(), REMEMBERED_IDS_MAX);
        assert!(!publish(&mut all, publisher, id(0), REMEMBERED_MS_MAX));
        assert!(all.is_repeated(publisher, id(0), REMEMBERED_MS_MAX * 2).is_none());
        assert_eq!(all.len(), 0);
        assert!(all.windows[&publisher].order.capacity() < 1_024);
        all.detach(publisher);
        assert!(all.windows.is_empty());
    }

    #[test]
    fn so_many_clients_that_are_gone_are_remembered() {
        let mut all = Remembered::default();
        let name = |n: u32| {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_le_bytes());
            Publisher::Identity(name)
        };
        let count = u32::try_from(REMEMBERED_CLIENTS_MAX).unwrap() + 1;
        for n in 0..count {
            all.attach(name(n));
            publish(&mut all, name(n), id(n), 0);
            all.detach(name(n));
        }
        assert!(all.is_repeated(name(0), id(0), 0).is_none());
        assert!(all.is_repeated(name(1), id(1), 0).is_some());
        // Who comes back is not the longest gone any more.
        all.attach(name(1));
        all.detach(name(1));
        all.attach(name(count));
        publish(&mut all, name(count), id(count), 0);
        all.detach(name(count));
        assert!(all.is_repeated(name(1), id(1), 0).is_some());
        assert!(all.is_repeated(name(2), id(2), 0).is_none());
        assert_eq!(all.len(), REMEMBERED_CLIENTS_MAX);
        assert_eq!(all.gone.len(), REMEMBERED_CLIENTS_MAX);
    }

    #[test]
    fn who_fills_the_memory_does_not_make_another_forgetful() {
        let mut all = Remembered { total: REMEMBERED_IDS_TOTAL_MAX - 100, ..Remembered::default() };
        let (hog, other) = (Publisher::Connection(1), Publisher::Connection(2));
        all.attach(hog);
        all.attach(other);
        publish(&mut all, other, id(0), 0);
        for n in 0..1_000 {
            assert!(!publish(&mut all, hog, id(n), 0));
        }
        assert!(!publish(&mut all, other, id(1), 0));
        assert!(all.is_repeated(other, id(0), 0).is_some());
        assert!(all.is_repeated(other, id(1), 0).is_some());
        assert!(all.len() <= REMEMBERED_IDS_TOTAL_MAX);
    }
}
