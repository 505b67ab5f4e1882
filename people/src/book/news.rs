//! What the book answers: how somebody stands to us, what is new, and why something is not taken.
//!
//! News is said in what has changed, so that whoever owns the book can tell people and programs of
//! it, and drop the sessions of devices that are gone or have other keys.

use crate::card::Card;
use crate::circle::{CircleEntry, CircleError};
use crate::ids::{DeviceId, PersonId};
use crate::node_info::NodeInfo;

use super::Known;

/// How whoever writes stands to us. Only the first three may deliver anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// An own device: scope `self`.
    Own,
    /// A friend's device: scope `friends`.
    Friend,
    /// A stranger's device, which their card lists: scope `public`.
    Unknown,
    /// The user rejects the person.
    Rejected,
    /// The person has signed two cards of one version: none is believed.
    Frozen,
    /// No card of the person is known, so nothing says that the device is theirs.
    NoCard,
    /// The person's card does not list the device.
    NotTheirs,
    /// The person had the device and has taken it out.
    Revoked,
}

/// Two cards of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The version.
    pub version: u64,
    /// The SHA-256 of the one that was known.
    pub first: [u8; 32],
    /// The SHA-256 of the other.
    pub second: [u8; 32],
}

/// What a card has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardNews {
    /// Whose card it is.
    pub person: PersonId,
    /// Whether it is not the one that was known already.
    pub is_new: bool,
    /// Whether none was known.
    pub is_first: bool,
    /// Devices that were not in the card before.
    pub added: Vec<DeviceId>,
    /// Devices that are not in it any more: revoked from now on.
    pub removed: Vec<DeviceId>,
    /// Devices that have another box key or ratchet key: sessions with them are over.
    pub rekeyed: Vec<DeviceId>,
    /// Devices that are in it though they were revoked: they stay so.
    pub still_revoked: Vec<DeviceId>,
    /// What the person called themselves before, if it is something else now.
    pub old_name: Option<String>,
}

impl CardNews {
    /// Nothing new.
    pub(super) fn none(person: PersonId) -> Self {
        let (added, removed, rekeyed, still_revoked) = Default::default();
        let (is_new, is_first, old_name) = Default::default();
        Self { person, is_new, is_first, added, removed, rekeyed, still_revoked, old_name }
    }

    pub(super) fn new(known: Option<&Known>, card: &Card) -> Self {
        let old = known.and_then(Known::card);
        let is_revoked = |id: &DeviceId| known.is_some_and(|known| known.revoked.contains(id));
        let before = |id: &DeviceId| old.and_then(|old| old.device(id));
        let mut news = Self { is_new: true, is_first: old.is_none(), ..Self::none(card.identity) };
        for device in &card.devices {
            let id = device.sign_id;
            let has_other_keys = |old: &crate::CardDevice| {
                (old.box_id, old.ratchet_key) != (device.box_id, device.ratchet_key)
            };
            match before(&id) {
                _ if is_revoked(&id) => news.still_revoked.push(id),
                None => news.added.push(id),
                Some(old) if has_other_keys(old) => news.rekeyed.push(id),
                Some(_) => {}
            }
        }
        if let Some(old) = old {
            let ids = old.devices.iter().map(|device| device.sign_id);
            let is_removed = |id: &DeviceId| card.device(id).is_none() && !is_revoked(id);
            news.removed = ids.filter(is_removed).collect();
            news.old_name = Some(old.name.clone()).filter(|name| *name != card.name);
        }
        news
    }
}

/// Why a card is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardRefusal {
    /// A newer one is known.
    #[error("a newer card of this person is known, of version {have}")]
    Old {
        /// The version that is known.
        have: u64,
    },
    /// It is of a time that is more than a day ahead.
    #[error("the card is of a time to come, {version} ms since the epoch")]
    Ahead {
        /// Its version.
        version: u64,
    },
    /// It is the second one of its version: the person is frozen now.
    #[error("this person has signed two cards of version {}: their key may be stolen", .0.version)]
    Forked(Fork),
    /// The person is frozen.
    #[error("this person has signed two cards of one version, and is not believed")]
    Frozen,
    /// The person is rejected.
    #[error("this person is rejected")]
    Rejected,
    /// More devices would be revoked than are remembered.
    #[error("this person has taken out more devices than can be remembered")]
    TooManyRevoked,
}

/// What a NodeInfo has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeNews {
    /// Whether it is not the one that was known already.
    pub is_new: bool,
    /// Whether none of this device was known.
    pub is_first: bool,
    /// Whether it can be reached elsewhere: endpoints, relays or TLS key differ.
    pub has_moved: bool,
    /// Whether it has another key for first messages.
    pub has_other_prekey: bool,
}

impl NodeNews {
    pub(super) fn new(old: Option<&NodeInfo>, info: &NodeInfo) -> Self {
        let places = |info: &NodeInfo| {
            (info.endpoints.clone(), info.relays.clone(), info.tls_key, info.expires)
        };
        Self {
            is_new: true,
            is_first: old.is_none(),
            has_moved: old.is_none_or(|old| places(old) != places(info)),
            has_other_prekey: old.is_none_or(|old| old.prekey.key != info.prekey.key),
        }
    }
}

/// Why a NodeInfo is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeRefusal {
    /// One with a higher number is known, or another with the same.
    #[error("a newer record of this device is known")]
    Old,
    /// The person is rejected.
    #[error("this person is rejected")]
    Rejected,
    /// The person is frozen.
    #[error("this person has signed two cards of one version, and is not believed")]
    Frozen,
    /// The person's card does not list the device.
    #[error("the person's card does not list this device")]
    NotTheirs,
    /// The person has taken the device out.
    #[error("the person has taken this device out")]
    Revoked,
    /// The card has another box key for it.
    #[error("the person's card has another box key for this device")]
    OtherBox,
    /// Too many devices say that they are this person's, whose card is not known.
    #[error("too many devices say that they belong to this person")]
    TooMany,
}

/// What another own device has changed in the circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircleNews {
    /// About whom.
    pub person: PersonId,
    /// What was there.
    pub before: Option<CircleEntry>,
    /// What is there now.
    pub after: CircleEntry,
}

/// Why a circle is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CircleRefusal {
    /// The device that signed it is not an own one, or may not edit it.
    #[error("the device that signed this circle may not change it")]
    MayNot,
    /// Something in it is of a time that is more than a day ahead.
    #[error("something in the circle is of a time to come")]
    Ahead,
    /// It can't be merged.
    #[error(transparent)]
    Circle(#[from] CircleError),
}
