//! What only the socket promises: the exact bytes, their offsets, and how a stream ends.
//!
//! What every door promises is in `contract`. The test vectors of `wire/` pin the codecs byte by
//! byte; here is what takes a daemon to see.
//!
//! - `json_lines.rs`, `binary_frames.rs`: each framing's own;
//! - `descriptors.rs`: payloads that are handed over;
//! - `ending.rs`: a stream that is closed on one side, or whose process is killed;
//! - `forging.rs`: nothing that a publisher writes becomes a line of its own;
//! - `handing_over.rs`: payloads that the client library hands over; `storing.rs`: its durable
//!   subscriptions.

mod binary_frames;
mod descriptors;
mod ending;
mod forging;
mod handing_over;
mod json_lines;
mod storing;
