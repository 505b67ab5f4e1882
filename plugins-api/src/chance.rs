//! The chance of a service: numbers from a seed.
//!
//! A daemon gives each service a seed of the system's randomness, a test gives one of its own. So
//! whatever a service draws, a failing test can be played again.
//!
//! Deliberately absent: secrecy. Who has seen one number knows all that follow; keys and tokens are
//! not for services to make.

use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug)]
pub(crate) struct Chance {
    state: AtomicU64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    pub(crate) fn next(&self) -> u64 {
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_its_numbers() {
        // The first numbers of the generator's authors for this seed.
        let chance = Chance::new(1_234_567);
        let numbers = [(); 3].map(|()| chance.next());
        let expected =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn any_length_is_filled() {
        let mut bytes = [0; 11];
        Chance::new(1).fill(&mut bytes);
        assert_ne!(bytes[8..], [0; 3]);
        Chance::new(1).fill(&mut []);
    }
}
