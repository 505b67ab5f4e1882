//! First messages that were opened, so that none opens a session twice.
//!
//! A first message is made with a prekey that others use too, so the keys in it don't wear out:
//! whoever kept a copy could bring it again once the session is gone, and would turn the peer's
//! next answers towards a session that the peer has forgotten. So each is remembered for as long
//! as its prekey exists, across all lanes; without the prekey it can't be opened anyway. At the
//! bound nothing is forgotten: no new session is opened until a prekey has gone.

use super::RecordError;
use super::account::Account;
use crate::limits::OPENINGS_MAX;

/// Of the 32 bytes of a session's id: enough that nobody finds a second one with the same.
const ID_BYTES: usize = 16;
/// One entry of the record: the session's id, and the prekey with which it was opened.
const ENTRY_BYTES: usize = ID_BYTES + 32;
const VERSION: u8 = 1;

/// The openings of one device.
#[derive(Clone, Debug, Default)]
pub(super) struct Openings(Vec<[u8; ENTRY_BYTES]>);

impl Openings {
    pub(super) fn has(&self, session_id: &[u8; 32]) -> bool {
        self.0.iter().any(|entry| entry.iter().zip(session_id).take(ID_BYTES).all(|(a, b)| a == b))
    }

    pub(super) const fn is_full(&self) -> bool {
        OPENINGS_MAX <= self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, session_id: &[u8; 32], prekey: &[u8; 32]) {
        let mut bytes = session_id.iter().take(ID_BYTES).chain(prekey);
        self.0.push(std::array::from_fn(|_| bytes.next().copied().unwrap_or_default()));
    }

    /// Forgets those whose prekey is gone; whether there were any.
    pub(super) fn prune(&mut self, account: &Account) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| {
            let prekey = entry.last_chunk::<32>();
            prekey.is_some_and(|prekey| account.has_prekey(prekey))
        });
        self.0.len() < before
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.0.iter().flatten());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (version, entries) = bytes.split_first().ok_or(RecordError::Value)?;
        if *version != VERSION {
            return Err(RecordError::Version(*version));
        }
        let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || OPENINGS_MAX < entries.len() {
            return Err(RecordError::Value);
        }
        Ok(Self(entries.to_vec()))
    }
}
