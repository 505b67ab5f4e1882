//! A secret under a passphrase, as it lies in a file.
//!
//! The passphrase becomes a key by Argon2id (RFC 9106), which costs memory and time to whoever
//! guesses; under it the secret is sealed by XChaCha20-Poly1305. Costs and salt stand in front, in
//! the clear, and are sealed along with it: who changes them spoils the whole. They have bounds in
//! both directions, so that a file that somebody put in our place neither takes all memory nor has
//! us lock the next secret cheaply.
//!
//! Deliberately absent: how good a passphrase is. Opening takes some 100 ms: not for a thread that
//! others wait for.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::limits::{
    LOCK_MEMORY_KIB_MAX, LOCK_MEMORY_KIB_MIN, LOCK_PASSES_MAX, PASSPHRASE_BYTES_MIN,
    SECRET_BYTES_MAX,
};

const MAGIC: &[u8; 6] = b"KTHL\x00\x01";
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const SEAL_BYTES: usize = 16;
/// What stands before the sealed secret: magic, memory, passes, salt, nonce.
const HEADER_BYTES: usize = 6 + 4 + 4 + SALT_BYTES + NONCE_BYTES;

/// What it costs to try one passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
}

impl Default for LockCost {
    /// The second of the two that RFC 9106, section 4, recommends: for where memory is short.
    fn default() -> Self {
        Self { memory_kib: 64 << 10, passes: 3 }
    }
}

/// Why a secret is not locked or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The passphrase is empty.
    #[error("the passphrase is empty")]
    NoPassphrase,
    /// The secret is empty or too large.
    #[error("a secret has 1 to {SECRET_BYTES_MAX} bytes")]
    Secret,
    /// The costs are not within their bounds.
    #[error(
        "{memory_kib} KiB and {passes} passes: opening costs {LOCK_MEMORY_KIB_MIN} to \
         {LOCK_MEMORY_KIB_MAX} KiB and 1 to {LOCK_PASSES_MAX} passes"
    )]
    Cost {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over that memory.
        passes: u32,
    },
    /// It is not a locked secret, or of a later version.
    #[error("this is no locked secret of a version that is known here")]
    Form,
    /// The passphrase is another one, or the bytes were changed: which of them can't be told.
    #[error("the passphrase is wrong, or the file is damaged")]
    Passphrase,
}

/// Locks a secret under a passphrase. Salt and nonce come from the seeds, which have to be new each
/// time.
///
/// # Errors
///
/// If the passphrase is empty, the secret too large, or the cost out of bounds.
pub fn lock(
    secret: &[u8],
    passphrase: &str,
    cost: LockCost,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, LockError> {
    if secret.is_empty() || SECRET_BYTES_MAX < secret.len() {
        return Err(LockError::Secret);
    }
    let cipher = cipher(passphrase, cost, &salt)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&cost.memory_kib.to_be_bytes());
    bytes.extend_from_slice(&cost.passes.to_be_bytes());
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&nonce);
    let payload = Payload { msg: secret, aad: &bytes };
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| LockError::Secret)?;
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// Opens a locked secret.
///
/// # Errors
///
/// If it is none, opening it would cost too much or too little, or the passphrase is wrong.
pub fn unlock(bytes: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, LockError> {
    if HEADER_BYTES + SEAL_BYTES + SECRET_BYTES_MAX < bytes.len() {
        return Err(LockError::Form);
    }
    let (header, sealed) = bytes.split_at_checked(HEADER_BYTES).ok_or(LockError::Form)?;
    let mut rest = header.strip_prefix(MAGIC).ok_or(LockError::Form)?;
    let memory_kib = u32::from_be_bytes(next(&mut rest)?);
    let passes = u32::from_be_bytes(next(&mut rest)?);
    let salt = next::<SALT_BYTES>(&mut rest)?;
    let nonce = next::<NONCE_BYTES>(&mut rest)?;
    let cipher = cipher(passphrase, LockCost { memory_kib, passes }, &salt)?;
    let payload = Payload { msg: sealed, aad: header };
    let secret = cipher.decrypt(&XNonce::from(nonce), payload);
    Ok(Zeroizing::new(secret.map_err(|_| LockError::Passphrase)?))
}

/// Whether bytes are a locked secret, by how they begin.
#[must_use]
pub fn is_locked(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn next<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], LockError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(LockError::Form)?;
    *rest = tail;
    Ok(*head)
}

