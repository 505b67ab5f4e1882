//! Persons, devices, and what they sign: who somebody is, and what is to be believed of them.
//!
//! A [`PersonId`] is a key that never changes; a [`Card`] says which devices a person has, and is
//! signed by that key; a [`NodeInfo`] says where one device is, and is signed by the device. All
//! signatures name what they are for ([`Domain`]) and are over the very bytes that travel.
//! `docs/peers.md` has each record byte by byte, and `vectors/` examples of them.
//!
//! Deliberately absent: files, sockets, clocks and randomness. Time and seeds come in as
//! arguments, so that what is decided here comes out the same each time. Also absent are messages:
//! `kith-post` has them.

mod book;
mod card;
mod cbor;
mod change;
mod circle;
mod ids;
mod invite;
mod invite_book;
mod keys;
pub mod limits;
mod locked;
mod node_info;
mod petname;
mod record;
mod recovery;
mod safety;
mod secret;
mod sign;
mod tag;

#[cfg(test)]
mod tests;

pub use book::{
    Book, CardNews, CardRefusal, CircleNews, CircleRefusal, Fork, Known, NodeNews, NodeRefusal,
    Standing,
};
pub use card::{Card, CardDevice, CardDraft};
pub use change::{Change, LoadError};
pub use circle::{Circle, CircleEntry, CircleError, Relation, SignedCircle};
pub use ids::{BoxId, DeviceId, IdError, PersonId};
pub use invite::{Invite, InviteDraft, InviteExpired, InviteId, InviteKind, JoinProof, LinkError};
pub use invite_book::{InviteBook, InviteRefusal, JoinRefusal, Joining};
pub use keys::{DeviceKeys, PersonKey, Seed};
pub use locked::{LockCost, LockError, is_locked, lock, unlock};
pub use node_info::{NodeInfo, NodeInfoDraft, Prekey, fitting_endpoints};
pub use petname::{Petname, PetnameError};
pub use record::{Fault, RecordError};
pub use recovery::{
    RECOVERY_WORDS, RecoveryError, drill_positions, is_word_at, recovered, recovery_words,
};
pub use safety::SafetyNumber;
pub use secret::{InviteSecret, TagSecret};
pub use sign::{BadSignature, Domain, SIGNATURE_BYTES, verify};
pub use tag::{Tag, day_of, end_of_day, tag, tags_around};
