//! Where subscriptions are kept: a slab of small records, chained by what they match.
//!
//! Every entry of the table and every node of the trie is the head of a chain. A record knows its
//! neighbours, so a subscription is taken out without a search, however many there are.

use slab::Slab;

/// No record, entry, node, name or group.
pub(crate) const NONE: u32 = u32::MAX;

/// In place of a group: a subscription that only looks on.
pub(crate) const MONITOR: u32 = u32::MAX - 1;

/// In place of a group: not a client gets it but a consumer, whose number stands for the client's.
pub(crate) const DURABLE: u32 = u32::MAX - 2;

/// Names one subscription until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionKey(u32);

/// Whom a subscription delivers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The client's place in the broker.
    pub(crate) client: u32,
    /// The subscription's number, which the client chose.
    pub(crate) number: u32,
    /// The group, or [`NONE`], [`MONITOR`] or [`DURABLE`].
    pub(crate) group: u32,
}

/// What heads a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An entry of the table of exact patterns.
    Exact(u32),
    /// A node of the trie: patterns that end here.
    Here(u32),
    /// A node of the trie: patterns that go on with `>`.
    Below(u32),
}

#[derive(Debug)]
struct Slot {
    target: Target,
    place: Place,
    previous: u32,
    next: u32,
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Slab<Slot>,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// Gives memory back that the last records took.
    pub(super) fn trim(&mut self) {
        self.slots.shrink_to_fit();
    }

    /// Adds a record at the head of a chain.
    pub(super) fn insert(
        &mut self,
        target: Target,
        place: Place,
        head: &mut u32,
    ) -> SubscriptionKey {
        let slot = Slot { target, place, previous: NONE, next: *head };
        let key = u32::try_from(self.slots.insert(slot)).unwrap_or(NONE);
        if let Some(next) = self.slots.get_mut(*head as usize) {
            next.previous = key;
        }
        *head = key;
        SubscriptionKey(key)
    }

    /// Takes a record out. Returns what heads its chain, and the chain's new head if it was the
    /// first.
    pub(super) fn remove(&mut self, key: SubscriptionKey) -> Option<(Target, Place, Option<u32>)> {
        let slot = self.slots.try_remove(key.0 as usize)?;
        if let Some(next) = self.slots.get_mut(slot.next as usize) {
            next.previous = slot.previous;
        }
        let new_head = match self.slots.get_mut(slot.previous as usize) {
            Some(previous) => {
                previous.next = slot.next;
                None
            }
            None => Some(slot.next),
        };
        Some((slot.target, slot.place, new_head))
    }

    pub(super) fn target(&self, key: SubscriptionKey) -> Option<Target> {
        self.slots.get(key.0 as usize).map(|slot| slot.target)
    }

    pub(super) fn place(&self, key: SubscriptionKey) -> Option<Place> {
        self.slots.get(key.0 as usize).map(|slot| slot.place)
    }

    /// Reads the first record of a chain, so that it is close by later.
    pub(super) fn read_ahead(&self, head: u32) -> u32 {
        self.slots.get(head as usize).map_or(NONE, |slot| slot.next)
    }

    /// The records of a chain.
    pub(super) fn list(&self, head: u32) -> impl Iterator<Item = Target> {
        let mut next = head;
        std::iter::from_fn(move || {
            let slot = self.slots.get(next as usize)?;
            next = slot.next;
            Some(slot.target)
        })
    }
}
