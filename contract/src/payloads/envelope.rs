//! `envelope.*`: sealed bytes on their way.
//!
//! An envelope is known by an id that the daemon makes for each one that it hands out; it says
//! nothing about the message inside, and no two devices get the same.

use super::{COUNT, KEY, Key, LETTER, RELAY, RELAYS, TEXT, TIME};
use crate::kind::Kind;
use crate::limits::RELAYS_MAX;
use crate::payload::{payload, words};
use crate::value::Bytes;
use kith_wire::MessageId;

words! {
    /// Which envelopes go first. Within a lane they go in order.
    pub enum Lane {
        /// Worthless late: never stored, not tried again.
        Realtime = "realtime",
        /// Before the others.
        High = "high",
        /// As most are.
        Normal = "normal",
        /// When nothing else waits.
        Bulk = "bulk",
    }

    /// Why an envelope could not be carried.
    pub enum Failure {
        /// No way to the device is known, or none works.
        Unreachable = "unreachable",
        /// It is larger than the transport carries at once.
        TooBig = "too-big",
        /// Too many wait already, here or at the relay.
        Quota = "quota",
        /// The other side does not take it.
        Refused = "refused",
        /// Its time was over before it could be carried.
        Expired = "expired",
        /// The link went down while it was on its way; it may have arrived.
        Interrupted = "interrupted",
    }

    /// What a buffer has done with an envelope.
    pub enum Keeping {
        /// It is on its disk.
        Kept = "kept",
        /// It has no room for more of this device, or of all.
        Quota = "quota",
        /// It does not keep envelopes of this size.
        TooBig = "too-big",
        /// Its disk failed.
        Storage = "storage",
    }

    /// Why an envelope need not be kept any more.
    pub enum Release {
        /// The recipient's device has acknowledged it.
        Delivered = "delivered",
        /// Its time is over.
        Expired = "expired",
    }
}

payload! {
    /// Carry bytes to a device.
    pub struct Send {
        /// The envelope's id, for the answers.
        required envelope: MessageId = Kind::Id,
        /// The sign key of the recipient's device (Ed25519).
        required device: Key = KEY,
        /// The sealed bytes, to be handed over as they are.
        required letter: Bytes = LETTER,
        /// Which envelopes go first.
        required lane: Lane = Lane::KIND,
        /// When it need not be carried any more, in ms since the Unix epoch.
        required expires_at: u64 = TIME,
        /// Relays of the recipient, host and port, for a transport that deposits.
        optional relays: Option<Vec<String>> = RELAYS,
        /// With `relays`: the hash whose secret deletes the deposit, which goes along with it.
        optional delete_hash: Option<Key> = KEY,
    }

    /// Handed over.
    pub struct Sent {
        /// The transport that did it: its own name.
        speaker transport: String = Kind::Name,
        /// The envelope.
        required envelope: MessageId = Kind::Id,
        /// The link that it went by, as in `transports.connection`.
        optional link: Option<u64> = COUNT,
    }

    /// Not carried.
    pub struct Failed {
        /// The transport that was asked: its own name.
        speaker transport: String = Kind::Name,
        /// The envelope.
        required envelope: MessageId = Kind::Id,
        /// Why.
        required reason: Failure = Failure::KIND,
        /// Whether trying again, later or when the device is connected, can help.
        required retry: bool = Kind::Flag,
        /// More about it, for people.
        optional text: Option<String> = TEXT,
    }

    /// Stored at a relay.
    pub struct Relayed {
        /// The transport that was asked: its own name.
        speaker transport: String = Kind::Name,
        /// The envelope.
        required envelope: MessageId = Kind::Id,
        /// The relay that has it on its disk, host and port.
        required relay: String = RELAY,
        /// Until when the relay keeps it, in ms since the Unix epoch, if it says so.
        optional kept_until: Option<u64> = TIME,
    }

    /// Bytes came in.
    pub struct Received {
        /// The transport that they came by: its own name.
        speaker transport: String = Kind::Name,
        /// The sealed bytes, as they came.
        required letter: Bytes = LETTER,
        /// The sign key (Ed25519) of the device at the other end, where the transport knows it. A
        /// hint: who sent it stands inside.
        optional device: Option<Key> = KEY,
        /// The link that they came by, as in `transports.connection`.
        optional link: Option<u64> = COUNT,
        /// The relay that had them, host and port, if one did.
        optional relay: Option<String> = RELAY,
    }

    /// Keep bytes.
    pub struct Keep {
        /// The buffer that is asked; others leave it alone.
        required buffer: String = Kind::Name,
        /// The envelope's id.
        required envelope: MessageId = Kind::Id,
        /// The sign key of the recipient's device (Ed25519).
        required device: Key = KEY,
        /// The sealed bytes.
        required letter: Bytes = LETTER,
        /// Which envelopes go first.
        required lane: Lane = Lane::KIND,
        /// When it need not be kept any more, in ms since the Unix epoch.
        required expires_at: u64 = TIME,
    }

    /// Kept, or not.
    pub struct Kept {
        /// The buffer that was asked: its own name.
        speaker buffer: String = Kind::Name,
        /// The envelope.
        required envelope: MessageId = Kind::Id,
        /// What it has done. Only `kept` says that the bytes are on its disk.
        required outcome: Keeping = Keeping::KIND,
        /// More about it, for people.
        optional text: Option<String> = TEXT,
    }

    /// Forget an envelope.
    pub struct Drop {
        /// The envelope.
        required envelope: MessageId = Kind::Id,
        /// Why.
        required reason: Release = Release::KIND,
    }

    /// A secret that deletes a deposit.
    pub struct Secret {
        /// The relay that has the deposit, host and port.
        required relay: String = RELAY,
        /// What it wants to be shown.
        required secret: Key = KEY,
    }

    /// Take an envelope back.
    pub struct Recall {
        /// The envelope.
        required envelope: MessageId = Kind::Id,
        /// The sign key of the recipient's device (Ed25519).
        required device: Key = KEY,
        /// Relays that have it, each with the secret that deletes it there.
        optional secrets: Option<Vec<Secret>> = Kind::List { of: &SECRET, max: RELAYS_MAX },
    }

    /// Taken back.
    pub struct Recalled {
        /// The transport or buffer that says so: its own name.
        speaker service: String = Kind::Name,
        /// The envelope.
        required envelope: MessageId = Kind::Id,
        /// Whether something of it was still there, and is deleted now.
        required deleted: bool = Kind::Flag,
        /// The relays, host and port, at which it was deleted.
        optional relays: Option<Vec<String>> = RELAYS,
        /// More about it, for people.
        optional text: Option<String> = TEXT,
    }
}

const SECRET: Kind = Kind::Map(<Secret as crate::payload::Payload>::FIELDS);
