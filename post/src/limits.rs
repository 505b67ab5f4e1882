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
