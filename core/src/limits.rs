//! A number on every queue, list, size and lifetime, with its reason beside it.

use kith_wire::limits::PAYLOAD_BYTES_DEFAULT;

/// What can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload, in bytes.
    pub payload_bytes_max: usize,
    /// What may wait for one client, in bytes. At least one message of the largest size must fit:
    /// [`Limits::sane`] sees to it.
    pub queue_bytes_max: usize,
    /// What may wait for one client, in messages.
    pub queue_messages_max: usize,
    /// What may wait for all clients together, in bytes: messages, answers, unfinished frames and
    /// lines, wills. Half of it is for those who hold little; of the other, each may hold as much
    /// as is free. At least four full queues, of which one can be used: [`Limits::sane`] sees to
    /// it.
    pub waiting_bytes_total_max: usize,
    /// Subscriptions of one client.
    pub subscriptions_max: usize,
    /// Subscriptions of all clients together.
    pub subscriptions_total_max: usize,
    /// Requests of one client that wait for their replies.
    pub requests_max: usize,
    /// Kept values on the bus; half of them for one client.
    pub retained_messages_max: usize,
    /// Bytes of kept values on the bus; half of them for one client.
    pub retained_bytes_max: usize,
    /// Connections.
    pub clients_max: usize,
    /// Descriptors of payloads that may be open for all clients together; each may hold as many as
    /// are free. With 0 no client gets or sends any. It has no name in the configuration: the shell
    /// knows how many files it may open.
    pub descriptors_total_max: usize,
    /// How often `bus.stats` is published while somebody subscribes to it, in milliseconds.
    pub stats_interval_ms: u64,
    /// Consumers, connected or not: the names of durable subscriptions.
    pub consumers_max: usize,
    /// Messages that wait in the store for consumers, of all of them together. One that waits for
    /// several counts once for each; of one consumer may be half of them.
    pub stored_messages_max: usize,
    /// The same, in bytes. At least one message of the largest size must fit: [`Limits::sane`] sees
    /// to it.
    pub stored_bytes_max: usize,
    /// How long a consumer has to acknowledge a message before it is delivered again, in
    /// milliseconds.
    pub lease_ms: u64,
    /// How often a message is delivered to a consumer that does not acknowledge it, before it is a
    /// dead letter.
    pub deliveries_max: u32,
    /// Messages that are kept when everybody has acknowledged them, the newest ones: for `since` of
    /// new consumers, and to recognise what is published again.
    pub history_messages_max: usize,
    /// The same, in bytes.
    pub history_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
            // A second of a fast publisher's small messages, or two of the largest.
            queue_bytes_max: 32 << 20,
            // So many of the smallest fill two thirds of the bytes.
            queue_messages_max: 1 << 19,
            // Three full queues that nobody reads, room for one more, and as much again for those
            // who hold little.
            waiting_bytes_total_max: 256 << 20,
            // A hundred times what a large program asks for.
            subscriptions_max: 1 << 17,
            // At about 150 bytes each: 600 MiB.
            subscriptions_total_max: 1 << 22,
            // A program that waits for more has lost count.
            requests_max: 1024,
            // A value for each of a household's sensors, a thousand times over.
            retained_messages_max: 1 << 16,
            retained_bytes_max: 64 << 20,
            // Ten times the programs of a busy desktop.
            clients_max: 4096,
            // Four slow readers with a full queue of them; what is more is copied.
            descriptors_total_max: 1024,
            // What a person watching can follow.
            stats_interval_ms: 10_000,
            // Ten for each program of a busy desktop's that would want one.
            consumers_max: 256,
            // A thousand a minute that nobody takes for most of a day. Of each some tens of bytes
            // are in memory.
            stored_messages_max: 1_000_000,
            // So many of a kibibyte; of any disk of today a small part.
            stored_bytes_max: 1 << 30,
            // Longer than work on one message takes, and shorter than a person waits who wonders
            // why nothing comes.
            lease_ms: 30_000,
            // What fails so often fails for a reason that another attempt does not change.
            deliveries_max: 5,
            // An evening's messages of a household, and all that a publisher says again after a
            // restart.
            history_messages_max: 1 << 14,
            history_bytes_max: 64 << 20,
        }
    }
}

