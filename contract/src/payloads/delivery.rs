//! `delivery.*`: how far messages have come, by the daemon's own knowledge.

use super::{KEY, Key, RELAY, TEXT, TIME};
use crate::kind::Kind;
use crate::payload::{payload, words};
use kith_wire::MessageId;

words! {
    /// How far a message has come on its way to one device.
    pub enum Rung {
        /// The daemon has taken it.
        Accepted = "accepted",
        /// It is on this machine's disk.
        Stored = "stored",
        /// It has been handed to a link.
        Sent = "sent",
        /// A relay has it on its disk.
        Relayed = "relayed",
        /// The device has it on its disk, and has signed that.
        Delivered = "delivered",
        /// A program there has acknowledged it.
        Taken = "taken",
        /// It was not delivered in time. This is an end.
        Expired = "expired",
        /// Its sender has taken it back. This is an end.
        Recalled = "recalled",
        /// It was not accepted. This is an end.
        Refused = "refused",
    }

    /// Why a message was refused.
    pub enum Refusal {
        /// A quota of this machine, of a relay or of the recipient's.
        Quota = "quota",
        /// The recipient's inbox has no room.
        InboxFull = "inbox-full",
        /// The recipient does not want messages from this sender.
        Rejected = "rejected",
        /// It is larger than the recipient takes.
        TooBig = "too-big",
    }
}

payload! {
    /// A message has come further.
    pub struct Update {
        /// The message.
        required message: MessageId = Kind::Id,
        /// The identity key of the recipient (Ed25519).
        required person: Key = KEY,
        /// The sign key of the recipient's device (Ed25519).
        required device: Key = KEY,
        /// How far it has come.
        required state: Rung = Rung::KIND,
        /// When, in ms since the Unix epoch.
        required at: u64 = TIME,
        /// With `refused`: why.
        optional reason: Option<Refusal> = Refusal::KIND,
        /// With `relayed`: the relay that has it, host and port.
        optional relay: Option<String> = RELAY,
        /// More about it, for people.
        optional text: Option<String> = TEXT,
    }
}
