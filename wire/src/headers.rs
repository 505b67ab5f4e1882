//! Headers: a small map of strings beside the payload.
//!
//! A list in the order given, not a map: there are a few of them, and what a publisher wrote first
//! arrives first.

use crate::limits::{HEADER_KEY_BYTES_MAX, HEADERS_BYTES_MAX};

/// The valid headers of one message, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Keys and values, in turn.
    pairs: Vec<(String, String)>,
    bytes: usize,
}

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { pairs: Vec::new(), bytes: 0 }
    }

    /// Adds one.
    ///
    /// # Errors
    /// If key or value are not what they may be, the key is there already, or all together are too
    /// big.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), HeadersError> {
        let key_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if key.is_empty() || key.len() > HEADER_KEY_BYTES_MAX || !key.chars().all(key_allowed) {
            return Err(HeadersError::Key(key.chars().take(HEADER_KEY_BYTES_MAX).collect()));
        }
        if self.get(key).is_some() {
            return Err(HeadersError::Twice(key.to_owned()));
        }
        if value.chars().any(char::is_control) {
            return Err(HeadersError::Value(key.to_owned()));
        }
        let bytes = self.bytes + key.len() + value.len();
        if bytes > HEADERS_BYTES_MAX {
            return Err(HeadersError::TooBig);
        }
        self.bytes = bytes;
        self.pairs.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// The value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// Why something is not a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// Not a key.
    #[error("header key `{}`: it has 1 to {HEADER_KEY_BYTES_MAX} of a-z, 0-9 and `-`", .0.escape_debug())]
    Key(String),
    /// The key is there already.
    #[error("header `{0}` is given twice")]
    Twice(String),
    /// A control character in the value, or not UTF-8.
    #[error("the value of header `{0}` is not UTF-8 without control characters")]
    Value(String),
    /// All together are too big.
    #[error("the headers are over {HEADERS_BYTES_MAX} bytes together")]
    TooBig,
}
