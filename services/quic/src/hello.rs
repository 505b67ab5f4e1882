//! What goes over a link: the hello and the other frames of the control stream, and how letters
//! stand in the streams of the lanes.
//!
//! ```text
//! stream   one-way; its first byte says which: 0 control, 1 realtime, 2 high, 3 normal, 4 bulk
//! letter   4 bytes, big-endian, its length; then the sealed bytes
//! frame    4 bytes, big-endian, the length of what follows; 1 byte, the kind; its body
//! kinds    0 hello, 1 ping, 2 pong (both with 8 bytes, any); others are passed over
//! hello    CBOR, deterministic: {0: version, 1: life (8 bytes), 2: record, 3: card hash, if any}
//! ```
//!
//! The hello comes first: the dialling end says its own when TLS has proved the other end's key,
//! the other end answers with its own when it has found that one good. Later ones bring news:
//! another record, another card. A life is a number that each start of the service draws anew, so
//! that the other end can tell a link of a process that is gone from one that was dialled twice.
//!
//! Fields that are not known are passed over, as kinds are; a stream that is not is refused.
//!
//! Deliberately absent: a goodbye. QUIC has one, with a number ([`Goodbye`]).

use crate::limits::{CONTROL_BYTES_MAX, MTU_BYTES_MAX};
use kith_plugins_api::contract::Key;
use kith_plugins_api::contract::envelope::Lane;
use kith_plugins_api::contract::limits::NODE_INFO_BYTES_MAX;
use minicbor::decode::Error as CborError;
use minicbor::{Decoder, Encoder};
use std::convert::Infallible;

/// The protocol's name in TLS.
pub const ALPN: &[u8] = b"kith/1";
/// The version in a hello.
pub const VERSION: u64 = 1;
/// The first byte of the control stream.
pub const CONTROL: u8 = 0;
/// Lanes, the first first; the first byte of a lane's stream is its place here, plus one.
pub const LANES: [Lane; 4] = [Lane::Realtime, Lane::High, Lane::Normal, Lane::Bulk];

const LENGTH_BYTES: usize = 4;

/// What an end says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Drawn anew with each start.
    pub life: u64,
    /// The signed NodeInfo, as it stands.
    pub record: Vec<u8>,
    /// The SHA-256 of its card.
    pub card_hash: Option<Key>,
}

/// A frame of the control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Who is there; first of all, and again when something about it is new.
    Hello(Hello),
    /// Are you there?
    Ping(u64),
    /// Yes.
    Pong(u64),
    /// Something of a later version.
    Unknown,
}

/// Why a connection was closed, as QUIC carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Goodbye {
    /// Nothing is wrong.
    Closed = 0,
    /// Another link to the same device has taken its place.
    Replaced = 1,
    /// This device does not want that one, or not as it shows itself.
    Refused = 2,
    /// What came was no frame, no letter, or too late.
    Garbled = 3,
    /// Too many links.
    Busy = 4,
    /// Another address of the same device was quicker.
    Slower = 5,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFrame {
    /// Longer than may be, or empty.
    #[error("nothing here can have {0} bytes")]
    Length(u32),
    /// A ping or pong without its number.
    #[error("a ping has 8 bytes")]
    Ping,
    /// The hello is not as it has to be.
    #[error("the hello: {0}")]
    Hello(String),
    /// Another version.
    #[error("it speaks version {0}, this is {VERSION}")]
    Version(u64),
}

/// Which lane a stream is for, by its first byte.
#[must_use]
pub fn lane_of(byte: u8) -> Option<Lane> {
    LANES.get(usize::from(byte.checked_sub(1)?)).copied()
}

/// The place of a lane, and with one more its byte.
#[must_use]
pub fn place_of(lane: Lane) -> u8 {
    match lane {
        Lane::Realtime => 0,
        Lane::High => 1,
        Lane::Normal => 2,
        Lane::Bulk => 3,
    }
}

/// How long a letter is, by what stands before it.
///
/// # Errors
/// If no letter has this length.
pub fn letter_bytes(length: [u8; LENGTH_BYTES]) -> Result<usize, NoFrame> {
    bounded(length, MTU_BYTES_MAX)
}

/// How long a frame of the control stream is, its kind included.
///
/// # Errors
/// If none has this length.
pub fn frame_bytes(length: [u8; LENGTH_BYTES]) -> Result<usize, NoFrame> {
    bounded(length, CONTROL_BYTES_MAX)
}

fn bounded(length: [u8; LENGTH_BYTES], max: usize) -> Result<usize, NoFrame> {
    let length = u32::from_be_bytes(length);
    match usize::try_from(length) {
        Ok(bytes @ 1..) if bytes <= max => Ok(bytes),
        _ => Err(NoFrame::Length(length)),
    }
}

