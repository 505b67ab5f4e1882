//! Envelopes: what a message is wrapped into for one device, and how it is opened there.
//!
//! From the inside out:
//! - [`Content`]: the message, bound to the two devices that it is between;
//! - [`Account`] and [`Sessions`]: Olm between two devices, for each lane on its own, and
//!   [`Change`], what of that has to be on the disk before bytes leave;
//! - [`Parcel`]: a ratcheted message, a signed [`Notice`], a card or a handshake;
//! - letters ([`seal`], [`bare`], [`open`]): a parcel as a transport carries it;
//! - fragments ([`cut`], [`Reassembly`]): a letter in pieces.
//!
//! [`Seen`] knows what has come before.
//!
//! `docs/peers.md` has the formats in prose, `vectors/` in bytes.
//!
//! Deliberately absent: who may send what to whom, retries and acknowledgements (the post's), and
//! finding a device's keys (`kith-people`'s).

mod account;
mod cbor;
mod change;
mod choice;
mod content;
mod failure;
mod fragment;
#[doc(hidden)]
pub mod fuzzing;
mod lane;
mod letter;
mod notice;
mod openings;
mod padding;
mod parcel;
mod record;
mod seen;
mod session;
mod sessions;

#[cfg(test)]
mod tests;

pub use account::{Account, AccountError};
pub use cbor::FormError;
pub use change::{Change, RecordError};
pub use content::{Binding, Content, ContentError, Kind, Party};
pub use failure::{DecryptError, EncryptError};
pub use fragment::{CutError, FRAGMENT_HEAD_BYTES, FragmentError, Reassembly, cut};
pub use lane::Lane;
pub use letter::{Letter, LetterError, bare, open, seal};
pub use notice::{Ack, AckState, News, Notice, NoticeError};
pub use padding::padded_bytes;
pub use parcel::{Body, JoinAnswer, Parcel, ParcelError};
pub use seen::{Remembered, Seen};
pub use sessions::{Opened, PeerKeys, Sessions};
