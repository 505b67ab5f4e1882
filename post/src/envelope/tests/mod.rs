//! Tests of the envelopes as a whole.

mod world;

mod crossing;
mod records;
mod refusals;
