//! Every limit of the post, with its unit in the name and its reason beside it.

/// Olm sessions with one device in one lane: the one in use, one that crossed it, and two for what
/// is still on its way from before a renewal.
pub const SESSIONS_MAX: usize = 4;
/// Devices that sessions are held for: 24 devices of each of 170 people. A session's record has
/// some 2.5 KB, so all are far below 100 MB.
pub const DEVICES_MAX: usize = 4096;
/// First messages of one device that are remembered for as long as the prekey which they used.
/// A device opens a session for each lane and then at most one an hour: enough for three weeks of
/// a device that loses its memory every hour.
pub const OPENINGS_MAX: usize = 512;
/// A session's record: 5 chains with 40 skipped keys each are some 33 KB of JSON.
pub const SESSION_RECORD_BYTES_MAX: usize = 64 << 10;