fn cipher(
    passphrase: &str,
    cost: LockCost,
    salt: &[u8; SALT_BYTES],
) -> Result<XChaCha20Poly1305, LockError> {
    let LockCost { memory_kib, passes } = cost;
    let wrong = LockError::Cost { memory_kib, passes };
    if passphrase.len() < PASSPHRASE_BYTES_MIN {
        return Err(LockError::NoPassphrase);
    }
    if !(LOCK_MEMORY_KIB_MIN..=LOCK_MEMORY_KIB_MAX).contains(&memory_kib)
        || !(1..=LOCK_PASSES_MAX).contains(&passes)
    {
        return Err(wrong);
    }
    let mut key = Zeroizing::new([0; 32]);
    let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(|_| wrong)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let made = argon2.hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice());
    made.map_err(|_| wrong)?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: LockCost = LockCost { memory_kib: LOCK_MEMORY_KIB_MIN, passes: 1 };

    #[test]
    fn the_passphrase_opens_and_nothing_else_does() {
        let locked = lock(b"secret", "correct horse", CHEAP, [1; 16], [2; 24]).unwrap();
        assert!(is_locked(&locked) && !is_locked(b"secret"));
        assert!(!locked.windows(6).any(|window| window == b"secret"));
        assert_eq!(unlock(&locked, "correct horse").unwrap().as_slice(), b"secret");
        assert_eq!(unlock(&locked, "correct hors"), Err(LockError::Passphrase));
        // A byte each of the salt, the nonce, the secret and the seal.
        for at in [14, 30, 54, locked.len() - 1] {
            let mut changed = locked.clone();
            changed[at] ^= 1;
            assert_eq!(unlock(&changed, "correct horse"), Err(LockError::Passphrase), "{at}");
        }
        for at in 0..6 {
            let mut changed = locked.clone();
            changed[at] ^= 1;
            assert_eq!(unlock(&changed, "correct horse"), Err(LockError::Form));
        }
        for at in 0..HEADER_BYTES {
            assert_eq!(unlock(&locked[..at], "correct horse"), Err(LockError::Form));
        }
        assert_eq!(unlock(&locked[..HEADER_BYTES], "correct horse"), Err(LockError::Passphrase));
        assert_eq!(unlock(&vec![0; 1 << 20], "x"), Err(LockError::Form));
    }

    #[test]
    fn costs_have_bounds() {
        let locked = lock(b"secret", "p", CHEAP, [1; 16], [2; 24]).unwrap();
        for (at, bytes) in [(6, u32::MAX), (6, 0), (6, 8191), (10, 0), (10, 17), (10, u32::MAX)] {
            let mut changed = locked.clone();
            changed[at..at + 4].copy_from_slice(&bytes.to_be_bytes());
            assert!(matches!(unlock(&changed, "p"), Err(LockError::Cost { .. })), "{at} {bytes}");
        }
        let dear = LockCost { memory_kib: u32::MAX, passes: 1 };
        assert!(matches!(lock(b"s", "p", dear, [1; 16], [2; 24]), Err(LockError::Cost { .. })));
        assert_eq!(lock(b"s", "", CHEAP, [1; 16], [2; 24]), Err(LockError::NoPassphrase));
        assert_eq!(lock(b"", "p", CHEAP, [1; 16], [2; 24]), Err(LockError::Secret));
        assert_eq!(lock(&[0; 1025], "p", CHEAP, [1; 16], [2; 24]), Err(LockError::Secret));
        assert_eq!(LockCost::default(), LockCost { memory_kib: 65536, passes: 3 });
    }
}
