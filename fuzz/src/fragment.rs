//! Pieces of letters: from one source as they are cut, in any order and with copies, and from
//! another whatever it likes.
//!
//! A letter is whole once, when its last piece has come, and is what was cut. What comes from the
//! other source changes nothing of that, holds little memory, and is gone in the end.

use crate::input::Input;
use kith_post::envelope::{Reassembly, cut};
use kith_post::limits::{PARTIAL_LIFE_MS, SOURCE_BYTES_MAX};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (mtu, number) = (usize::from(input.byte()), input.number());
    let letter = input.counted();
    let Ok(pieces) = cut(letter, number, mtu) else {
        assert!(mtu <= 13);
        return;
    };
    let mut waiting: Vec<_> = pieces.collect();
    assert!(waiting.iter().all(|piece| piece.len() <= mtu));
    let mut reassembly = Reassembly::new();
    let mut now_ms = 0;
    while !waiting.is_empty() {
        let choice = input.byte();
        if choice % 4 == 3 && !input.is_empty() {
            let nonsense = [&[3], input.counted()].concat();
            if let Ok(Some(whole)) = reassembly.take(now_ms, &"other", &nonsense) {
                assert!(!nonsense.is_empty() && whole.len() <= bytes.len());
            }
            assert!(reassembly.bytes() <= SOURCE_BYTES_MAX + 256 * (letter.len() + 64));
            now_ms += 1;
            continue;
        }
        let piece = waiting.swap_remove(usize::from(choice / 4) % waiting.len());
        let whole = reassembly.take(now_ms, &"one", &piece).unwrap();
        assert_eq!(whole.as_deref(), waiting.is_empty().then_some(letter));
        assert_eq!(reassembly.take(now_ms, &"one", &piece), Ok(None), "a copy");
    }
    reassembly.expire(now_ms + PARTIAL_LIFE_MS);
    assert_eq!(reassembly.bytes(), 0);
}
