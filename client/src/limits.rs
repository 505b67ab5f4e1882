//! Every limit of the client library, with its unit in the name and its reason beside it.
//!
//! What the daemon limits (topics, payloads, subscriptions of a connection) is not repeated here:
//! the daemon says no, and the answer is passed on.

/// Bytes of publishes that may wait for the socket, or for their answer, before the next one has
/// to wait: a burst fits, a program that outruns its daemon for good is slowed down.
pub const OUTGOING_BYTES_MAX: usize = 4 << 20;
/// What an operation that waits for its answer is counted for beside its frame. It keeps the number
/// of them under the 65,536 message ids that the daemon remembers for a client.
pub const OPERATION_BYTES: usize = 128;
/// Operations without a message (pings, taking a will back) that may wait for their answer. They
/// don't wait for publishes, so that they can say that there is no connection.
pub const ASIDE_OPERATIONS_MAX: usize = 1_024;
/// Acknowledgements that nobody waits for and the daemon has not answered: those of 64 durable
/// subscriptions whose windows (1,024 messages) are full.
pub const ACKNOWLEDGEMENTS_MAX: usize = 65_536;
/// Messages that a [`Subscription`](crate::Subscription) holds for a program that doesn't poll it.
/// A quarter of what the daemon holds for a connection, which has many subscriptions.
pub const INBOX_MESSAGES_MAX: usize = 131_072;
/// Their bytes, payloads and headers together: two of the largest payloads.
pub const INBOX_BYTES_MAX: usize = 32 << 20;
/// Messages that a subscription takes from its inbox at once, so that the lock is taken once for
/// all of them. They come on top of [`INBOX_MESSAGES_MAX`].
pub const BATCH_MESSAGES_MAX: usize = 256;
/// A payload that comes in a descriptor is read below this size, and mapped from it on: to change
/// the address space and to find each page costs about as much as to copy so many bytes.
pub const MAPPED_BYTES_MIN: usize = 1 << 20;
/// Bytes read at once: more than a socket's buffer usually holds, so that one read empties it.
pub const READ_BYTES: usize = 256 << 10;
/// A read of this many bytes is followed by letting other tasks of the same thread run: there is
/// probably more to read, and the messages have to be taken by somebody.
pub const READ_YIELD_BYTES: usize = 32 << 10;
/// Errors that [`Errors`](crate::Errors) keeps for a program that doesn't read them.
pub const ERRORS_MAX: usize = 64;

/// The first wait before connecting again: a daemon that restarts is back about then.
pub const BACKOFF_MS_MIN: u64 = 50;
/// The longest wait before connecting again: nobody should have to think about starting a program
/// again because the daemon was away.
pub const BACKOFF_MS_MAX: u64 = 5_000;
/// How long a daemon may take to answer the greeting; it is on the same machine.
pub const GREETING_MS: u64 = 5_000;
/// How long closing may take, from the goodbye to the end of the connection.
pub const CLOSE_MS: u64 = 5_000;
/// How long after a message was posted the daemon is asked whether it came: often enough that the
/// number of messages in doubt stays small, seldom enough to cost nothing.
pub const CHECKPOINT_MS: u64 = 250;
/// A publish that was sent this long ago is not repeated. The daemon recognises a repeated one for
/// 10 minutes; one minute is for the way and for clocks.
pub const REPEAT_MS_MAX: u64 = 9 * 60 * 1000;
/// How often one publish is sent. If the connection breaks each time, it may well be the cause.
pub const PUBLISH_SENDS_MAX: u8 = 8;
/// How long after a request's own time-out the client stops waiting for the daemon to say so.
pub const REQUEST_GRACE_MS: u64 = 1_000;
