//! Every limit of this service, with its unit in the name and its reason beside it.

/// Mirrors: each is a connection to a message bus of its own.
pub const MIRRORS_MAX: usize = 32;
/// Bytes of a signal's body. What is larger is no news, but data.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Messages that a connection keeps before it stops reading: a burst of signals fits.
pub const QUEUED_MESSAGES_MAX: usize = 1_024;
/// The first wait before connecting again: a session bus that restarts is back about then.
pub const WAIT_MS_MIN: u64 = 500;
/// The longest: nobody should wait long for the bus after a login.
pub const WAIT_MS_MAX: u64 = 30_000;
/// Changes of mirrors that may wait to be reported.
pub const CHANGES_MAX: usize = 64;
/// Bytes of a topic behind `dbus.`: a topic has 255.
pub const TOPIC_BYTES_MAX: usize = 200;
/// Characters of why a mirror is down: a line for people.
pub const WHY_CHARS_MAX: usize = 100;
