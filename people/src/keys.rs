//! Secret keys: a person's, and a device's two.
//!
//! They are made from seeds that the caller draws, so that nothing here asks the system for
//! randomness and a test has the same keys each time. They wipe themselves from memory when they
//! are dropped, and what prints them prints their public part only. None can be cloned: whoever
//! wants one in two places has to say so, by its bytes.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::ids::{BoxId, DeviceId, PersonId};
use crate::sign::{Domain, SIGNATURE_BYTES};

/// Randomness handed in by the caller.
pub type Seed = [u8; 32];

/// A person's identity key.
pub struct PersonKey(SigningKey);

impl PersonKey {
    /// The key of this seed (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: Seed) -> Self {
        let seed = Zeroizing::new(seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// The person.
    #[must_use]
    pub fn id(&self) -> PersonId {
        PersonId::new(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes for a purpose.
    #[must_use]
    pub fn sign(&self, domain: Domain, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(&domain.message(bytes)).to_bytes()
    }

    /// The seed, from which the key can be made again.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<Seed> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonKey(of {})", self.id())
    }
}

/// A device's keys: one that signs, and one that letters are sealed to.
pub struct DeviceKeys {
    sign: SigningKey,
    box_: StaticSecret,
    box_id: BoxId,
}

impl DeviceKeys {
    /// The length of their bytes.
    pub const BYTES: usize = 64;

    /// The keys of these seeds.
    #[must_use]
    pub fn from_seeds(sign: Seed, box_: Seed) -> Self {
        let (sign, box_) = (Zeroizing::new(sign), Zeroizing::new(box_));
        let sign = SigningKey::from_bytes(&sign);
        let box_ = StaticSecret::from(*box_);
        let box_id = BoxId::new(PublicKey::from(&box_).to_bytes());
        Self { sign, box_, box_id }
    }

    /// The keys with these bytes, as [`to_bytes`](Self::to_bytes) gave them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut seeds = Zeroizing::new([[0_u8; 32]; 2]);
        seeds.as_flattened_mut().copy_from_slice(bytes);
        let [sign, box_] = *seeds;
        Self::from_seeds(sign, box_)
    }

    /// Both seeds, one after the other, to be kept where nobody else can read them.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        let (sign, box_) = bytes.split_at_mut(32);
        sign.copy_from_slice(self.sign.as_bytes());
        box_.copy_from_slice(self.box_.as_bytes());
        bytes
    }

    /// The device.
    #[must_use]
    pub fn sign_id(&self) -> DeviceId {
        DeviceId::new(self.sign.verifying_key().to_bytes())
    }

    /// Where letters for the device go.
    #[must_use]
    pub fn box_id(&self) -> BoxId {
        self.box_id
    }

    /// The secret that opens letters (X25519).
    #[must_use]
    pub fn box_secret(&self) -> &[u8; 32] {
        self.box_.as_bytes()
    }

    /// Signs bytes for a purpose.
    #[must_use]
    pub fn sign(&self, domain: Domain, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.sign.sign(&domain.message(bytes)).to_bytes()
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKeys(of {})", self.sign_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_can_be_made_again() {
        let person = PersonKey::from_seed([3; 32]);
        assert_eq!(*person.seed(), [3; 32]);
        assert_eq!(PersonKey::from_seed(*person.seed()).id(), person.id());
        let device = DeviceKeys::from_seeds([4; 32], [5; 32]);
        let again = DeviceKeys::from_bytes(&device.to_bytes());
        assert_eq!((again.sign_id(), again.box_id()), (device.sign_id(), device.box_id()));
        assert_eq!(again.box_secret(), device.box_secret());
        assert_ne!(device.sign_id().as_bytes(), device.box_id().as_bytes());
    }

    #[test]
    fn what_is_printed_is_public() {
        let person = PersonKey::from_seed([3; 32]);
        assert_eq!(format!("{person:?}"), format!("PersonKey(of {})", person.id()));
        let device = DeviceKeys::from_seeds([4; 32], [5; 32]);
        assert_eq!(format!("{device:?}"), format!("DeviceKeys(of {})", device.sign_id()));
    }
}
