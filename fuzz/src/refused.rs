//! What holds for every refusal, whichever parser it comes from.
//!
//! A refusal is shown to people and logged, so it may repeat neither much of what was refused nor
//! anything that a terminal would obey; and a place outside of what was read is worse than none.

use kith_wire::Refusal;

/// More than the longest sentence with what it may repeat of the input, escaped.
const TEXT_BYTES_MAX: usize = 2_000;

/// Checks what was said about `bytes` bytes.
pub(crate) fn check(refusal: &Refusal, bytes: usize) {
    let Refusal { text, at, .. } = refusal;
    assert!(!text.is_empty() && text.len() <= TEXT_BYTES_MAX, "{refusal:?}");
    assert!(!text.chars().any(char::is_control), "{refusal:?}");
    assert!(at.is_none_or(|at| at <= bytes), "outside of {bytes} bytes: {refusal:?}");
}
