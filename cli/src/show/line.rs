//! What `sub` prints for a person: one line a message, and the notices between them.

use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::{columns, preview, quantity};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kith_wire::{Delivery, Priority};

/// The longest of `self`, `friends`, `public`.
const SCOPE_COLUMNS: usize = 7;

/// Whose clock, and which colours.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) zone: TimeZone,
    pub(crate) paint: Paint,
}

/// A message on one line, with its line feed: time, scope, topic, payload, and what is special.
pub(crate) fn message(delivery: &Delivery<'_>, now_ms: u64, setting: &Setting) -> String {
    let paint = setting.paint;
    let time = paint.paint(Style::Faint, &time_of_day(delivery.sent_at_ms, &setting.zone));
    let scope = columns::left(delivery.scope.name(), SCOPE_COLUMNS);
    let scope = paint.paint(Style::Scope(delivery.scope), &scope);
    let topic = paint.paint(Style::Topic, &address(delivery));
    let payload = preview::whole(&delivery.protocol, delivery.payload);
    let mut line = format!("{time} {scope} {topic} {payload}");
    let notes = notes(delivery, now_ms);
    if !notes.is_empty() {
        line.push(' ');
        line.push_str(&paint.paint(Style::Faint, &format!("({})", notes.join(", "))));
    }
    line.push('\n');
    line
}

/// How many messages are missing here.
pub(crate) fn lag(count: u64) -> String {
    format!("{} missed here: not read fast enough", quantity::messages(count))
}

/// That messages may be missing here.
pub(crate) const GAP: &str =
    "the connection was lost and is back; messages in between may be missing here";

/// The time of a day, to the millisecond; the moment as it is where no calendar has it.
pub(crate) fn time_of_day(unix_ms: u64, zone: &TimeZone) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match moment {
        Some(moment) => moment.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
        None => unix_ms.to_string(),
    }
}

/// A day and a time of it, to the minute; the moment as it is where no calendar has it.
pub(crate) fn moment(unix_ms: u64, zone: &TimeZone) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match moment {
        Some(moment) => moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        None => unix_ms.to_string(),
    }
}

/// Who sent it: the user's name for them before their identity, where they have one.
fn sender(delivery: &Delivery<'_>) -> String {
    let sender = harmless(delivery.sender);
    match delivery.petname {
        Some(petname) => format!("{} ({sender})", harmless(petname)),
        None => sender.into_owned(),
    }
}

/// The topic as a pattern would name it, without the scope: `chess.move`, `bt/1f6a`.
pub(crate) fn address(delivery: &Delivery<'_>) -> String {
    let topic = harmless(delivery.topic.as_str());
    if delivery.protocol.is_ms() {
        return topic.into_owned();
    }
    format!("{}/{topic}", harmless(delivery.protocol.as_str()))
}

fn notes(delivery: &Delivery<'_>, now_ms: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if delivery.retained {
        let age_ms = now_ms.saturating_sub(delivery.sent_at_ms);
        notes.push(format!("kept, {} old", quantity::span(age_ms)));
    }
    if let Some(attempt) = delivery.attempt.filter(|attempt| attempt.get() > 1) {
        notes.push(format!("attempt {attempt}"));
    }
    if delivery.sender != kith_wire::SENDER_LOCAL {
        notes.push(format!("from {}", sender(delivery)));
    }
    if delivery.priority != Priority::Normal {
        notes.push(delivery.priority.name().to_owned());
    }
    if delivery.reply_to.is_some() {
        notes.push("wants a reply".to_owned());
    }
    for (key, value) in delivery.headers.iter() {
        notes.push(format!("{}={}", harmless(key), harmless(value)));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::{HOSTILE, assert_harmless, delivery, full};

    fn setting(is_colored: bool) -> Setting {
        Setting { zone: TimeZone::UTC, paint: Paint::new(is_colored) }
    }

    #[test]
    fn a_message_takes_one_line() {
        let line = message(&delivery("chess.move", b"{ \"a\": 1 }"), 0, &setting(false));
        assert_eq!(line, "22:13:20.000 self    chess.move {\"a\":1}\n");
        let line = message(&full(), 1_700_000_065_000, &setting(false));
        let expected = "22:13:20.000 friends bt/a.\\u202eb 0xff (kept, 1m old, attempt 2, \
                        from did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK, high, \
                        wants a reply, trace=7, name=\\u202ex)\n";
        assert_eq!(line, expected);
        let named = Delivery { petname: Some("bob"), sender: "did:key:x", ..delivery("a", b"1") };
        let line = message(&named, 0, &setting(false));
        assert_eq!(line, "22:13:20.000 self    a 1 (from bob (did:key:x))\n");
    }

    #[test]
    fn hostile_payloads_are_shown_and_nothing_else() {
        for payload in HOSTILE {
            for protocol in ["ms", "x"] {
                let protocol = kith_wire::Protocol::new(protocol).unwrap();
                let hostile = Delivery { protocol, ..delivery("a.\u{202e}", payload) };
                for is_colored in [false, true] {
                    let line = message(&hostile, 0, &setting(is_colored));
                    assert_harmless(line.strip_suffix('\n').unwrap());
                }
            }
        }
    }

    #[test]
    fn the_time_is_the_readers() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(time_of_day(1_700_000_000_123, &zone), "00:13:20.123");
        assert_eq!(time_of_day(u64::MAX, &zone), "18446744073709551615");
        assert_eq!(moment(1_700_000_000_123, &zone), "2023-11-15 00:13");
        assert_eq!(moment(u64::MAX, &zone), "18446744073709551615");
    }

    #[test]
    fn notices_say_how_many() {
        assert_eq!(lag(1), "1 message missed here: not read fast enough");
        assert_eq!(lag(4588), "4,588 messages missed here: not read fast enough");
    }
}
