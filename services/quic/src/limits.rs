//! Every limit of this transport, with its unit in the name and its reason beside it.
//!
//! Whoever knows the port can send to it, so each number here also says what a stranger can make
//! this device spend.

use kith_plugins_api::contract::limits::{LETTER_BYTES_MAX, NODE_INFO_BYTES_MAX};

/// Bytes of a letter: the contract's.
pub const MTU_BYTES_MAX: usize = LETTER_BYTES_MAX;
/// Bytes of a frame of the control stream: a NodeInfo, a hash, and room for later versions.
pub const CONTROL_BYTES_MAX: usize = NODE_INFO_BYTES_MAX + 1024;
/// How long after its endpoints' end a NodeInfo still counts: clocks of devices differ, and one
/// that was asleep has not signed a new one yet.
pub const RECORD_LATE_MS: u64 = 24 * 60 * 60 * 1000;

/// Links at once: the devices of all friends of a sociable person. Each may hold
/// [`LINK_WINDOW_BYTES`] on its way in.
pub const LINKS_MAX: usize = 256;
/// Of those, links that others have dialled; the rest is for whom the daemon dials.
pub const LINKS_TAKEN_MAX: usize = 192;
/// Handshakes that others have begun and not finished. Each holds a few KiB.
pub const HANDSHAKES_MAX: usize = 64;
/// Of those, from one address (IPv6: one /64): a household behind one router.
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 8;
/// From so many on, whoever comes has to show first that its address is its own.
pub const HANDSHAKES_TRUSTED_MAX: usize = 16;
/// First packets that wait to be looked at.
pub const INCOMING_MAX: usize = 128;
/// Bytes of theirs that are kept meanwhile, of each and of all.
pub const INCOMING_BYTES_MAX: u64 = 16 << 10;
/// See [`INCOMING_BYTES_MAX`].
pub const INCOMING_TOTAL_BYTES_MAX: u64 = 1 << 20;
/// Things that have happened to connections and wait to be dealt with.
pub const EVENTS_MAX: usize = 256;

/// Letters that may wait on one link; the daemon keeps the others.
pub const WAITING_LETTERS_MAX: usize = 1024;
/// Their bytes: some seconds of a slow line.
pub const WAITING_BYTES_MAX: usize = 8 << 20;
/// Bytes that wait on all links.
pub const WAITING_TOTAL_BYTES_MAX: usize = 64 << 20;
/// Bytes that are handed to a stream at once. Small letters that wait go together.
pub const BATCH_BYTES: usize = 64 << 10;
/// Bytes on their way on one stream: a letter as large as may be, and its length; so that one lane
/// can't take the others' place.
pub const STREAM_WINDOW_BYTES: u32 = (1 << 20) + (64 << 10);
/// Bytes on their way on one link: four lanes, and the control stream.
pub const LINK_WINDOW_BYTES: u32 = 5 * STREAM_WINDOW_BYTES;
/// The same before the other end has said who it is: its hello.
pub const STRANGER_WINDOW_BYTES: u32 = 16 << 10;
/// Bytes read at once.
pub const READ_BYTES: usize = 256 << 10;

/// How long a dial to all addresses of a device may take. Shorter than [`SETTLE_MS`].
pub const DIAL_MS: u64 = 5_000;
/// How long the other end may take for its handshake and its hello.
pub const HELLO_MS: u64 = 3_000;
/// Two links of one device that came up within this time were dialled by both at once. After it,
/// who dials again has lost the first.
pub const SETTLE_MS: u64 = 10_000;
/// How long the other end of a link may take to answer whether it is there, before it is dialled
/// beside it: longer than most ways round the world, and short enough that nobody waits.
pub const PROBE_MS: u64 = 700;
/// How often this end says that it is there, where nothing else does: most routers forget a way
/// after 30 s.
pub const KEEP_ALIVE_MS: u64 = 15_000;
/// Silence after which a link is lost: three of those.
pub const IDLE_MS: u64 = 45_000;
/// The first wait after a dial that failed; it doubles.
pub const BACK_OFF_MS: u64 = 1_000;
/// The longest: a device that was away is found again within this time, if nobody says so sooner.
pub const BACK_OFF_MS_MAX: u64 = 600_000;
/// Dials that fail one after the other, until somebody wants it again: about an hour and a half.
pub const TRIES_MAX: u32 = 18;
/// Devices that are to be reached: all of all friends.
pub const WANTED_MAX: usize = 1024;
/// Dials at once; the others wait a moment.
pub const DIALS_MAX: usize = 32;
/// Dials of whoever answers: a person types in or scans one at a time.
pub const ANYBODY_MAX: usize = 16;
/// Devices that are refused; the oldest is forgotten first, and refused again when the daemon says.
pub const REFUSED_MAX: usize = 1024;
/// How long after news of itself the other end is read again: news come every few minutes.
pub const NEWS_MS: u64 = 1_000;
/// How often the round-trip time of a link is looked at while it is used.
pub const RTT_LOOK_MS: u64 = 30_000;
/// Differences in it that are not worth a word, in microseconds.
pub const RTT_CHANGE_US_MIN: u64 = 5_000;
/// How long the last word to the other ends may take, when the service ends.
pub const GOODBYE_MS: u64 = 500;
/// How long the network may go on changing before it is looked at.
pub const NETWORK_SETTLES_MS: u64 = 1_000;
