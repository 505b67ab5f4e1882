//! One Olm session, with what is remembered beside it.
//!
//! Sessions have vodozemac's second configuration: each message carries the whole MAC of 32 bytes
//! instead of 8. Its feature is called experimental, since other programs don't speak it; nobody
//! but Kith has to speak it here.
//!
//! A record is JSON, as vodozemac's own types give it, behind a few bytes of ours: 1.5 to 2.5 KB
//! (8 KB with 40 skipped keys, 33 KB at the very most), written in 4 µs and read in 10 µs. That is
//! a fifth of what one message costs, and is paid once for a batch; CBOR would save 1.5 KB of it,
//! and need a serialiser of our own.

use super::RecordError;
use crate::limits::SESSION_RECORD_BYTES_MAX;
use sha2::{Digest, Sha256};
use vodozemac::olm::{OlmMessage, Session, SessionConfig, SessionKeys};
use zeroize::Zeroizing;

/// Names a session within its lane, on the wire too.
pub(super) type Tag = [u8; 8];

/// How all sessions are made.
pub(super) const CONFIG: SessionConfig = SessionConfig::version_2();

const VERSION: u8 = 1;
const CLOSED: u8 = 1;
const RENEWAL: u8 = 2;
/// What is ahead of the pickle: version, flags, both ranks, the peer's key.
const HEAD_BYTES: usize = 1 + 1 + 4 + 4 + 32;

/// One session.
pub(super) struct Held {
    /// Kept, since it takes a hash to make.
    pub(super) tag: Tag,
    pub(super) session: Session,
    /// The peer's ratchet key, as its card had it.
    pub(super) curve: [u8; 32],
    /// Of the sessions of a lane, the open one with the highest rank is used to send.
    pub(super) rank: u32,
    /// The rank that the leading peer gave it, as far as we have heard.
    pub(super) heard: u32,
    /// Nothing is sent on it any more.
    pub(super) is_closed: bool,
    /// It was opened because others had failed, and displaces them.
    pub(super) is_renewal: bool,
}

impl Held {
    /// It was opened here, and nothing has come on it yet.
    pub(super) const fn is_unanswered(&self) -> bool {
        !self.session.has_received_message()
    }

    /// Decrypts on a copy: vodozemac changes a session that has not answered yet also where it
    /// fails. A copy costs half a microsecond.
    pub(super) fn decrypt(
        &self,
        message: &OlmMessage,
    ) -> Result<(Session, Vec<u8>), vodozemac::olm::DecryptionError> {
        let mut session = Session::from_pickle(self.session.pickle());
        let plaintext = session.decrypt(message)?;
        Ok((session, plaintext))
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SESSION_RECORD_BYTES_MAX / 8));
        let closed = if self.is_closed { CLOSED } else { 0 };
        let renewal = if self.is_renewal { RENEWAL } else { 0 };
        bytes.extend([VERSION, closed | renewal]);
        bytes.extend(self.rank.to_be_bytes());
        bytes.extend(self.heard.to_be_bytes());
        bytes.extend(self.curve);
        // A vector takes all that is written, and keys are numbers: nothing can fail.
        drop(serde_json::to_writer(&mut *bytes, &self.session.pickle()));
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (head, pickle) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(RecordError::Value)?;
        let [version, flags, rest @ ..] = head;
        if *version != VERSION {
            return Err(RecordError::Version(*version));
        }
        if SESSION_RECORD_BYTES_MAX < bytes.len() || (CLOSED | RENEWAL) < *flags {
            return Err(RecordError::Value);
        }
        let (rank, rest) = rest.split_first_chunk().ok_or(RecordError::Value)?;
        let (heard, curve) = rest.split_first_chunk().ok_or(RecordError::Value)?;
        let curve = <[u8; 32]>::try_from(curve).map_err(|_| RecordError::Value)?;
        let pickle = serde_json::from_slice(pickle).map_err(|_| RecordError::Value)?;
        let session = Session::from_pickle(pickle);
        Ok(Self {
            tag: tag_of(&session_id(&session.session_keys())),
            session,
            curve,
            rank: u32::from_be_bytes(*rank),
            heard: u32::from_be_bytes(*heard),
            is_closed: flags & CLOSED != 0,
            is_renewal: flags & RENEWAL != 0,
        })
    }
}

/// What vodozemac's id of a session is in base64.
pub(super) fn session_id(keys: &SessionKeys) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(keys.identity_key.as_bytes());
    hash.update(keys.base_key.as_bytes());
    hash.update(keys.one_time_key.as_bytes());
    hash.finalize().into()
}

pub(super) fn tag_of(session_id: &[u8; 32]) -> Tag {
    let [a, b, c, d, e, f, g, h, ..] = *session_id;
    [a, b, c, d, e, f, g, h]
}
