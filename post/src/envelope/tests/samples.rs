//! Devices, contents and parcels for tests, made of small numbers.

use crate::envelope::{
    Ack, AckState, Binding, Body, Content, JoinAnswer, Kind, Lane, News, Notice, Parcel, Party,
};
use kith_people::{DeviceId, DeviceKeys, PersonId};
use kith_wire::{Headers, MessageId, Priority, Protocol, Topic};

pub(super) fn keys(number: u8) -> DeviceKeys {
    DeviceKeys::from_seeds([number; 32], [number ^ 0x80; 32])
}

pub(super) fn party(number: u8) -> Party {
    Party { person: PersonId::new([number; 32]), device: DeviceId::new([number ^ 0x40; 32]) }
}

pub(super) fn id(number: u8) -> MessageId {
    MessageId::from_parts(1_700_000_000_000 + u64::from(number), &[number; 10])
}

/// What [`content`] is bound to.
pub(super) fn binding() -> Binding {
    Binding { from: party(1), to: party(2), lane: Lane::Normal }
}

/// A content without anything that may be left out.
pub(super) fn content() -> Content {
    Content {
        from: party(1),
        to: party(2),
        id: id(3),
        kind: Kind::Message,
        seq: 7,
        sent_at: 1_700_000_000_003,
        expires_at: 1_700_000_600_003,
        protocol: Protocol::MS,
        topic: Topic::new("chess.move").unwrap(),
        headers: Headers::new(),
        priority: Priority::Normal,
        is_realtime: false,
        reply_topic: None,
        room: None,
        echo: None,
        payload: br#"{"from":"e2","to":"e4"}"#.to_vec(),
    }
}

/// Contents of every kind, with everything that may be left out.
pub(super) fn contents() -> Vec<(&'static str, Content)> {
    let mut headers = Headers::new();
    headers.insert("trace", "ä 1").unwrap();
    headers.insert("b", "").unwrap();
    let full = Content {
        headers,
        priority: Priority::High,
        is_realtime: true,
        reply_topic: Some(Topic::new("chess.answers").unwrap()),
        room: Some("room:1".into()),
        echo: Some("bob".into()),
        protocol: Protocol::new("raw").unwrap(),
        payload: vec![0, 0xff, 0x1b],
        ..content()
    };
    vec![
        ("message", content()),
        ("full", full),
        ("request", Content { kind: Kind::Request { timeout_ms: 5_000 }, ..content() }),
        ("reply", Content { kind: Kind::Reply { to: id(9) }, ..content() }),
        ("reply error", Content { kind: Kind::ReplyError { to: id(9) }, ..content() }),
        ("internal", Content { kind: Kind::Internal, priority: Priority::Bulk, ..content() }),
    ]
}

/// Parcels of every kind.
pub(super) fn parcels() -> Vec<(&'static str, Parcel)> {
    let ack =
        |number, state, detail: &str| Ack { message: id(number), state, detail: detail.into() };
    let acks = vec![
        ack(1, AckState::Delivered, ""),
        ack(2, AckState::Taken, ""),
        ack(3, AckState::Refused, "inbox-full"),
    ];
    let signed = |news: &News| Body::Notice(Notice::sign(news, &keys(1), keys(2).sign_id()));
    let (card, node_info) = (vec![1, 2, 3], vec![4, 5]);
    let (invite, proof) = ([5; 16], [6; 32]);
    let welcome = JoinAnswer::Welcome { card: card.clone(), node_info: node_info.clone() };
    let refused = JoinAnswer::Refused("this invite has been used".into());
    let bodies = [
        ("message", Body::Message { lane: Lane::High, ratcheted: vec![1, 2, 3] }),
        ("acks", signed(&News::Acks(acks))),
        ("resend", signed(&News::Resend(vec![(id(4), Lane::Bulk)]))),
        ("recall", signed(&News::Recall(vec![id(5), id(6)]))),
        ("card", Body::Card { card: card.clone(), node_info: node_info.clone() }),
        ("want card", Body::WantCard),
        ("join", Body::Join { invite, proof, card, node_info }),
        ("joined", Body::Joined { invite, proof, answer: welcome }),
        ("not joined", Body::Joined { invite, proof, answer: refused }),
    ];
    let from = keys(1).sign_id();
    bodies.map(|(name, body)| (name, Parcel { from, id: *id(8).as_bytes(), body })).into()
}
