//! A number on everything of the daemon's own, with its reason: what the configuration may ask
//! for, and how large the configuration itself may be.
//!
//! The defaults of what can be configured stand in `kith_core::Limits`, beside what they protect;
//! here are the bounds within which somebody may move them. The lower ones keep the bus usable,
//! the upper ones keep a slip of the hand (a zero too many) from becoming an outage. Both ends are
//! allowed. Sizes are in bytes, times in milliseconds, `u64` on every platform.

use std::ops::RangeInclusive;
use std::time::Duration;

use kith_wire::limits::PAYLOAD_BYTES_MAX;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1000;
const HOUR: u64 = 60 * 60 * SECOND;

/// `payload_bytes_max`. Below, the daemon's own answers on `bus.*` would not fit; above, lengths
/// would come near 32 bits.
pub(crate) const PAYLOAD_BYTES: RangeInclusive<u64> = (64 * KIB)..=(PAYLOAD_BYTES_MAX as u64);
/// `queue_bytes_max`. Below, a queue holds less than one read of the socket; above, one client
/// that has stopped reading takes the memory of the machine. It must also hold one message of the
/// largest size, which is checked against `payload_bytes_max`.
pub(crate) const QUEUE_BYTES: RangeInclusive<u64> = (256 * KIB)..=(4 * GIB);
/// `queue_messages_max`. Below, a client lags at its first hiccup; above, the entries alone take
/// gigabytes.
pub(crate) const QUEUE_MESSAGES: RangeInclusive<u64> = 16..=(1 << 24);
/// `waiting_bytes_total_max`. Below, one of the smallest queues can't be filled; above, it bounds
/// nothing on any machine. Four queues of the configured size always fit, whatever it says.
pub(crate) const WAITING_BYTES_TOTAL: RangeInclusive<u64> = MIB..=(64 * GIB);
/// `subscriptions_max`. Below, `kith` itself could not work; above, one client could fill the bus.
pub(crate) const SUBSCRIPTIONS: RangeInclusive<u64> = 16..=(1 << 22);
/// `subscriptions_total_max`. Below, a desktop's programs don't fit; above, the index takes
/// 10 GiB.
pub(crate) const SUBSCRIPTIONS_TOTAL: RangeInclusive<u64> = 256..=(1 << 26);
/// `requests_max`. One is a working client; above, each waits in a table for up to an hour.
pub(crate) const REQUESTS: RangeInclusive<u64> = 1..=(1 << 20);
/// `retained_messages_max`. Below, the daemon's own kept values leave no room, of which a client
/// may have half; above, the entries alone take gigabytes.
pub(crate) const RETAINED_MESSAGES: RangeInclusive<u64> = 16..=(1 << 24);
/// `retained_bytes_max`. As for its messages; above, it is a store, and memory is not the place.
pub(crate) const RETAINED_BYTES: RangeInclusive<u64> = (64 * KIB)..=(16 * GIB);
/// `clients_max`. Below, nobody could look at the bus while programs use it; above, Linux has no
/// file descriptors for them in one process.
pub(crate) const CLIENTS: RangeInclusive<u64> = 4..=(1 << 20);
/// `consumers_max`. One is a working store; above, each publish would look through too many.
pub(crate) const CONSUMERS: RangeInclusive<u64> = 1..=(1 << 16);
/// `stored_messages_max`. Below, one busy moment fills it; above, what is kept in memory of each
/// takes gigabytes.
pub(crate) const STORED_MESSAGES: RangeInclusive<u64> = 16..=(1 << 26);
/// `stored_bytes_max`. Below, one large message fills it; above, checking it takes hours. One
/// message of the largest size always fits, whatever it says.
pub(crate) const STORED_BYTES: RangeInclusive<u64> = MIB..=(256 * GIB);
/// `lease`. Below, what is on its way is taken for lost; above, nobody remembers why it waits.
pub(crate) const LEASE: RangeInclusive<u64> = 100..=(24 * HOUR);
/// `deliveries_max`. With one, what a crash interrupted is a dead letter; above, a message that no
/// consumer can take keeps it from its others.
pub(crate) const DELIVERIES: RangeInclusive<u64> = 1..=1000;
/// `history_messages_max`. With none, `since` finds only what still waits; above, as for those that
/// wait.
pub(crate) const HISTORY_MESSAGES: RangeInclusive<u64> = 0..=(1 << 26);
/// `history_bytes_max`. As for its messages, and for the bytes that wait.
pub(crate) const HISTORY_BYTES: RangeInclusive<u64> = 0..=(256 * GIB);
/// `stats.interval`. Below, counting would be a load of its own; above, nobody waits for it.
pub(crate) const STATS_INTERVAL: RangeInclusive<u64> = 100..=HOUR;

