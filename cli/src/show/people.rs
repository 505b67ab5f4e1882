//! What the commands about people print: who one is, friends, devices, links.
//!
//! What others call themselves and their devices is theirs, and the last to be trusted: it is made
//! harmless, and stands behind the name that the user gave. What a daemon leaves out counts as
//! nothing; what it adds is in `--json`.

use crate::show::harmless::harmless;
use crate::show::line::moment;
use crate::show::paint::{Paint, Style};
use crate::show::table::{Row, Side, table};
use crate::show::{columns, quantity};
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::borrow::Cow;

/// Columns of a name in a table.
const NAME_COLUMNS: usize = 32;
/// What is shown of an id where there is no room for all of it.
const ID_CHARS: usize = 6;

/// The answer of `people.me`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Me {
    pub(crate) identity: String,
    pub(crate) name: String,
    pub(crate) device: String,
    pub(crate) device_name: String,
    pub(crate) key: String,
    pub(crate) listed: bool,
    pub(crate) devices: u64,
    pub(crate) endpoints: Vec<String>,
    pub(crate) card_version: u64,
}

/// A row of `people.list`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Person {
    pub(crate) identity: String,
    pub(crate) petname: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) relation: String,
    pub(crate) verified: bool,
    pub(crate) frozen: bool,
    pub(crate) safety_number: String,
    pub(crate) devices: Vec<Device>,
}

/// A row of `people.devices`, or of a person's devices.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Device {
    pub(crate) device: String,
    pub(crate) name: String,
    pub(crate) added: u64,
    pub(crate) online: bool,
    pub(crate) transport: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) rtt_us: Option<u64>,
    #[serde(rename = "this")]
    pub(crate) is_this: bool,
}

/// The answer of `people.card`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Card {
    identity: String,
    version: u64,
    created: u64,
    name: String,
    sha256: String,
    devices: Vec<Device>,
}

impl Person {
    /// What to call them: the user's name for them, or the end of their identity.
    pub(crate) fn called(&self) -> String {
        match &self.petname {
            Some(petname) => harmless(petname).into_owned(),
            None => short(&self.identity),
        }
    }

    /// How they stand, in words.
    fn standing(&self) -> String {
        let mut words = vec![harmless(&self.relation).into_owned()];
        if self.verified {
            words.push("verified".to_owned());
        }
        if self.frozen {
            words.push("frozen: has signed two cards of one version".to_owned());
        }
        words.join(", ")
    }

    /// Whether they are in the list that is shown if nothing else is asked for.
    pub(crate) fn is_shown(&self) -> bool {
        self.frozen || matches!(self.relation.as_str(), "friend" | "rejected")
    }
}

/// The end of an id, which differs where its beginning doesn't.
pub(crate) fn short(id: &str) -> String {
    let start = id.char_indices().rev().nth(ID_CHARS - 1).map_or(0, |(at, _)| at);
    format!("…{}", harmless(id.get(start..).unwrap_or_default()))
}

/// A name, or what to say where there is none.
fn name_or<'a>(name: &'a str, otherwise: &'a str) -> Cow<'a, str> {
    if name.is_empty() { Cow::Borrowed(otherwise) } else { harmless(name) }
}

/// Who one is, for a person.
pub(crate) fn me(me: &Me, paint: Paint) -> String {
    let key = match me.key.as_str() {
        "here" => "on this device, without a passphrase",
        "locked" => "on this device, locked: `kith unlock`",
        "unlocked" => "on this device, unlocked: `kith lock`",
        "elsewhere" => "on another of your devices",
        other => other,
    };
    let mut rows = vec![
        ("name", name_or(&me.name, "none yet: `kith init`").into_owned()),
        ("device", format!("{} ({})", harmless(&me.device_name), harmless(&me.device))),
        ("key", harmless(key).into_owned()),
        ("reached at", reached(&me.endpoints)),
    ];
    if !me.listed {
        rows.push(("card", "this device is not in it: `kith devices add`".to_owned()));
    }
    format!("{}\n{}", harmless(&me.identity), fields(&rows, paint))
}

