//! Kept values: the last message of each topic that was published with `retain`.
//!
//! In memory, and bounded for the bus and for each connection: a flood of topics ends in an error to
//! whoever floods. A value belongs to the connection that set it last, until that ends; then it counts
//! for the bus alone.

use super::client::ClientId;
use super::will::Kept;
use crate::limits::Limits;
use kith_wire::{Code, Pattern, Refusal};
use std::collections::BTreeMap;
use std::ops::Bound;

/// All kept values, by topic and protocol.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    values: BTreeMap<(String, String), Value>,
    bytes: usize,
    /// What each connection's values count, while it has any.
    owners: BTreeMap<u64, (usize, usize)>,
}

#[derive(Debug)]
struct Value {
    kept: Kept,
    owner: Option<u64>,
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
        if self.check(kept, owner, limits).is_ok() {
            return Ok(());
        }
        self.values.retain(|_, value| {
            let expired = value.kept.expires_at_ms.is_some_and(|at| at <= unix_ms);
            if expired {
                discount(&mut self.bytes, &mut self.owners, value);
            }
            !expired
        });
        self.check(kept, owner, limits)
    }

    /// Keeps a value in place of the one before.
    pub(crate) fn set(&mut self, kept: Kept, owner: Option<ClientId>) {
        self.remove(kept.topic.as_str(), kept.protocol.as_str());
        let owner = owner.map(ClientId::serial);
        self.bytes += kept.bytes();
        if let Some(owner) = owner {
            let (messages, bytes) = self.owners.entry(owner).or_default();
            *messages += 1;
            *bytes += kept.bytes();
        }
        let key = (kept.topic.to_string(), kept.protocol.to_string());
        self.values.insert(key, Value { kept, owner });
    }

    /// Forgets a value. Whether there was one.
    pub(crate) fn remove(&mut self, topic: &str, protocol: &str) -> bool {
        let removed = self.values.remove(&(topic.to_owned(), protocol.to_owned()));
        if let Some(value) = &removed {
            discount(&mut self.bytes, &mut self.owners, value);
        }
        removed.is_some()
    }

    /// The values of a connection that ended belong to the bus from now on.
    pub(crate) fn disown(&mut self, owner: ClientId) {
        // An owner's number is never used again, so its values need not be found.
        self.owners.remove(&owner.serial());
    }

    /// The values that a pattern asks for and that have not expired.
    pub(crate) fn find<'a>(
        &'a self,
        pattern: &'a Pattern<'_>,
        unix_ms: u64,
    ) -> impl Iterator<Item = &'a Kept> {
        // All topics that match begin with what stands before the first wildcard.
        let end = pattern.topic().find(['*', '>']).unwrap_or_else(|| pattern.topic().len());
        let prefix = pattern.topic().get(..end).unwrap_or_default();
        let from = Bound::Included((prefix.to_owned(), String::new()));
        self.values
            .range((from, Bound::Unbounded))
            .take_while(move |((topic, _), _)| topic.starts_with(prefix))
            .map(|(_, value)| &value.kept)
            .filter(move |kept| {
                kept.expires_at_ms.is_none_or(|at| unix_ms < at)
                    && pattern.matches(&kept.protocol, kith_wire::Scope::Own, kept.topic.as_str())
            })
    }

    fn check(&self, kept: &Kept, owner: Option<ClientId>, limits: &Limits) -> Result<(), Refusal> {
        let key = (kept.topic.to_string(), kept.protocol.to_string());
        let replaced = self.values.get(&key);
        let (old_count, old_bytes) = replaced.map_or((0, 0), |value| (1, value.kept.bytes()));
        let count = self.values.len() + 1 - old_count;
        let bytes = self.bytes + kept.bytes() - old_bytes;
        if limits.retained_messages_max < count || limits.retained_bytes_max < bytes {
            let text = format!(
                "the bus keeps at most {} values of {} bytes together",
                limits.retained_messages_max, limits.retained_bytes_max
            );
            return Err(Refusal::new(Code::QuotaRetained, text));
        }
        let Some(owner) = owner.map(ClientId::serial) else { return Ok(()) };
        let mut own = self.owners.get(&owner).copied().unwrap_or_default();
        if let Some(value) = replaced.filter(|value| value.owner == Some(owner)) {
            own = (own.0 - 1, own.1 - value.kept.bytes());
        }
        // Half, so that no single program can keep all others from keeping anything.
        let (messages_max, bytes_max) =
            (limits.retained_messages_max.div_ceil(2), limits.retained_bytes_max.div_ceil(2));
        if messages_max < own.0 + 1 || bytes_max < own.1 + kept.bytes() {
            let text = format!(
                "one connection keeps at most {messages_max} values of {bytes_max} bytes together"
            );
            return Err(Refusal::new(Code::QuotaRetained, text));
        }
        Ok(())
    }
}

fn discount(bytes: &mut usize, owners: &mut BTreeMap<u64, (usize, usize)>, value: &Value) {
    *bytes -= value.kept.bytes();
    let Some(owner) = value.owner else { return };
    // No entry: its owner is gone.
    if let Some((count, own)) = owners.get_mut(&owner) {
        *count -= 1;
        *own -= value.kept.bytes();
        if *count == 0 {
            owners.remove(&owner);
        }
    }
}
