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
/// A content: the payload that the bus takes by default, and room for everything beside it.
pub const CONTENT_BYTES_MAX: usize =
    kith_wire::limits::PAYLOAD_BYTES_DEFAULT + kith_wire::limits::ENVELOPE_BYTES_MAX;
/// The room of a message, or whom an echo went to: as long as a destination.
pub const CONTENT_TEXT_BYTES_MAX: usize = kith_wire::limits::DESTINATION_BYTES_MAX;
/// Numbers are exact in every language's JSON up to here.
pub const NUMBER_MAX: u64 = kith_people::limits::NUMBER_MAX;
/// Messages that one notice speaks of: acknowledgements go out in batches, and one of these has
/// some 6 KB.
pub const NOTICE_ENTRIES_MAX: usize = 256;
/// The word that says why a message was refused.
pub const NOTICE_DETAIL_BYTES_MAX: usize = 64;
/// A parcel: a content, what the ratchet adds, and its own fields.
pub const PARCEL_BYTES_MAX: usize = CONTENT_BYTES_MAX + 1024;
/// A letter: a padded parcel with the 48 bytes of the seal and the one that says what it is.
pub const LETTER_BYTES_MAX: usize = PARCEL_BYTES_MAX + (16 << 10) + 49;
/// Why joining was refused, for people: a sentence.
pub const JOINED_TEXT_BYTES_MAX: usize = 255;
/// Letters of one source that are not whole yet: one for each lane, and as many again.
pub const PARTIAL_LETTERS_MAX: usize = 8;
/// Pieces of one source: two of the largest letters. A letter has at most 65,535 pieces.
pub const SOURCE_BYTES_MAX: usize = 2 * LETTER_BYTES_MAX;
/// Pieces of all sources together.
pub const REASSEMBLY_BYTES_MAX: usize = 128 << 20;
/// What it costs at most to hold a piece, beside its bytes.
pub const FRAGMENT_OVERHEAD_BYTES_MAX: usize = 64;
/// How long a letter waits for its missing pieces: a slow radio takes minutes for a large one.
pub const PARTIAL_LIFE_MS: u64 = 10 * 60 * 1000;
/// Whole letters whose numbers are remembered for each source, since copies come soon or never.
pub const WHOLE_REMEMBERED_MAX: usize = 64;
/// Messages of one sender in one lane that are remembered, each in some 50 bytes: far more than
/// are ever on their way at once.
pub const SEEN_IDS_MAX: usize = 16 << 10;
/// Senders and lanes whose messages are remembered: all devices that sessions are held for.
pub const SEEN_PARTIES_MAX: usize = 4 * DEVICES_MAX;
/// Messages of all senders together: some 50 MB. Beyond, whoever has most has least remembered.
pub const SEEN_IDS_IN_ALL_MAX: usize = 1 << 20;
/// Messages on their way to others. At the size of a chat's, some 30 MiB.
pub const OUTBOX_MESSAGES_MAX: usize = 1 << 16;
/// Bytes of their payloads: what one device sends in some seconds over a fast link.
pub const OUTBOX_BYTES_MAX: usize = 128 << 20;
/// Messages to one device and lane that wait for their acknowledgement. A quarter of the gap that a
/// ratchet allows (2,000), so that a link that dies with all of them in flight does not break it.
pub const LANE_FLYING_MAX: usize = 512;
/// Envelopes that one transport was asked to carry and has not answered for: less than a queue of
/// the bus holds, so that none is lost there.
pub const TRANSPORT_ENVELOPES_MAX: usize = 1024;
/// The same in bytes.
pub const TRANSPORT_BYTES_MAX: usize = 8 << 20;
/// How long a transport has to answer for an envelope, in milliseconds: longer than a slow link
/// takes for what may be on its way at once.
pub const TRANSPORT_ANSWER_MS: u64 = 60_000;
/// Messages that are sealed before something else is looked at, about 3 ms.
pub const SEALED_PER_TURN_MAX: usize = 128;
/// How long a message lives if its publisher says nothing, in milliseconds: a week.
pub const EXPIRE_AFTER_MS: u64 = 7 * DAY_MS;
/// How long any message lives at most, in milliseconds: 30 days, as long as ids are remembered.
pub const EXPIRE_AFTER_MS_MAX: u64 = 30 * DAY_MS;
/// How long a realtime message lives, in milliseconds.
pub const REALTIME_MS: u64 = 5_000;
/// A commit that failed is tried again after so many milliseconds.
pub const COMMIT_RETRY_MS: u64 = 1_000;
/// Bytes of messages that came in and that the bus has not been handed yet.
pub const INBOX_BYTES_MAX: usize = 64 << 20;
/// What waits for the card of a device that nobody has introduced yet, in parcels.
pub const UNINTRODUCED_PARCELS_MAX: usize = 64;
/// The same in bytes: all of them together.
pub const UNINTRODUCED_BYTES_MAX: usize = 1 << 20;
/// How long it waits, in milliseconds: a round trip and a slow machine.
pub const UNINTRODUCED_MS: u64 = 10_000;
/// Letters of one stranger that are opened, for each of so many seconds: a person typing fast.
pub const STRANGER_LETTERS_PER_WINDOW_MAX: u32 = 100;
/// Letters of all strangers together, for each window: at 100 µs each a tenth of a processor.
pub const STRANGERS_LETTERS_PER_WINDOW_MAX: u32 = 10_000;
/// The window in which strangers are counted, in milliseconds.
pub const STRANGER_WINDOW_MS: u64 = 10_000;
/// Strangers that are counted one by one; beyond, they share what is left for all.
pub const STRANGERS_COUNTED_MAX: usize = 1024;
/// Messages of strangers that are remembered, so that one that comes again is not delivered again:
/// what all of them may send in a few seconds, in some 400 KB.
pub const STRANGERS_HEARD_MAX: usize = 4096;
/// Requests of other devices that wait for a reply of a local program.
pub const REQUESTS_FROM_OTHERS_MAX: usize = 1024;
/// Requests of local programs that wait for a reply of another device.
pub const REQUESTS_TO_OTHERS_MAX: usize = 4096;
/// The longest that anybody waits for a reply, in milliseconds.
pub const REQUEST_MS_MAX: u64 = 600_000;
/// Messages that were asked for again and are remembered, so that each is asked for once.
pub const ASKED_AGAIN_MAX: usize = 1024;
/// How often a device is asked to begin a new session, in milliseconds: once an hour.
pub const NEW_SESSION_MS: u64 = 3_600_000;
/// How often our NodeInfo is said again, in milliseconds.
pub const NODE_INFO_MS: u64 = 300_000;
/// How long endpoints in a NodeInfo are said to hold, in milliseconds.
pub const ENDPOINTS_HOLD_MS: u64 = 2 * 3_600_000;
/// How long a prekey holds, in milliseconds: 30 days. A day before, there is a new one, and the old
/// one is kept until the next.
pub const PREKEY_HOLD_MS: u64 = 30 * DAY_MS;
/// When a prekey is renewed, in milliseconds since it was made.
pub const PREKEY_RENEW_MS: u64 = 29 * DAY_MS;
/// A device that cannot be reached is dialled again after so many milliseconds, while something
/// waits for it; the transport itself tries oftener.
pub const DIAL_AGAIN_MS: u64 = 30_000;
/// How long the other side of an invite may take, in milliseconds.
pub const JOIN_MS: u64 = 30_000;
/// How long an invite holds if nothing is said, in milliseconds.
pub const INVITE_MS: u64 = DAY_MS;
/// The longest that one may hold, in milliseconds.
pub const INVITE_MS_MAX: u64 = 30 * DAY_MS;
/// How often one invite may be used at most.
pub const INVITE_USES_MAX: u32 = 100;
/// A day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;
/// A device that has a link and acknowledges nothing for so long is sent everything again, in
/// milliseconds: some commits of a slow disk, and a link's round trips.
pub const UNACKNOWLEDGED_MS: u64 = 20_000;
/// How often ids that can no longer arrive are forgotten, in milliseconds.
pub const FORGET_MS: u64 = 3_600_000;
/// A message that the bus had no room for is handed to it again after so many milliseconds.
pub const HAND_AGAIN_MS: u64 = 30_000;
/// Messages whose end is remembered, for whoever publishes one again after a reconnect.
pub const ENDED_REMEMBERED_MAX: usize = 4096;
/// A device for which so much waits is told nothing more of circle and cards until it takes some.
pub const INTERNAL_WAITING_MAX: usize = 2048;
