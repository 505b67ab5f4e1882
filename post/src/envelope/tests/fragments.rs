//! Fragments: whole again in any order, and bounded.

use crate::envelope::{FRAGMENT_HEAD_BYTES, FragmentError, Reassembly, cut};
use crate::limits::{PARTIAL_LETTERS_MAX, PARTIAL_LIFE_MS, REASSEMBLY_BYTES_MAX, SOURCE_BYTES_MAX};
use proptest::collection::vec;
use proptest::prelude::*;

fn pieces(letter: &[u8], number: u64, mtu: usize) -> Vec<Vec<u8>> {
    cut(letter, number, mtu).unwrap().collect()
}

proptest! {
    #[test]
    fn letters_are_whole_again(
        letters in vec(vec(any::<u8>(), 0..300), 1..6),
        mtu in 14_usize..90,
        order in vec(any::<prop::sample::Index>(), 600),
        copies in vec(any::<bool>(), 64),
    ) {
        let mut waiting: Vec<_> = (0_u64..).zip(&letters)
            .flat_map(|(number, letter)| pieces(letter, number, mtu))
            .collect();
        let mut reassembly = Reassembly::new();
        let mut whole = Vec::new();
        for (step, which) in order.into_iter().enumerate() {
            if waiting.is_empty() { break }
            let piece = waiting.swap_remove(which.index(waiting.len()));
            prop_assert!(piece.len() <= mtu);
            whole.extend(reassembly.take(0, &1, &piece).unwrap());
            if copies[step % copies.len()] {
                prop_assert_eq!(reassembly.take(0, &1, &piece), Ok(None));
            }
        }
        if waiting.is_empty() {
            let mut letters = letters;
            letters.sort();
            whole.sort();
            prop_assert_eq!(whole, letters);
            prop_assert_eq!(reassembly.bytes(), 0);
        }
    }

    #[test]
    fn nonsense_is_bounded_and_harmless(
        pieces in vec((any::<bool>(), vec(0_u8..4, 0..24)), 0..200),
    ) {
        let mut reassembly = Reassembly::new();
        for (source, bytes) in pieces {
            let head = [3, 0, 0, 0, 0, 0, 0, 0];
            drop(reassembly.take(0, &source, &[&head, &bytes[..]].concat()));
            prop_assert!(reassembly.bytes() <= REASSEMBLY_BYTES_MAX);
        }
        reassembly.expire(PARTIAL_LIFE_MS);
        prop_assert_eq!(reassembly.bytes(), 0);
    }
}

#[test]
fn what_is_too_small_can_carry_nothing() {
    assert!(cut(b"x", 0, FRAGMENT_HEAD_BYTES).is_err());
    assert!(cut(b"x", 0, 0).is_err());
    let error = cut(&[0; 70_000], 0, FRAGMENT_HEAD_BYTES + 1).err().unwrap();
    assert_eq!((error.mtu, error.bytes), (14, 70_000));
    assert_eq!(cut(&[0; 65_535], 0, FRAGMENT_HEAD_BYTES + 1).unwrap().count(), 65_535);
    assert_eq!(pieces(b"", 1, 32), [[3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]]);
}

#[test]
fn contradictions_end_a_letter() {
    let right = pieces(&[1; 100], 5, 33);
    for wrong in [pieces(&[2; 100], 5, 33), pieces(&[1; 120], 5, 33), pieces(&[1; 100], 5, 34)] {
        let mut reassembly = Reassembly::new();
        for piece in &right[..right.len() - 1] {
            assert_eq!(reassembly.take(0, &(), piece), Ok(None));
        }
        let contradicted = wrong.iter().map(|piece| reassembly.take(0, &(), piece));
        let refused = Err(FragmentError::Contradiction);
        assert!(contradicted.filter(|taken| *taken == refused).count() >= 1);
    }
    // Another source is another way.
    let mut reassembly = Reassembly::new();
    assert_eq!(reassembly.take(0, &1, &right[0]), Ok(None));
    for piece in &pieces(&[9; 20], 5, 33) {
        assert_eq!(reassembly.take(0, &2, piece).unwrap(), Some(vec![9; 20]));
    }
    reassembly.forget(&1);
    assert_eq!(reassembly.bytes(), 0);
}

#[test]
fn pieces_of_uneven_sizes_are_no_letter() {
    let head = |index: u8| [3, 0, 0, 0, 0, 0, 0, 0, 1, 0, index, 0, 3];
    let piece = |index, part: &[u8]| [&head(index)[..], part].concat();
    let mut reassembly = Reassembly::new();
    assert_eq!(reassembly.take(0, &(), &piece(0, b"ab")), Ok(None));
    assert_eq!(reassembly.take(0, &(), &piece(2, b"c")), Ok(None));
    let refused = reassembly.take(0, &(), &piece(1, b"abc"));
    assert_eq!((refused, reassembly.bytes()), (Err(FragmentError::Contradiction), 0));
    for wrong in [&piece(3, b"x")[..], &piece(0, b""), &piece(0, b"")[..12], &[2; 20], &[]] {
        assert_eq!(reassembly.take(0, &(), wrong), Err(FragmentError::Malformed));
    }
}

#[test]
fn memory_is_bounded_for_each_source_and_in_all() {
    let mut reassembly = Reassembly::new();
    for number in 0..PARTIAL_LETTERS_MAX as u64 {
        assert_eq!(reassembly.take(0, &0, &pieces(&[0; 30], number, 20)[0]), Ok(None));
    }
    let one_more = pieces(&[0; 30], 99, 20);
    assert_eq!(reassembly.take(0, &0, &one_more[0]), Err(FragmentError::Full));
    assert_eq!(reassembly.expire(PARTIAL_LIFE_MS - 1), 0);
    assert_eq!(reassembly.expire(PARTIAL_LIFE_MS), PARTIAL_LETTERS_MAX);
    assert_eq!((reassembly.bytes(), reassembly.take(0, &0, &one_more[0])), (0, Ok(None)));

    let mut reassembly = Reassembly::new();
    let letter = vec![0; 16 << 20];
    let large = pieces(&letter, 0, 1 << 20);
    let mut sources = 0;
    loop {
        let taken = large.iter().skip(1).map(|piece| reassembly.take(0, &sources, piece));
        let is_full = taken.fold(false, |full, taken| full | taken.is_err());
        assert!(reassembly.bytes() <= REASSEMBLY_BYTES_MAX);
        if is_full {
            break;
        }
        sources += 1;
    }
    assert_eq!(sources, REASSEMBLY_BYTES_MAX / letter.len());
    assert!(SOURCE_BYTES_MAX > 2 * letter.len());
}
