//! What is asked about people, and what is to be changed: in JSON, by `kith` or whoever may.
//!
//! Whoever may ask the daemon's lists may ask for these; to change something takes an
//! administrator. An answer says what has changed only once that is on the disk.

use crate::post::Post;
use kith_contract::people::Change;
use kith_people::{CardDevice, CircleEntry, DeviceId, PersonId, Petname, Relation};
use kith_wire::{Code, Refusal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The questions that change nothing.
const LISTS: [&str; 5] =
    ["people.me", "people.list", "people.devices", "people.card", "people.status"];

/// Those of them that are answered without an identity too.
const LOOKS: [&str; 3] = ["people.list", "people.devices", "people.status"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Init {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) device_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    person: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    person: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    person: String,
    #[serde(default)]
    petname: Option<String>,
    #[serde(default)]
    at: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    device: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invite {
    #[serde(default)]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) expires_ms: Option<u64>,
    #[serde(default)]
    pub(crate) uses: Option<u64>,
    #[serde(default)]
    pub(crate) petname: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Join {
    pub(crate) link: String,
    #[serde(default)]
    pub(crate) petname: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passphrase {
    pub(crate) passphrase: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    pub(crate) words: String,
}

/// Answers a question.
pub(crate) fn answer(
    post: &mut Post,
    ticket: u64,
    topic: &str,
    payload: &[u8],
    is_administrator: bool,
) {
    if !is_administrator && !LISTS.contains(&topic) {
        return post.answered(ticket, Err(denied(topic)));
    }
    // To look makes nothing: who has no people need not become a person.
    let needs_identity = !LOOKS.contains(&topic);
    if let Err(refusal) = if needs_identity { post.identity() } else { Ok(()) } {
        return post.answered(ticket, Err(refusal));
    }
    if let Some(result) = answer_now(post, ticket, topic, payload) {
        post.answered(ticket, result);
    }
}

/// The answer, unless it comes later.
fn answer_now(
    post: &mut Post,
    ticket: u64,
    topic: &str,
    payload: &[u8],
) -> Option<Result<String, Refusal>> {
    Some(match topic {
        "people.me" => Ok(me(post).to_string()),
        "people.list" => Ok(list(post).to_string()),
        "people.devices" => Ok(devices(post).to_string()),
        "people.card" => Ok(card(post).to_string()),
        "people.status" => Ok(status(post).to_string()),
        "people.init" => {
            read(topic, payload).and_then(|init| post.init(init)).map(|()| me(post).to_string())
        }
        "people.add" => read(topic, payload).and_then(|asked| add(post, &asked)),
        "people.rename" => read(topic, payload).and_then(|asked| rename(post, &asked)),
        "people.verify" => read(topic, payload).and_then(|Who { person }| {
            change(post, &person, Change::Verified, |entry| entry.verified = true)
        }),
        "people.reject" => read(topic, payload).and_then(|Who { person }| {
            change(post, &person, Change::Rejected, |entry| entry.relation = Relation::Rejected)
        }),
        "people.remove" => read(topic, payload).and_then(|Who { person }| {
            let removed = change(post, &person, Change::Removed, |entry| {
                entry.relation = Relation::Removed;
                entry.verified = false;
            });
            // Who was a friend knows the secret by which devices are recognised.
            post.renew_tag_secret();
            removed
        }),
        "people.removeDevice" => read(topic, payload)
            .and_then(|Device { device }| post.remove_device(&device))
            .map(|()| devices(post).to_string()),
        "people.invite" => read(topic, payload).and_then(|asked| post.invite(&asked)),
        "people.join" => match read(topic, payload) {
            Ok(asked) => match post.join(ticket, &asked) {
                Ok(()) => return None,
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        },
        "people.lock" => read(topic, payload).and_then(|asked| post.lock(&asked)),
        "people.unlock" => read(topic, payload).and_then(|asked| post.unlock(&asked)),
        "people.recovery" => post.recovery_words(),
        "people.recover" => read(topic, payload).and_then(|asked| post.recover(&asked)),
        _ => Err(Refusal::new(Code::NoResponders, format!("`{topic}` is no question"))),
    })
}

fn denied(topic: &str) -> Refusal {
    let text = format!(
        "`{topic}` takes an administrator: `kith` is one, and so is whoever shows the key in \
         `administration.key` of the daemon's state directory; another program needs a grant: \
         `kith grants add exe:/PATH administer`"
    );
    Refusal::new(Code::NotGranted, text)
}

fn read<T: DeserializeOwned>(topic: &str, payload: &[u8]) -> Result<T, Refusal> {
    let payload =
        if payload.trim_ascii().is_empty() || payload == b"null" { b"{}" } else { payload };
    serde_json::from_slice(payload).map_err(|error| {
        // Without the place, which is in a payload that has one line.
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        Refusal::new(Code::BadField, format!("`{topic}`: {text}"))
    })
}

fn add(post: &mut Post, asked: &Add) -> Result<String, Refusal> {
    let person = post.whom(&asked.person)?;
    for address in &asked.at {
        if address.parse::<std::net::SocketAddr>().is_err() {
            let text = format!("`{address}` is no address: write `192.0.2.7:4711` or `[::1]:4711`");
            return Err(Refusal::new(Code::BadField, text));
        }
    }
    let petname = asked.petname.as_deref().map(petname).transpose()?;
    let befriended = change(post, &asked.person, Change::Befriended, |entry| {
        entry.relation = Relation::Friend;
        if petname.is_some() {
            entry.petname = petname;
        }
    })?;
    if !asked.at.is_empty() {
        post.keep_addresses(person, &asked.at);
    }
    post.dial_all();
    Ok(befriended)
}

fn rename(post: &mut Post, asked: &Rename) -> Result<String, Refusal> {
    let petname = petname(&asked.to)?;
    change(post, &asked.person, Change::Renamed, |entry| entry.petname = Some(petname))
}

pub(crate) fn petname(text: &str) -> Result<Petname, Refusal> {
    Petname::new(text).map_err(|error| Refusal::new(Code::BadField, error.to_string()))
}

fn change(
    post: &mut Post,
    who: &str,
    change: Change,
    with: impl FnOnce(&mut CircleEntry),
) -> Result<String, Refusal> {
    let person = post.whom(who)?;
    let now_ms = post.now.unix_ms;
    post.people
        .update_circle(now_ms, person, with)
        .map_err(|error| Refusal::new(Code::BadField, error.to_string()))?;
    post.tell_changed(change, person, None, None);
    post.apply_relation(person);
    post.tell_all_own();
    Ok(row(post, person).to_string())
}

fn me(post: &Post) -> Value {
    let Some(me) = &post.me else { return Value::Null };
    json!({
        "identity": me.person.to_string(),
        "name": me.card.name,
        "device": me.device().to_string(),
        "device_name": me.device_name,
        "key": me.file.word(me.key.is_some()),
        "listed": me.is_listed(),
        "devices": me.card.devices.len(),
        "endpoints": me.endpoints(),
        "card_version": me.card.version,
    })
}

fn card(post: &Post) -> Value {
    let Some(me) = &post.me else { return Value::Null };
    let hash = hexadecimal(&me.card.hash());
    json!({
        "identity": me.person.to_string(),
        "version": me.card.version,
        "created": me.card.created,
        "name": me.card.name,
        "sha256": hash,
        "bytes": hexadecimal(me.card.bytes()),
        "devices": devices(post),
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn devices(post: &Post) -> Value {
    let Some(me) = &post.me else { return json!([]) };
    let row = |device: &CardDevice| {
        let row = device_row(post, device.sign_id, &device.name, device.added);
        let this = json!(device.sign_id == me.device());
        with(with(row, "this", this), "may_edit_circle", json!(device.may_edit_circle))
    };
    Value::from(me.card.devices.iter().map(row).collect::<Vec<_>>())
}

/// The same row, with one field more.
pub(crate) fn with(mut row: Value, name: &str, value: Value) -> Value {
    if let Some(fields) = row.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
    row
}

fn device_row(post: &Post, device: DeviceId, name: &str, added: u64) -> Value {
    let link = post.links.best(device);
    json!({
        "device": device.to_string(),
        "name": name,
        "added": added,
        "online": link.is_some(),
        "transport": link.map(|link| link.transport.as_str()),
        "endpoint": link.and_then(|link| link.endpoint.as_deref()),
        "rtt_us": link.and_then(|link| link.rtt_us),
    })
}

fn list(post: &Post) -> Value {
    let people = post.people.everybody();
    Value::from(people.into_iter().map(|person| row(post, person)).collect::<Vec<_>>())
}

/// A person, as lists have them.
pub(crate) fn row(post: &Post, person: PersonId) -> Value {
    let card = post.people.card(person);
    let entry = post.people.circle().entry(&person);
    let is_frozen = post.people.person(&person).is_some_and(|known| known.fork().is_some());
    let relation = match entry.map(|entry| entry.relation) {
        Some(Relation::Friend) => "friend",
        Some(Relation::Rejected) => "rejected",
        Some(Relation::Removed) => "removed",
        None => "unknown",
    };
    let devices: Vec<_> = card.map_or_else(Vec::new, |card| {
        let row =
            |device: &CardDevice| device_row(post, device.sign_id, &device.name, device.added);
        card.devices.iter().map(row).collect()
    });
    json!({
        "identity": person.to_string(),
        "petname": post.people.petname(person),
        "name": card.map(|card| card.name.as_str()),
        "relation": relation,
        "verified": entry.is_some_and(|entry| entry.verified),
        "frozen": is_frozen,
        "safety_number": post.people.safety_number(person),
        "devices": devices,
    })
}

fn status(post: &Post) -> Value {
    let (messages, bytes) = post.outbox.totals();
    let refused: serde_json::Map<_, _> =
        post.counts.iter().map(|(cause, count)| (cause.name().to_owned(), json!(count))).collect();
    let links: Vec<_> = post
        .links
        .devices()
        .flat_map(|device| post.links.of(device).iter().map(move |link| (device, link)))
        .map(|(device, link)| {
            let person = post.people.person_of(device);
            json!({
                "device": device.to_string(),
                "person": person.map(|person| person.to_string()),
                "petname": person.and_then(|person| post.people.petname(person)),
                "transport": link.transport,
                "endpoint": link.endpoint,
                "rtt_us": link.rtt_us,
            })
        })
        .collect();
    json!({
        "me": me(post),
        "links": links,
        "outgoing_messages": messages,
        "outgoing_bytes": bytes,
        "refused": refused,
        "store": post.gate.is_stuck().map(ToString::to_string),
    })
}
