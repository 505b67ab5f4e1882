//! What can be said to a service: topics that match what it subscribes to, and payloads for them.
//!
//! What may be said on reserved topics is in `reserved`.

use crate::bus::Bus;
use crate::bus::player::OWN_HEADER;
use crate::limits::TOPICS_MAX;
use crate::reserved::announcements;
use data_encoding::BASE64;
use kith_core::Inbound;
use kith_plugins_api::Manifest;

use kith_wire::{
    Options, Pattern, Protocol, ProtocolSelector, Publication, Scope, ScopeSelector, Topic,
    is_reserved,
};
use serde_json::{Value, json};
use std::io;

/// A person who doesn't exist, from whom messages come.
const SOMEBODY: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

/// Where something can be said to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ear {
    /// What it subscribes to.
    pub(crate) pattern: String,
    topic: String,
    scope: Scope,
    /// None: any, so JSON too.
    protocol: Option<Protocol<'static>>,
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said<'a> {
    /// JSON text.
    Json(&'a str),
    /// Bytes of another protocol.
    Bytes(&'a [u8]),
}

/// Everywhere that a service listens, but for reserved topics.
pub(crate) fn ears(manifest: &Manifest) -> Vec<Ear> {
    let patterns = manifest.subscribes.iter().filter_map(|text| Pattern::new(text.clone()).ok());
    patterns.filter_map(|pattern| ear(&pattern)).take(TOPICS_MAX).collect()
}

fn ear(pattern: &Pattern<'_>) -> Option<Ear> {
    let token = |token| if matches!(token, "*" | ">") { "kit" } else { token };
    let topic: Vec<_> = pattern.topic().split('.').map(token).collect();
    let topic = topic.join(".");
    if is_reserved(&topic) {
        return None;
    }
    let scope = match pattern.scope() {
        ScopeSelector::Any => Scope::Own,
        ScopeSelector::Only(scope) => scope,
    };
    let protocol = match pattern.protocol() {
        ProtocolSelector::Any => None,
        ProtocolSelector::Only(protocol) => Some(protocol.clone().into_owned()),
    };
    Some(Ear { pattern: pattern.to_string(), topic, scope, protocol })
}

impl Ear {
    /// Whether JSON can be said here.
    pub(crate) fn hears_json(&self) -> bool {
        self.protocol.as_ref().is_none_or(Protocol::is_ms)
    }

    /// Whether bytes of some other protocol can.
    pub(crate) fn hears_bytes(&self) -> bool {
        self.protocol.as_ref().is_none_or(|protocol| !protocol.is_ms())
    }

    /// Says something; as a request, if an answer is wanted. What can't be said here is not.
    pub(crate) fn say(&self, bus: &mut Bus, said: Said<'_>, wants_answer: bool) -> io::Result<()> {
        let protocol = match (&self.protocol, said) {
            (_, Said::Json(_)) if self.hears_json() => Protocol::MS,
            (None, Said::Bytes(_)) => Protocol::BT,
            (Some(protocol), Said::Bytes(_)) if self.hears_bytes() => protocol.clone(),
            _ => return Ok(()),
        };
        if self.scope != Scope::Own {
            return self.deliver(bus, protocol, said);
        }
        let mut line = json!({ "op": "pub", "topic": self.topic });
        if wants_answer {
            line = json!({
                "op": "req", "id": 1, "topic": self.topic, "timeout_ms": 1000,
                "headers": { OWN_HEADER: "1" },
            });
        }
        if let Some(fields) = line.as_object_mut() {
            if !protocol.is_ms() {
                fields.insert("protocol".to_owned(), protocol.as_str().into());
            }
            match said {
                Said::Json(text) => {
                    let payload = serde_json::from_str::<Value>(text).unwrap_or_default();
                    fields.insert("payload".to_owned(), payload);
                }
                Said::Bytes(bytes) => {
                    fields.insert("payload_b64".to_owned(), BASE64.encode(bytes).into());
                }
            }
        }
        bus.say(line)
    }

    /// Says it as somebody else, who is a friend or anybody.
    fn deliver(&self, bus: &mut Bus, protocol: Protocol<'_>, said: Said<'_>) -> io::Result<()> {
        let payload = match said {
            Said::Json(text) => text.as_bytes(),
            Said::Bytes(bytes) => bytes,
        };
        let Ok(topic) = Topic::new(self.topic.as_str()) else { return Ok(()) };
        let options = Options::default();
        let publication = Publication { topic, protocol, payload: payload.into(), options };
        let inbound = Inbound::new(SOMEBODY, "kit", self.scope, publication);
        bus.deliver(&inbound)
    }
}

/// Says the simplest things everywhere, and asks them: what makes a service do something.
pub(crate) fn poke(bus: &mut Bus, manifest: &Manifest) -> io::Result<()> {
    for found in announcements(manifest) {
        found.say(bus, &found.small)?;
    }
    for ear in &ears(manifest) {
        for text in ["null", "\"kit\"", "1", "{}"] {
            ear.say(bus, Said::Json(text), false)?;
            ear.say(bus, Said::Json(text), true)?;
        }
        if !ear.hears_json() {
            ear.say(bus, Said::Bytes(b"kit"), false)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_topic_that_matches_it() {
        let patterns =
            ["self.a.*.>", "*/friends.b", "bt/public.c.*", "self.bus.ready", "*.d", "self.>"];
        let manifest = patterns
            .iter()
            .fold(Manifest::new("a", "1"), |manifest, pattern| manifest.subscribes(*pattern));
        let found = ears(&manifest);
        let topics: Vec<_> = found.iter().map(|ear| ear.topic.as_str()).collect();
        assert_eq!(topics, ["a.kit.kit", "b", "c.kit", "d", "kit"]);
        let json: Vec<_> = found.iter().map(Ear::hears_json).collect();
        assert_eq!(json, [true, true, false, true, true]);
        let bytes: Vec<_> = found.iter().map(Ear::hears_bytes).collect();
        assert_eq!(bytes, [false, true, true, false, false]);
        for (ear, pattern) in found.iter().zip(["self.a.*.>", "*/friends.b", "bt/public.c.*"]) {
            let protocol = ear.protocol.clone().unwrap_or(Protocol::BT);
            let topic = &ear.topic;
            assert!(Pattern::new(pattern).unwrap().matches(&protocol, ear.scope, topic));
        }
    }
}
