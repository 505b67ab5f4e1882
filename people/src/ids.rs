//! Who somebody is: the public keys of persons and devices, each kind a type of its own.
//!
//! A person's id is the Ed25519 identity key, a device's the Ed25519 sign key, and a box id the
//! X25519 key to which letters for a device are sealed. They are different types so that none is
//! taken for another. Their text forms are those of `did:key` (W3C, "The did:key Method"): a `z`
//! for base58btc, then two bytes that say what kind of key it is, then the key.
//!
//! Deliberately absent: whether 32 bytes are a point on a curve. Whoever verifies a signature by
//! them is told; an id that is only compared or looked up needs nothing of the kind.

use std::fmt;
use std::str::FromStr;

use crate::limits::ID_CHARS_MAX;

const ED25519: [u8; 2] = [0xed, 0x01];
const X25519: [u8; 2] = [0xec, 0x01];
const METHOD: &str = "did:key:";

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It has another beginning, or is of another length.
    #[error("an id of {kind} begins with `{prefix}` and has 48 characters from the `z` on")]
    Form {
        /// What it should be the id of.
        kind: &'static str,
        /// How such ids begin.
        prefix: &'static str,
    },
    /// A character is not of base58.
    #[error("an id consists of base58 characters, which have no 0, O, I and l")]
    Character,
    /// It is a key of another kind.
    #[error("this is a key of another kind than that of {kind}")]
    Kind {
        /// What it should be the id of.
        kind: &'static str,
    },
}

macro_rules! ids {
    ($($(#[$about:meta])* $name:ident, $codec:expr, $kind:literal, $method:expr, $prefix:literal;)*)
    => {$(
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The id with these bytes.
            #[must_use]
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes: the public key.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $method, multibase($codec, &self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bare = text.strip_prefix($method).unwrap_or(text);
                let form = IdError::Form { kind: $kind, prefix: $prefix };
                let (codec, key) = key_of(bare, form)?;
                if codec != $codec {
                    return Err(IdError::Kind { kind: $kind });
                }
                Ok(Self(key))
            }
        }
    )*};
}

ids! {
    /// A person: their Ed25519 identity key, which never changes. As text `did:key:z6Mk…`; reading
    /// one also takes it without `did:key:`.
    PersonId, ED25519, "a person", METHOD, "did:key:z6Mk";
    /// A device: its Ed25519 sign key. As text `z6Mk…`.
    DeviceId, ED25519, "a device", "", "z6Mk";
    /// Where letters for a device go: its X25519 box key. As text `z6LS…`.
    BoxId, X25519, "a device's box", "", "z6LS";
}

fn multibase(codec: [u8; 2], key: &[u8; 32]) -> String {
    let mut bytes = codec.to_vec();
    bytes.extend_from_slice(key);
    format!("z{}", bs58::encode(bytes).into_string())
}

/// The kind of key and the key in `z…`.
fn key_of(text: &str, form: IdError) -> Result<([u8; 2], [u8; 32]), IdError> {
    let Some(digits) = text.strip_prefix('z').filter(|_| text.len() <= ID_CHARS_MAX) else {
        return Err(form);
    };
    let bytes = bs58::decode(digits).into_vec().map_err(|_| IdError::Character)?;
    let Some((codec, key)) = bytes.split_first_chunk::<2>() else { return Err(form) };
    let key = <[u8; 32]>::try_from(key).map_err(|_| form)?;
    Ok((*codec, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of "The did:key Method", section 3.1.1.
    const EXAMPLE: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

    #[test]
    fn text_and_bytes_are_the_same_id() {
        let person: PersonId = EXAMPLE.parse().unwrap();
        assert_eq!(person.to_string(), EXAMPLE);
        let bare = EXAMPLE.strip_prefix("did:key:").unwrap();
        assert_eq!(bare.parse::<PersonId>().unwrap(), person);
        let device: DeviceId = bare.parse().unwrap();
        assert_eq!(device.to_string(), bare);
        assert_eq!(device.as_bytes(), person.as_bytes());
        let box_id = BoxId::new([7; 32]);
        assert!(box_id.to_string().starts_with("z6LS"), "{box_id}");
        assert_eq!(box_id.to_string().parse::<BoxId>().unwrap(), box_id);
    }

    #[test]
    fn what_is_not_an_id_says_why() {
        let bare = EXAMPLE.strip_prefix("did:key:").unwrap();
        let box_id = BoxId::new([7; 32]).to_string();
        assert_eq!(box_id.parse::<DeviceId>(), Err(IdError::Kind { kind: "a device" }));
        assert_eq!(bare.parse::<BoxId>(), Err(IdError::Kind { kind: "a device's box" }));
        assert_eq!("z0OIl".parse::<PersonId>(), Err(IdError::Character));
        for text in ["", "z", "did:key:", "did:key:zz", EXAMPLE, &bare[1..], &format!("z{bare}")] {
            assert!(text.parse::<DeviceId>().is_err(), "{text}");
        }
        let long = format!("z{}", "1".repeat(1 << 20));
        assert!(matches!(long.parse::<PersonId>(), Err(IdError::Form { .. })));
    }
}
