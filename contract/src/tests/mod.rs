//! All payloads at once, by the table of their fields.

mod malformed;
mod round;
mod vectors;
