//! Reserved topics: what is a payload of theirs, and what a manifest's words grant.
//!
//! An input is a line with a topic, and a payload of it, which is tried as CBOR and as JSON. What
//! passes the check has two forms that mean the same, of which each gives the other; in CBOR there
//! is one form alone. Whoever reads for use reads what was checked, as the same. With another first
//! line an input is the words of a manifest, one a line: no words grant a reserved topic without
//! its role, and what a subscription may ask for is matched by what was granted.

use kith_contract as contract;
use kith_contract::{
    Entry, PROTOCOL, Payload, PayloadError, Publisher, Rights, Role, Topic, TopicOf, entries, entry,
};
use kith_wire::{Pattern, Protocol, Scope, check_ms, is_reserved};
use serde_json::Value;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    match entry(&first) {
        Some(entry) => [PROTOCOL, "ms"].iter().for_each(|protocol| {
            checked(entry, protocol, rest);
        }),
        None => granted(&first, &String::from_utf8_lossy(rest)),
    }
}

fn checked(entry: &Entry, protocol: &str, payload: &[u8]) {
    let views = match entry.check(protocol, payload) {
        Ok(views) => views,
        Err(error) => {
            is_harmless(&error);
            // What was missing, misspelt or in disorder may be no hindrance to a reader; that it
            // does not panic is all that is left to say.
            drop(again(entry, protocol, payload));
            return;
        }
    };
    let by_cbor = entry.check(PROTOCOL, &views.cbor).expect("the other form is one too");
    let by_json = entry.check("ms", views.json.as_bytes()).expect("the other form is one too");
    assert_eq!((&by_cbor, &by_json), (&views, &views));
    assert_eq!(check_ms(views.json.as_bytes()), Ok(()));
    if protocol == PROTOCOL {
        assert_eq!(views.cbor, payload, "there is one form of it");
    } else {
        let given: Value = serde_json::from_slice(payload).unwrap();
        let view: Value = serde_json::from_str(&views.json).unwrap();
        assert_eq!(without_nulls(given), without_nulls(view));
    }
    let written = again(entry, protocol, payload).expect("what was checked can be read");
    assert_eq!(written, (views.cbor, views.json));
}

/// What may be left out may also be null in JSON.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(values) => values.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

type Written = Result<(Vec<u8>, String), PayloadError>;

/// What a reader would write again.
fn again(entry: &Entry, protocol: &str, payload: &[u8]) -> Written {
    fn one<T: Payload>(topic: Topic<T>, protocol: &str, payload: &[u8]) -> Written {
        let read = topic.read(protocol, payload)?;
        Ok((topic.cbor(&read), topic.json(&read)))
    }
    fn of<T: Payload>(topic: TopicOf<T>, protocol: &str, payload: &[u8]) -> Written {
        let read = topic.read(protocol, payload)?;
        Ok((topic.cbor(&read), topic.json(&read)))
    }
    macro_rules! by_name {
        ($($topic:ident)*; $($topic_of:ident)*) => {
            match entry.topic() {
                $(name if name == contract::$topic.name() => {
                    one(contract::$topic, protocol, payload)
                })*
                $(prefix if prefix == contract::$topic_of.prefix() => {
                    of(contract::$topic_of, protocol, payload)
                })*
                other => panic!("`{other}` is new: it belongs here too"),
            }
        };
    }
    by_name!(
        BUS_READY BUS_CLIENT BUS_LAG BUS_STATS ENDPOINT MY_NODE_INFO REQUEST_NODE_INFO NODE_INFO
        DIRECTORY_GET DIRECTORY_GET_REPLY DIRECTORY_PUT DIAL CONNECTION DISCONNECTED SENT FAILED
        RELAYED RECEIVED KEEP KEPT DROP RECALL RECALLED DELIVERY_UPDATE HEALTH STATE LOG
        HANG_UP BEACON SIGHTING PEOPLE_CHANGED;
        SEND HEARTBEAT
    )
}

/// Words of a manifest: the first line has letters of roles, and each further one is a topic, a
/// pattern of what is published, and one of a subscription.
fn granted(roles: &str, words: &str) {
    let roles: Vec<Role> = Role::ALL
        .into_iter()
        .filter(|role| role.name().get(..1).is_some_and(|letter| roles.contains(letter)))
        .collect();
    let words: Vec<String> = words.lines().map(str::to_owned).collect();
    let new = |publishes: &[String], subscribes: &[String]| {
        Rights::new("fuzzer", &roles, publishes, subscribes)
    };
    for word in &words {
        let one = std::slice::from_ref(word);
        match new(one, &[]) {
            Ok(rights) => publishes(&rights, word, &words),
            Err(error) => is_harmless(&error),
        }
        match new(&[], one) {
            Ok(rights) => subscribes(&rights, word, &words),
            Err(error) => is_harmless(&error),
        }
    }
}

fn publishes(rights: &Rights, word: &str, topics: &[String]) {
    let pattern = Pattern::new(format!("self.{word}")).expect("what was granted is a pattern");
    for topic in topics {
        let is_granted = match rights.may_publish(topic) {
            Ok(()) => true,
            Err(denial) => {
                is_harmless(&denial);
                false
            }
        };
        let is_open = |publisher: &Publisher| match publisher {
            Publisher::Role(role) => rights.roles().contains(role),
            Publisher::Anyone | Publisher::EachService => true,
            _ => false,
        };
        let by_table = || entry(topic).is_some_and(|one| one.publishers().iter().any(is_open));
        let wanted = if is_reserved(topic) { by_table() } else { pattern.matches_topic(topic) };
        assert_eq!(is_granted, wanted, "{topic}");
    }
    let bus = entries().filter(|entry| entry.topic().starts_with("bus."));
    bus.for_each(|entry| assert!(rights.may_publish(entry.topic()).is_err()));
}

fn subscribes(rights: &Rights, word: &str, words: &[String]) {
    let outer = Pattern::new(word).expect("what was granted is a pattern");
    for inner in words.iter().filter_map(|word| Pattern::new(word.as_str()).ok()) {
        if let Err(denial) = rights.may_subscribe(&inner) {
            is_harmless(&denial);
            assert_ne!(inner, outer, "a pattern lies inside itself");
            continue;
        }
        if inner.topic() == "services.heartbeat.fuzzer" {
            continue;
        }
        for topic in words {
            for scope in [Scope::Own, Scope::Friends, Scope::Public] {
                for protocol in [Protocol::MS, Protocol::BT] {
                    let is_in = |pattern: &Pattern<'_>| pattern.matches(&protocol, scope, topic);
                    assert!(!is_in(&inner) || is_in(&outer), "{inner} {outer} {topic}");
                }
            }
        }
    }
}

fn is_harmless(said: &dyn std::fmt::Display) {
    let said = said.to_string();
    assert!(!said.is_empty() && !said.contains(char::is_control), "{said:?}");
    assert!(said.len() < 4096, "{said:?}");
}
