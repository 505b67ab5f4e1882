//! Letters and parcels: what is sealed opens for one device alone, and changed for none.

use super::samples::{keys, parcels};
use crate::envelope::{
    Body, FormError, Lane, Letter, LetterError, Parcel, ParcelError, bare, open, padded_bytes, seal,
};
use crate::limits::PARCEL_BYTES_MAX;

#[test]
fn a_letter_opens_for_its_device_and_for_nobody_else() {
    for (name, parcel) in parcels() {
        let letter = seal(keys(2).box_id(), &parcel, [7; 32]).unwrap();
        let opened = open(&keys(2), &letter);
        assert_eq!(opened, Ok(Letter::Sealed(parcel.clone())), "{name}");
        for number in [1, 3, 4] {
            assert_eq!(open(&keys(number), &letter), Err(LetterError::NotForUs));
        }
        assert_eq!(open(&keys(3), &bare(&parcel)), Ok(Letter::Bare(parcel)));
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let parcel = &parcels()[0].1;
    let letter = seal(keys(2).box_id(), parcel, [7; 32]).unwrap();
    for at in 0..letter.len() {
        // The highest bit of a key says nothing in X25519, but does in a letter.
        let bit = if at == 32 { 0x80 } else { 1 << (at % 8) };
        let mut wrong = letter.clone();
        wrong[at] ^= bit;
        let opened = open(&keys(2), &wrong);
        // The first byte alone says what it is: then it is a piece, or bare nonsense.
        let is_refused = opened.is_err() || (at == 0 && opened == Ok(Letter::Fragment));
        assert!(is_refused, "{at} {opened:?}");
    }
    for end in [0, 1, 33, 48, 49, 50, letter.len() - 1] {
        assert!(open(&keys(2), &letter[..end]).is_err());
    }
}

#[test]
fn sizes_say_little() {
    let message = |bytes| Parcel {
        body: Body::Message { lane: Lane::Normal, ratcheted: vec![0; bytes] },
        ..parcels().remove(0).1
    };
    let sizes: Vec<_> = [0, 100, 500, 3_000, 9_000, 16_000, 30_000]
        .map(|bytes| seal(keys(2).box_id(), &message(bytes), [1; 32]).unwrap().len() - 49)
        .into();
    assert_eq!(sizes, [256, 256, 1024, 4096, 16_384, 16_384, 32_768]);
    assert_eq!(padded_bytes(message(0).encode().len()), 256);
    let too_large = seal(keys(2).box_id(), &message(PARCEL_BYTES_MAX), [1; 32]);
    assert_eq!(too_large, Err(ParcelError::TooLarge.into()));
}

#[test]
fn what_is_no_letter_is_refused() {
    let refused = |bytes: &[u8]| open(&keys(2), bytes).unwrap_err();
    assert_eq!(refused(b""), LetterError::Kind);
    assert_eq!(refused(&[0]), LetterError::Kind);
    assert_eq!(refused(&[1]), LetterError::Parcel(FormError::NotMap.into()));
    assert_eq!(refused(&[2]), LetterError::NotForUs);
    assert_eq!(refused(&[2; 48]), LetterError::NotForUs);
}

#[test]
fn parcels_have_one_form() {
    for (name, parcel) in parcels() {
        let bytes = parcel.encode();
        assert_eq!(Parcel::parse(&bytes), Ok(parcel), "{name}");
        for at in 0..bytes.len() {
            assert!(Parcel::parse(&bytes[..at]).is_err());
            for bit in [1, 2, 0x10, 0x20, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                if let Ok(read) = Parcel::parse(&changed) {
                    assert_eq!(read.encode(), changed, "{name}");
                }
            }
        }
        let trailing = Parcel::parse(&[&bytes[..], &[0]].concat());
        assert_eq!(trailing, Err(FormError::NotDeterministic.into()), "{name}");
    }
}
