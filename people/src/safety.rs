//! The safety number of two people: what they read to each other to know that nobody stands
//! between them.
//!
//! It is made of both identity keys, the smaller first, so that both sides see the same one: six
//! groups of five digits, 100 bits. Somebody in between needs two keys, one to show each side, that
//! make both numbers equal; that takes some 2^50 attempts, so each is made to cost 65,536 hashes
//! (about 4 ms here), which is 2^66 in all. For a list of many people that adds up: ask for the
//! number when it is shown.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::ids::PersonId;

const PREFIX: &[u8] = b"kith/1 safety\0";
/// How many hashes one number takes.
const ROUNDS: u32 = 1 << 16;

/// A safety number; as text, six groups of five digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyNumber([u32; 6]);

impl SafetyNumber {
    /// The number of two people, whichever is named first.
    ///
    /// The first hash is over `kith/1 safety`, a zero byte, and both keys; each further one over
    /// the one before and both keys. Of the last one, five bytes each make a number, the highest
    /// first, of which the last five digits stand in the text.
    #[must_use]
    pub fn of(one: PersonId, other: PersonId) -> Self {
        let (first, second) = (one.min(other), one.max(other));
        let hash = |before: &[u8]| -> [u8; 32] {
            let hash = Sha256::new().chain_update(before).chain_update(first.as_bytes());
            hash.chain_update(second.as_bytes()).finalize().into()
        };
        let last = (1..ROUNDS).fold(hash(PREFIX), |before, _| hash(&before));
        let mut groups = [0; 6];
        for (group, bytes) in groups.iter_mut().zip(last.chunks_exact(5)) {
            let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            *group = u32::try_from(number % 100_000).unwrap_or_default();
        }
        Self(groups)
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:05}")?;
        rest.iter().try_for_each(|group| write!(f, " {group:05}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_and_others_another() {
        let [a, b, c] = [1, 2, 3].map(|byte| PersonId::new([byte; 32]));
        let number = SafetyNumber::of(a, b);
        assert_eq!(SafetyNumber::of(b, a), number);
        assert_ne!(SafetyNumber::of(a, c), number);
        assert_ne!(SafetyNumber::of(b, c), number);
        let text = number.to_string();
        let groups: Vec<_> = text.split(' ').map(str::len).collect();
        assert_eq!(groups, [5; 6], "{text}");
        assert!(text.chars().all(|c| c == ' ' || c.is_ascii_digit()), "{text}");
    }
}
