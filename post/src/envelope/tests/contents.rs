//! Contents: what was written is read, and nothing else is.

use super::samples::{binding, content, contents, id, party};
use crate::envelope::{Binding, Content, ContentError, FormError, Kind, Lane, Party};
use crate::limits::{CONTENT_BYTES_MAX, NUMBER_MAX};
use kith_wire::{Headers, PayloadError, Protocol, Topic};
use proptest::prelude::*;

fn binding_of(content: &Content) -> Binding {
    Binding { from: content.from, to: content.to, lane: content.lane() }
}

#[test]
fn what_is_written_is_read() {
    for (name, content) in contents() {
        let bytes = content.encode().unwrap();
        assert_eq!(Content::parse(&bytes, &binding_of(&content)), Ok(content), "{name}");
    }
}

#[test]
fn a_content_holds_for_one_sender_one_recipient_and_one_lane() {
    let bytes = content().encode().unwrap();
    let right = binding();
    // Every person with every device, on both sides, in every lane: one of them is right.
    let persons = [party(1).person, party(2).person, party(3).person];
    let devices = [party(1).device, party(2).device, party(3).device];
    let both = |person| devices.map(|device| Party { person, device });
    let parties: Vec<_> = persons.into_iter().flat_map(both).collect();
    for from in &parties {
        for to in &parties {
            for lane in Lane::ALL {
                let tried = Binding { from: *from, to: *to, lane };
                let expected = if *from != right.from {
                    Err(ContentError::OtherSender)
                } else if *to != right.to {
                    Err(ContentError::OtherRecipient)
                } else if lane != right.lane {
                    Err(ContentError::OtherLane)
                } else {
                    Ok(content())
                };
                assert_eq!(Content::parse(&bytes, &tried), expected);
            }
        }
    }
}

/// The bytes with one text in the place of another of the same length.
fn forged(original: &str, other: &str) -> Vec<u8> {
    let mut headers = Headers::new();
    headers.insert("header-k", "header-v").unwrap();
    let topic = Topic::new("chess.move").unwrap();
    let content = Content {
        headers,
        protocol: Protocol::new("protocol").unwrap(),
        reply_topic: Some(Topic::new("chess.back").unwrap()),
        room: Some("the-room".into()),
        echo: Some("the-echo".into()),
        topic,
        ..content()
    };
    let bytes = content.encode().unwrap();
    let at = bytes.windows(original.len()).position(|one| one == original.as_bytes()).unwrap();
    assert_eq!(original.len(), other.len());
    [&bytes[..at], other.as_bytes(), &bytes[at + other.len()..]].concat()
}

#[test]
fn what_could_be_more_than_a_text_is_refused() {
    let refused =
        |original, other| Content::parse(&forged(original, other), &binding()).unwrap_err();
    for topic in [
        "chess.mo\nv",
        "chess.mo\u{85}",
        "chess.m\u{9b}e",
        "chess.*.ab",
        "chess.abc>",
        "chess..abc",
        "chess move",
        "chess.move",
    ]
    .iter()
    .filter(|one| **one != "chess.move")
    {
        assert!(matches!(refused("chess.move", topic), ContentError::Topic(_)), "{topic:?}");
        let back = refused("chess.back", topic);
        assert!(matches!(back, ContentError::Topic(_)), "{topic:?}");
    }
    for topic in [
        "bus.stat12",
        "transports",
        "directory.",
        "delivery.a",
        "people.abc",
        "rooms.abcd",
        "services.a",
        "envelope.a",
    ]
    .iter()
    .filter(|one| Topic::new(**one).is_ok())
    {
        assert_eq!(refused("chess.move", topic), ContentError::ReservedTopic, "{topic}");
    }
    for protocol in ["protoco*", "protoco\n", "Protocol", "proto.ol", "proto ol"] {
        let error = refused("protocol", protocol);
        assert!(matches!(error, ContentError::Protocol(_)), "{protocol:?}");
    }
    for header in ["header-K", "header\n1", "header.1"] {
        let error = refused("header-k", header);
        assert!(matches!(error, ContentError::Headers(_)), "{header:?}");
    }
    assert!(matches!(refused("header-v", "header\u{1b}v"), ContentError::Headers(_)));
    assert_eq!(refused("the-room", "the\nroom"), ContentError::Text);
    assert_eq!(refused("the-echo", "the\u{1b}echo"), ContentError::Text);
}

#[test]
fn nobody_sends_what_nobody_takes() {
    let reserved = Topic::new("people.changed").unwrap();
    let large = vec![0; CONTENT_BYTES_MAX];
    let raw = Protocol::new("raw").unwrap();
    for (content, error) in [
        (Content { topic: reserved, ..content() }, ContentError::ReservedTopic),
        (Content { payload: Vec::new(), ..content() }, PayloadError::Empty.into()),
        (Content { payload: b"{".to_vec(), ..content() }, bad_json()),
        (Content { protocol: raw, payload: large, ..content() }, ContentError::TooLarge),
        (Content { seq: NUMBER_MAX + 1, ..content() }, ContentError::Number),
        (Content { expires_at: 5, ..content() }, ContentError::Times),
        (Content { kind: Kind::Request { timeout_ms: 0 }, ..content() }, ContentError::Number),
        (Content { room: Some(String::new()), ..content() }, ContentError::Text),
        (Content { echo: Some("a".repeat(256)), ..content() }, ContentError::Text),
    ] {
        assert_eq!(content.encode(), Err(error));
    }
}

fn bad_json() -> ContentError {
    kith_wire::check_ms(b"{").unwrap_err().into()
}

#[test]
fn there_is_one_form_of_each_content() {
    let bytes = content().encode().unwrap();
    let parse = |bytes: &[u8]| Content::parse(bytes, &binding());
    let not_deterministic = Err(FormError::NotDeterministic.into());
    assert_eq!(parse(&[&bytes[..], &[0]].concat()), not_deterministic);
    // The head of the map, and the version, in longer forms.
    let long_head = [&[0xb8, bytes[0] & 0x1f], &bytes[1..]].concat();
    let long_version = [&bytes[..2], &[0x18, 1], &bytes[3..]].concat();
    assert_eq!(parse(&long_head), not_deterministic);
    assert_eq!(parse(&long_version), not_deterministic);
    let other_version = [&bytes[..2], &[2], &bytes[3..]].concat();
    assert_eq!(parse(&other_version), Err(FormError::Version(2).into()));
    for end in 0..bytes.len() {
        assert!(parse(&bytes[..end]).is_err());
    }
}

proptest! {
    /// Whatever is changed in a content, what is read is written as it came, and is bound.
    #[test]
    fn changed_bytes_mean_what_they_say(at in 0_usize..400, byte: u8) {
        for (_, content) in contents() {
            let mut bytes = content.encode().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(read) = Content::parse(&bytes, &binding_of(&content)) {
                prop_assert_eq!(read.encode().unwrap(), bytes);
                prop_assert_eq!((read.from, read.to), (content.from, content.to));
            }
        }
    }
}

#[test]
fn nothing_that_is_shown_holds_the_payload() {
    let shown = format!("{:?}", Content { id: id(1), ..content() });
    assert!(shown.contains("payload_bytes: 23") && !shown.contains("e2"), "{shown}");
}
