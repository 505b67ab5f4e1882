//! Kept values: the last message of each topic that was published with `retain`.
//!
//! In memory, and bounded for the bus and for each connection: a flood of topics ends in an error
//! to whoever floods. A value belongs to the connection that set it last, until that ends; then it
//! counts for the bus alone.

use super::client::ClientId;
use super::will::Kept;
use crate::limits::Limits;
use kith_wire::{Code, Pattern, Refusal};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// All kept values, by topic and protocol.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    values: BTreeMap<Key, Value>,
    /// Those that expire, the first to do so first.
    expiring: BTreeSet<(u64, Key)>,
    bytes: usize,
    /// What each connection's values count, while it has any.
    owners: BTreeMap<u64, Share>,
}

/// Topic and protocol.
type Key = (String, String);

#[derive(Debug)]
struct Value {
    kept: Kept,
    owner: Option<u64>,
}

/// What values count together.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    messages: usize,
    bytes: usize,
}

impl Retained {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether `kept` may be set. Values that have expired make room first.
    ///
    /// # Errors
    /// [`Code::QuotaRetained`], if the bus or the connection keeps too much already.
    pub(crate) fn admit(
        &mut self,
        kept: &Kept,
        owner: Option<ClientId>,
        limits: &Limits,
        unix_ms: u64,
    ) -> Result<(), Refusal> {
        while let Some((at, key)) = self.expiring.first()
            && *at <= unix_ms
        {
            let (topic, protocol) = key.clone();
            self.remove(&topic, &protocol);
        }
        self.check(kept, owner, limits)
    }

    /// Keeps a value in place of the one before.
    pub(crate) fn set(&mut self, kept: Kept, owner: Option<ClientId>) {
        self.remove(kept.topic.as_str(), kept.protocol.as_str());
        let owner = owner.map(ClientId::serial);
        self.bytes += kept.bytes();
        if let Some(owner) = owner {
            let share = self.owners.entry(owner).or_default();
            share.messages += 1;
            share.bytes += kept.bytes();
        }
        let key = (kept.topic.to_string(), kept.protocol.to_string());
        if let Some(at) = kept.expires_at_ms {
            self.expiring.insert((at, key.clone()));
        }
        self.values.insert(key, Value { kept, owner });
    }

    /// Forgets a value.
    pub(crate) fn remove(&mut self, topic: &str, protocol: &str) {
        let key = (topic.to_owned(), protocol.to_owned());
        let Some(value) = self.values.remove(&key) else { return };
        if let Some(at) = value.kept.expires_at_ms {
            self.expiring.remove(&(at, key));
        }
        self.discount(&value);
    }

    /// The values of a connection that ended belong to the bus from now on.
    pub(crate) fn disown(&mut self, owner: ClientId) {
        // An owner's number is never used again, so its values need not be found.
        self.owners.remove(&owner.serial());
    }

    /// The value of a topic.
    pub(crate) fn get(&self, topic: &str, protocol: &str) -> Option<&Kept> {
        let key = (topic.to_owned(), protocol.to_owned());
        self.values.get(&key).map(|value| &value.kept)
    }

    /// The values that a pattern asks for and that have not expired. Counts those that were looked
    /// at.
    pub(crate) fn find<'a>(
        &'a self,
        pattern: &'a Pattern<'_>,
        unix_ms: u64,
        looked_at: &'a mut u64,
    ) -> impl Iterator<Item = &'a Kept> {
        // All topics that match begin with what stands before the first wildcard.
        let end = pattern.topic().find(['*', '>']).unwrap_or_else(|| pattern.topic().len());
        let prefix = pattern.topic().get(..end).unwrap_or_default();
        let is_exact = !pattern.has_wildcard();
        let from = Bound::Included((prefix.to_owned(), String::new()));
        self.values
            .range((from, Bound::Unbounded))
            .take_while(move |((topic, _), _)| {
                topic.starts_with(prefix) && !(is_exact && prefix.len() < topic.len())
            })
            .inspect(|_| *looked_at += 1)
            .map(|(_, value)| &value.kept)
            .filter(move |kept| {
                kept.expires_at_ms.is_none_or(|at| unix_ms < at)
                    && pattern.matches(&kept.protocol, kith_wire::Scope::Own, kept.topic.as_str())
            })
    }

    fn check(&self, kept: &Kept, owner: Option<ClientId>, limits: &Limits) -> Result<(), Refusal> {
        let key = (kept.topic.to_string(), kept.protocol.to_string());
        let replaced = self.values.get(&key);
        let mut all = Share { messages: self.values.len(), bytes: self.bytes };
        if let Some(value) = replaced {
            all.discount(&value.kept);
        }
        if !all.leaves_room(kept, limits.retained_messages_max, limits.retained_bytes_max) {
            let text = format!(
                "the bus keeps at most {} values of {} bytes together",
                limits.retained_messages_max, limits.retained_bytes_max
            );
            return Err(Refusal::new(Code::QuotaRetained, text));
        }
        let Some(owner) = owner.map(ClientId::serial) else { return Ok(()) };
        let mut own = self.owners.get(&owner).copied().unwrap_or_default();
        if let Some(value) = replaced.filter(|value| value.owner == Some(owner)) {
            own.discount(&value.kept);
        }
        // Half, so that no single program can keep all others from keeping anything.
        let (messages_max, bytes_max) =
            (limits.retained_messages_max.div_ceil(2), limits.retained_bytes_max.div_ceil(2));
        if !own.leaves_room(kept, messages_max, bytes_max) {
            let text = format!(
                "one connection keeps at most {messages_max} values of {bytes_max} bytes together"
            );
            return Err(Refusal::new(Code::QuotaRetained, text));
        }
        Ok(())
    }

    fn discount(&mut self, value: &Value) {
        self.bytes = self.bytes.saturating_sub(value.kept.bytes());
        // No entry: its owner is gone.
        if let Some(owner) = value.owner
            && let Some(share) = self.owners.get_mut(&owner)
        {
            share.discount(&value.kept);
            if share.messages == 0 {
                self.owners.remove(&owner);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn owners(&self) -> usize {
        self.owners.len()
    }

    /// What would leak if something were forgotten: entries for which there is no value.
    #[cfg(test)]
    pub(crate) fn residue(&self) -> usize {
        let owned = self
            .values
            .values()
            .filter(|value| value.owner.is_some_and(|owner| self.owners.contains_key(&owner)));
        let expiring = self.values.values().filter(|value| value.kept.expires_at_ms.is_some());
        let counted: usize = self.owners.values().map(|share| share.messages).sum();
        let bytes: usize = self.values.values().map(|value| value.kept.bytes()).sum();
        let owners_of_nothing = self.owners.values().filter(|share| share.messages == 0);
        counted.abs_diff(owned.count())
            + owners_of_nothing.count()
            + self.expiring.len().abs_diff(expiring.count())
            + self.bytes.abs_diff(bytes)
    }
}

impl Share {
    fn discount(&mut self, kept: &Kept) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(kept.bytes());
    }

    fn leaves_room(self, kept: &Kept, messages_max: usize, bytes_max: usize) -> bool {
        self.messages < messages_max && self.bytes.saturating_add(kept.bytes()) <= bytes_max
    }
}
