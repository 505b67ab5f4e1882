//! Protocols: how to read a payload.

use crate::limits::PROTOCOL_BYTES_MAX;
use std::borrow::Cow;

/// A valid protocol name; [`Protocol::MS`] is the default.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol<'a>(Cow<'a, str>);

impl<'a> Protocol<'a> {
    /// One JSON value: checked at the door, then passed on untouched.
    pub const MS: Protocol<'static> = Protocol(Cow::Borrowed("ms"));
    /// Opaque bytes whose topic is their content hash.
    pub const BT: Protocol<'static> = Protocol(Cow::Borrowed("bt"));

    /// CBOR, as the contract between the daemon and its services has it.
    pub const KITH: Protocol<'static> = Protocol(Cow::Borrowed("kith"));

    /// Checks `name` and takes it as a protocol.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(name: impl Into<Cow<'a, str>>) -> Result<Self, ProtocolError> {
        let name = name.into();
        if name.is_empty() || name.len() > PROTOCOL_BYTES_MAX {
            return Err(ProtocolError::Length(name.len()));
        }
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '+');
        match name.char_indices().find(|(_, c)| !allowed(*c)) {
            Some((at, c)) => Err(ProtocolError::Character(at, c)),
            None => Ok(Self(name)),
        }
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the payload is one JSON value.
    #[must_use]
    pub fn is_ms(&self) -> bool {
        self.0 == "ms"
    }

    /// The same protocol, owned.
    #[must_use]
    pub fn into_owned(self) -> Protocol<'static> {
        Protocol(Cow::Owned(self.0.into_owned()))
    }

    /// The same protocol, borrowed.
    #[must_use]
    pub fn borrow(&self) -> Protocol<'_> {
        Protocol(Cow::Borrowed(&self.0))
    }
}

impl Default for Protocol<'_> {
    fn default() -> Self {
        Self::MS
    }
}

impl std::fmt::Display for Protocol<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a protocol name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Empty, or longer than [`PROTOCOL_BYTES_MAX`].
    #[error("a protocol name has 1 to {PROTOCOL_BYTES_MAX} bytes, this has {0}")]
    Length(usize),
    /// A character that may not stand in a name.
    #[error("{1:?} at byte {0}: a protocol name has a-z, 0-9, `-`, `_` and `+`")]
    Character(usize, char),
    /// Not UTF-8.
    #[error("the protocol name is not UTF-8 from byte {0}")]
    Utf8(usize),
}

impl ProtocolError {
    /// Offset of the offending byte in the name.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Length(_) => 0,
            Self::Character(at, _) | Self::Utf8(at) => *at,
        }
    }
}
