//! Envelopes: what a message is wrapped into for one device, and how it is opened there.
//!
//! From the inside out:
//! - [`Account`] and [`Sessions`]: Olm between two devices, for each lane on its own;
//! - [`Change`]: what of that has to be on the disk before bytes leave.
//!
//! `docs/peers.md` has the formats in prose, `vectors/` in bytes.
//!
//! Deliberately absent: who may send what to whom, retries and acknowledgements (the post's), and
//! finding a device's keys (`kith-people`'s).

mod account;
mod change;
mod choice;
mod failure;
mod lane;
mod openings;
mod record;
mod session;
mod sessions;

#[cfg(test)]
mod tests;

pub use account::{Account, AccountError};
pub use change::{Change, RecordError};
pub use failure::{DecryptError, EncryptError};
pub use lane::Lane;
pub use sessions::{Opened, PeerKeys, Sessions};
