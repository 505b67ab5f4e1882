//! Records that survive: batches, checksums, sequences and receipts, without I/O.
//!
//! A [`Store`] puts [`Batch`]es of changes into a [`Backend`], all or nothing, and each record
//! that it writes carries a checksum over its key, its sequence and its value. So whatever an
//! engine or a disk makes of a record later, it is never taken for a right one. "Stored" can only
//! be said with a [`Receipt`], and only [`Store::commit`] makes one, once the backend has answered
//! that the disk has it:
//!
//! ```
//! use kith_store::{Batch, Memory, Scan, Store};
//!
//! let mut store = Store::open(Memory::new())?;
//! let mut batch = Batch::new();
//! batch.put("m1", "hello");
//! let receipt = store.commit(&[batch])?;
//! assert_eq!(receipt.sequence(), 1);
//!
//! let page = store.scan(&Scan::prefix(b"m"))?;
//! assert_eq!(page.records[0].value, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nobody else can make one, which this shows by not compiling:
//!
//! ```compile_fail,E0451
//! let receipt = kith_store::Receipt { sequence: 1 };
//! ```
//!
//! ```compile_fail,E0277
//! let receipt: kith_store::Receipt = Default::default();
//! ```
//!
//! [`Memory`] is a backend for tests, with a switch that has commits fail. What keeps records on a
//! disk is in `kith-store-disk`.
//!
//! Deliberately absent: files, threads and clocks; what the records mean (that is the caller's);
//! and reading one record by its key, which a scan of one key does.

mod backend;
mod batch;
mod format;
pub mod limits;
mod memory;
mod migration;
mod scan;
mod store;
#[cfg(test)]
mod tests;

pub use backend::{Backend, Each, Failure};
pub use batch::Batch;
pub use memory::Memory;
pub use scan::{Damage, Page, Record, Scan};
pub use store::{OpenError, Receipt, Store, head_entry, inspect};
