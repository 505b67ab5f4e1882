//! Binary frames: for programs that move a lot.
//!
//! A frame is a length, a kind and a fixed header of 12 bytes in all, and then bytes as they are;
//! see `docs/protocol.md`, "Binary frames". Two shapes were chosen for the broker's sake: a frame
//! says where its topic ends without being decoded, so that a run of publishes on one topic is
//! recognised by comparing bytes; and a run is delivered (`MSGS`) as the very frames that the
//! publisher wrote, so that one copy serves any number of subscribers.
//!
//! - [`frame`]: cutting a stream into frames, and what may stand in their header;
//! - [`decode`]: from a client's frame to a [`crate::Request`];
//! - [`encode`]: the frames that a client writes;
//! - [`deliver`]: the frames that the daemon writes;
//! - [`receive`]: from the daemon's frame to [`crate::Event`]s;
//! - [`options`]: what stands between topic and payload where flag 0x01 is set.

pub mod decode;
pub mod deliver;
pub mod encode;
pub mod frame;
pub mod options;
pub mod receive;

pub use frame::{Frame, Kind, split};
pub use options::Tag;

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;

/// What both sides say first: "KTH" and the version.
pub const MAGIC: [u8; 4] = [b'K', b'T', b'H', VERSION];

/// Bytes of a frame before its body, the length field included.
pub const HEADER_BYTES: usize = 12;

/// Bytes of the length field, which does not count itself.
pub const LENGTH_BYTES: usize = 4;

/// Where the header's fields stand, for those who have to say what is wrong with one.
pub(crate) const KIND_AT: usize = 4;
pub(crate) const FLAGS_AT: usize = 5;
pub(crate) const A_AT: usize = 6;
pub(crate) const B_AT: usize = 7;
pub(crate) const NUMBER_AT: usize = 8;

/// Flag of PUB, REQ, WILL, MSG and REPLY: options stand before the payload.
pub const FLAG_OPTIONS: u8 = 0x01;

/// Flag of PUB and MSG: the payload is in a descriptor, and its size stands in its place.
pub const FLAG_SEALED: u8 = 0x02;

/// Flag of HELLO and WELCOME: large payloads come and go as descriptors.
pub const FLAG_DESCRIPTORS: u8 = 0x01;

/// Flag of HELLO: the rest of the frame is a token.
pub const FLAG_TOKEN: u8 = 0x02;

/// Bytes of the size that stands in the payload's place.
pub const SEALED_SIZE_BYTES: usize = 8;

/// Where the scope stands in the flags of MSG, MSGS and REPLY.
pub(crate) const SCOPE_SHIFT: u8 = 4;
/// The bits of the flags that hold it.
pub(crate) const SCOPE_BITS: u8 = 0x30;
