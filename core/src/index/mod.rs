//! Who wants a message: subscriptions by pattern.
//!
//! Every combination of scope and protocol that some pattern asks for is a *realm* of its own. A
//! message is looked up in at most four: its own scope and protocol, and "any" of either. So a
//! message from a friend is never even compared with a `self.…` subscription: that is how the
//! promise of the scopes is kept, by structure and not by a condition.
//!
//! Within its realms, a topic is found in a table of exact patterns and in a trie of patterns with
//! wildcards. The cost depends on the number of the topic's tokens, never on the number of
//! subscriptions. The table holds most patterns of a busy bus, so the trie stays small.
//!
//! Deliberately absent: a cache of results. The broker keeps the last one; runs make that enough.

mod ahead;
mod exact;
mod names;
mod slots;
mod trie;

use crate::limits::{TRIMMED_SUBSCRIPTIONS_MIN, WEIGHT_TOKENS_MAX};
use exact::Exact;
use kith_wire::{Pattern, ProtocolSelector, Scope, ScopeSelector};
use names::Names;
use slots::DURABLE;
pub(crate) use slots::{MONITOR, NONE, SubscriptionKey, Target};
use slots::{Place, Slots};
use std::ops::Range;
use trie::Trie;

/// All subscriptions.
#[derive(Debug)]
pub(crate) struct Index {
    slots: Slots,
    exact: Exact,
    trie: Trie,
    protocols: Names,
    groups: Names,
    /// Subscriptions by realm.
    realms: Vec<u32>,
    version: u64,
    weight: usize,
}

/// What a subscription counts. A pattern with wildcards takes memory, and time when it is looked
/// for, by its tokens; most have a few.
pub(crate) fn weight(pattern: &Pattern<'_>) -> usize {
    if pattern.has_wildcard() { weight_of(pattern.topic().split('.').count()) } else { 1 }
}

fn weight_of(tokens: usize) -> usize {
    tokens.div_ceil(WEIGHT_TOKENS_MAX).max(1)
}

/// What a subscription is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role<'a> {
    /// It gets each message for itself.
    Each,
    /// It is one of this group, of which one gets each message.
    Member(&'a str),
    /// As [`Role::Each`], but it only looks on.
    Monitor,
    /// It is no client's but a consumer's.
    Durable,
}

/// Who gets a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matches {
    /// Those that get it each for themselves.
    pub(crate) each: Vec<Target>,
    /// Those of which one a group gets it; members of one group stand together.
    pub(crate) grouped: Vec<Target>,
    /// The consumers for which it is stored.
    pub(crate) durable: Vec<u32>,
    /// Where those of each group stand.
    groups: Vec<Range<usize>>,
    /// How many nodes of the trie it took to find them.
    pub(crate) visited: u64,
}

impl Matches {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.each.len() + self.grouped.len()
    }

    /// The members that match, group by group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &[Target]> {
        self.groups.iter().map(|range| self.grouped.get(range.clone()).unwrap_or_default())
    }

    fn clear(&mut self) {
        clear(&mut self.each);
        clear(&mut self.grouped);
        clear(&mut self.groups);
        self.durable.clear();
        self.visited = 0;
    }
}

/// Empties a list, and gives memory back if it was used for far less than it was once.
fn clear<T>(list: &mut Vec<T>) {
    if 1024 < list.capacity() && list.len() < list.capacity() / 8 {
        list.shrink_to(list.len() * 2);
    }
    list.clear();
}

