//! Every limit of people and devices, with its unit in the name and its reason beside it.
//!
//! Records come from strangers as well as from friends, and are kept. So each text and each list in
//! them has a bound, and so has all that is remembered of anybody.

/// Numbers are exact in every language's JSON up to here, 2^53 - 1: versions, times and `seq`
/// stand in payloads of the bus too.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;
/// What people call themselves and their devices: a full name in any script.
pub const NAME_BYTES_MAX: usize = 64;
/// What the user calls somebody; the contract's payloads have room for as much.
pub const PETNAME_BYTES_MAX: usize = 64;
/// Devices of one person. A sender seals a message for each of them.
pub const DEVICES_MAX: usize = 24;
/// Relays of a card: two each of the person's devices that differ most in where they are.
pub const CARD_RELAYS_MAX: usize = 8;
/// Relays of one device: two, so that one may be down. More would not fit a NodeInfo.
pub const NODE_RELAYS_MAX: usize = 2;
/// A relay's host and port.
pub const RELAY_BYTES_MAX: usize = 100;
/// Endpoints of one device: a handful of interfaces, each in IPv4 and IPv6.
pub const ENDPOINTS_MAX: usize = 8;
/// One endpoint, as the contract bounds it.
pub const ENDPOINT_BYTES_MAX: usize = 128;
/// All endpoints of a NodeInfo together: what the 996 bytes leave when all else is at its largest.
/// Eight addresses of IPv6 with their ports have 376.
pub const ENDPOINTS_BYTES_MAX: usize = 428;
/// What later versions put into a card beside what is known now.
pub const EXTENSIONS_BYTES_MAX: usize = 1024;
/// A card with everything at its largest has some 9 KiB; a directory keeps up to 16.
pub const CARD_BYTES_MAX: usize = 16 << 10;
/// A NodeInfo fits one item of BEP 44, whose bound is 1,000 bytes with its own 4.
pub const NODE_INFO_BYTES_MAX: usize = 996;
/// An invite has to fit a QR code that a telephone reads from a screen, with room to spare; it is
/// written in base64, a third longer. With everything at its largest it has some 1.1 KiB.
pub const INVITE_BYTES_MAX: usize = 1200;
/// Devices that may use one invite: a club, not a town.
pub const INVITE_USES_MAX: u64 = 100;
/// Open invites at once. Who has more has forgotten most of them.
pub const INVITES_MAX: usize = 64;
/// How long an invite may be good for: a month. It is a secret that lies about.
pub const INVITE_LIFE_MS: u64 = 30 * DAY_MS;
/// How long an invite that has expired is remembered, so that who used it in time and did not hear
/// the answer still gets it.
pub const INVITE_MEMORY_MS: u64 = DAY_MS;
/// People with an entry in the circle: friends, rejected, and those who were one of them. Each has
/// at most some 170 bytes, so that the whole document is far below one letter.
pub const CIRCLE_ENTRIES_MAX: usize = 1024;
/// The largest circle, signed.
pub const CIRCLE_BYTES_MAX: usize = 256 << 10;
/// Strangers of whom a card or a NodeInfo is kept. Beyond, the one heard of longest ago is
/// forgotten.
pub const STRANGERS_MAX: usize = 256;
/// NodeInfos of one person: of each device one. Of somebody whose card is not known, anything may
/// claim to be a device.
pub const NODE_INFOS_MAX: usize = DEVICES_MAX;
/// Revoked devices of one person, in a lifetime. A card that would revoke more is refused.
pub const REVOKED_MAX: usize = 256;
/// How far ahead of our clock a version may be: clocks are wrong by time zones, seldom by more.
pub const AHEAD_MS: u64 = DAY_MS;
/// A day, by which discovery tags change.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest text form of an id: `did:key:` and 48 characters. What is longer is not decoded,
/// since that takes time in the square of the length.
pub const ID_CHARS_MAX: usize = 64;
/// The largest secret under a passphrase.
pub const SECRET_BYTES_MAX: usize = 1024;
/// The largest cost in memory that is paid to open a secret: a file that was put in our place must
/// not take all of the machine.
pub const LOCK_MEMORY_KIB_MAX: u32 = 256 << 10;
/// The smallest: below, guessing gets cheap. As RFC 9106 counts, it is little.
pub const LOCK_MEMORY_KIB_MIN: u32 = 8 << 10;
/// The most passes over that memory.
pub const LOCK_PASSES_MAX: u32 = 16;
/// The shortest passphrase: one that is empty locks nothing. More is for people to decide.
pub const PASSPHRASE_BYTES_MIN: usize = 1;
/// Words asked for in a drill: enough to see that the paper is there and legible.
pub const DRILL_WORDS_MAX: usize = 24;
