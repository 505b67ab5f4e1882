//! What `status` prints about people: who this is, links to others, what is on its way to them, and
//! what of theirs was refused.

use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::people::{Me, round_trip, short};
use crate::show::table::{Row, Side, table};
use crate::show::{columns, quantity};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Columns of a name or an address.
const COLUMNS: usize = 48;

/// The answer of `people.status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct People {
    me: Option<Me>,
    links: Vec<Link>,
    outgoing_messages: u64,
    outgoing_bytes: u64,
    refused: BTreeMap<String, u64>,
    store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    device: String,
    person: Option<String>,
    petname: Option<String>,
    transport: String,
    endpoint: Option<String>,
    rtt_us: Option<u64>,
}

/// All of it, with its line feeds.
pub(super) fn section(people: &People, paint: Paint) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str, style: Option<Style>| {
        let value = style.map_or_else(|| value.to_owned(), |style| paint.paint(style, value));
        let name = paint.paint(Style::Faint, &columns::left(name, 10));
        text.push_str(&format!("  {name}{value}\n"));
    };
    if let Some(me) = &people.me {
        let name =
            if me.name.is_empty() { "no name yet: `kith init`".into() } else { harmless(&me.name) };
        line("person", &format!("{name} ({})", harmless(&me.identity)), None);
        line("device", &harmless(&me.device_name), None);
    }
    let sent = quantity::bytes(people.outgoing_bytes);
    let outgoing = format!("{} ({sent})", quantity::messages(people.outgoing_messages));
    line("outgoing", if people.outgoing_messages == 0 { "0" } else { &outgoing }, None);
    let refused: Vec<_> = people
        .refused
        .iter()
        .map(|(cause, count)| format!("{} {}", harmless(cause), quantity::count(*count)))
        .collect();
    if !refused.is_empty() {
        line("refused", &refused.join(", "), Some(Style::Loss));
    }
    if let Some(failure) = &people.store {
        line("failing", &harmless(failure), Some(Style::Fault));
    }
    if people.links.is_empty() {
        line("links", "none", None);
        return text;
    }
    text + "\n" + &links(people, paint)
}

fn links(people: &People, paint: Paint) -> String {
    const HEADING: [(&str, Side); 5] = [
        ("PERSON", Side::Left),
        ("DEVICE", Side::Left),
        ("BY", Side::Left),
        ("AT", Side::Left),
        ("ROUND TRIP", Side::Right),
    ];
    let me = people.me.as_ref().map(|me| me.identity.as_str());
    let row = |link: &Link| {
        let person = match (&link.petname, link.person.as_deref()) {
            (Some(petname), _) => harmless(petname).into_owned(),
            (None, Some(person)) if Some(person) == me => "self".to_owned(),
            (None, Some(person)) => short(person),
            (None, None) => "unknown".to_owned(),
        };
        Row::plain([
            columns::cut(&person, COLUMNS),
            short(&link.device),
            columns::cut(&harmless(&link.transport), COLUMNS),
            columns::cut(&harmless(link.endpoint.as_deref().unwrap_or("-")), COLUMNS),
            round_trip(link.rtt_us),
        ])
    };
    table(HEADING, people.links.iter().map(row).collect(), paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::assert_harmless;

    #[test]
    fn links_and_refusals_are_shown() {
        let text = r#"{"me":{"identity":"did:key:z6MkME","name":"Ada\u001b","device_name":"desk"},
            "links":[
             {"device":"z6MkA","person":"did:key:z6MkB","petname":"bob","transport":"quic",
              "endpoint":"192.0.2.7:1","rtt_us":900},
             {"device":"z6MkC","person":"did:key:z6MkME","transport":"quic"},
             {"device":"z6MkD","transport":"quic"}],
            "outgoing_messages":2,"outgoing_bytes":10,"refused":{"revoked":3,"unwanted":1000},
            "store":"the disk is full"}"#;
        let people = serde_json::from_str(text).unwrap();
        let expected = "  person    Ada\\u001b (did:key:z6MkME)
  device    desk
  outgoing  2 messages (10 B)
  refused   revoked 3, unwanted 1,000
  failing   the disk is full

  PERSON   DEVICE  BY    AT           ROUND TRIP
  bob      …z6MkA  quic  192.0.2.7:1      900 µs
  self     …z6MkC  quic  -                     -
  unknown  …z6MkD  quic  -                     -
";
        assert_eq!(section(&people, Paint::plain()), expected);
        section(&people, Paint::new(true)).lines().for_each(assert_harmless);
        let nobody = serde_json::from_str("{}").unwrap();
        assert_eq!(section(&nobody, Paint::plain()), "  outgoing  0\n  links     none\n");
    }
}
