//! What a consumer that nobody reads costs the live subscribers of the same topic: a thousand
//! messages a second, timed from the write to the read, with and without one.

use crate::peer::Peer;
use crate::process::Running;
use crate::raw::store;
use crate::suites::latency::fields;
use crate::suites::neighbour::steady;
use anyhow::Context;
use serde_json::Value;
use std::path::Path;

/// Whose live messages are timed.
pub(crate) const WITHOUT: &str = "kith";
pub(crate) const UNREAD: &str = "kith, unread consumer";
const PAYLOAD_BYTES: usize = 128;
/// Long enough that the hundredth part is more than a hiccup.
const SECONDS: f64 = 3.0;

pub(super) fn run(kith: &dyn Peer, base: &Path, who: &str) -> anyhow::Result<Value> {
    let broker = Running::start(kith, base, "b")?;
    if who == UNREAD {
        let codec = kith.storing_codec().context("it stores nothing")?;
        store(&*codec, &broker.endpoint, steady::TOPIC)?;
    }
    let (times_ns, lost) = steady::run(&kith.codec(), &broker.endpoint, PAYLOAD_BYTES, SECONDS)?;
    let mut found = fields(times_ns, 0.0);
    found["lost"] = lost.into();
    Ok(found)
}
