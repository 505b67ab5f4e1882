//! Memory that nobody can change any more, and passing it from process to process.
//!
//! A large payload that is written to a socket is copied into the kernel and out again, twice: for
//! the daemon and for the subscriber. Linux can hand over the memory itself instead: a *memfd*,
//! which is a file without a name, sealed so that neither its size nor a byte of it changes ever
//! again, whoever holds it. What a receiver has checked once stays true.
//!
//! - [`SealedMemory`]: such a memory, made here or taken from somebody else and checked;
//! - [`Mapping`]: its bytes, in place;
//! - [`send`], [`receive`]: bytes on a Unix socket, and descriptors with them.
//!
//! This is the one crate of the workspace with `unsafe` in it: to map memory is to promise that it
//! stays as it is, which the compiler can't check, but the seals guarantee. It stands in
//! `mapping.rs` alone. The daemon does not even use it: it reads where it needs bytes at all.
//!
//! Deliberately absent: shared memory that somebody may still write to, and rings in it.

mod limits;
mod mapping;
mod memory;
mod passing;

pub use limits::DESCRIPTORS_PER_CALL_MAX;
pub use mapping::Mapping;
pub use memory::{SealedError, SealedMemory};
pub use passing::{Received, is_too_many, receive, send};
