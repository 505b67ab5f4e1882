//! Changed records: what has to be written before the bytes that a change produced may leave.
//!
//! The first byte of a key says what the record is, so that all of them can lie in one store; the
//! rest is what the record is about. Values hold secrets and are wiped when they are dropped.

use std::fmt;
use zeroize::Zeroizing;

/// One record of a key/value store that is to be put or deleted.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Vec<u8>,
    /// The value to put; the record is to be deleted if there is none.
    pub value: Option<Zeroizing<Vec<u8>>>,
}

/// Shows no secrets.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.value.as_ref().map(|value| value.len());
        f.debug_struct("Change").field("key", &self.key).field("value_bytes", &bytes).finish()
    }
}

/// Why a record can't be what it should be: the store holds something that was not written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not a key of such records.
    #[error("no record of the envelopes has such a key")]
    Key,
    /// Not of a version that is known here.
    #[error("the record has version {0}, which is not known")]
    Version(u8),
    /// Not such a value.
    #[error("the record's value is damaged")]
    Value,
    /// More than there may be.
    #[error("there are more records than a limit allows")]
    TooMany,
}
