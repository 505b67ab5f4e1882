//! `people.*`: what has changed about people and devices.
//!
//! Who asks `people.list` gets all of it; this says when to ask again.

use super::{KEY, Key, TEXT};
use crate::kind::Kind;
use crate::limits::PETNAME_BYTES_MAX;
use crate::payload::{payload, words};

words! {
    /// What has changed.
    pub enum Change {
        /// This device has an identity now, or belongs to another person.
        Identity = "identity",
        /// Somebody is a friend now.
        Befriended = "befriended",
        /// Somebody is rejected: nothing of theirs is opened any more.
        Rejected = "rejected",
        /// Somebody is a stranger again.
        Removed = "removed",
        /// Somebody has another petname.
        Renamed = "renamed",
        /// Somebody's safety number was compared.
        Verified = "verified",
        /// Somebody has signed two cards of one version: nothing of theirs is believed.
        Frozen = "frozen",
        /// A device belongs to somebody now.
        DeviceAdded = "device-added",
        /// A device does not belong to somebody any more.
        DeviceRemoved = "device-removed",
        /// Somebody's card is new in another way.
        Card = "card",
        /// An invite was used.
        Joined = "joined",
    }
}

payload! {
    /// Something has changed about a person.
    pub struct Changed {
        /// What.
        required change: Change = Change::KIND,
        /// The person's identity key (Ed25519).
        required person: Key = KEY,
        /// The sign key of the device that it is about (Ed25519), if it is about one.
        optional device: Option<Key> = KEY,
        /// What the user calls the person.
        optional petname: Option<String> = Kind::Text { bytes_max: PETNAME_BYTES_MAX },
        /// More about it, for people.
        optional text: Option<String> = TEXT,
    }
}
