//! What has to be kept: records of a key/value store.
//!
//! Whoever owns a book takes its changes after each step and writes them in one transaction with
//! whatever else the step has brought about. The first byte of a key says what the record is, so
//! that all of them can lie side by side.

/// A record that is new, has changed, or is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: Vec<u8>,
    /// What is there now; nothing if it is gone.
    pub value: Option<Vec<u8>>,
}

/// Why records that were kept can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {key} is damaged: {why}")]
pub struct LoadError {
    key: String,
    why: String,
}

impl LoadError {
    pub(crate) fn new(key: &[u8], why: impl std::fmt::Display) -> Self {
        Self { key: data_encoding::HEXLOWER.encode(key), why: why.to_string() }
    }
}
