//! Kith's store on a disk: engines, the writer's thread, opening, quarantine and checks.
//!
//! [`Disk`] is a handle on a thread that owns the store. Whatever waits when it turns to the queue
//! goes into one commit, so that a sync of the disk, which takes milliseconds, is shared by all
//! that came in during the last one. Each batch is answered on that thread, by a function that it
//! brought along, with a [`Receipt`](kith_store::Receipt) or with why not.
//!
//! In the directory that it is given, an engine's files are in a directory named after it:
//!
//! | name | what |
//! | --- | --- |
//! | `lock` | held while the store is open |
//! | `sqlite/` | the store |
//! | `sqlite.damaged-1700000000/` | one that could not be used, as it was; it is never removed |
//! | `sqlite.damaged-records-1700000000` | records that were taken out of a store, as text |
//! | `sqlite.new/`, `sqlite.ready/`, `sqlite.reading/` | while a store is made or saved |
//!
//! Opening reads the whole store once and checks every seal ([`Opened`] says what was found). What
//! is damaged is put aside before anybody can build on it.
//!
//! Deliberately absent: what the records mean, how many there may be, and who may write them.

mod check;
mod disk;
mod error;
mod facts;
mod failure;
mod files;
mod kind;
pub mod limits;
mod opening;
mod place;
mod salvage;
#[cfg(feature = "sled")]
mod sled;
mod sqlite;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use check::{Report, check};
pub use disk::Disk;
pub use error::{CheckError, OpenError};
pub use facts::Facts;
pub use kind::Kind;
pub use opening::Opened;
pub use place::Quarantine;