/// Bytes of a configuration file: a thousand times what all keys take. More is another file,
/// given by mistake.
pub(crate) const CONFIGURATION_BYTES_MAX: u64 = MIB;
/// Characters of a line that is shown below an error; a longer one is left out, since it would
/// wrap and the marks below it would point anywhere.
pub(crate) const SNIPPET_CHARS_MAX: usize = 120;
/// Errors of a configuration file that are shown; the rest is counted.
pub(crate) const PROBLEMS_SHOWN_MAX: usize = 20;
/// Characters of a key for which a similar one is looked up: longer than any key, and the
/// comparison takes the product of both lengths.
pub(crate) const SIMILAR_CHARS_MAX: usize = 64;
/// Bytes of a socket's path: `sun_path` of Linux has 108, the last one zero (`unix(7)`).
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Bytes of a lock file that are read to learn who holds it: a process id and a line feed.
pub(crate) const PROCESS_ID_BYTES_MAX: u64 = 16;

/// What one read may bring: four writes of a batching publisher, and small enough for the cache.
pub(crate) const READ_BYTES: usize = 256 << 10;
/// Reads of one connection in a row before the others have their turn, where each finds less than
/// it has room for. After one that is filled, there is more, and the others come first.
pub(crate) const READS_PER_TURN_MAX: usize = 4;
/// What one read may bring while others speak too: as much as is done in a turn's time, found by
/// halving and doubling between these, from [`SHORT_READ_BYTES`] on. A socket can hold two hundred
/// writes of a byte each, which take long to read; large writes are read at once.
pub(crate) const SHORT_READ_BYTES_MIN: usize = 64;
pub(crate) const SHORT_READ_BYTES_MAX: usize = 64 << 10;
/// The first of these: what a program says that says little.
pub(crate) const SHORT_READ_BYTES: usize = 4 << 10;
/// Work on what one read brought while others speak too, in the broker's measure: some 25 µs.
pub(crate) const SHARED_WORK_MAX: u64 = 64;
/// How long after the turn of another program the bus counts as shared: longer than the gaps of one
/// that says something each second, and soon over for one that is alone.
pub(crate) const SHARED_TIME: Duration = Duration::from_secs(2);
/// What a program may use of each round: one or two turns, about as long as a message takes from
/// one client to another.
pub(crate) const ROUND_TIME: Duration = Duration::from_micros(20);
/// Programs from which those that have gone are looked for, when another comes.
pub(crate) const PROCESSES_TIDIED_MIN: usize = 64;
/// Writes to one connection before others have their turn: each is about what a socket holds.
pub(crate) const WRITES_PER_FLUSH_MAX: u32 = 4;
/// Slices in one write: more rarely fit into a socket's buffer.
pub(crate) const WRITE_SLICES_MAX: usize = 64;
/// How long what is left for a closing connection may take to be read.
pub(crate) const LINGER: Duration = Duration::from_secs(10);
/// How long the daemon waits for its clients when it is told to stop: systemd waits 90 seconds.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// How long telling the service manager may hold up the bus, where the manager does not read: it
/// is told a few times in a daemon's life, and at its watchdog's pace.
pub(crate) const NOTIFY_TIME_MAX: Duration = Duration::from_millis(100);
/// Characters of the line that `systemctl status` shows.
pub(crate) const STATUS_CHARS_MAX: usize = 200;
/// How long to wait when a connection can't be accepted.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Descriptors of payloads in a daemon inside another program: a quarter of the files that a
/// process may open where nobody has raised the limit.
pub(crate) const EMBEDDED_DESCRIPTORS_MAX: usize = 256;
/// File descriptors kept free of connections: the listeners, the locks, the log, epoll, the
/// signals, one to accept and refuse with, and what the metrics are read through: eight connections
/// and a file.
pub(crate) const FILES_RESERVED: usize = 32;
/// The same for each service that there may be: its thread's runtime, or its process's output and
/// end.
pub(crate) const FILES_PER_SERVICE: usize = 4;

