//! Letters: the bytes that a transport carries.
//!
//! A letter is sealed or bare, by its first byte. Sealed to a device's box key (libsodium's
//! `crypto_box_seal`, over the padded parcel), it shows who carries it a recipient, a class of size
//! and a time, and no sender. Bare is for links on which both ends have proved who they are: the
//! ratchet is inside in both cases. A third kind, pieces of a letter, is in `fragment.rs`.
//!
//! Sealing takes a seed and has nothing random of its own, so that tests can have the same letter
//! twice. A seed is used once: two letters of one seed to one device show how they differ.

use super::padding::{pad, unpad};
use super::parcel::{Parcel, ParcelError};
use crate::limits::{LETTER_BYTES_MAX, PARCEL_BYTES_MAX};
use crypto_box::aead::{self, rand_core};
use crypto_box::{PublicKey, SecretKey};
use kith_people::{BoxId, DeviceKeys, Seed};
use zeroize::Zeroizing;

pub(super) const BARE: u8 = 1;
pub(super) const SEALED: u8 = 2;
pub(super) const FRAGMENT: u8 = 3;

/// A letter with this parcel that anybody can read.
#[must_use]
pub fn bare(parcel: &Parcel) -> Vec<u8> {
    [&[BARE], &parcel.encode()[..]].concat()
}

/// A letter with this parcel that only the device of this box key can read.
///
/// # Errors
/// If the parcel is larger than anybody takes.
pub fn seal(to: BoxId, parcel: &Parcel, seed: Seed) -> Result<Vec<u8>, LetterError> {
    let mut padded = parcel.encode();
    if PARCEL_BYTES_MAX < padded.len() {
        return Err(ParcelError::TooLarge.into());
    }
    pad(&mut padded);
    let mut seed = Once(Zeroizing::new(seed));
    let to = PublicKey::from_bytes(*to.as_bytes());
    let sealed = to.seal(&mut seed, &padded).map_err(|_| LetterError::NotForUs)?;
    Ok([&[SEALED], &sealed[..]].concat())
}

/// What a letter holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter {
    /// A parcel that anybody on the way could read: to be taken from links alone whose other end
    /// has proved to be the device that the parcel is from.
    Bare(Parcel),
    /// A parcel that was sealed to this device.
    Sealed(Parcel),
    /// A piece of a letter, to be put together first.
    Fragment,
}

/// Opens a letter.
///
/// # Errors
/// If it is none, or is sealed to somebody else.
pub fn open(keys: &DeviceKeys, letter: &[u8]) -> Result<Letter, LetterError> {
    if LETTER_BYTES_MAX < letter.len() {
        return Err(LetterError::TooLarge);
    }
    match letter.split_first() {
        Some((&BARE, parcel)) => Ok(Letter::Bare(Parcel::parse(parcel)?)),
        Some((&SEALED, sealed)) => {
            let secret = SecretKey::from_bytes(*keys.box_secret());
            let padded = secret.unseal(sealed).map_err(|_: aead::Error| LetterError::NotForUs)?;
            let parcel = unpad(&padded).ok_or(LetterError::Padding)?;
            Ok(Letter::Sealed(Parcel::parse(parcel)?))
        }
        Some((&FRAGMENT, _)) => Ok(Letter::Fragment),
        _ => Err(LetterError::Kind),
    }
}

/// Gives the seed out, as the random numbers that a sealed box asks for: 32 bytes, once.
struct Once(Zeroizing<Seed>);

impl rand_core::CryptoRng for Once {}

impl rand_core::RngCore for Once {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.iter_mut().zip(self.0.iter()).for_each(|(out, byte)| *out = *byte);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

/// Why a letter can't be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LetterError {
    /// Larger than anybody takes.
    #[error("the letter has more than {LETTER_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a letter at all.
    #[error("this is no letter")]
    Kind,
    /// Sealed to another device, or changed on its way: nobody can tell which.
    #[error("the letter is sealed to somebody else, or was changed on its way")]
    NotForUs,
    /// Not padded as it should be.
    #[error("what is in the letter is not padded as it should be")]
    Padding,
    /// What is inside is no parcel.
    #[error(transparent)]
    Parcel(#[from] ParcelError),
}