fn reached(endpoints: &[String]) -> String {
    match endpoints {
        [] => "nothing: `kith services enable quic`".to_owned(),
        endpoints => harmless(&endpoints.join(", ")).into_owned(),
    }
}

/// Names and what they have, one a line.
fn fields(rows: &[(&str, String)], paint: Paint) -> String {
    let width = rows.iter().map(|(name, _)| columns::width(name)).max().unwrap_or_default();
    let row = |(name, value): &(&str, String)| {
        let name = paint.paint(Style::Faint, &columns::left(name, width));
        format!("  {name}  {value}\n")
    };
    rows.iter().map(row).collect()
}

/// The card, for a person.
pub(crate) fn card(card: &Card, now_ms: u64, zone: &TimeZone, paint: Paint) -> String {
    let rows = [
        ("identity", harmless(&card.identity).into_owned()),
        ("name", name_or(&card.name, "none yet: `kith init`").into_owned()),
        ("signed", moment(card.version, zone)),
        ("first signed", moment(card.created, zone)),
        ("sha256", harmless(&card.sha256).into_owned()),
    ];
    fields(&rows, paint) + &devices(&card.devices, now_ms, paint)
}

/// Friends, as a table.
pub(crate) fn friends(people: &[&Person], paint: Paint) -> String {
    const HEADING: [(&str, Side); 5] = [
        ("NAME", Side::Left),
        ("CALLS THEMSELF", Side::Left),
        ("CONNECTED", Side::Right),
        ("IDENTITY", Side::Left),
        ("STANDING", Side::Left),
    ];
    if people.is_empty() {
        return "there are no friends here yet; `kith invite` makes a link for one, and \
                `kith join` uses one\n"
            .to_owned();
    }
    let row = |person: &&Person| {
        let online = person.devices.iter().filter(|device| device.online).count();
        let cells = [
            columns::cut(
                &person.petname.as_deref().map_or_else(|| "-".into(), harmless),
                NAME_COLUMNS,
            ),
            columns::cut(&name_or(person.name.as_deref().unwrap_or_default(), "-"), NAME_COLUMNS),
            format!("{online}/{}", person.devices.len()),
            short(&person.identity),
            person.standing(),
        ];
        let is_special = person.frozen || person.relation == "rejected";
        Row { cells, style: is_special.then_some(Style::Loss), note: None }
    };
    table(HEADING, people.iter().map(row).collect(), paint)
}

/// Everything about one person.
pub(crate) fn person(person: &Person, now_ms: u64, paint: Paint) -> String {
    let mut rows = vec![
        ("identity", harmless(&person.identity).into_owned()),
        (
            "calls themself",
            name_or(person.name.as_deref().unwrap_or_default(), "nothing").into_owned(),
        ),
        ("standing", person.standing()),
        ("safety number", harmless(&person.safety_number).into_owned()),
    ];
    if !person.verified && person.relation == "friend" {
        let verify = format!("not compared yet: `kith friends verify {}`", person.called());
        rows.push(("", verify));
    }
    let head = paint.paint(Style::Heading, &person.called());
    let devices = if person.devices.is_empty() {
        "  no card of theirs has come yet, so nothing can be sent to them\n".to_owned()
    } else {
        devices(&person.devices, now_ms, paint)
    };
    format!("{head}\n{}{devices}", fields(&rows, paint))
}

/// Devices, as a table.
pub(crate) fn devices(devices: &[Device], now_ms: u64, paint: Paint) -> String {
    const HEADING: [(&str, Side); 5] = [
        ("DEVICE", Side::Left),
        ("ID", Side::Left),
        ("ADDED", Side::Right),
        ("CONNECTED", Side::Left),
        ("ROUND TRIP", Side::Right),
    ];
    let row = |device: &Device| {
        let way = match (&device.transport, &device.endpoint) {
            _ if device.is_this => "this device".to_owned(),
            (Some(transport), Some(endpoint)) => format!("{transport} {endpoint}"),
            (Some(transport), None) => transport.clone(),
            (None, _) => "no".to_owned(),
        };
        let cells = [
            columns::cut(&name_or(&device.name, "-"), NAME_COLUMNS),
            short(&device.device),
            format!("{} ago", quantity::span(now_ms.saturating_sub(device.added))),
            columns::cut(&harmless(&way), 2 * NAME_COLUMNS),
            round_trip(device.rtt_us),
        ];
        Row::plain(cells)
    };
    table(HEADING, devices.iter().map(row).collect(), paint)
}

