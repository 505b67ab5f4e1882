//! Cutting a stream of bytes into frames.
//!
//! Nothing is copied and nothing beyond the header is looked at: the broker's hot path compares
//! frames by their bytes before anything is decoded.

use super::{HEADER_BYTES, LENGTH_BYTES};
use crate::{Code, Refusal};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $byte:literal, $name:literal;)*) => {
        /// The kind of a frame.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $variant = $byte,)*
        }

        impl Kind {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The byte that frames carry.
            #[must_use]
            pub const fn byte(self) -> u8 {
                self as u8
            }

            /// The name in the protocol's document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The kind with this byte, if there is one.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// Names the program.
    Hello = 0x01, "HELLO";
    /// Subscribes.
    Sub = 0x02, "SUB";
    /// Ends a subscription.
    Unsub = 0x03, "UNSUB";
    /// Publishes.
    Pub = 0x04, "PUB";
    /// Publishes and waits for a reply.
    Req = 0x05, "REQ";
    /// Leaves a will.
    Will = 0x06, "WILL";
    /// Takes the will back.
    Unwill = 0x07, "UNWILL";
    /// Is the daemon there?
    Ping = 0x08, "PING";
    /// From the client: goodbye.
    Bye = 0x09, "BYE";
    /// Messages of a durable subscription have been dealt with.
    Ack = 0x0a, "ACK";
    /// An operation succeeded.
    Ok = 0x81, "OK";
    /// An operation failed.
    Err = 0x82, "ERR";
    /// One message.
    Msg = 0x83, "MSG";
    /// A run of messages.
    Msgs = 0x84, "MSGS";
    /// Messages were dropped here.
    Lag = 0x85, "LAG";
    /// The reply to a request.
    Reply = 0x86, "REPLY";
    /// The answer to HELLO.
    Welcome = 0x87, "WELCOME";
    /// From the daemon: it closes the connection.
    Closing = 0x88, "BYE";
}

impl Kind {
    /// All kinds, by byte.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }
}

/// One whole frame, not yet decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The frame as it was read, its length field included.
    pub bytes: &'a [u8],
    /// The kind's byte.
    pub kind: u8,
    /// The flags.
    pub flags: u8,
    /// Header field `a`.
    pub a: u8,
    /// Header field `b`.
    pub b: u8,
    /// Header field `number`.
    pub number: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

/// Cuts the first frame off `bytes`. `None`: it is not whole yet.
///
/// # Errors
/// Fatal ones, if the length is under 8 or over `frame_bytes_max`: where the next frame begins is
/// then not known.
#[inline]
pub fn split(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<Frame<'_>>, Refusal> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if !(HEADER_BYTES - LENGTH_BYTES..=frame_bytes_max).contains(&length) {
        return Err(bad_length(length, frame_bytes_max));
    }
    let Some(rest) = rest.get(..length) else { return Ok(None) };
    let Some(([kind, flags, a, b, n0, n1, n2, n3], body)) = rest.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let number = u32::from_le_bytes([*n0, *n1, *n2, *n3]);
    let bytes = bytes.get(..LENGTH_BYTES + length).unwrap_or(bytes);
    Ok(Some(Frame { bytes, kind: *kind, flags: *flags, a: *a, b: *b, number, body }))
}

/// How many bytes the first frame of `bytes` has in all, if that can be read yet.
#[must_use]
pub fn whole_bytes(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH_BYTES>()?;
    Some((u32::from_le_bytes(*length) as usize).saturating_add(LENGTH_BYTES))
}

#[cold]
fn bad_length(length: usize, frame_bytes_max: usize) -> Refusal {
    if length > frame_bytes_max {
        let text = format!("a frame of {length} bytes, over the limit of {frame_bytes_max}");
        Refusal::fatal(Code::TooLarge, text).at(0)
    } else {
        let text = format!("a frame has at least 8 bytes after its length, this has {length}");
        Refusal::fatal(Code::BadFrame, text).at(0)
    }
}

/// Appends a frame's header with a length yet to come; [`finish`] fills it in.
pub(crate) fn begin(out: &mut Vec<u8>, kind: Kind, flags: u8, a: u8, b: u8, number: u32) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind.byte(), flags, a, b]);
    out.extend_from_slice(&number.to_le_bytes());
    start
}

/// Fills in the length of the frame that began at `start` and ends where `out` does.
pub(crate) fn finish(out: &mut [u8], start: usize) {
    let length = out.len().saturating_sub(start + LENGTH_BYTES);
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start..start + LENGTH_BYTES) {
        field.copy_from_slice(&length.to_le_bytes());
    }
}

/// The length of a text as one byte says it, and the text. Where a caller has not checked it and it
/// is longer than that, the beginning of it: the frame stays whole, and the text is still too long
/// to be taken.
pub(crate) fn short(text: &str) -> (u8, &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) => (length, text.as_bytes()),
        Err(_) => (u8::MAX, text.as_bytes().get(..usize::from(u8::MAX)).unwrap_or_default()),
    }
}