/// Connections of one way to the metrics at a time. Two monitoring systems and a person with `curl`
/// fit; whoever comes beyond that waits until one of them has ended, which takes
/// twice [`METRICS_TIME_MAX`] at most.
pub(crate) const METRICS_CONNECTIONS_MAX: usize = 4;
/// How long to wait before the next connection of one way is taken: a hundred a second take about
/// a fiftieth of a processor, and nobody who asks in earnest comes twice in this.
pub(crate) const METRICS_PAUSE: Duration = Duration::from_millis(10);
/// How long the text of the metrics is kept for whoever asks again, in milliseconds. Making it
/// takes most of a millisecond where there are thousands of connections; and who asks each second,
/// the shortest interval in use, gets a new one every time.
pub(crate) const METRICS_KEPT_MS: u64 = 500;
/// How long a request for the metrics may take to come, and then as long its answer to be read: a
/// monitoring system gives up about then, and it needs a millisecond.
pub(crate) const METRICS_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request for the metrics: Prometheus and browsers need less than a thousand.
pub(crate) const METRICS_HEAD_BYTES_MAX: usize = 8 << 10;
/// Header fields of a request for the metrics.
pub(crate) const METRICS_HEAD_FIELDS_MAX: usize = 64;
/// What is read and thrown away behind a request, so that closing does not take the answer from
/// somebody who is still writing.
pub(crate) const METRICS_DISCARDED_BYTES_MAX: usize = 64 << 10;
/// Clients that are named in the metrics, those that lost most: a monitoring system keeps a series
/// for each name and connection that it ever saw, and who looks for a culprit needs the first.
pub(crate) const METRICS_CLIENTS_MAX: usize = 10;
/// The share of its queue, one of so many parts, from which on a client is named although it has
/// lost nothing yet. Below, each hiccup would make a series.
pub(crate) const METRICS_QUEUE_PARTS: usize = 4;

