//! Tests of the envelopes as a whole.

mod samples;
mod world;

mod contents;
mod crossing;
mod fragments;
mod letters;
mod notices;
mod records;
mod refusals;
mod remembered;
mod vectors;
mod whole;
