//! Every number of the kit, with its unit in the name and its reason beside it.
//!
//! What the daemon gives a service (10 s to start, 10 s for a heartbeat, 2 s to end) is the same
//! here: who passes has passed what the daemon asks. All else is as short as a slow machine allows.

/// How long a program has from its start until it has subscribed to its heartbeat: the daemon's.
pub(crate) const START_MS_MAX: u64 = 10_000;
/// How long a heartbeat may wait for its answer: the daemon's.
pub(crate) const HEARTBEAT_MS_MAX: u64 = 10_000;
/// How long a program has to end by itself once the bus has said goodbye: the daemon's.
pub(crate) const STOP_MS_MAX: u64 = 2_000;
/// How long it has once the bus is gone without a goodbye: nobody waits for it, but it should not
/// go on for nothing.
pub(crate) const GONE_MS_MAX: u64 = 5_000;
/// Heartbeats that are asked, one after the other.
pub(crate) const HEARTBEATS: u32 = 5;
/// How long a program that has just started is looked at before what it did counts: it says the
/// first things at once.
pub(crate) const SETTLE_MS: u64 = 400;
/// How long it is watched for a publish, once it has answered a heartbeat behind what it should
/// publish for: many programs have published by then, and others need a while.
pub(crate) const PUBLISH_MS: u64 = 5_000;
/// How long it is watched, after the same, for a request: most programs ask nothing.
pub(crate) const REQUEST_MS: u64 = 1_500;
/// How long a program that was refused something is watched: one that dies of it does so at once.
pub(crate) const AFTERMATH_MS: u64 = 500;
/// The longest that a look at sockets may take before the kit looks whether it was told to stop.
pub(crate) const LOOK_MS: u64 = 100;
/// Attempts to connect with a token that is refused: one, and some for libraries that try again.
pub(crate) const ATTEMPTS_MAX: u64 = 5;

/// Messages that may wait for the program, so that they are soon too many.
pub(crate) const QUEUE_MESSAGES_MAX: usize = 64;
/// The largest payload on the kit's bus: a megabyte is sent, and room is left.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 2 << 20;
/// The payload of those of which there are to be too many: large, so that the socket is soon full.
pub(crate) const FLOOD_PAYLOAD_BYTES: usize = 8 << 10;
/// How many of them are sent at most: sockets that take so much have no bounds.
pub(crate) const FLOOD_MESSAGES_MAX: u32 = 20_000;
/// How many must be missing.
pub(crate) const FLOOD_LOST_MIN: u64 = 10;
/// A payload that is large and no more.
pub(crate) const LARGE_PAYLOAD_BYTES: usize = 1 << 20;
/// How deep a payload is nested: JSON parsers that descend by calling themselves hold 100.
pub(crate) const NESTED_MAX: usize = 100;
/// Days are what clocks are set by when a battery was empty.
pub(crate) const CLOCK_JUMP_MS: i64 = 86_400_000;

/// What is read of a socket at once.
pub(crate) const READ_BYTES: usize = 64 << 10;
/// Refusals that are remembered to be shown: more say nothing new.
pub(crate) const REFUSALS_KEPT_MAX: usize = 32;
/// What is looked at of the end of what a program said.
pub(crate) const SAID_BYTES_MAX: u64 = 4 << 10;
/// What is shown of a payload.
pub(crate) const SHOWN_CHARS_MAX: usize = 200;
/// Lines of that that are shown.
pub(crate) const SAID_LINES_MAX: usize = 5;
/// A manifest's file: what is larger is none.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Topics that are tried of what it subscribes to: each pattern is one.
pub(crate) const TOPICS_MAX: usize = 16;
