//! Every limit of this transport, with its unit in the name and its reason beside it.

/// Letters that may wait to be written: what a person sends while the other end reads slowly. The
/// daemon keeps the others.
pub const WAITING_LETTERS_MAX: usize = 256;
/// Their bytes.
pub const WAITING_BYTES_MAX: usize = 4 << 20;
/// Bytes of a letter if the settings say nothing: what fits one read, and is no longer than a
/// picture's thumbnail, so that a message waits little behind it.
pub const MTU_BYTES_DEFAULT: u32 = 64 << 10;
/// The smallest MTU that is of use, by the contract.
pub const MTU_BYTES_MIN: u32 = 50;
/// The largest: letters of the contract have no more.
pub const MTU_BYTES_MAX: u32 = 1 << 20;
/// Bytes read at once: what a pipe holds.
pub const READ_BYTES: usize = 64 << 10;
/// How long to wait before looking again whether somebody reads at the other end.
pub const LOOK_MS: u64 = 1_000;