/// Appends a letter, with its length.
pub fn write_letter(letter: &[u8], to: &mut Vec<u8>) {
    // A letter of the contract is far shorter than 4 GiB.
    let length = u32::try_from(letter.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(letter);
}

impl Frame {
    /// The bytes of the frame, its length included.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Hello(hello) => (0, hello.written()),
            Self::Ping(number) => (1, number.to_be_bytes().to_vec()),
            Self::Pong(number) => (2, number.to_be_bytes().to_vec()),
            Self::Unknown => (u8::MAX, Vec::new()),
        };
        let mut bytes = Vec::new();
        write_letter(&[&[kind], body.as_slice()].concat(), &mut bytes);
        bytes
    }

    /// Reads what follows the length.
    ///
    /// # Errors
    /// If it is of a kind that there is, and not as it has to be.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoFrame> {
        let (kind, body) = bytes.split_first().ok_or(NoFrame::Length(0))?;
        let number = || body.try_into().map(u64::from_be_bytes).map_err(|_| NoFrame::Ping);
        Ok(match kind {
            0 => Self::Hello(Hello::parse(body)?),
            1 => Self::Ping(number()?),
            2 => Self::Pong(number()?),
            _ => Self::Unknown,
        })
    }
}

impl Hello {
    fn written(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.record.len() + 64);
        // Writing to memory does not fail.
        let _ = self.encode(&mut Encoder::new(&mut bytes));
        bytes
    }

    fn encode(
        &self,
        to: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<Infallible>> {
        to.map(if self.card_hash.is_some() { 4 } else { 3 })?;
        to.u8(0)?.u64(VERSION)?;
        to.u8(1)?.bytes(&self.life.to_be_bytes())?;
        to.u8(2)?.bytes(&self.record)?;
        if let Some(hash) = &self.card_hash {
            to.u8(3)?.bytes(hash)?;
        }
        Ok(())
    }

    fn parse(bytes: &[u8]) -> Result<Self, NoFrame> {
        let mut from = Decoder::new(bytes);
        let (hello, version) =
            Self::decode(&mut from).map_err(|error| NoFrame::Hello(error.to_string()))?;
        if version != VERSION {
            return Err(NoFrame::Version(version));
        }
        let lacking = |what: &str| NoFrame::Hello(format!("{what} is missing"));
        let life = hello.life.ok_or_else(|| lacking("its life"))?;
        let record = hello.record.ok_or_else(|| lacking("the record"))?;
        if record.is_empty() || record.len() > NODE_INFO_BYTES_MAX {
            return Err(NoFrame::Hello(format!("no record has {} bytes", record.len())));
        }
        if from.position() != bytes.len() {
            return Err(NoFrame::Hello("something follows it".to_owned()));
        }
        Ok(Self { life, record: record.to_vec(), card_hash: hello.card_hash })
    }

    fn decode<'a>(from: &mut Decoder<'a>) -> Result<(Fields<'a>, u64), CborError> {
        let mut fields = Fields::default();
        let count = from.map()?.ok_or_else(|| CborError::message("no indefinite lengths"))?;
        let (mut version, mut last) = (None, None);
        for _ in 0..count {
            let key = from.u64()?;
            if last.is_some_and(|last| key <= last) {
                return Err(CborError::message("keys have to rise"));
            }
            last = Some(key);
            match key {
                0 => version = Some(from.u64()?),
                1 => fields.life = Some(u64::from_be_bytes(array(from.bytes()?)?)),
                2 => fields.record = Some(from.bytes()?),
                3 => fields.card_hash = Some(array(from.bytes()?)?),
                _ => from.skip()?,
            }
        }
        let version = version.ok_or_else(|| CborError::message("the version is missing"))?;
        Ok((fields, version))
    }
}

/// What was read of a hello so far.
#[derive(Default)]
struct Fields<'a> {
    life: Option<u64>,
    record: Option<&'a [u8]>,
    card_hash: Option<Key>,
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], CborError> {
    bytes.try_into().map_err(|_| CborError::message("bytes of another length"))
}

impl Goodbye {
    /// What it is to people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Replaced => "another link has taken its place",
            Self::Refused => "not wanted",
            Self::Garbled => "not understood",
            Self::Busy => "too many links",
            Self::Slower => "another address was quicker",
        }
    }

    /// What was meant by this number.
    #[must_use]
    pub fn from_code(code: u64) -> Option<Self> {
        const ALL: [Goodbye; 6] = [
            Goodbye::Closed,
            Goodbye::Replaced,
            Goodbye::Refused,
            Goodbye::Garbled,
            Goodbye::Busy,
            Goodbye::Slower,
        ];
        ALL.into_iter().find(|one| u64::from(*one as u8) == code)
    }
}

#[cfg(test)]
mod tests;