/// Bytes of a payload inside a D-Bus message: session buses have quotas of their own, and a memfd
/// is cheaper from far less on.
pub(crate) const DBUS_PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Bytes of a call on D-Bus: the largest payload, and what may stand around it.
pub(crate) const DBUS_CALL_BYTES_MAX: usize = DBUS_PAYLOAD_BYTES_MAX + (64 << 10);
/// How long a question about people waits: joining takes up to 30 s, and everything else far less.
pub(crate) const DBUS_QUESTION_MS: u32 = 40_000;
/// Messages to others of one program whose way is told to it, the latest: 16 KiB of ids.
pub(crate) const DBUS_WATCHED_MESSAGES_MAX: usize = 1024;
/// The numbers of subscriptions on D-Bus; those above are the door's own, for requests.
pub(crate) const DBUS_SUBSCRIPTION_MAX: u32 = u32::MAX >> 1;
/// Messages, in bytes, that may be on the way to a program on the session bus: enough for a busy
/// one to be kept busy, and little for a bus that is to hold them for one that does not read.
pub(crate) const DBUS_WINDOW_BYTES_MAX: u64 = 1 << 20;
/// The same with answers, for which a program may be waiting: the messages that go before one are
/// at most what the sockets hold, many times over.
pub(crate) const DBUS_ANSWERS_BYTES_MAX: u64 = 4 << 20;
/// The same of payloads that are in descriptors: one of the largest, and at least a few others.
pub(crate) const DBUS_WINDOW_PAYLOADS_BYTES_MAX: u64 = 16 << 20;
pub(crate) const DBUS_ANSWERS_PAYLOADS_BYTES_MAX: u64 = 4 * DBUS_WINDOW_PAYLOADS_BYTES_MAX;
/// Bytes after which a program is asked whether it has read them: four times in a window, so that
/// it does not come to a stop in between.
pub(crate) const DBUS_PING_BYTES: u64 = DBUS_WINDOW_BYTES_MAX / 4;
/// Messages that are sent to a program at once: enough for one call of the system to be worth it.
pub(crate) const DBUS_MESSAGES_PER_SEND_MAX: usize = 64;
/// What a message on D-Bus takes beside its bytes, in the session bus and here.
pub(crate) const DBUS_MESSAGE_OVERHEAD_BYTES: usize = 512;
/// How long a program has to answer before the session bus is asked about it, and then again from
/// time to time, each time twice as long.
pub(crate) const DBUS_DOUBT_MIN: Duration = Duration::from_secs(1);
pub(crate) const DBUS_DOUBT_MAX: Duration = Duration::from_secs(5);
/// Calls of one program, in bytes, that the broker has not taken yet: the largest four times.
pub(crate) const DBUS_CALLS_BYTES_MAX: usize = 4 << 20;
/// The same of all programs together.
pub(crate) const DBUS_CALLS_BYTES_TOTAL_MAX: usize = 64 << 20;
/// Descriptors with those calls: each program has a few large payloads under way, and all of them
/// together leave most of the files that the daemon may open to others.
pub(crate) const DBUS_CALLS_FILES_MAX: usize = 16;
pub(crate) const DBUS_CALLS_FILES_TOTAL_MAX: usize = 128;
/// Calls taken up in one turn of a program, before what the broker says is looked at.
pub(crate) const DBUS_CALLS_PER_TURN_MAX: usize = 64;
/// Messages of the session bus, read or made, after which other threads go first: some 10 µs, half
/// of a program's share of a round of the broker.
pub(crate) const DBUS_MESSAGES_PER_PAUSE_MIN: u32 = 1;
/// The same where somebody waits for what these are part of: a few such shares.
pub(crate) const DBUS_MESSAGES_PER_BREATH_MAX: u32 = 8;
/// What one read of what the broker says may bring.
pub(crate) const DBUS_READ_BYTES: usize = 64 << 10;
/// Messages of the session bus that wait to be looked at: they are looked at at once, and each may
/// be large.
pub(crate) const DBUS_QUEUED_MESSAGES_MAX: usize = 16;
/// Programs on the session bus: one of so many parts of the connections that there may be.
pub(crate) const DBUS_CLIENTS_PARTS: usize = 4;
/// How long the session bus may take to answer: it has no reason to take any time.
pub(crate) const DBUS_ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long to wait before the session bus is tried again: as long as it takes to restart, and then
/// twice as long each time, until it costs nothing.
pub(crate) const DBUS_RETRY_MIN: Duration = Duration::from_millis(500);
pub(crate) const DBUS_RETRY_MAX: Duration = Duration::from_secs(60);
/// Characters of an unknown option that are repeated in the error.
pub(crate) const OPTION_SHOWN_CHARS_MAX: usize = 40;
/// What a pipe inside the process holds: about what a socket does, and the first that a slow
/// program's messages fill.
pub(crate) const PIPE_BYTES_MAX: usize = 64 << 10;
/// What an empty pipe keeps of that, so that a message of usual size needs no new memory.
pub(crate) const PIPE_KEPT_BYTES_MAX: usize = 1 << 10;
/// Payloads on the way beside the bytes of a pipe: each is a file descriptor.
pub(crate) const PIPE_PAYLOADS_MAX: usize = 16;
/// How long a service may take from its start until it has subscribed to its heartbeat, in
/// milliseconds: an interpreter starts in a tenth of that on a slow machine.
pub(crate) const SERVICE_START_MS_MAX: u64 = 10_000;
/// A failure within so many milliseconds of its start is a quick one: it will not get better.
pub(crate) const SERVICE_QUICK_MS: u64 = 10_000;
/// After so many of them in a row a service is not started again.
pub(crate) const SERVICE_QUICK_FAILURES_MAX: u32 = 3;
/// How long to wait before a service that has failed starts again: then twice as long each time,
/// until it costs nothing.
pub(crate) const SERVICE_RETRY_MS_MIN: u64 = 500;
pub(crate) const SERVICE_RETRY_MS_MAX: u64 = 60_000;
/// One that ran for so long has got over what made it fail.
pub(crate) const SERVICE_STEADY_MS: u64 = 60_000;
/// How long a service has to end by itself, once the bus has said goodbye to it.
pub(crate) const SERVICE_ABORT_MS: u64 = 2_000;
/// How long it has then, once it was told to end.
pub(crate) const SERVICE_KILL_MS: u64 = 3_000;
/// A file of the state directory that is read as a whole: a thousand grants have a tenth of that.
pub(crate) const SAVED_BYTES_MAX: u64 = 1 << 20;
/// Grants to programs: more than anybody would look through.
pub(crate) const GRANTS_MAX: usize = 1_000;
/// How long a grant may hold, unless it holds until it is revoked: a year.
pub(crate) const GRANT_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;
/// Whom a grant is for: the longest is a path.
pub(crate) const SUBJECT_BYTES_MAX: usize = 1_024;
/// Services of one daemon: each has a thread or a process.
pub(crate) const SERVICES_MAX: usize = 200;
/// Words of a command: the longest that a person writes, many times over.
pub(crate) const COMMAND_WORDS_MAX: usize = 64;
/// Messages that a service may publish in a second.
pub(crate) const SERVICE_RATE: RangeInclusive<u32> = 1..=10_000_000;
/// What it may where nothing is said: ten times what a busy transport does, and no more than a
/// tenth of what the bus does.
pub(crate) const SERVICE_RATE_DEFAULT: u32 = 50_000;
/// Lines of a service that are kept for whoever asks: what fits a few screens.
pub(crate) const LOG_LINES_KEPT_MAX: usize = 500;
/// Lines of a service that go into the log in a second: a person reads a tenth of that.
pub(crate) const LOG_LINES_PER_SECOND_MAX: u32 = 100;
/// Characters of such a line: more is not read.
pub(crate) const LOG_LINE_CHARS_MAX: usize = 1_000;
/// What is read of a service's output at once, and of one line.
pub(crate) const LOG_READ_BYTES: usize = 16 << 10;
/// How long a service that says so much at once waits before it is listened to again; and how long
/// the rest of what it said is waited for after its end.
pub(crate) const LOG_PAUSE: Duration = Duration::from_millis(50);
/// What services report that the host has not looked at; whoever reports more waits.
pub(crate) const SERVICE_EVENTS_MAX: usize = 256;
/// A manifest is a page of text.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 << 10;
/// How long after something was sent to a service it is asked whether it lives, in milliseconds:
/// often enough that a hang is found within half a minute, and seldom enough to cost nothing.
pub(crate) const HEARTBEAT_MS: u64 = 5_000;
/// How long it may take to answer.
pub(crate) const HEARTBEAT_TIMEOUT_MS: u64 = 10_000;
/// So often in a row a service may have no room for that question.
pub(crate) const SERVICE_UNASKED_MAX: u32 = 3;
/// How long a service may live on without its connection: as long as a process takes to end.
pub(crate) const SERVICE_LEAVES_MS_MAX: u64 = 2_000;
/// How long the thread of a service that has ended waits for what it has blocking threads do: so
/// that its end is still heard of before it counts as one that can't be stopped.
pub(crate) const SERVICE_BLOCKING_MAX: Duration = Duration::from_millis(1_000);
/// How long services may take to end when the daemon does: the two steps in which each is made to,
/// and a little.
pub(crate) const SERVICES_STOP_MAX: Duration = Duration::from_millis(6_000);
/// How long at most until it is looked again whether a grant has ended, in milliseconds: somebody
/// may set the clock.
pub(crate) const GRANTS_LOOK_MS_MAX: u64 = 60_000;
/// Questions that the host answers before others have a turn: one answer is at most as long as the
/// log of a service.
pub(crate) const ANSWERS_PER_TURN_MAX: usize = 8;
/// What the store answers that is taken in at once: what it delivers takes as long as a turn of a
/// connection's.
pub(crate) const STORE_ANSWERS_PER_TURN_MAX: usize = 64;
/// What the post says that is taken in at once: a delivery of each is a turn of a connection's.
pub(crate) const POST_OUTPUTS_PER_TURN_MAX: usize = 64;
/// What the broker hands to the post that is taken in before it settles: some milliseconds of
/// sealing.
pub(crate) const POST_INPUTS_PER_ROUND_MAX: usize = 256;
/// Letters that are opened before the post settles: about 10 ms, and one commit for all of them.
pub(crate) const POST_LETTERS_PER_ROUND_MAX: usize = 128;
