//! What `kith consumers` prints: who is owed what, for how long, and how the store is.

use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::table::{Row, Side, table};
use crate::show::{columns, quantity};
use serde::Deserialize;

/// The answer of `bus.consumers`.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Consumers {
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) store: Store,
}

/// One of them.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Consumer {
    pub(crate) name: String,
    pub(crate) pattern: String,
    pub(crate) connections: u64,
    pub(crate) waiting: u64,
    pub(crate) waiting_bytes: u64,
    pub(crate) in_flight: u64,
    pub(crate) oldest_ms: Option<u64>,
    pub(crate) redelivered: u64,
    pub(crate) refused: u64,
    pub(crate) dead: u64,
}

/// How the store is.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Store {
    pub(crate) kind: String,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) failing: Option<String>,
}

/// The table, and the store below it.
pub(crate) fn overview(all: &Consumers, now_ms: u64, paint: Paint) -> String {
    const HEADING: [(&str, Side); 10] = [
        ("NAME", Side::Left),
        ("PATTERN", Side::Left),
        ("CONNECTED", Side::Right),
        ("DEPTH", Side::Right),
        ("OLDEST", Side::Right),
        ("IN FLIGHT", Side::Right),
        ("LAG", Side::Right),
        ("REDELIVERED", Side::Right),
        ("DEAD", Side::Right),
        ("REFUSED", Side::Right),
    ];
    let Consumers { consumers, store } = all;
    let mut text = if consumers.is_empty() {
        "there are no consumers; `kith sub --durable NAME` makes one\n".to_owned()
    } else {
        table(HEADING, consumers.iter().map(|one| row(one, now_ms)).collect(), paint)
    };
    text.push_str(&state(store, paint));
    text
}

fn row(consumer: &Consumer, now_ms: u64) -> Row<10> {
    let Consumer { waiting, waiting_bytes, in_flight, dead, refused, .. } = *consumer;
    let depth = match waiting {
        0 => "0".to_owned(),
        _ => format!("{} ({})", quantity::count(waiting), quantity::bytes(waiting_bytes)),
    };
    let oldest = consumer.oldest_ms.filter(|_| waiting > 0);
    let oldest = oldest.map(|oldest| quantity::span(now_ms.saturating_sub(oldest)));
    let cells = [
        columns::cut(&harmless(&consumer.name), 64),
        columns::cut(&harmless(&consumer.pattern), 64),
        quantity::count(consumer.connections),
        depth,
        oldest.unwrap_or_else(|| "-".to_owned()),
        quantity::count(in_flight),
        quantity::count(waiting.saturating_sub(in_flight)),
        quantity::count(consumer.redelivered),
        quantity::count(dead),
        quantity::count(refused),
    ];
    let style = (dead > 0 || refused > 0).then_some(Style::Loss);
    Row { cells, style, note: None }
}

/// The store in a line; what fails in another one.
fn state(store: &Store, paint: Paint) -> String {
    let Store { kind, messages, bytes, failing } = store;
    let (kind, messages, bytes) =
        (harmless(kind), quantity::messages(*messages), quantity::bytes(*bytes));
    let mut text = format!("store: {kind}, {messages}, {bytes}\n");
    if let Some(failing) = failing {
        let line = format!("nothing can be stored: {}", harmless(failing));
        text.push_str(&paint.paint(Style::Loss, &line));
        text.push('\n');
    }
    text
}

/// What would be lost, as a question.
pub(crate) fn question(consumer: &Consumer, what: Loss) -> String {
    let Consumer { waiting, waiting_bytes, dead, .. } = *consumer;
    let name = harmless(&consumer.name);
    let waits = || {
        let size = quantity::bytes(waiting_bytes);
        format!("{} ({size}) {} for", quantity::messages(waiting), verb(waiting))
    };
    let letters = || quantity::counted(dead, "dead letter");
    match what {
        Loss::Waiting => format!("{} {name}. Throw them away?", waits()),
        Loss::Dead => format!("{name} has {}. Throw them away?", letters()),
        Loss::All => {
            let (waits, letters) = (waits(), letters());
            format!("{waits} {name}, which has {letters}. Remove all that, and {name}?")
        }
    }
}

fn verb(count: u64) -> &'static str {
    if count == 1 { "waits" } else { "wait" }
}

/// What is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// What waits.
    Waiting,
    /// Dead letters.
    Dead,
    /// Both, and the consumer.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::assert_harmless;

    fn read(text: &str) -> Consumers {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_table_says_what_waits_and_for_how_long() {
        let all = read(
            r#"{"consumers":[
            {"name":"mail","pattern":"self.mail.>","connections":1,"waiting":1200,
             "waiting_bytes":2097152,"in_flight":1024,"oldest_ms":1000,"redelivered":3,"new":1},
            {"name":"idle","pattern":"raw/self.a","oldest_ms":5},
            {"name":"sick","pattern":"self.b","waiting":1,"waiting_bytes":9,"oldest_ms":60000,
             "dead":2}],
            "store":{"kind":"sqlite","messages":1201,"bytes":2097161}}"#,
        );
        let expected = "  \
NAME  PATTERN      CONNECTED          DEPTH  OLDEST  IN FLIGHT  LAG  REDELIVERED  DEAD  REFUSED
  mail  self.mail.>          1  1,200 (2 MiB)      1m      1,024  176            3     0        0
  idle  raw/self.a           0              0       -          0    0            0     0        0
  sick  self.b               0        1 (9 B)    1.0s          0    1            0     2        0
store: sqlite, 1,201 messages, 2 MiB
";
        assert_eq!(overview(&all, 61_000, Paint::plain()), expected);
    }

    #[test]
    fn what_is_missing_and_what_fails_is_said() {
        let none = read(r#"{"consumers":[],"store":{"kind":"sqlite","messages":0,"bytes":0}}"#);
        assert_eq!(
            overview(&none, 0, Paint::plain()),
            "there are no consumers; `kith sub --durable NAME` makes one\n\
             store: sqlite, 0 messages, 0 B\n"
        );
        let full = read(
            r#"{"consumers":[{"name":"\u001b[2J","pattern":"\u202e"}],
            "store":{"kind":"sqlite","messages":1,"bytes":9,"failing":"the disk is full\u0007"}}"#,
        );
        let text = overview(&full, 0, Paint::plain());
        text.lines().for_each(assert_harmless);
        let end = "store: sqlite, 1 message, 9 B\nnothing can be stored: the disk is full\\u0007\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_question_says_what_would_be_lost() {
        let text = r#"{"name":"mail","waiting":1,"waiting_bytes":5,"dead":2}"#;
        let mail: Consumer = serde_json::from_str(text).unwrap();
        let asked = question(&mail, Loss::Waiting);
        assert_eq!(asked, "1 message (5 B) waits for mail. Throw them away?");
        let asked = question(&mail, Loss::Dead);
        assert_eq!(asked, "mail has 2 dead letters. Throw them away?");
        let asked = question(&mail, Loss::All);
        let rest = "which has 2 dead letters. Remove all that, and mail?";
        assert_eq!(asked, format!("1 message (5 B) waits for mail, {rest}"));
    }
}
