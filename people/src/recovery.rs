//! The recovery words: an identity key on paper.
//!
//! They are those of BIP-39 in English: 24 words for the 32 bytes of the seed and 8 bits of
//! checksum. Nothing is derived from them with a passphrase, as wallets do: the words are the seed.
//! Whoever types them in is told which word is wrong; where each word is one but all together are
//! not right, words have changed places or one was taken for another.
//!
//! What leaves here wipes itself. The library that knows the words keeps indices of them on the
//! stack for a moment, which it does not wipe.

use bip39::{Language, Mnemonic};
use zeroize::{Zeroize, Zeroizing};

use crate::keys::{PersonKey, Seed};
use crate::limits::DRILL_WORDS_MAX;

/// How many words there are.
pub const RECOVERY_WORDS: usize = 24;

/// Why words are no recovery words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// There are too few or too many.
    #[error("there are {0} words, and should be {RECOVERY_WORDS}")]
    Count(usize),
    /// One is not in the list.
    #[error("word {position} is none of the list")]
    Word {
        /// Which one, from 1.
        position: usize,
    },
    /// All are in the list and don't belong together.
    #[error("each word is one of the list, but together they are not right: is their order?")]
    Checksum,
}

/// The recovery words of an identity key.
#[must_use]
pub fn recovery_words(key: &PersonKey) -> Zeroizing<String> {
    let seed = key.seed();
    // 32 bytes are a length that there are words for, so nothing comes out empty.
    let words = Mnemonic::from_entropy_in(Language::English, seed.as_slice()).ok();
    let mut text = Zeroizing::new(String::with_capacity(RECOVERY_WORDS * 9));
    for word in words.iter().flat_map(Mnemonic::words) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// The identity key of recovery words. Capital letters and more than one space are as nothing.
///
/// # Errors
///
/// If they are not right; says which word is wrong, if it is one.
pub fn recovered(words: &str) -> Result<PersonKey, RecoveryError> {
    let words = Zeroizing::new(words.to_lowercase());
    let count = words.split_whitespace().count();
    if count != RECOVERY_WORDS {
        return Err(RecoveryError::Count(count));
    }
    let is_unknown = |word: &str| Language::English.find_word(word).is_none();
    if let Some(at) = words.split_whitespace().position(is_unknown) {
        return Err(RecoveryError::Word { position: at + 1 });
    }
    let words = Mnemonic::parse_in_normalized(Language::English, &words);
    let (mut entropy, length) = words.map_err(|_| RecoveryError::Checksum)?.to_entropy_array();
    let seed = entropy.first_chunk::<32>().filter(|seed| seed.len() == length).copied();
    entropy.zeroize();
    let mut seed: Zeroizing<Seed> = Zeroizing::new(seed.ok_or(RecoveryError::Checksum)?);
    let key = PersonKey::from_seed(*seed);
    seed.zeroize();
    Ok(key)
}

/// Which words to ask for in a drill: `count` positions from 1 to 24, in ascending order, chosen by
/// the seed.
#[must_use]
pub fn drill_positions(seed: Seed, count: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (1..=RECOVERY_WORDS).collect();
    let mut chosen = Vec::new();
    // A byte for each; that some positions are a little likelier does no harm.
    for byte in seed.into_iter().take(count.min(DRILL_WORDS_MAX)) {
        let at = usize::from(byte).checked_rem(left.len()).unwrap_or_default();
        if at < left.len() {
            chosen.push(left.remove(at));
        }
    }
    chosen.sort_unstable();
    chosen
}

/// Whether `answer` is the word at a position (from 1).
#[must_use]
pub fn is_word_at(key: &PersonKey, position: usize, answer: &str) -> bool {
    let words = recovery_words(key);
    let word = position.checked_sub(1).and_then(|at| words.split(' ').nth(at));
    word.is_some_and(|word| word.eq_ignore_ascii_case(answer.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of the test vectors of BIP-39 itself.
    const ZEROS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
        abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
        abandon abandon abandon art";

    #[test]
    fn words_bring_back_the_key() {
        assert_eq!(*recovery_words(&PersonKey::from_seed([0; 32])), *ZEROS);
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let key = PersonKey::from_seed([byte; 32]);
            let words = recovery_words(&key);
            assert_eq!(words.split(' ').count(), RECOVERY_WORDS);
            assert_eq!(recovered(&words).unwrap().id(), key.id());
            let sloppy = format!("\n {} ", words.to_uppercase().replace(' ', "  \t"));
            assert_eq!(recovered(&sloppy).unwrap().id(), key.id());
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused = |words: &str| recovered(words).unwrap_err();
        assert_eq!(refused(""), RecoveryError::Count(0));
        assert_eq!(refused("abandon art"), RecoveryError::Count(2));
        assert_eq!(refused(&format!("{ZEROS} art")), RecoveryError::Count(25));
        let misspelt = ZEROS.replacen("abandon", "abandom", 1);
        assert_eq!(refused(&misspelt), RecoveryError::Word { position: 1 });
        let last = ZEROS.replace("art", "äbandon");
        assert_eq!(refused(&last), RecoveryError::Word { position: 24 });
        let swapped = ZEROS.replacen("abandon", "art", 1).replace(" art", " abandon");
        assert_eq!(refused(&swapped), RecoveryError::Checksum);
        assert_eq!(refused(&ZEROS.replace("art", "ability")), RecoveryError::Checksum);
    }

    #[test]
    fn drills_ask_for_different_words() {
        for seed in [[0; 32], [23; 32], [255; 32]] {
            for count in 0..=24 {
                let positions = drill_positions(seed, count);
                assert_eq!(positions.len(), count);
                assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
                assert!(positions.iter().all(|position| (1..=24).contains(position)));
            }
            assert_eq!(drill_positions(seed, 30).len(), 24);
        }
        assert_ne!(drill_positions([1; 32], 3), drill_positions([9; 32], 3));
        let key = PersonKey::from_seed([0; 32]);
        assert!(is_word_at(&key, 24, " Art\n") && is_word_at(&key, 1, "abandon"));
        assert!(!is_word_at(&key, 24, "abandon") && !is_word_at(&key, 0, "abandon"));
        assert!(!is_word_at(&key, 25, "art") && !is_word_at(&key, 25, ""));
    }
}
