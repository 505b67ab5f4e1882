//! What is in the payload of each reserved topic, one file for each first token.
//!
//! Names of fields are the same in Rust, CBOR and JSON. Units are in the names or in the comments;
//! times are milliseconds since the Unix epoch, by the clock of this machine. The comments are also
//! what `docs/contract.md` says.
//!
//! Left out: `rooms.*`. Their payloads come with rooms.

pub mod bus;
pub mod delivery;
pub mod directory;
pub mod envelope;
pub mod people;
pub mod services;
pub mod transports;

use crate::kind::Kind;
use crate::limits::{
    ENDPOINT_BYTES_MAX, ENDPOINTS_MAX, LETTER_BYTES_MAX, NODE_INFO_BYTES_MAX, NUMBER_MAX,
    RELAY_BYTES_MAX, RELAYS_MAX, TEXT_BYTES_MAX,
};

/// A key of Ed25519 or X25519.
pub type Key = [u8; KEY_BYTES];

/// What a device shows on a network, for those who recognise it.
pub type Tag = [u8; TAG_BYTES];

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 64;

const COUNT: Kind = Kind::up_to(NUMBER_MAX);
const TIME: Kind = Kind::up_to(NUMBER_MAX);
const NUMBER_32: Kind = Kind::up_to(u32::MAX as i64);
const KEY: Kind = Kind::exactly(KEY_BYTES);
const TAG: Kind = Kind::exactly(TAG_BYTES);
const SIGNATURE: Kind = Kind::exactly(SIGNATURE_BYTES);
const TEXT: Kind = Kind::Text { bytes_max: TEXT_BYTES_MAX };
const NODE_INFO: Kind = Kind::Bytes { min: 1, max: NODE_INFO_BYTES_MAX };
const LETTER: Kind = Kind::Bytes { min: 1, max: LETTER_BYTES_MAX };
const RELAY: Kind = Kind::Text { bytes_max: RELAY_BYTES_MAX };
const RELAYS: Kind = Kind::List { of: &RELAY, max: RELAYS_MAX };
const ENDPOINT: Kind = Kind::Text { bytes_max: ENDPOINT_BYTES_MAX };
const ENDPOINTS: Kind = Kind::List { of: &ENDPOINT, max: ENDPOINTS_MAX };
