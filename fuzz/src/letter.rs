//! Letters: whatever a transport hands over.
//!
//! A bare one that is taken is written again as it came. What is sealed to a device opens there as
//! it was, in one of the sizes that are promised; with one bit changed it opens nowhere.

use crate::input::Input;
use crate::parcel::keys;
use kith_post::envelope::{Body, Lane, Letter, Parcel, bare, open, seal};

/// Inputs that begin so say what is sealed; the others are letters.
const SEALS: u8 = b'S';

/// Runs the target.
pub fn target(bytes: &[u8]) {
    match bytes.split_first() {
        Some((&SEALS, bytes)) => sealed(bytes),
        _ => match open(&keys(2), bytes) {
            Ok(Letter::Bare(parcel)) => assert_eq!(bare(&parcel), bytes),
            Ok(Letter::Sealed(_)) => assert_eq!(bytes.first(), Some(&2)),
            Ok(Letter::Fragment) => assert_eq!(bytes.first(), Some(&3)),
            Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
        },
    }
}

fn sealed(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (seed, at, bit) = (input.byte(), input.number(), input.byte() % 8);
    let repeated = usize::from(input.byte());
    let body = Body::Message { lane: Lane::Normal, ratcheted: input.rest().repeat(repeated) };
    let parcel = Parcel { from: keys(1).sign_id(), id: [seed; 16], body };
    let mut letter = seal(keys(2).box_id(), &parcel, [seed; 32]).unwrap();
    assert_eq!(open(&keys(2), &letter), Ok(Letter::Sealed(parcel)));
    let padded = letter.len() - 1 - 48;
    assert!([256, 1_024, 4_096].contains(&padded) || padded.is_multiple_of(16_384), "{padded}");
    let at = usize::try_from(at % letter.len() as u64).unwrap();
    letter[at] ^= 1 << bit;
    let opened = open(&keys(2), &letter);
    assert!(opened.is_err() || (at == 0 && opened == Ok(Letter::Fragment)), "{opened:?}");
}
