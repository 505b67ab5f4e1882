//! `org.kithbus.People1`: the user's devices and friends, for desktop programs.
//!
//! Each method is a question on one of the daemon's own topics, `people.…`, asked by the program's
//! client like any other request. So who may change something is decided where that is decided for
//! every door, and what an answer says is what it says there: JSON, as text.

use super::call::read;
use super::error::Failure;
use super::options::Given;
use kith_wire::{Code, Options, Protocol, Publication, Refusal, Topic};
use serde_json::{Map, Value};
use std::borrow::Cow;
use zbus::message::Body;

/// The interface, on the object of the bus.
pub(super) const INTERFACE: &str = "org.kithbus.People1";

/// Each method, what it takes, and where it is asked.
const METHODS: [(&str, &str, &str); 11] = [
    ("Add", "sa{sv}", "people.add"),
    ("Devices", "", "people.devices"),
    ("Invite", "a{sv}", "people.invite"),
    ("Join", "sa{sv}", "people.join"),
    ("List", "", "people.list"),
    ("Me", "", "people.me"),
    ("Reject", "s", "people.reject"),
    ("Remove", "s", "people.remove"),
    ("RemoveDevice", "s", "people.removeDevice"),
    ("Rename", "ss", "people.rename"),
    ("Verify", "s", "people.verify"),
];
const OF_ADD: &[&str] = &["petname", "at"];
const OF_INVITE: &[&str] = &["kind", "expires_ms", "uses", "petname"];
const OF_JOIN: &[&str] = &["petname"];

/// What `method` takes, if there is such a method.
pub(super) fn signature_of(method: &str) -> Option<&'static str> {
    METHODS.iter().find(|(name, ..)| *name == method).map(|(_, signature, _)| *signature)
}

/// The names of all methods, for who has misspelt one.
pub(super) fn methods() -> String {
    METHODS.map(|(name, ..)| name).join(", ")
}

/// The question that a call of `method` is, if there is such a method. The body has its signature.
pub(super) fn question(method: &str, body: &Body) -> Option<Result<Publication<'static>, Failure>> {
    let (.., topic) = METHODS.iter().find(|(name, ..)| *name == method)?;
    Some(asked(method, body).and_then(|fields| {
        let payload = fields.map_or(Value::Null, Value::Object).to_string();
        Ok(Publication {
            topic: Topic::new(*topic).map_err(Refusal::from)?,
            protocol: Protocol::MS,
            payload: Cow::Owned(payload.into_bytes()),
            options: Options::default(),
        })
    }))
}

fn asked(method: &str, body: &Body) -> Result<Option<Map<String, Value>>, Failure> {
    let mut fields = match method {
        "Add" => {
            let (_, options): (&str, _) = read(body)?;
            given(&Given::new(method, OF_ADD, options)?)?
        }
        "Invite" => given(&Given::new(method, OF_INVITE, read(body)?)?)?,
        "Join" => {
            let (_, options): (&str, _) = read(body)?;
            given(&Given::new(method, OF_JOIN, options)?)?
        }
        _ => Map::new(),
    };
    let mut put = |name: &str, text: &str| {
        fields.insert(name.to_owned(), Value::from(text));
    };
    match method {
        "Add" => put("person", first(body)?),
        "Join" => put("link", first(body)?),
        "Reject" | "Remove" | "Verify" => put("person", read(body)?),
        "RemoveDevice" => put("device", read(body)?),
        "Rename" => {
            let (person, to): (&str, &str) = read(body)?;
            put("person", person);
            put("to", to);
        }
        "Invite" => {}
        _ => return Ok(None),
    }
    Ok(Some(fields))
}

/// The first argument of a method that has options behind it.
fn first(body: &Body) -> Result<&str, Failure> {
    let (first, _): (&str, std::collections::HashMap<&str, zbus::Variant<'_>>) = read(body)?;
    Ok(first)
}

/// The options, as the question has them.
fn given(given: &Given<'_>) -> Result<Map<String, Value>, Failure> {
    let bad = |text: String| Failure::new(Code::BadField, text);
    let option = |(name, value): (&str, &zbus::Variant<'_>)| {
        let json = kith_dbus_json::from_variant(value).map_err(|error| bad(error.to_string()))?;
        let value = serde_json::from_str(&json).map_err(|error| bad(error.to_string()))?;
        Ok((name.to_owned(), value))
    };
    given.all().map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use zbus::wire::DynamicType;
    use zbus::{Message, Variant};

    fn body(arguments: &(impl serde::Serialize + DynamicType)) -> Body {
        Message::signal("/", "a.b", "C").build(arguments).unwrap().body()
    }

    fn payload(method: &str, body: &Body) -> Result<(String, Value), Failure> {
        let asked = question(method, body).unwrap()?;
        let payload = serde_json::from_slice(&asked.payload).unwrap();
        Ok((asked.topic.as_str().to_owned(), payload))
    }

    #[test]
    fn arguments_and_options_are_the_fields_of_the_question() {
        let options = BTreeMap::from([
            ("at", Variant::new(vec!["192.0.2.7:4711"])),
            ("petname", Variant::from("bob")),
        ]);
        let add = payload("Add", &body(&("did:key:z6Mk", &options))).unwrap();
        let fields = serde_json::json!({
            "person": "did:key:z6Mk", "petname": "bob", "at": ["192.0.2.7:4711"]
        });
        assert_eq!(add, ("people.add".to_owned(), fields));
        let rename = payload("Rename", &body(&("bob", "robert"))).unwrap();
        let fields = serde_json::json!({ "person": "bob", "to": "robert" });
        assert_eq!(rename, ("people.rename".to_owned(), fields));
        let none = BTreeMap::<&str, Variant<'_>>::new();
        let invite = payload("Invite", &body(&none)).unwrap();
        assert_eq!(invite, ("people.invite".to_owned(), serde_json::json!({})));
        assert_eq!(payload("List", &body(&())).unwrap().1, Value::Null);
        assert!(question("Publish", &body(&())).is_none());
    }

    #[test]
    fn an_option_that_there_is_not_is_named() {
        let options = BTreeMap::from([("petnam", Variant::from("bob"))]);
        let failure = payload("Join", &body(&("kith://join/x", &options))).unwrap_err();
        assert!(failure.text.contains("petnam") && failure.text.contains("petname"), "{failure:?}");
    }
}
