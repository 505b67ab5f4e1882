//! The key that this transport shows in TLS: its own, made here, and no other's.
//!
//! 32 bytes in a file of the service's directory, which only its user may read. The daemon
//! certifies the public half in our NodeInfo; so the device's own keys never come near a network.
//! Whoever steals it can pose as this end of a link until the daemon certifies another one, and
//! can't open a letter. Removing the file makes a new one at the next start.

use kith_plugins_api::contract::Key;
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE: &str = "tls-key";
const SEED_BYTES: usize = 32;

/// What stands before the 32 bytes of a secret key in PKCS #8 (RFC 8410, section 7).
const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// What stands before the 32 bytes of a public key (RFC 8410, section 4).
const SPKI: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// Our key.
#[derive(Clone, Debug)]
pub struct TlsKey {
    pub(crate) certified: Arc<CertifiedKey>,
    public: Key,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or made.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{path} is no key of 32 bytes that only its user can read; remove it for a new one")]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// The system has no randomness, or TLS does not take the key.
    #[error("{0}")]
    Tls(String),
}

impl TlsKey {
    /// Reads the key in this directory, or makes it.
    ///
    /// # Errors
    /// If there is none and none can be made.
    pub fn load(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(FILE);
        let error = |source| KeyError::File { path: path.clone(), source };
        let seed = match File::open(&path) {
            Ok(mut file) => {
                let mut seed = Vec::new();
                (&mut file).take(SEED_BYTES as u64 + 1).read_to_end(&mut seed).map_err(error)?;
                let is_open = file.metadata().map_err(error)?.permissions().mode() & 0o077 != 0;
                match <[u8; SEED_BYTES]>::try_from(seed) {
                    Ok(seed) if !is_open => seed,
                    _ => return Err(KeyError::NoKey { path }),
                }
            }
            Err(none) if none.kind() == io::ErrorKind::NotFound => {
                let seed = drawn()?;
                save(&path, &seed).map_err(error)?;
                seed
            }
            Err(other) => return Err(error(other)),
        };
        Self::from_seed(seed)
    }

    /// The key of this seed.
    ///
    /// # Errors
    /// If TLS does not take it.
    pub fn from_seed(seed: [u8; SEED_BYTES]) -> Result<Self, KeyError> {
        let pkcs8 = PrivatePkcs8KeyDer::from([&PKCS8[..], &seed].concat());
        let signing = any_eddsa_type(&pkcs8).map_err(|error| KeyError::Tls(error.to_string()))?;
        let spki = signing.public_key().map(|key| CertificateDer::from(key.to_vec()));
        let Some((spki, public)) = spki.and_then(|key| public(&key).map(|public| (key, public)))
        else {
            return Err(KeyError::Tls("a key without its public half".to_owned()));
        };
        Ok(Self { certified: Arc::new(CertifiedKey::new(vec![spki], signing)), public })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> Key {
        self.public
    }
}

/// The Ed25519 key that was shown in TLS, if it is one and bare.
#[must_use]
pub fn public(shown: &CertificateDer<'_>) -> Option<Key> {
    shown.strip_prefix(&SPKI)?.try_into().ok()
}

fn drawn() -> Result<[u8; SEED_BYTES], KeyError> {
    let mut seed = [0; SEED_BYTES];
    let filled = default_provider().secure_random.fill(&mut seed);
    filled.map_err(|_| KeyError::Tls("the system has no randomness".to_owned()))?;
    Ok(seed)
}

/// Writes it beside its place and moves it there, so that there is never half a key.
fn save(path: &Path, seed: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(seed)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let made = TlsKey::load(directory.path()).unwrap();
        let read = TlsKey::load(directory.path()).unwrap();
        assert_eq!(made.public(), read.public());
        let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = TlsKey::load(tempfile::tempdir().unwrap().path()).unwrap();
        assert_ne!(made.public(), other.public());
    }

    #[test]
    fn the_public_half_is_that_of_rfc_8032() {
        let decode = |text: &str| -> [u8; 32] {
            let byte = |at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
            std::array::from_fn(byte)
        };
        // Section 7.1, test 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(TlsKey::from_seed(decode(seed)).unwrap().public(), decode(public));
    }

    #[test]
    fn what_others_can_read_is_no_key() {
        let directory = tempfile::tempdir().unwrap();
        TlsKey::load(directory.path()).unwrap();
        let path = directory.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(TlsKey::load(directory.path()), Err(KeyError::NoKey { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, [7; 33]).unwrap();
        assert!(matches!(TlsKey::load(directory.path()), Err(KeyError::NoKey { .. })));
    }
}
