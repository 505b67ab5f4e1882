//! What may be said to a service on reserved topics: right in form, and about nothing that exists.
//!
//! The daemon lets nothing else through there. So for each reserved topic that a service
//! subscribes to a payload is made of the contract's table: one that is as small as can be, and
//! one with all that may be in it. A device that nobody has, a message that nobody wrote: a
//! service has to put up with those, since the daemon may know more than it, or less.

use crate::bus::Bus;
use data_encoding::BASE64;
use kith_plugins_api::Manifest;
use kith_plugins_api::contract::{Entry, Field, HEARTBEAT, Kind, Presence, entries};
use kith_wire::{Pattern, Protocol, Scope};
use serde_json::{Map, Value, json};
use std::io;

/// An id that no message has.
const NO_MESSAGE: &str = "018bcfe5-6800-7707-8707-070707070707";
/// Bytes of a field, where it takes so many.
const FIELD_BYTES: usize = 8 << 10;

/// What may be said on one reserved topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) topic: String,
    /// JSON with what has to be in it.
    pub(crate) small: String,
    /// The same with all that may be.
    pub(crate) large: String,
}

/// For every reserved topic that a service subscribes to.
pub(crate) fn announcements(manifest: &Manifest) -> Vec<Announcement> {
    let patterns = manifest.subscribes.iter().filter_map(|text| Pattern::new(text.clone()).ok());
    let patterns: Vec<_> = patterns.collect();
    entries().filter_map(|entry| announcement(entry, &patterns, &manifest.name)).collect()
}

fn announcement(entry: &Entry, patterns: &[Pattern<'_>], name: &str) -> Option<Announcement> {
    let topic = match entry.ends_with_name() {
        true => format!("{}{name}", entry.topic()),
        false => entry.topic().to_owned(),
    };
    let is_heard = |pattern: &Pattern<'_>| {
        let forms = [Protocol::MS, Protocol::KITH];
        forms.iter().any(|form| pattern.matches(form, Scope::Own, &topic))
    };
    // Heartbeats are asked by the bus itself, and wait for their answer.
    if topic == HEARTBEAT.of(name) || !patterns.iter().any(is_heard) {
        return None;
    }
    let payload = |all| Value::Object(fields(entry.fields(), all, name)).to_string();
    let found = Announcement { topic, small: payload(false), large: payload(true) };
    let is_right = |json: &str| entry.check("ms", json.as_bytes()).is_ok();
    (is_right(&found.small) && is_right(&found.large)).then_some(found)
}

impl Announcement {
    /// Says it, in both forms.
    pub(crate) fn say(&self, bus: &mut Bus, json: &str) -> io::Result<()> {
        bus.announce(&self.topic, json)
    }
}

fn fields(fields: &[Field], all: bool, name: &str) -> Map<String, Value> {
    let mut map = Map::new();
    for field in fields {
        let value = match field.presence() {
            Presence::Optional if !all => continue,
            Presence::Nullable if !all => Value::Null,
            _ => value(field.kind(), all, name),
        };
        map.insert(field.name().to_owned(), value);
    }
    map
}

fn value(kind: Kind, all: bool, name: &str) -> Value {
    match kind {
        Kind::Flag => json!(all),
        Kind::Number { min, max } => json!(if all { max } else { min }),
        Kind::Text { bytes_max } => json!("x".repeat(if all { bytes_max.min(64) } else { 0 })),
        Kind::Name => json!(name),
        Kind::Id => json!(NO_MESSAGE),
        Kind::Bytes { min, max } => {
            let bytes = if all { max.min(FIELD_BYTES) } else { min };
            json!(BASE64.encode(&vec![7; bytes.max(min)]))
        }
        Kind::Word(words) => {
            let word = if all { words.last() } else { words.first() };
            json!(word.map(|word| word.name()))
        }
        Kind::List { of, .. } if all => json!([value(*of, all, name)]),
        Kind::List { .. } => json!([]),
        Kind::Map(of) => Value::Object(fields(of, all, name)),
        Kind::Figures if all => json!({ "kit": 1 }),
        Kind::Figures => json!({}),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_topic_has_something_that_may_be_said_there() {
        let everything = Manifest::new("kit", "1").subscribes("self.>");
        let topics: Vec<_> =
            announcements(&everything).into_iter().map(|found| found.topic).collect();
        let missing: Vec<_> = entries()
            .filter(|entry| !topics.iter().any(|topic| entry.is_for(topic)))
            .map(Entry::topic)
            .collect();
        assert_eq!(missing, ["services.heartbeat."]);
    }

    #[test]
    fn only_what_is_subscribed_to_is_said() {
        let manifest = Manifest::new("mesh", "1")
            .subscribes("kith/self.envelope.send.mesh")
            .subscribes("self.a");
        let found = announcements(&manifest);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].topic, "envelope.send.mesh");
        assert!(found[0].large.len() > FIELD_BYTES, "{}", found[0].large.len());
    }
}
