//! What has to hold for any bytes: the fuzz targets of Kith, as plain functions.
//!
//! A target takes bytes, has a part of Kith work on them, and panics if something is not as it has
//! to be. That nothing panics by itself is the least of it: what was read has to mean the same when
//! it is written and read again, both framings have to agree, nobody may get what is not theirs.
//!
//! Two things call the targets. `tests/corpus.rs`, a part of `cargo test`, replays the inputs of
//! `corpus/`; `harness/` has libFuzzer look for new ones (`docs/fuzzing.md`). So the inputs that
//! somebody once searched for hours are checked on every change, with a stable compiler.
//!
//! - [`binary`], [`json_lines`]: the two codecs, in both directions and against each other;
//! - [`session`]: clients that say anything, and one that must not notice;
//! - [`topic`], [`pattern`], [`payload`]: the words, against definitions written from the protocol;
//! - [`configuration`], [`metrics`]: the daemon's file and environment; who asks for its metrics;
//! - [`contract`]: payloads of reserved topics, and the words of manifests;
//! - [`dbus`]: what programs on the session bus call;
//! - [`hello`]: what the other end of a link sends;
//! - [`client`]: the client library's receiving side; [`shown`]: what `kith` prints;
//! - [`card`], [`node_info`], [`invite`], [`circle`]: what persons and devices sign;
//! - `input`, `heard`, `lines`, `peer`, `records`, `refused`: what targets share.
//! - [`content`], [`parcel`], [`letter`], [`fragment`]: what comes from other devices;
//!
//! Deliberately absent: clocks, chance, files and threads. An input means the same every time, or
//! what it found could not be looked at twice.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target is a test: it says bluntly what it expects, and a panic is its only answer"
)]

pub mod binary;
pub mod card;
pub mod circle;
pub mod client;
pub mod configuration;
pub mod content;
pub mod contract;
pub mod dbus;
pub mod fragment;
pub mod hello;
pub mod invite;
pub mod json_lines;
pub mod letter;
pub mod metrics;
pub mod node_info;
pub mod parcel;
pub mod pattern;
pub mod payload;
pub mod session;
pub mod shown;
pub mod topic;

mod heard;
mod input;
mod lines;
mod peer;
mod records;
mod refused;

/// One target, by the name of its corpus and of its program in the harness.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// Panics if something does not hold for these bytes.
    pub run: fn(&[u8]),
}

/// All of them. The test compares this list with the corpora and with the harness.
pub const TARGETS: &[Target] = &[
    Target { name: "binary", run: binary::target },
    Target { name: "card", run: card::target },
    Target { name: "circle", run: circle::target },
    Target { name: "client", run: client::target },
    Target { name: "configuration", run: configuration::target },
    Target { name: "content", run: content::target },
    Target { name: "contract", run: contract::target },
    Target { name: "dbus", run: dbus::target },
    Target { name: "invite", run: invite::target },
    Target { name: "fragment", run: fragment::target },
    Target { name: "hello", run: hello::target },
    Target { name: "json_lines", run: json_lines::target },
    Target { name: "letter", run: letter::target },
    Target { name: "metrics", run: metrics::target },
    Target { name: "node_info", run: node_info::target },
    Target { name: "parcel", run: parcel::target },
    Target { name: "pattern", run: pattern::target },
    Target { name: "payload", run: payload::target },
    Target { name: "session", run: session::target },
    Target { name: "shown", run: shown::target },
    Target { name: "topic", run: topic::target },
];
