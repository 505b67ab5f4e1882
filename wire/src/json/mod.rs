//! JSON lines: for scripts, `socat`, `jq` and ten lines of any language.
//!
//! One object a line; see `docs/protocol.md`, "JSON lines". An `ms` payload is kept as the text
//! that was written: it is found by the parser, checked, and from then on copied, never built into
//! a tree.
//!
//! - [`decode`]: from a client's line to a [`crate::Request`], by way of `fields`;
//! - [`deliver`]: the lines that the daemon writes.
//!
//! Deliberately absent: the client's side. Clients of this framing are other people's programs;
//! ours speak binary frames.

pub mod decode;
pub mod deliver;

mod fields;
