//! What people and programs read: from a message to a line, without I/O, clock or environment.
//!
//! Payloads, topics, headers and names come from other programs, and sooner or later from other
//! people. Nothing of them reaches a terminal but through [`harmless`]; programs get JSON lines in
//! the form of the protocol, or the bytes as they are, where they ask for them.
//!
//! - [`harmless`], [`columns`]: text that a terminal can't be tricked with, cut and padded;
//! - [`paint`], [`quantity`], [`preview`]: colours, numbers, payloads;
//! - [`table`]: rows of cells;
//! - [`people`], [`invite`], [`qr`], [`words`], [`progress`]: people, devices, and what is on its
//!   way to them;
//! - [`line`](mod@line), [`tap`], [`status`], [`services`], [`grants`], [`consumers`], [`kit`],
//!   [`bench`], [`store`], [`json`]: what the commands print; [`form`]: which of it.

pub(crate) mod bench;
pub(crate) mod columns;
pub(crate) mod consumers;
pub(crate) mod form;
pub(crate) mod grants;
pub(crate) mod harmless;
pub(crate) mod invite;
pub(crate) mod json;
pub(crate) mod kit;
pub(crate) mod line;
pub(crate) mod paint;
pub(crate) mod people;
pub(crate) mod preview;
pub(crate) mod progress;
pub(crate) mod qr;
pub(crate) mod quantity;
pub(crate) mod services;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod tap;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod words;
