//! What `tap` prints for a person: a table that is as wide as the terminal, and never wider.
//!
//! Fixed columns first, then topic and payload share what is left: the topic gets two fifths, and
//! more where it needs it, the payload the rest. Where there is no terminal nothing is cut.

use crate::show::harmless::harmless;
use crate::show::line::{Setting, time_of_day};
use crate::show::paint::{Paint, Style};
use crate::show::{columns, preview, quantity};
use kith_wire::{Delivery, SENDER_LOCAL};

const TIME: usize = 12;
const SCOPE: usize = 7;
const SENDER: usize = 8;
const PROTOCOL: usize = 5;
const SIZE: usize = 7;
const DELAY: usize = 5;
/// What these take, with a space after each.
const FIXED: usize = TIME + SCOPE + SENDER + PROTOCOL + SIZE + DELAY + 6;
/// What a topic is padded to where the width is not known.
const TOPIC: usize = 24;

/// What stands behind a request.
const WANTS_REPLY: &str = " (wants a reply)";

/// The heading, with its line feed.
pub(crate) fn heading(width: Option<usize>, paint: Paint) -> String {
    let topic = topic_columns(width).map_or(TOPIC, |(least, _)| least);
    let cells = [
        columns::left("TIME", TIME),
        columns::left("SCOPE", SCOPE),
        columns::left("SENDER", SENDER),
        columns::left("PROTO", PROTOCOL),
        columns::right("SIZE", SIZE),
        columns::right("DELAY", DELAY),
        columns::left("TOPIC", topic),
        "PAYLOAD".to_owned(),
    ];
    let line = cells.join(" ");
    let line = width.map_or_else(|| line.clone(), |width| columns::cut(&line, width));
    format!("{}\n", paint.paint(Style::Heading, line.trim_end()))
}

/// A message that was received at `now_ms`, with its line feed, in at most `width` columns.
pub(crate) fn message(
    delivery: &Delivery<'_>,
    now_ms: u64,
    width: Option<usize>,
    setting: &Setting,
) -> String {
    let delay_ms = now_ms.saturating_sub(delivery.sent_at_ms);
    let fixed = [
        (Style::Faint, columns::left(&time_of_day(now_ms, &setting.zone), TIME)),
        (Style::Scope(delivery.scope), columns::left(delivery.scope.name(), SCOPE)),
        (Style::Faint, columns::left(&sender(delivery), SENDER)),
        (Style::Faint, columns::left(&harmless(delivery.protocol.as_str()), PROTOCOL)),
        (Style::Faint, columns::right(&quantity::length(delivery.payload.len()), SIZE)),
        (Style::Faint, columns::right(&quantity::span(delay_ms), DELAY)),
    ];
    let topic = harmless(delivery.topic.as_str());
    let note = if delivery.reply_to.is_some() { WANTS_REPLY } else { "" };
    let Some((topic_least, topic_most)) = topic_columns(width) else {
        let payload = preview::whole(&delivery.protocol, delivery.payload) + note;
        let topic = columns::left(&topic, TOPIC.max(columns::width(&topic)));
        return join(&fixed, &[(Style::Topic, topic)], &payload, setting.paint);
    };
    let width = width.unwrap_or_default();
    if width < FIXED + topic_least {
        // Too narrow for a table: what there is room for.
        let cells = fixed.map(|(_, cell)| cell).join(" ");
        return format!("{}\n", columns::cut(&format!("{cells} {topic}"), width));
    }
    let topic_columns = columns::width(&topic).clamp(topic_least, topic_most);
    let topic = columns::left(&topic, topic_columns);
    let room = width.saturating_sub(FIXED + topic_columns + 1);
    let payload = preview::beginning(&delivery.protocol, delivery.payload);
    // Where there is room for no more than the note, the payload says more.
    let note = if room < 2 * note.len() { "" } else { note };
    let payload = columns::cut(&payload, room - note.len()) + note;
    join(&fixed, &[(Style::Topic, topic)], &payload, setting.paint)
}

fn join(
    fixed: &[(Style, String)],
    topic: &[(Style, String)],
    payload: &str,
    paint: Paint,
) -> String {
    let mut line = String::new();
    for (style, cell) in fixed.iter().chain(topic) {
        line.push_str(&paint.paint(*style, cell));
        line.push(' ');
    }
    line.push_str(payload);
    let line = line.trim_end();
    format!("{line}\n")
}

/// The least and the most that a topic takes, if the width is known.
fn topic_columns(width: Option<usize>) -> Option<(usize, usize)> {
    let room = width?.saturating_sub(FIXED);
    Some(((room * 2 / 5).max(8), (room * 3 / 5).max(8)))
}

/// `local`, what the user calls who sent it, or the end of an identity, which differs where its
/// beginning doesn't.
fn sender(delivery: &Delivery<'_>) -> String {
    let sender = delivery.sender;
    if let Some(petname) = delivery.petname {
        return harmless(petname).into_owned();
    }
    if sender == SENDER_LOCAL {
        return sender.to_owned();
    }
    let last: String = sender.chars().rev().take(SENDER - 1).collect();
    let last: String = last.chars().rev().collect();
    harmless(&format!("…{last}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::{HOSTILE, assert_harmless, delivery, full};
    use jiff::tz::TimeZone;
    use kith_wire::Protocol;

    fn plain() -> Setting {
        Setting { zone: TimeZone::UTC, paint: Paint::plain() }
    }

    #[test]
    fn a_message_is_a_row() {
        let message =
            |delivery: &Delivery<'_>, width| message(delivery, 1_700_000_000_012, width, &plain());
        assert_eq!(
            heading(Some(100), Paint::plain())
                + &message(&delivery("chess.move", b"{}"), Some(100)),
            "TIME         SCOPE   SENDER   PROTO    SIZE DELAY TOPIC                PAYLOAD\n\
             22:13:20.012 self    local    ms        2 B  12ms chess.move           {}\n"
        );
        let row = message(&full(), None);
        let expected = "22:13:20.012 friends …Gta2doK bt        1 B  12ms a.\\u202eb";
        assert!(row.starts_with(expected) && row.ends_with(" 0xff (wants a reply)\n"), "{row}");
        let row = message(&full(), Some(110));
        assert!(row.ends_with(" 0xff (wants a reply)\n"), "{row}");
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        let topic = "a-long-topic.".repeat(12) + "x";
        for payload in HOSTILE {
            for width in 0..160 {
                for topic in [topic.as_str(), "漢.字"] {
                    let hostile = Delivery { protocol: Protocol::BT, ..delivery(topic, payload) };
                    let row = message(&hostile, 0, Some(width), &plain());
                    let row = row.strip_suffix('\n').unwrap();
                    assert!(columns::width(row) <= width, "{width}: {row}");
                    assert_harmless(row);
                }
                let heading = heading(Some(width), Paint::plain());
                assert!(columns::width(heading.trim_end()) <= width, "{width}: {heading}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_delay() {
        assert!(message(&delivery("a", b"1"), 0, Some(100), &plain()).contains("  0ms a "));
    }
}
