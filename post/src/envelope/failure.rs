//! Why something could not be encrypted or decrypted, and what calls for a new session.
//!
//! No variant holds anything of a message: what can't be opened is never shown.

use crate::limits::DEVICES_MAX;
use vodozemac::olm::{DecryptionError, SessionCreationError};

/// Why nothing could be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// There is no session, and no valid prekey to open one with.
    #[error("there is no session with this device yet, and no prekey of it to open one")]
    NoPrekey,
    /// A key of the peer's is one of the few with which nothing is secret.
    #[error("a key of this device is a weak one")]
    WeakKey,
    /// There is no room for one more.
    #[error("there are sessions with {DEVICES_MAX} devices already")]
    TooManyDevices,
}

/// Why something could not be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// Not such bytes at all.
    #[error("this is no ratcheted message")]
    Malformed,
    /// The session is not held here, or no more.
    #[error("the message belongs to a session that is not known here")]
    UnknownSession,
    /// It was made with a prekey that is gone.
    #[error("the message was made with a prekey that is gone")]
    UnknownPrekey,
    /// Another device's ratchet key stands in it.
    #[error("the message opens a session in another device's name")]
    OtherDevice,
    /// Not what the other end wrote.
    #[error("the message was changed on its way, or was never meant for here")]
    NotAuthentic,
    /// Its key has been used, or was one of too many that were skipped.
    #[error("the key of this message has been used, or is kept no more")]
    KeyGone,
    /// Too many before it are missing.
    #[error("more messages before this one are missing than a session can bridge")]
    TooFar,
    /// A first message whose session is gone.
    #[error("the message opened a session before")]
    Repeated,
    /// It was encrypted for another lane.
    #[error("the message belongs into another lane")]
    OtherLane,
    /// The device has opened too many sessions while the prekeys were the same.
    #[error("this device has opened too many sessions with the prekeys of now")]
    TooManySessions,
    /// There is no room for one more.
    #[error("there are sessions with {DEVICES_MAX} devices already")]
    TooManyDevices,
}

impl DecryptError {
    /// Whether the peer, if it is one that we know, should be asked to send the message again under
    /// a fresh session: the cause can be that one end has lost its memory.
    #[must_use]
    pub const fn calls_for_renewal(self) -> bool {
        matches!(
            self,
            Self::UnknownSession
                | Self::UnknownPrekey
                | Self::NotAuthentic
                | Self::KeyGone
                | Self::TooFar
                | Self::Repeated
        )
    }
}

impl From<DecryptionError> for DecryptError {
    fn from(error: DecryptionError) -> Self {
        match error {
            DecryptionError::MissingMessageKey(_) => Self::KeyGone,
            DecryptionError::TooBigMessageGap(..) => Self::TooFar,
            _ => Self::NotAuthentic,
        }
    }
}

impl From<SessionCreationError> for DecryptError {
    fn from(error: SessionCreationError) -> Self {
        match error {
            SessionCreationError::MissingOneTimeKey(_) => Self::UnknownPrekey,
            SessionCreationError::MismatchedIdentityKey(..) => Self::OtherDevice,
            SessionCreationError::Decryption(error) => error.into(),
            _ => Self::NotAuthentic,
        }
    }
}
