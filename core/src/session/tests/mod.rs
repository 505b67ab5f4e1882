//! The door: framings, errors and where they are, garbage, clients that do not read, and turns.

mod choking;
mod errors;
mod framing;
mod garbage;
mod turns;