impl Index {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            slots: Slots::default(),
            exact: Exact::new(seed),
            trie: Trie::new(seed),
            protocols: Names::new(seed),
            groups: Names::new(seed),
            realms: Vec::new(),
            version: 0,
            weight: 0,
        }
    }

    /// Changes whenever a result may.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What all subscriptions count together.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Adds a subscription of `client`, by its `number`.
    pub(crate) fn insert(
        &mut self,
        pattern: &Pattern<'_>,
        role: Role<'_>,
        client: u32,
        number: u32,
    ) -> SubscriptionKey {
        self.version += 1;
        self.weight += weight(pattern);
        let protocol = match pattern.protocol() {
            ProtocolSelector::Any => NONE,
            ProtocolSelector::Only(protocol) => self.protocols.acquire(protocol.as_str()),
        };
        let group = match role {
            Role::Each => NONE,
            Role::Member(group) => self.groups.acquire(group),
            Role::Monitor => MONITOR,
            Role::Durable => DURABLE,
        };
        let realm = realm(pattern.scope(), protocol);
        let at = realm as usize;
        if self.realms.len() <= at {
            self.realms.resize(at + 1, 0);
        }
        if let Some(count) = self.realms.get_mut(at) {
            *count += 1;
        }
        let target = Target { client, number, group };
        if pattern.has_wildcard() {
            self.trie.insert(realm, pattern.topic(), &mut self.slots, target)
        } else {
            self.exact.insert(realm, pattern.topic(), &mut self.slots, target)
        }
    }

    /// Takes a subscription out. Returns what it counted.
    pub(crate) fn remove(&mut self, key: SubscriptionKey) -> usize {
        self.version += 1;
        let Some((target, place, now_empty)) = self.slots.remove(key) else { return 0 };
        let weight = match place {
            Place::Exact(_) => 1,
            Place::Here(node) => weight_of(self.trie.depth(node)),
            Place::Below(node) => weight_of(self.trie.depth(node) + 1),
        };
        let realm = match place {
            Place::Exact(entry) => self.exact.removed(entry, now_empty),
            Place::Here(node) | Place::Below(node) => self.trie.removed(node, place, now_empty),
        };
        self.weight = self.weight.saturating_sub(weight);
        if let Some(count) = self.realms.get_mut(realm as usize) {
            *count = count.saturating_sub(1);
        }
        self.protocols.release(protocol_of(realm));
        self.groups.release(target.group);
        weight
    }

    /// Finds who wants a message.
    pub(crate) fn find(&self, scope: Scope, protocol: &str, topic: &str, found: &mut Matches) {
        self.find_in(self.realms_of(scope, protocol), topic, found);
    }

    /// Finds who wants a message and names its protocol.
    pub(crate) fn find_named(
        &self,
        scope: Scope,
        protocol: &str,
        topic: &str,
        found: &mut Matches,
    ) {
        let named = |realm: &u32| protocol_of(*realm) != NONE;
        self.find_in(self.realms_of(scope, protocol).filter(named), topic, found);
    }

    fn find_in(&self, realms: impl Iterator<Item = u32>, topic: &str, found: &mut Matches) {
        found.clear();
        for realm in realms {
            let mut each = |head| {
                for target in self.slots.list(head) {
                    match target.group {
                        NONE | MONITOR => found.each.push(target),
                        DURABLE => found.durable.push(target.client),
                        _ => found.grouped.push(target),
                    }
                }
            };
            self.exact.find(realm, topic, &mut each);
            let visited = self.trie.find(realm, topic, &mut each);
            found.visited += visited;
        }
        found.grouped.sort_unstable_by_key(|target| (target.group, target.client, target.number));
        let mut start = 0;
        for members in found.grouped.chunk_by(|a, b| a.group == b.group) {
            found.groups.push(start..start + members.len());
            start += members.len();
        }
    }

    /// The realms in which a message is looked up, of those that some pattern asks for.
    fn realms_of(&self, scope: Scope, protocol: &str) -> impl Iterator<Item = u32> {
        let protocol = self.protocols.find(protocol);
        let realms = [
            realm(ScopeSelector::Only(scope), protocol),
            realm(ScopeSelector::Any, protocol),
            realm(ScopeSelector::Only(scope), NONE),
            realm(ScopeSelector::Any, NONE),
        ];
        // A protocol that no pattern names has no realm of its own.
        let skip = if protocol == NONE { 2 } else { 0 };
        let is_asked_for =
            |realm: &u32| self.realms.get(*realm as usize).is_some_and(|count| *count > 0);
        realms.into_iter().skip(skip).filter(is_asked_for)
    }

    /// Gives memory back after so many subscriptions were removed, if that is worth the search.
    pub(crate) fn trim(&mut self, removed: usize) {
        if TRIMMED_SUBSCRIPTIONS_MIN <= removed && self.slots.capacity() / 64 <= removed {
            self.slots.trim();
            self.exact.trim();
            self.trie.trim();
        }
    }

    /// Whether anybody wants a message.
    pub(crate) fn has(&self, scope: Scope, protocol: &str, topic: &str) -> bool {
        let mut found = Matches::default();
        self.find(scope, protocol, topic, &mut found);
        !found.is_empty()
    }

    /// Whether anybody wants a message and names its protocol.
    pub(crate) fn has_named(&self, scope: Scope, protocol: &str, topic: &str) -> bool {
        let mut found = Matches::default();
        self.find_named(scope, protocol, topic, &mut found);
        !found.is_empty()
    }

    /// The pattern of a subscription, as its client wrote it.
    pub(crate) fn pattern(&self, key: SubscriptionKey) -> Option<String> {
        let place = self.slots.place(key)?;
        let (realm, topic) = match place {
            Place::Exact(entry) => self.exact.topic(entry)?,
            Place::Here(node) | Place::Below(node) => self.trie.topic(node, place)?,
        };
        let scope = match realm % REALMS_PER_PROTOCOL {
            3 => "*",
            number => Scope::from_number(u8::try_from(number).ok()?)?.name(),
        };
        let protocol = match protocol_of(realm) {
            NONE => "*/".to_owned(),
            id => match self.protocols.name(id)? {
                "ms" => String::new(),
                name => format!("{name}/"),
            },
        };
        Some(format!("{protocol}{scope}.{topic}"))
    }

    /// What a subscription is to the others.
    pub(crate) fn role(&self, key: SubscriptionKey) -> Option<Role<'_>> {
        Some(match self.slots.target(key)?.group {
            NONE => Role::Each,
            MONITOR => Role::Monitor,
            DURABLE => Role::Durable,
            group => Role::Member(self.groups.name(group)?),
        })
    }

    /// What would leak if removal forgot something: nodes, entries, names and realms still held.
    #[cfg(test)]
    pub(crate) fn residue(&self) -> usize {
        self.exact.len()
            + self.trie.len()
            + self.protocols.len()
            + self.groups.len()
            + self.weight
            + self.realms.iter().map(|count| *count as usize).sum::<usize>()
    }
}

/// The first token of a topic, and what comes behind it.
fn first_token(topic: &str) -> (&str, Option<&str>) {
    match memchr::memchr(b'.', topic.as_bytes()) {
        Some(dot) => (topic.get(..dot).unwrap_or_default(), topic.get(dot + 1..)),
        None => (topic, None),
    }
}

/// Three scopes and "any".
const REALMS_PER_PROTOCOL: u32 = 4;

/// The number of a realm. "Any protocol" stands before the first protocol.
fn realm(scope: ScopeSelector, protocol: u32) -> u32 {
    let scope = match scope {
        ScopeSelector::Only(scope) => u32::from(scope.number()),
        ScopeSelector::Any => 3,
    };
    protocol.wrapping_add(1) * REALMS_PER_PROTOCOL + scope
}

fn protocol_of(realm: u32) -> u32 {
    (realm / REALMS_PER_PROTOCOL).wrapping_sub(1)
}

#[cfg(test)]
mod tests;
