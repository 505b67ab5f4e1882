//! What the crash suites write: commits that follow from a seed, and what a store holds after so
//! many.
//!
//! Values are small, some larger than a page, a few so large that an engine keeps them elsewhere;
//! keys come again, so that records are replaced and deleted. Each commit writes its number, too,
//! so that a store tells how far it is.

use std::collections::BTreeMap;

use kith_store::Batch;

/// Where a commit writes its number.
pub const NUMBER: &[u8] = b"n";

/// Chance that a seed decides: xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed has the same numbers follow.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero, and small seeds begin much alike.
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.below(2);
        random.below(2);
        random
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % bound
    }
}

/// What commit `number` changes; the first one is 1.
#[must_use]
pub fn changes(seed: u64, number: u64) -> Batch {
    let mut random = Random::new(seed ^ (number << 20));
    let mut batch = Batch::new();
    for _ in 0..=random.below(4) {
        let key = format!("m{:04}", random.below(300));
        if random.below(4) == 0 {
            batch.delete(key);
            continue;
        }
        let size = match random.below(40) {
            0 => random.below(200_000),
            1..6 => random.below(20_000),
            _ => random.below(600),
        };
        let size = usize::try_from(size).unwrap_or_default();
        let mut value = format!("{key} {number} ").into_bytes();
        value.resize(value.len() + size, b'a' + u8::try_from(number % 26).unwrap_or_default());
        batch.put(key, value);
    }
    batch.put(NUMBER, number.to_string());
    batch
}

/// Keys and values after the commits 1 to `number`.
#[must_use]
pub fn contents(seed: u64, number: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for number in 1..=number {
        for (key, value) in changes(seed, number).changes() {
            match value {
                Some(value) => contents.insert(key.to_vec(), value.to_vec()),
                None => contents.remove(key),
            };
        }
    }
    contents
}
