//! Every limit of the contract, with its unit in the name and its reason beside it.
//!
//! A payload is read by programs in any language, on any device; each list and each text in it has
//! a bound, so that nobody has to guess how much to make room for.

/// Numbers are exact in every language's JSON up to here, 2^53 - 1 (RFC 7493, section 2.2). In
/// milliseconds since the epoch that is the year 287396.
pub const NUMBER_MAX: i64 = (1 << 53) - 1;
/// Containers inside one another: the contract itself needs three. What is deeper is not looked at.
pub const DEPTH_MAX: usize = 8;
/// Values of one payload, those in lists and maps included, fields of later versions too: the
/// memory to read one stays below a megabyte beside its texts and bytes.
pub const VALUES_MAX: usize = 4096;
/// A service's name stands in topics, tables, file names and environment variables.
pub const NAME_CHARS_MAX: usize = 32;
/// A sentence or two for people: why something failed, how somebody is.
pub const TEXT_BYTES_MAX: usize = 512;
/// A line of a service's output; longer ones are cut by the host.
pub const LINE_BYTES_MAX: usize = 4096;
/// A version as programs write theirs.
pub const VERSION_BYTES_MAX: usize = 64;
/// An address that a transport listens on: a host name has 253 bytes at most, but NodeInfo has to
/// hold eight of them and more in 996 bytes.
pub const ENDPOINT_BYTES_MAX: usize = 128;
/// Endpoints of one device, as many as its NodeInfo holds.
pub const ENDPOINTS_MAX: usize = 8;
/// A relay's host and port, as NodeInfo has it.
pub const RELAY_BYTES_MAX: usize = 100;
/// Relays of one message: two of each of four circles that a recipient may belong to.
pub const RELAYS_MAX: usize = 8;
/// A signed NodeInfo: fits one item of BEP 44, whose bound is 1,000 bytes with its own 4.
pub const NODE_INFO_BYTES_MAX: usize = 996;
/// What a directory keeps under one key: a card of 24 devices has some 8 KiB.
pub const RECORD_BYTES_MAX: usize = 16 << 10;
/// The salt of a BEP 44 item, as BEP 44 bounds it.
pub const SALT_BYTES_MAX: usize = 64;
/// A sealed letter, or a piece of one: what is larger is cut by the daemon. As base64 and with all
/// that is around it, it is far below the 16 MiB that a payload may have.
pub const LETTER_BYTES_MAX: usize = 1 << 20;
/// The smallest MTU with which a transport is of use: an SMS has 140 bytes, LoRa's slowest rate 51.
pub const MTU_BYTES_MIN: u32 = 32;
/// Figures of a service's health: what fits a screen.
pub const FIGURES_MAX: usize = 64;
/// The name of a figure.
pub const FIGURE_NAME_BYTES_MAX: usize = 48;
/// Entries of `publishes` and of `subscribes`: a person has to read them before granting them.
pub const GRANTED_MAX: usize = 64;
/// How much of a bad input is repeated in an error, in characters.
pub(crate) const SHOWN_CHARS_MAX: usize = 48;
/// The longest petname, in bytes: a full name in any script.
pub const PETNAME_BYTES_MAX: usize = 64;
