//! Every limit of `kith`, with its unit in the name and its reason beside it.
//!
//! What the daemon limits (payloads, topics, time-outs) is not repeated here: the daemon says no,
//! and its sentence is passed on.

/// The largest payload or line that is read from a file or from standard input: the most that a
/// daemon can be configured to take. Whether this one does, it says itself.
pub(crate) const PAYLOAD_BYTES_MAX: usize = kith_wire::limits::PAYLOAD_BYTES_MAX;
/// Lines of `pub --lines` that are on their way at once: enough to hide the way to the daemon and
/// back, few enough that a refusal is told close to its line.
pub(crate) const LINES_ON_THEIR_WAY_MAX: usize = 256;
/// Messages that are formatted before they are written: one write for many, none held back.
pub(crate) const BATCH_MESSAGES_MAX: usize = 256;
/// Bytes after which what was formatted is written in any case.
pub(crate) const BATCH_BYTES_MAX: usize = 64 << 10;
/// Batches that wait for whoever reads our output. Beyond that the daemon queues, drops and counts.
pub(crate) const BATCHES_MAX: usize = 16;
/// What is read of a file that stands where one is to be installed: far more than any of ours has.
pub(crate) const INSTALLED_BYTES_MAX: u64 = 1 << 20;
/// Commands that `--jobs` may run at once: each is a process.
pub(crate) const JOBS_MAX: u16 = 256;
/// What is kept of a command's output in `reply --exec`; it becomes one payload.
pub(crate) const COMMAND_OUTPUT_BYTES_MAX: usize = kith_wire::limits::PAYLOAD_BYTES_DEFAULT;
/// What is looked at of a payload that is shown cut to a line: four bytes for each of a thousand
/// columns, which no terminal has.
pub(crate) const PREVIEW_BYTES_MAX: usize = 4096;
/// How many bytes that are no text are shown.
pub(crate) const HEXADECIMAL_BYTES_MAX: usize = 32;
/// How long a command that was stopped waits for whoever reads its output, who may never.
pub(crate) const LEAVE_MS: u64 = 500;
/// How long `status` and `top` wait for each answer of the daemon's.
pub(crate) const ANSWER_MS: u64 = 5_000;
/// How long `join` waits for the daemon, which waits 30 s for the other side.
pub(crate) const JOIN_ANSWER_MS: u64 = 40_000;
/// How long `pub --until sent` and `delivered` wait if nothing is said, in seconds: an hour.
pub(crate) const DELIVERY_SECONDS: u64 = 3_600;
/// How long `pub` waits to hear what was done, once it knows that it was done.
pub(crate) const DELIVERY_NEWS_MS: u64 = 300;
/// What is read of a link, a passphrase or recovery words: a link has some 1,600 bytes at most.
pub(crate) const ANSWER_BYTES_MAX: u64 = 8 << 10;
/// Recovery words that are asked for, to see whether they were written down.
pub(crate) const DRILL_WORDS: usize = 3;
/// How long `services enable`, `disable` and `restart` wait for a service: it has 10 s to start, or
/// 5 s to end.
pub(crate) const SERVICE_STATE_MS: u64 = 15_000;
/// How long `services` looks at what flows: long enough for figures, short enough to wait for.
pub(crate) const SERVICE_FLOW_MS: u64 = 500;

/// How often `top` may ask, in milliseconds: a screen that changes faster can't be read, and one
/// that changes less often is better made of `--json`.
pub(crate) const INTERVAL_MS_MIN: u64 = 100;
/// The longest interval of `top`.
pub(crate) const INTERVAL_MS_MAX: u64 = 3_600_000;
/// The intervals between which `+` and `-` choose.
pub(crate) const INTERVALS_MS: [u64; 9] =
    [INTERVAL_MS_MIN, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];
/// How soon `top` tries again to reach a daemon that has gone, whatever the interval.
pub(crate) const AGAIN_MS: u64 = 1_000;
/// Snapshots of `top --json` in one run: a day of them, ten a second.
pub(crate) const SNAPSHOTS_MAX: u32 = 864_000;
/// What `top` remembers of a number: more columns than any terminal gives to it.
pub(crate) const HISTORY_MAX: usize = 512;
/// Patterns of a client that `top` asks for: more than fit on a screen.
pub(crate) const PATTERNS_SHOWN_MAX: usize = 128;
/// The longest name that a client can give itself, in bytes, of which no character has fewer.
pub(crate) const NAME_CHARS_MAX: usize = kith_wire::limits::NAME_BYTES_MAX;
/// What can be typed as a filter of `top`: the longest name.
pub(crate) const FILTER_CHARS_MAX: usize = NAME_CHARS_MAX;
/// Below this `top` says that it needs more room: there would be no row of a client.
pub(crate) const TOP_COLUMNS_MIN: u16 = 40;
/// The same for lines.
pub(crate) const TOP_LINES_MIN: u16 = 9;

/// How long each step of the demo may take: on a busy machine it takes milliseconds.
pub(crate) const DEMO_STEP_MS: u64 = 15_000;
/// How long those wait in the demo whom nobody answers: long enough for an answer that should not
/// come to come.
pub(crate) const DEMO_IN_VAIN_MS: u64 = 300;
/// Lines of the demo's daemon that are kept, to be shown if it fails.
pub(crate) const DEMO_LOG_LINES_MAX: usize = 20;
/// Columns after which the demo breaks a line, however wide the terminal: it is prose.
pub(crate) const DEMO_COLUMNS_MAX: usize = 110;

/// The shortest that `bench` measures one thing: a round trip on a slow machine, a hundred times.
pub(crate) const BENCH_MS_MIN: u64 = 10;
/// The longest: it keeps two processors busy for so long, several times over.
pub(crate) const BENCH_MS_MAX: u64 = 60_000;
/// The smallest payload of `bench`, in bytes: an empty JSON string.
pub(crate) const BENCH_PAYLOAD_BYTES_MIN: u32 = 2;
/// The largest: what a daemon takes unless configured otherwise.
pub(crate) const BENCH_PAYLOAD_BYTES_MAX: u32 = 16 << 20;
/// Subscribers of the fan-out: each is a connection, of which a daemon has 4,096.
pub(crate) const BENCH_SUBSCRIBERS_MAX: u16 = 1_000;
/// Messages that are on their way at once: a quarter of what the client library holds for one
/// subscription, so that nothing is missed by those who read at all.
pub(crate) const BENCH_WINDOW_MESSAGES_MAX: u64 = 1 << 15;
/// Their bytes, likewise: a quarter of a daemon's queue for one connection.
pub(crate) const BENCH_WINDOW_BYTES_MAX: u64 = 8 << 20;
/// Messages published between two looks at the clock.
pub(crate) const BENCH_BATCH_MESSAGES_MAX: u64 = 64;
/// Round trips that are measured: 8 MiB of numbers.
pub(crate) const BENCH_SAMPLES_MAX: usize = 1 << 20;
/// How long a message may take before it counts as missing.
pub(crate) const BENCH_PATIENCE_MS: u64 = 5_000;
