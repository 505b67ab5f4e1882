//! Every limit of the protocol, with its unit in the name and its reason beside it.
//!
//! What can be configured has its default here; the daemon's configuration may lower or raise it.

/// A topic fits one length byte.
pub const TOPIC_BYTES_MAX: usize = 255;
/// A protocol and its slash, a scope and its dot, and a topic: 33 + 8 + 255 is 296; rounded up.
pub const PATTERN_BYTES_MAX: usize = 300;
/// Long enough for a reverse-domain-like name, short enough to be looked up for each message.
pub const PROTOCOL_BYTES_MAX: usize = 32;
/// Names of groups and clients are shown in tables to people.
pub const NAME_BYTES_MAX: usize = 64;
/// Twice the 128 bits that make one hard to guess, in hexadecimal digits.
pub const TOKEN_BYTES_MAX: usize = 64;
/// A person's identity and a device, or a room: longer than any of them.
pub const DESTINATION_BYTES_MAX: usize = 255;
/// Keys and values together: headers are for routing and tracing, not a second payload.
pub const HEADERS_BYTES_MAX: usize = 4096;
/// Messages acknowledged at once: four such frames, of 4 KiB each, clear a consumer's window.
pub const ACKNOWLEDGED_IDS_MAX: usize = 256;
/// Headers of a message: they are looked through one by one.
pub const HEADERS_MAX: usize = 64;
/// One header key.
pub const HEADER_KEY_BYTES_MAX: usize = 64;
/// Deep enough for any real document. A recursive reader in a subscriber must survive it, and the
/// line around it: serde_json gives up at 128, Ruby's JSON at 101.
pub const PAYLOAD_DEPTH_MAX: usize = 96;
/// How much of a bad input is repeated in an answer, in characters.
pub(crate) const SHOWN_CHARS_MAX: usize = 20;
/// How much is repeated of what the JSON parser says: its list of fields has 280 characters.
pub(crate) const REASON_CHARS_MAX: usize = 320;
/// The default of `payload_bytes_max`: a photo fits; what is larger belongs in a file.
pub const PAYLOAD_BYTES_DEFAULT: usize = 16 << 20;
/// What `payload_bytes_max` may be raised to: lengths stay far inside 32 bits.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 30;
/// A payload travels in a descriptor from this size on: below, to check, pass on and read one costs
/// as much as the copies that it saves, even where the memory is there already.
pub const SEALED_BYTES_MIN: usize = 64 << 10;
/// Room for everything in a frame or line that is not payload: topic, protocol, group, headers,
/// and the JSON escapes of them.
pub const ENVELOPE_BYTES_MAX: usize = 16_384;
/// 30 days: longer than any message may wait for its recipient.
pub const EXPIRE_AFTER_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;
/// One hour: a request that waits longer is a job, and wants a topic of its own.
pub const REQUEST_TIMEOUT_MS_MAX: u32 = 60 * 60 * 1000;
/// A program on the same machine answers within this, or something is wrong.
pub const REQUEST_TIMEOUT_MS_DEFAULT: u32 = 5_000;

/// The longest binary frame (its `length` field), for a `payload_bytes_max`.
#[must_use]
pub const fn frame_bytes_max(payload_bytes_max: usize) -> usize {
    payload_bytes_max.saturating_add(ENVELOPE_BYTES_MAX)
}

/// The longest JSON line, for a `payload_bytes_max`: base64 makes 4 bytes of 3.
#[must_use]
pub const fn line_bytes_max(payload_bytes_max: usize) -> usize {
    payload_bytes_max.saturating_add(payload_bytes_max / 3).saturating_add(ENVELOPE_BYTES_MAX)
}