impl Limits {
    /// The same limits with a queue that can hold one message of the largest size, room for four
    /// such queues and for one such message in the store, and at least one delivery with some time.
    #[must_use]
    pub fn sane(mut self) -> Self {
        // In JSON lines bytes grow by a third, and headers and topics by their escapes.
        let one = kith_wire::limits::line_bytes_max(self.payload_bytes_max)
            .saturating_add(kith_wire::limits::ENVELOPE_BYTES_MAX);
        self.queue_bytes_max = self.queue_bytes_max.max(one);
        self.queue_messages_max = self.queue_messages_max.max(1);
        let four = self.queue_bytes_max.saturating_mul(4);
        self.waiting_bytes_total_max = self.waiting_bytes_total_max.max(four);
        self.stored_messages_max = self.stored_messages_max.max(1);
        self.stored_bytes_max = self.stored_bytes_max.max(one);
        self.lease_ms = self.lease_ms.max(1);
        self.deliveries_max = self.deliveries_max.max(1);
        self
    }
}

/// Answers that may wait for a client before it is no longer read from: enough for thousands of
/// pipelined operations.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 << 10;
/// What a client may have waiting of one kind however little memory is free: a few operations or
/// messages, or nobody could do anything any more.
pub(crate) const WAITING_BYTES_MIN: usize = 8 << 10;
/// How many shares all the memory has where it is shared out in small ones: 64 KiB each of 256 MiB,
/// which most frames fit.
pub(crate) const SMALL_SHARES: usize = 4096;
/// From this size on a body is shared between subscribers instead of copied to each: below, a copy
/// is cheaper than a reference and a second slice to write.
pub(crate) const SHARED_BYTES_MIN: usize = 2 << 10;
/// A segment of own bytes is closed at this size, so that what was written is freed soon.
pub(crate) const SEGMENT_BYTES_MAX: usize = 64 << 10;
/// What is put in order for one write: about what a socket takes at once.
pub(crate) const STAGED_BYTES_MAX: usize = 256 << 10;
/// Segments put in order for one write, two slices each; `writev` takes 1,024.
pub(crate) const STAGED_SEGMENTS_MAX: usize = 128;
/// What waits may hold so many times its bytes in memory, and no more: two for the growth of a
/// buffer, two for a block of which others take the rest.
pub(crate) const HELD_RATIO_MAX: usize = 4;
/// Places for segments that an empty queue keeps: enough for a busy client that reads in time.
pub(crate) const SPARE_SEGMENTS_MAX: usize = 16;
/// Shared blocks kept for use again: a read's worth each, for a few publishers in turn.
pub(crate) const BLOCKS_KEPT_MAX: usize = 4;
/// Buffers for segments kept for use again: 8 MiB at most.
pub(crate) const BUFFERS_KEPT_MAX: usize = 64;
/// Buffers for bodies kept for use again: 2 MiB at most.
pub(crate) const LARGE_BUFFERS_KEPT_MAX: usize = 4;
/// A new buffer has room for a few small messages; smaller ones are not worth keeping.
pub(crate) const BUFFER_BYTES_MIN: usize = 1 << 10;
/// A buffer that grew to hold a full segment and the message that filled it.
pub(crate) const SEGMENT_BUFFER_BYTES_MAX: usize = 2 * SEGMENT_BYTES_MAX;
/// Larger buffers are given back to the system rather than kept.
pub(crate) const BUFFER_KEPT_BYTES_MAX: usize = 512 << 10;
/// A pattern with wildcards counts as one subscription for each so many of its tokens: a hundred of
/// them take fifty times the memory of two.
pub(crate) const WEIGHT_TOKENS_MAX: usize = 8;
/// From so many subscriptions that ended at once, memory is given back.
pub(crate) const TRIMMED_SUBSCRIPTIONS_MIN: usize = 1 << 10;
/// A run is cut at this size, so that a subscriber's frame stays small.
pub(crate) const RUN_BYTES_MAX: usize = 256 << 10;
/// Tokens of services that are remembered after they were used, so that whoever shows one again is
/// told what is wrong: as many as services have started in the last hours of a bad day.
pub(crate) const USED_TOKENS_MAX: usize = 256;
/// What the shell is told and asked at once; it takes all of it in its next turn.
pub(crate) const NOTICES_MAX: usize = 4096;
/// Notices of lag of one client that are announced one by one at a time; of more of them `bus.lag`
/// tells the sum, or one client with very many subscriptions could have the bus talk of nothing
/// else.
pub(crate) const LAGS_ANNOUNCED_MAX: usize = 16;
/// Rows of one page of `bus.clients` or `bus.subscriptions`: about one turn's work.
pub(crate) const PAGE_ROWS_MAX: u64 = 1024;
/// What a kept header takes beside its text: two strings of their own.
pub(crate) const HEADER_OVERHEAD_BYTES: usize = 80;
/// Message ids remembered for one client, against publishing twice.
pub(crate) const REMEMBERED_IDS_MAX: usize = 1 << 16;
/// Message ids remembered in all: at about 60 bytes each, 60 MiB.
pub(crate) const REMEMBERED_IDS_TOTAL_MAX: usize = 1 << 20;
/// How long an id is remembered: longer than a client takes to reconnect, in milliseconds.
pub(crate) const REMEMBERED_MS_MAX: u64 = 10 * 60 * 1000;
/// Clients that are gone and whose ids are still remembered.
pub(crate) const REMEMBERED_CLIENTS_MAX: usize = 1024;
/// Errors in a row after which a client is cut off: what sends so many speaks something else.
pub(crate) const ERRORS_IN_A_ROW_MAX: u32 = 64;
/// Work after which a session lets others have their turn: operations, targets of publishes, kept
/// values looked at. Some half a millisecond.
pub(crate) const WORK_PER_FEED_MAX: u64 = 1024;
/// Work of one run, of which nobody has a turn in between: where each of its messages is queued for
/// itself, in JSON lines or for one of a group, it is cut after so much.
pub(crate) const RUN_WORK_MAX: u64 = 64;
/// Nodes of the index that take as long to visit as it takes to queue one delivery.
pub(crate) const NODES_PER_WORK: u64 = 8;
/// Clients that take as long to look at, for the counters, as it takes to queue one delivery.
pub(crate) const CLIENTS_PER_WORK: u64 = 16;
/// Bytes of a row of a list that take as long to encode as it takes to queue one delivery.
pub(crate) const ROW_BYTES_PER_WORK: u64 = 64;
/// Requests whose time is up that are answered in one turn: some 150 µs.
pub(crate) const TIMEOUTS_PER_TURN_MAX: usize = 256;
/// Bytes of a payload that came in a descriptor that count as one of these when they are read or
/// copied: its frame is short, so that one read brings hundreds of megabytes. 64 KiB are what a
/// turn takes while others speak too.
pub(crate) const COPIED_BYTES_PER_WORK: u64 = 256;
/// What an operation counts for itself: to decode one and to answer it takes as long as to queue
/// a message for two.
pub(crate) const OPERATION_WORK: u64 = 2;
/// Bytes of a will's payload: it says that somebody is gone, and waits in memory until then.
pub(crate) const WILL_BYTES_MAX: usize = 64 << 10;
/// Subscriptions from which the index is worth looking ahead in: fewer fit the processor's caches.
pub(crate) const AHEAD_SUBSCRIPTIONS_MIN: usize = 1 << 14;
/// Topics that are looked ahead for at once: enough reads under way to keep memory busy, and few
/// enough to stay in the nearest cache until they are looked up.
pub(crate) const AHEAD_TOPICS_MAX: usize = 64;
/// Descriptors of payloads that may wait for one client, or be ahead of their frames: as many as
/// one call brings, so that what came together is not copied.
pub(crate) const DESCRIPTORS_MAX: usize = 253;
/// Tokens of a topic that are looked ahead for in the trie: it fans out in the first few.
pub(crate) const AHEAD_TOKENS_MAX: usize = 4;
/// Branches that are followed at once.
pub(crate) const AHEAD_BRANCHES_MAX: usize = 4 * AHEAD_TOPICS_MAX;
/// Questions of one connection that wait for the shell's answer: whoever asks waits for it.
pub(crate) const ASKED_MAX: usize = 8;
/// Messages that a consumer may have and not have acknowledged: enough to keep both sides busy.
pub(crate) const CONSUMER_WINDOW_MAX: usize = 1024;
/// The same, in bytes of their records.
pub(crate) const CONSUMER_WINDOW_BYTES_MAX: usize = 8 << 20;
/// How many messages ahead the store is told that they may have been delivered. So many that were
/// not may be marked after a crash; and so rarely does a delivery wait for the disk.
pub(crate) const OFFERED_AHEAD_MAX: u64 = 4096;
/// Messages that a consumer failed on, and that are kept for whoever looks into it.
pub(crate) const DEAD_LETTERS_MAX: usize = 1024;
/// Messages that are taken out of the store in one commit: some milliseconds of it.
pub(crate) const DOOMED_PER_TURN_MAX: usize = 4096;
/// Ids of messages that live subscribers have and the store could not take: their publishers may
/// try again.
pub(crate) const UNSTORED_IDS_MAX: usize = 1 << 16;
/// Records that are read at once.
pub(crate) const SCAN_RECORDS_MAX: usize = 4096;
/// The same, in bytes: a few milliseconds of a slow disk.
pub(crate) const SCAN_BYTES_MAX: usize = 1 << 20;
/// How long a message waits for its consumer at most, in milliseconds: as long as the longest
/// expiry that a publisher can give.
pub(crate) const STORED_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;
/// How long publishers wait for the disk before they are told that it does not answer, in
/// milliseconds: a disk that has fallen asleep takes some seconds to spin up.
pub(crate) const STORE_STALL_MS_MAX: u64 = 10_000;
/// Bytes on their way to the store of one client, from which on nothing is read from it.
pub(crate) const UNSTORED_BYTES_MAX: usize = 4 << 20;
/// The same of all clients together, so that the memory for it is bounded.
pub(crate) const UNSTORED_BYTES_TOTAL_MAX: usize = 64 << 20;
/// How long what nobody waits for (acknowledgements, messages that nobody reads now) is gathered
/// before it is written, in milliseconds: a commit for each would keep the disk busy, and the
/// processor.
pub(crate) const ACKNOWLEDGED_MS_MAX: u64 = 20;
/// How long kept values are gathered before they are written, in milliseconds: one that changes ten
/// times a second is written once.
pub(crate) const RETAINED_MS_MAX: u64 = 1_000;
/// How long after the store could not take something it is tried again, in milliseconds.
pub(crate) const STORE_AGAIN_MS_MAX: u64 = 1_000;
/// How long at most until it is looked again whether something has expired, in milliseconds: the
/// wall clock may be set.
pub(crate) const EXPIRY_LOOK_MS_MAX: u64 = 60 * 60 * 1000;
/// Bytes that are gathered of it: a batch that the disk takes in a turn.
pub(crate) const GATHERED_BYTES_MAX: usize = 256 << 10;
/// Durable subscriptions of one connection: each is looked at when it ends.
pub(crate) const DURABLE_PER_CLIENT_MAX: usize = 1024;
/// Connections that share one consumer: each delivery looks for the one whose turn it is.
pub(crate) const CONSUMER_MEMBERS_MAX: usize = 1024;
/// Bytes that the store has and has not answered for, from which on it gets no more: what changes
/// meanwhile is gathered.
pub(crate) const OUTSTANDING_BYTES_MAX: usize = 64 << 20;
/// Messages of one client that the post has not taken: some seconds of a slow disk.
pub(crate) const POST_MESSAGES_MAX: usize = 1024;
/// Their bytes; one larger message may go alone.
pub(crate) const POST_BYTES_MAX: usize = 32 << 20;
/// The same of all clients, and with the replies for those outside.
pub(crate) const POST_MESSAGES_TOTAL_MAX: usize = 8 << 10;
/// Their bytes: four clients that send as much as they may.
pub(crate) const POST_BYTES_TOTAL_MAX: usize = 128 << 20;
/// Messages of one client of which it wants to know how far they get: for each a few words are
/// kept until they have arrived, perhaps for days.
pub(crate) const POST_SENT_MAX: usize = 4 << 10;
/// The same of all clients: at about 100 bytes each, 6 MiB.
pub(crate) const POST_SENT_TOTAL_MAX: usize = 64 << 10;
/// Questions about people that wait for an answer, of all clients.
pub(crate) const POST_QUESTIONS_MAX: usize = 1024;
/// The payload of such a question: an invite or a list of words, a hundred times over.
pub(crate) const PEOPLE_ASKED_BYTES_MAX: usize = 64 << 10;
/// Requests from outside that wait for the reply of a program here. The post bounds them for each
/// person; this is for what it may get wrong.
pub(crate) const OUTSIDE_REQUESTS_MAX: usize = 4096;
/// Messages from outside that nobody has asked for, and that are kept for whoever does.
pub(crate) const MAIL_MESSAGES_MAX: usize = 1 << 14;
/// Their bytes: a week of a few friends' letters and pictures.
pub(crate) const MAIL_BYTES_MAX: usize = 64 << 20;
/// How long they are kept, in milliseconds: a week, for a program that runs at weekends.
pub(crate) const MAIL_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// The numbers of the daemon's own parts begin here: above those of all programs that will ever
/// come, and still a number in JSON.
pub(crate) const PARTS_FROM: u64 = 1 << 52;
