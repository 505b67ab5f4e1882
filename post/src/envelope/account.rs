//! The ratchet account of this device: the long-lived key by which others open sessions with it,
//! and the prekeys that stand in for its answer while it is away.
//!
//! There are no one-time keys. Somebody would have to hand out each of them just once, and nobody
//! here could be trusted with that. So a first message is made with the prekey that NodeInfo
//! announces: it is renewed every so often, and the one before is kept for what is still on its
//! way. Until a prekey is gone, who steals it can read first messages that were made with it, and
//! who repeats a first message has to be recognised (`openings.rs`).
//!
//! vodozemac signs neither, so cards and NodeInfo do. It also draws the keys' random numbers.

use std::fmt;
use vodozemac::olm;
use zeroize::Zeroizing;

/// What a record begins with.
const VERSION: u8 = 1;
/// What is ahead of the pickle: the version, whether there is a previous prekey, and that key.
const HEAD_BYTES: usize = 1 + 1 + 32;

/// The ratchet account of this device.
pub struct Account {
    inner: olm::Account,
    prekey: [u8; 32],
    previous: Option<[u8; 32]>,
}

impl Account {
    /// Makes one, with new keys.
    #[must_use]
    pub fn new() -> Self {
        let mut inner = olm::Account::new();
        inner.generate_fallback_key();
        let prekey = prekey_of(&inner).unwrap_or_default();
        Self { inner, prekey, previous: None }
    }

    /// The public key that stands on the card as the device's ratchet key.
    #[must_use]
    pub fn curve_key(&self) -> [u8; 32] {
        self.inner.curve25519_key().to_bytes()
    }

    /// The public prekey that others are to use now.
    #[must_use]
    pub const fn prekey(&self) -> [u8; 32] {
        self.prekey
    }

    /// The public prekey before it, if it is kept.
    #[must_use]
    pub const fn previous_prekey(&self) -> Option<[u8; 32]> {
        self.previous
    }

    /// Whether first messages that were made with this prekey can still be opened.
    #[must_use]
    pub fn has_prekey(&self, prekey: &[u8; 32]) -> bool {
        self.prekey == *prekey || self.previous.as_ref() == Some(prekey)
    }

    /// Makes a new prekey and keeps the one before; the one before that is gone for good. Then
    /// [`Sessions::prekeys_changed`](super::Sessions::prekeys_changed) is to be told.
    pub fn rotate_prekey(&mut self) {
        self.inner.generate_fallback_key();
        self.previous = Some(self.prekey);
        self.prekey = prekey_of(&self.inner).unwrap_or_default();
    }

    /// Forgets the prekey before the one in use, so that nothing made with it can be opened.
    pub fn forget_previous_prekey(&mut self) {
        self.inner.forget_fallback_key();
        self.previous = None;
    }

    /// The account as bytes, secrets included.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // The keys of an account are 1 KB of JSON; with this room nothing is copied while it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        bytes.extend([VERSION, u8::from(self.previous.is_some())]);
        bytes.extend(self.previous.unwrap_or_default());
        // A vector takes all that is written, and keys are numbers: nothing can fail.
        drop(serde_json::to_writer(&mut *bytes, &self.inner.pickle()));
        bytes
    }

    /// The account of these bytes.
    ///
    /// # Errors
    /// If [`Account::to_bytes`] did not make them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AccountError> {
        let (head, pickle) =
            bytes.split_first_chunk::<HEAD_BYTES>().ok_or(AccountError::Damaged)?;
        let [version, has_previous, previous @ ..] = *head;
        if version != VERSION {
            return Err(AccountError::Version(version));
        }
        let pickle = serde_json::from_slice(pickle).map_err(|_| AccountError::Damaged)?;
        let inner = olm::Account::from_pickle(pickle);
        let prekey = prekey_of(&inner).ok_or(AccountError::Damaged)?;
        Ok(Self { inner, prekey, previous: (has_previous == 1).then_some(previous) })
    }

    pub(super) const fn olm(&self) -> &olm::Account {
        &self.inner
    }

    /// To open a session. As there are no one-time keys, that leaves the account as it is; only
    /// vodozemac's interface does not know.
    pub(super) const fn olm_mut(&mut self) -> &mut olm::Account {
        &mut self.inner
    }
}

/// The prekey in use: vodozemac shows it until it is marked as published, which it never is here.
fn prekey_of(account: &olm::Account) -> Option<[u8; 32]> {
    account.fallback_key().values().next().map(|key| key.to_bytes())
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows no secrets.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("curve_key", &self.curve_key()).finish_non_exhaustive()
    }
}

/// Why bytes are no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Of a version that is not known here.
    #[error("the ratchet account has version {0}, which is not known")]
    Version(u8),
    /// Not what was written.
    #[error("the ratchet account is damaged")]
    Damaged,
}