pub(crate) fn round_trip(rtt_us: Option<u64>) -> String {
    let shown = |us: u64| quantity::nanoseconds(us.saturating_mul(1000));
    rtt_us.map_or_else(|| "-".to_owned(), shown)
}

/// What to read to each other before somebody counts as verified.
pub(crate) fn safety(person: &Person, paint: Paint) -> String {
    let number = paint.paint(Style::Heading, &harmless(&person.safety_number));
    let who = person.called();
    format!(
        "  {number}\n{who} sees the same number, if nobody is in between. Compare it where you\n\
         can see or hear each other, not over the bus.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::assert_harmless;

    fn bob() -> Person {
        serde_json::from_str(
            r#"{"identity":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            "petname":"bob","name":"Robert \u001b[2J","relation":"friend","verified":true,
            "frozen":false,"safety_number":"00001 00002 00003 00004 00005 00006","new":1,
            "devices":[
             {"device":"z6MkA","name":"laptop","added":1000,"online":true,"transport":"quic",
              "endpoint":"192.0.2.7:4711","rtt_us":1250},
             {"device":"z6MkB","name":"","added":61000,"online":false,"transport":null,
              "endpoint":null,"rtt_us":null}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn friends_are_a_table() {
        let (bob, mut mallory) = (bob(), bob());
        mallory.petname = None;
        mallory.relation = "rejected".to_owned();
        mallory.verified = false;
        let text = friends(&[&bob, &mallory], Paint::plain());
        let expected = "  \
NAME  CALLS THEMSELF    CONNECTED  IDENTITY  STANDING
  bob   Robert \\u001b[2J        1/2  …ta2doK   friend, verified
  -     Robert \\u001b[2J        1/2  …ta2doK   rejected
";
        assert_eq!(text, expected);
        assert!(friends(&[], Paint::plain()).contains("`kith invite`"));
        assert!(bob.is_shown() && mallory.is_shown());
        mallory.relation = "removed".to_owned();
        assert!(!mallory.is_shown());
    }

    #[test]
    fn a_person_is_shown_with_their_devices() {
        let text = person(&bob(), 121_000, Paint::plain());
        text.lines().for_each(assert_harmless);
        let expected = "bob
  identity        did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK
  calls themself  Robert \\u001b[2J
  standing        friend, verified
  safety number   00001 00002 00003 00004 00005 00006
  DEVICE  ID       ADDED  CONNECTED            ROUND TRIP
  laptop  …z6MkA  2m ago  quic 192.0.2.7:4711      1.2 ms
  -       …z6MkB  1m ago  no                            -
";
        assert_eq!(text, expected);
        let stranger = Person { devices: Vec::new(), verified: false, ..bob() };
        let text = person(&stranger, 0, Paint::plain());
        assert!(text.contains("not compared yet: `kith friends verify bob`"), "{text}");
        assert!(text.contains("nothing can be sent to them"), "{text}");
    }

    #[test]
    fn who_one_is_is_told_with_what_is_missing() {
        let mut one = Me { identity: "did:key:z6Mk".to_owned(), ..Me::default() };
        one.device_name = "laptop".to_owned();
        one.device = "z6MkA".to_owned();
        one.key = "here".to_owned();
        let expected = "did:key:z6Mk
  name        none yet: `kith init`
  device      laptop (z6MkA)
  key         on this device, without a passphrase
  reached at  nothing: `kith services enable quic`
  card        this device is not in it: `kith devices add`
";
        assert_eq!(me(&one, Paint::plain()), expected);
        assert_eq!(short("ab"), "…ab");
    }
}
