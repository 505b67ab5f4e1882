//! Stores that are killed, lose their power, or find their files changed.
//!
//! - `recorder.c`, `recording.rs`: what a process does to its files, written down as it happens;
//! - `medium.rs`: what a disk would hold of that had the power failed at some moment;
//! - `checking.rs`: whether a store that is opened on it has all that was answered, and no more
//!   than was asked for;
//! - `power.rs`: both together, a seed for each loss of power; and that the suite sees a store
//!   which answers too early;
//! - `flips.rs`: every byte of a small store changed, and its files cut at every length;
//! - `killing.rs`: `kill -9` at random moments.
//!
//! `cargo test` runs a short form of each. `KITH_CRASH_SEEDS=1000`, `KITH_CRASH_ROUNDS=1000` and
//! `KITH_CRASH_BYTES=all` run more. The recorder and the medium know nothing of stores: any program
//! that makes its system calls with the C library can be recorded.

mod checking;
mod flips;
mod killing;
pub(crate) mod medium;
mod power;
pub(crate) mod recording;

use std::env;

/// How many of something an environment variable asks for.
fn number_of(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}
