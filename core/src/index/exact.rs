//! Patterns without wildcards: a table by realm and topic.

use super::slots::{NONE, Place, Slots, SubscriptionKey, Target};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slab::Slab;
use smol_str::SmolStr;
use std::hash::BuildHasher;

/// The table. It holds numbers of entries; an entry holds its key.
#[derive(Debug)]
pub(super) struct Exact {
    hasher: FixedState,
    table: HashTable<u32>,
    entries: Slab<Entry>,
}

#[derive(Debug)]
struct Entry {
    realm: u32,
    topic: SmolStr,
    head: u32,
}

impl Exact {
    pub(super) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { hasher, table: HashTable::new(), entries: Slab::new() }
    }

    pub(super) fn insert(
        &mut self,
        realm: u32,
        topic: &str,
        slots: &mut Slots,
        target: Target,
    ) -> SubscriptionKey {
        let hash = self.hash(realm, topic);
        let id = match self.lookup(hash, realm, topic) {
            Some(id) => id,
            None => {
                let entry = Entry { realm, topic: SmolStr::new(topic), head: NONE };
                let id = u32::try_from(self.entries.insert(entry)).unwrap_or(NONE);
                let Self { hasher, table, entries } = self;
                table.insert_unique(hash, id, |id| hash_of(hasher, entries, *id));
                id
            }
        };
        let mut unused = NONE;
        let head = self.entries.get_mut(id as usize).map_or(&mut unused, |entry| &mut entry.head);
        slots.insert(target, Place::Exact(id), head)
    }

    /// Takes note that a record of this entry's chain is gone. Returns the entry's realm.
    pub(super) fn removed(&mut self, id: u32, new_head: Option<u32>) -> u32 {
        let Some(entry) = self.entries.get_mut(id as usize) else { return NONE };
        let realm = entry.realm;
        if let Some(head) = new_head {
            entry.head = head;
            if head == NONE {
                let hash = hash_of(&self.hasher, &self.entries, id);
                if let Ok(found) = self.table.find_entry(hash, |other| *other == id) {
                    found.remove();
                }
                self.entries.remove(id as usize);
                shrink(&mut self.table, &self.hasher, &self.entries);
            }
        }
        realm
    }

    pub(super) fn find(&self, realm: u32, topic: &str, each: &mut impl FnMut(u32)) {
        if self.table.is_empty() {
            return;
        }
        let found = self.lookup(self.hash(realm, topic), realm, topic);
        if let Some(entry) = found.and_then(|id| self.entries.get(id as usize)) {
            each(entry.head);
        }
    }

    /// An entry that may have this hash, by its tag alone, or [`NONE`].
    pub(super) fn guess(&self, hash: u64) -> u32 {
        self.table.find(hash, |_| true).copied().unwrap_or(NONE)
    }

    /// The head of an entry's chain, or [`NONE`].
    pub(super) fn head(&self, id: u32) -> u32 {
        self.entries.get(id as usize).map_or(NONE, |entry| entry.head)
    }

    pub(super) fn topic(&self, id: u32) -> Option<(u32, String)> {
        self.entries.get(id as usize).map(|entry| (entry.realm, entry.topic.to_string()))
    }

    /// Gives memory back that the last entries took.
    pub(super) fn trim(&mut self) {
        self.entries.shrink_to_fit();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.table.len()
    }

    pub(super) fn hash(&self, realm: u32, topic: &str) -> u64 {
        self.hasher.hash_one((realm, topic))
    }

    fn lookup(&self, hash: u64, realm: u32, topic: &str) -> Option<u32> {
        let is_it = |id: &u32| {
            let entry = self.entries.get(*id as usize);
            entry.is_some_and(|entry| entry.realm == realm && entry.topic == topic)
        };
        self.table.find(hash, is_it).copied()
    }
}

fn hash_of(hasher: &FixedState, entries: &Slab<Entry>, id: u32) -> u64 {
    entries.get(id as usize).map_or(0, |entry| hasher.hash_one((entry.realm, &*entry.topic)))
}

/// Gives memory back when most of the table is empty, e.g. after a subscription storm.
fn shrink(table: &mut HashTable<u32>, hasher: &FixedState, entries: &Slab<Entry>) {
    if 1024 < table.capacity() && table.len() < table.capacity() / 8 {
        table.shrink_to(table.len() * 2, |id| hash_of(hasher, entries, *id));
    }
}
