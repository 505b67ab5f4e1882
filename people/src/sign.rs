//! What a signature is made over: a text that says what it is for, then the bytes.
//!
//! The text keeps signatures apart: a card's is never a circle's, whatever the bytes behind it look
//! like. Each ends with a zero byte, so that none is the beginning of another. What is verified are
//! the bytes that came, never what somebody makes of them when writing them again.
//!
//! Verifying is strict (`verify_strict`): keys and signatures that would hold for more than one
//! message are refused, so a signature names one signer and one message.

use ed25519_dalek::{Signature, VerifyingKey};

/// The length of a signature (Ed25519).
pub const SIGNATURE_BYTES: usize = 64;

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// A person's card, by the identity key.
    Card,
    /// That a device belongs to a person, by the device.
    CardDevice,
    /// A device's own record, by the device.
    NodeInfo,
    /// A device's key for first messages, by the device.
    Prekey,
    /// The friends and the rejected of a person, by one of the person's devices.
    Circle,
    /// An invite, by the device that gave it out.
    Invite,
    /// That somebody joins by an invite, by the device that joins.
    Join,
    /// How far messages have come, by the device that received them.
    Ack,
    /// That a message has to come again, by the device that could not open it.
    Resend,
    /// That a message is called back, by the device that sent it.
    Recall,
}

impl Domain {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Card,
        Self::CardDevice,
        Self::NodeInfo,
        Self::Prekey,
        Self::Circle,
        Self::Invite,
        Self::Join,
        Self::Ack,
        Self::Resend,
        Self::Recall,
    ];

    /// What stands before the bytes that are signed.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Card => "kith/1 card\0",
            Self::CardDevice => "kith/1 card device\0",
            Self::NodeInfo => "kith/1 node info\0",
            Self::Prekey => "kith/1 prekey\0",
            Self::Circle => "kith/1 circle\0",
            Self::Invite => "kith/1 invite\0",
            Self::Join => "kith/1 join\0",
            Self::Ack => "kith/1 ack\0",
            Self::Resend => "kith/1 resend\0",
            Self::Recall => "kith/1 recall\0",
        }
    }

    /// All that is signed.
    pub(crate) fn message(self, bytes: &[u8]) -> Vec<u8> {
        [self.prefix().as_bytes(), bytes].concat()
    }
}

/// A signature is not of this key over these bytes for this purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold")]
pub struct BadSignature;

/// Verifies a signature by the public key `key`.
///
/// # Errors
///
/// If it does not hold, or if `key` is none that a signature could hold for.
pub fn verify(
    key: &[u8; 32],
    domain: Domain,
    bytes: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<(), BadSignature> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| BadSignature)?;
    key.verify_strict(&domain.message(bytes), &Signature::from_bytes(signature))
        .map_err(|_| BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PersonKey;

    #[test]
    fn a_signature_holds_for_one_key_one_purpose_and_one_message() {
        let key = PersonKey::from_seed([1; 32]);
        let other = PersonKey::from_seed([2; 32]);
        for domain in Domain::ALL {
            let signature = key.sign(domain, b"bytes");
            for with in Domain::ALL {
                let verified = verify(key.id().as_bytes(), with, b"bytes", &signature);
                assert_eq!(verified.is_ok(), with == domain, "{domain:?} {with:?}");
            }
            assert!(verify(other.id().as_bytes(), domain, b"bytes", &signature).is_err());
            assert!(verify(key.id().as_bytes(), domain, b"byte", &signature).is_err());
        }
    }

    #[test]
    fn no_prefix_begins_another() {
        for one in Domain::ALL {
            assert!(one.prefix().ends_with('\0') && one.prefix().matches('\0').count() == 1);
            let begins = |other: &Domain| other.prefix().starts_with(one.prefix());
            assert_eq!(Domain::ALL.iter().filter(|other| begins(other)).count(), 1);
        }
    }

    #[test]
    fn keys_of_small_order_sign_nothing() {
        // The neutral element: with it, a signature of zeros would hold for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; SIGNATURE_BYTES];
        signature[0] = 1;
        assert_eq!(verify(&neutral, Domain::Card, b"any", &signature), Err(BadSignature));
        assert_eq!(verify(&[0xff; 32], Domain::Card, b"any", &signature), Err(BadSignature));
    }
}
