//! `directory.*`: records under keys, signed by those whom they are about.

use super::{COUNT, KEY, Key, SIGNATURE, SIGNATURE_BYTES};
use crate::kind::Kind;
use crate::limits::{NODE_INFO_BYTES_MAX, RECORD_BYTES_MAX, SALT_BYTES_MAX};
use crate::payload::{payload, words};
use crate::value::Bytes;

words! {
    /// What is looked up.
    pub enum Lookup {
        /// Under a device's box key: its sign key.
        SignKey = "sign-key",
        /// Under a person's identity key: their card.
        Card = "card",
    }
}

payload! {
    /// Look something up.
    pub struct Get {
        /// What is wanted.
        required lookup: Lookup = Lookup::KIND,
        /// The key under which it is to be found.
        required key: Key = KEY,
    }

    /// What was found.
    pub struct GetReply {
        /// The directory that says so: its own name.
        speaker directory: String = Kind::Name,
        /// What was wanted, as it was asked.
        required lookup: Lookup = Lookup::KIND,
        /// The key, as it was asked.
        required key: Key = KEY,
        /// What was found: a sign key (32 bytes), or what the directory has of a card. Left out if
        /// this directory has nothing.
        optional value: Option<Bytes> = Kind::Bytes { min: 1, max: RECORD_BYTES_MAX },
    }

    /// A record to make public.
    pub struct Put {
        /// The key that signed it (Ed25519), under which it is to be found.
        required key: Key = KEY,
        /// What parts it from other records under this key, if there are any.
        optional salt: Option<Bytes> = Kind::Bytes { min: 1, max: SALT_BYTES_MAX },
        /// The record's number; the highest holds.
        required seq: u64 = COUNT,
        /// The record.
        required value: Bytes = Kind::Bytes { min: 1, max: NODE_INFO_BYTES_MAX },
        /// The signature over salt, number and record, as BEP 44 prescribes it (Ed25519).
        required signature: [u8; SIGNATURE_BYTES] = SIGNATURE,
    }
}
