//! The door: framings, errors and where they are, garbage, and clients that don't read.

mod choking;
mod errors;
mod framing;
mod garbage;
