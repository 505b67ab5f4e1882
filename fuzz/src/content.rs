//! Contents of messages from other devices.
//!
//! What is taken is fit to be delivered, by definitions written from the protocol: its topic is one
//! and not reserved, nothing in it is a control character, `ms` is JSON. It is bound to who sent it
//! and to here, and is written again as it came. What can be written is read, as it was.

use crate::input::Input;
use crate::topic::{is_protocol, is_topic};
use kith_people::{DeviceId, PersonId};
use kith_post::envelope::{Binding, Content, ContentError, Kind, Lane, Party};
use kith_wire::{Headers, MessageId, Priority, Protocol, Topic, is_reserved};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    for lane in Lane::ALL {
        let binding = Binding { from: party(1), to: party(2), lane };
        match Content::parse(bytes, &binding) {
            Ok(content) => taken(bytes, &content, &binding),
            Err(error) => assert!(!error.to_string().chars().any(char::is_control)),
        }
    }
    if let Some(content) = made(bytes) {
        written(&content);
    }
}

/// As the vectors have them.
fn party(number: u8) -> Party {
    Party { person: PersonId::new([number; 32]), device: DeviceId::new([number ^ 0x40; 32]) }
}

fn taken(bytes: &[u8], content: &Content, binding: &Binding) {
    let bound = (content.from, content.to, content.lane());
    assert_eq!(bound, (binding.from, binding.to, binding.lane));
    let topic = content.topic.as_str();
    assert!(is_topic(topic) && !is_reserved(topic), "{topic:?}");
    let back = content.reply_topic.as_ref();
    assert!(back.is_none_or(|topic| is_topic(topic.as_str())));
    assert!(is_protocol(content.protocol.as_str()));
    let texts = content.headers.iter().flat_map(|(key, value)| [key, value]);
    let texts = texts.chain(content.room.as_deref()).chain(content.echo.as_deref());
    assert!(texts.into_iter().all(|text| !text.chars().any(char::is_control)));
    if content.protocol.as_str() == "ms" {
        serde_json::from_slice::<serde::de::IgnoredAny>(&content.payload).expect("JSON");
    }
    assert!(content.sent_at <= content.expires_at);
    assert_eq!(content.encode().unwrap(), bytes);
}

fn written(content: &Content) {
    let binding = Binding { from: content.from, to: content.to, lane: content.lane() };
    match content.encode() {
        Ok(bytes) => {
            assert_eq!(Content::parse(&bytes, &binding).as_ref(), Ok(content));
            let turned = Binding { from: binding.to, to: binding.from, ..binding };
            let is_same = binding.from == binding.to;
            let refused = Content::parse(&bytes, &turned);
            assert!(is_same || refused == Err(ContentError::OtherSender), "{refused:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A content of what the bytes say.
fn made(bytes: &[u8]) -> Option<Content> {
    let mut input = Input::new(bytes);
    let id = MessageId::from_parts(input.number(), &[input.byte(); 10]);
    let kind = match input.byte() % 5 {
        0 => Kind::Message,
        1 => Kind::Request { timeout_ms: u32::from(input.byte()) * 20_000 },
        2 => Kind::Reply { to: id },
        3 => Kind::ReplyError { to: id },
        _ => Kind::Internal,
    };
    let mut text = || str::from_utf8(input.counted()).ok().map(str::to_owned);
    let (topic, back, protocol) = (text()?, text()?, text()?);
    let (room, echo) = (text().filter(|text| !text.is_empty()), text());
    let mut headers = Headers::new();
    while let (Some(key), Some(value)) = (text(), text()) {
        if headers.insert(&key, &value).is_err() {
            break;
        }
    }
    Some(Content {
        from: party(input.byte()),
        to: party(input.byte()),
        id,
        kind,
        seq: input.number(),
        sent_at: input.number() >> 8,
        expires_at: input.number() >> 8,
        protocol: Protocol::new(protocol).unwrap_or(Protocol::MS),
        topic: Topic::new(topic).ok()?,
        headers,
        priority: Priority::from_number(input.byte() % 3)?,
        is_realtime: input.byte() % 2 == 1,
        reply_topic: Topic::new(back).ok(),
        room,
        echo: echo.filter(|text| !text.is_empty()),
        payload: input.rest().to_vec(),
    })
}
