//! Every limit of a service's side of the bus, with its unit in the name and its reason beside it.
//!
//! What the daemon limits is not repeated here: the daemon says no, and the answer is passed on.

/// Bytes of a manifest: a hundred times what a talkative one has.
pub const MANIFEST_BYTES_MAX: usize = 64 << 10;
/// Bytes of a line of a manifest that an error shows: what a terminal has in a few lines.
pub const SHOWN_BYTES_MAX: usize = 200;
/// Bytes of the sentence about a service: one line in a list.
pub const ABOUT_BYTES_MAX: usize = 200;
/// Bytes of a service's version: a long git description.
pub const VERSION_BYTES_MAX: usize = 64;
/// After so many things that were ready at once a service looks whether the daemon asks for a sign
/// of life, which it else does whenever it waits: rarely enough to cost nothing.
pub const READY_IN_A_ROW_MAX: u32 = 64;
/// How long a service sleeps without looking at the clock: a clock that was set ahead is seen
/// after a minute.
pub const SLEEP_STEP_MS_MAX: u64 = 60_000;
/// How long one service's goodbye may take, when it has ended: the daemon is on the same machine.
pub const GOODBYE_MS: u64 = 2_000;
/// How long threads of a service that has ended may go on: they have no bus any more, and the
/// daemon waits for the process.
pub const LEFTOVERS_MS: u64 = 500;
/// How long a service may take to answer a heartbeat in a test: as long as in the daemon.
#[cfg(feature = "testkit")]
pub const HEARTBEAT_MS: u64 = 10_000;
/// How long a test may take by its own clock: a service that does something every second goes
/// through a day in a second or two, and nothing should wait for longer.
#[cfg(feature = "testkit")]
pub const TEST_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Messages that may wait for a client in a test: few enough that a test can easily exceed them.
#[cfg(feature = "testkit")]
pub const TEST_QUEUE_MESSAGES_MAX: usize = 1_000;
/// Bytes in a pipe of a test: about what a socket holds for one side.
#[cfg(feature = "testkit")]
pub const TEST_PIPE_BYTES: usize = 64 << 10;
