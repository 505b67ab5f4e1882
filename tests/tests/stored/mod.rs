//! The daemon and its store, when either is ended or fails: what was said to be stored is there.
//!
//! Where `crash` asks that of the store alone, this asks it of the whole: a daemon that runs, with
//! a publisher that repeats what it has no answer for, and a consumer that acknowledges.
//!
//! - `talk.rs`: that publisher and that consumer, and what they have a right to;
//! - `killing.rs`: `kill -9` at random moments, round after round on one state;
//! - `power.rs`: what the disk would hold had the power failed, seed after seed;
//! - `stopping.rs`: it is told to stop;
//! - `disks.rs`, `faults.c`: a disk that is full, can't be written, or does not answer.
//!
//! `cargo test` runs a short form of each; `KITH_CRASH_ROUNDS` and `KITH_CRASH_SEEDS` ask for more.

mod disks;
mod killing;
mod power;
mod stopping;
mod talk;

/// How many of something an environment variable asks for.
fn number_of(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The engines, as the configuration has them.
const STORES: [&str; 2] = ["sqlite", "sled"];

/// A configuration with this store.
fn configuration(store: &str) -> String {
    format!("store = \"{store}\"\n")
}

/// SplitMix64: chance that a seed repeats.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
