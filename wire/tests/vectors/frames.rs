//! What holds of every binary frame: what is written can be read, and what can't be read does no
//! harm.

use super::words::{
    letter, long_text, message_id, notice, number, protocol, request, spoken, topic,
};
use kith_wire::binary::{self, Frame, Kind, decode, deliver, encode, receive, split};
use kith_wire::limits::{PAYLOAD_BYTES_DEFAULT, frame_bytes_max};
use kith_wire::{
    Code, Delivery, Destination, Event, Headers, MessageId, Operation, Options, Pattern, Priority,
    Protocol, Publication, Refusal, Request, RequestNumber, Scope, Subscribe, Topic,
};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::{option, prop_assert, prop_assert_eq, proptest};
use std::borrow::Cow;

const FRAME_BYTES_MAX: usize = frame_bytes_max(PAYLOAD_BYTES_DEFAULT);

fn cut(bytes: &[u8]) -> Result<Option<Frame<'_>>, Refusal> {
    split(bytes, FRAME_BYTES_MAX)
}

/// The one frame that `bytes` are.
fn whole(bytes: &[u8]) -> Frame<'_> {
    let frame = cut(bytes).unwrap().unwrap();
    assert_eq!(frame.bytes, bytes);
    frame
}

fn written(request: &Request<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::request(&mut bytes, request);
    bytes
}

fn delivered(event: &Event<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    deliver::event(&mut bytes, event);
    bytes
}

fn received<'a>(frame: Frame<'a>) -> Result<Vec<Event<'a>>, Refusal> {
    let mut found = Vec::new();
    receive::events(frame, |event| {
        found.push(event);
        Ok(())
    })?;
    Ok(found)
}

/// Bytes of a frame in which something has been changed, and the length made right again or not.
fn bent_frame() -> impl Strategy<Value = Vec<u8>> {
    let frames = prop_oneof![
        request().prop_map(|request| written(&request)),
        (notice(), number()).prop_map(|((event, words), _)| delivered(&spoken(&event, &words))),
        (letter(), number()).prop_map(|(letter, subscription)| {
            delivered(&Event::Message { subscription, delivery: letter.delivery() })
        }),
    ];
    let change = (any::<Index>(), any::<u8>(), 0..4_u8);
    (frames, vec(change, 1..4), any::<bool>()).prop_map(|(mut bytes, changes, mend)| {
        for (index, byte, how) in changes {
            let at = index.index(bytes.len());
            match how {
                0 => bytes.insert(at, byte),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 => bytes[at] ^= 1 << (byte % 8),
                _ => bytes[at] = byte,
            }
        }
        if mend && bytes.len() >= 12 {
            let length = u32::try_from(bytes.len() - 4).unwrap();
            bytes[..4].copy_from_slice(&length.to_le_bytes());
        }
        bytes
    })
}

/// Bytes behind the length of a frame.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let kinds: Vec<u8> = Kind::all().map(Kind::byte).collect();
    let header = (select(kinds), any::<[u8; 3]>(), vec(any::<u8>(), 4..80));
    header.prop_map(|(kind, marks, rest)| {
        let length = u32::try_from(4 + rest.len()).unwrap();
        [&length.to_le_bytes()[..], &[kind], &marks.map(|mark| mark % 32), &rest].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_request_is_read_as_it_was_written(request in request(), after in vec(any::<u8>(), 0..9)) {
        let bytes = written(&request);
        let stream = [&bytes[..], &after].concat();
        let frame = cut(&stream).unwrap().unwrap();
        prop_assert_eq!(frame.bytes, &bytes[..]);
        prop_assert_eq!(binary::frame::whole_bytes(&stream), Some(bytes.len()));
        prop_assert_eq!(decode::request(frame, PAYLOAD_BYTES_DEFAULT), Ok(request));
    }

    #[test]
    fn a_delivery_is_received_as_it_was_written(letter in letter(), number in number()) {
        let delivery = letter.delivery();
        let message = Event::Message { subscription: number, delivery: delivery.clone() };
        let bytes = delivered(&message);
        prop_assert_eq!(received(whole(&bytes)), Ok(vec![message]));

        let head = deliver::message_head(&bytes, Kind::Msg, 77);
        let other = [&head, &bytes[head.len()..]].concat();
        let subscription = RequestNumber::new(77).unwrap();
        let message = Event::Message { subscription, delivery: delivery.clone() };
        prop_assert_eq!(received(whole(&other)), Ok(vec![message]));

        let sealed_bytes = Some(delivery.sent_at_ms);
        let sealed = Delivery { payload: &[], sealed_bytes, ..delivery.clone() };
        let message = Event::Message { subscription, delivery: sealed };
        let bytes = delivered(&message);
        prop_assert_eq!(received(whole(&bytes)), Ok(vec![message]));
        let mut frame = bytes.clone();
        let is_read = deliver::inline(&mut frame, |out| { out.push(1); false });
        prop_assert!(!is_read);
        prop_assert_eq!(&frame, &bytes);
        let read = |out: &mut Vec<u8>| { out.extend_from_slice(delivery.payload); true };
        prop_assert!(deliver::inline(&mut frame, read));
        let message = Event::Message { subscription, delivery: delivery.clone() };
        prop_assert_eq!(received(whole(&frame)), Ok(vec![message]));

        let delivery = Delivery { retained: false, attempt: None, ..delivery };
        let reply = Event::Reply { number, delivery };
        let bytes = delivered(&reply);
        prop_assert_eq!(received(whole(&bytes)), Ok(vec![reply]));
    }

    #[test]
    fn a_notice_is_received_as_it_was_written((event, words) in notice()) {
        let event = spoken(&event, &words);
        let bytes = delivered(&event);
        prop_assert_eq!(received(whole(&bytes)), Ok(vec![event]));
    }

    #[test]
    fn a_run_is_received_message_by_message(
        marks in (topic(), protocol(), select(Scope::ALL.to_vec())),
        first in message_id().prop_filter("room to count", |id| id.as_bytes()[8] != 0xbf),
        subscription in number(),
        payloads in vec(vec(any::<u8>(), 0..20), 1..6),
        sent_at_ms in any::<u64>(),
    ) {
        let (topic, protocol, scope) = marks;
        let mut entries = Vec::new();
        for payload in &payloads {
            encode::entry(&mut entries, topic.as_str(), &protocol, payload);
        }
        let count = u32::try_from(payloads.len()).unwrap();
        let head = deliver::run_head(
            subscription.get(), scope, first, sent_at_ms, count, entries.len(),
        );
        let bytes = [&head, &entries[..]].concat();
        let expected: Vec<_> = (0..).zip(&payloads).map(|(index, payload)| {
            let delivery = Delivery {
                message_id: first.advance(index), sender: "local", petname: None, device: None,
                scope,
                protocol: protocol.borrow(), topic: topic.borrow(), sent_at_ms,
                expires_at_ms: None, reply_to: None, priority: Priority::Normal, retained: false,
                attempt: None, headers: Headers::new(), payload, sealed_bytes: None,
            };
            Event::Message { subscription, delivery }
        }).collect();
        prop_assert_eq!(received(whole(&bytes)), Ok(expected));
    }

    #[test]
    fn a_part_of_a_frame_is_no_frame(request in request(), letter in letter()) {
        let subscription = RequestNumber::MIN;
        let message = Event::Message { subscription, delivery: letter.delivery() };
        for bytes in [written(&request), delivered(&message)] {
            for end in 0..bytes.len() {
                prop_assert_eq!(cut(&bytes[..end]), Ok(None));
            }
        }
    }

    #[test]
    fn any_bytes_are_cut_within_bounds(bytes in vec(any::<u8>(), 0..40), max in 0_usize..60) {
        match split(&bytes, max) {
            Ok(None) => {}
            Ok(Some(frame)) => {
                prop_assert!(frame.bytes.len() <= bytes.len());
                prop_assert_eq!(frame.bytes.len(), 12 + frame.body.len());
                prop_assert!(frame.bytes.len() <= max + 4);
                prop_assert_eq!(frame.bytes, &bytes[..frame.bytes.len()]);
            }
            Err(refusal) => prop_assert!(refusal.fatal && refusal.at <= Some(bytes.len())),
        }
    }

    #[test]
    fn any_frame_is_taken_or_refused_inside_of_it(bytes in prop_oneof![any_frame(), bent_frame()]) {
        let Ok(Some(frame)) = cut(&bytes) else { return Ok(()) };
        let within = |refusal: &Refusal| refusal.at.is_some_and(|at| at <= frame.bytes.len());
        match decode::request(frame, PAYLOAD_BYTES_DEFAULT) {
            Ok(request) => {
                let again = written(&request);
                prop_assert_eq!(decode::request(whole(&again), PAYLOAD_BYTES_DEFAULT), Ok(request));
            }
            Err(refusal) => prop_assert!(within(&refusal) && !refusal.fatal, "{:?}", refusal),
        }
        match received(frame) {
            Ok(events) if frame.kind != Kind::Msgs.byte() => {
                let again = delivered(&events[0]);
                prop_assert_eq!(received(whole(&again)), Ok(events));
            }
            Ok(_) => {}
            Err(refusal) => prop_assert!(within(&refusal) && refusal.fatal, "{:?}", refusal),
        }
    }

    #[test]
    fn unchecked_texts_forge_nothing(
        name in option::of(long_text()),
        group in option::of(long_text()),
        durable in option::of(long_text()),
        to in long_text(),
        number in number(),
    ) {
        let publication = Publication {
            topic: Topic::new("a").unwrap(),
            protocol: Protocol::MS,
            payload: Cow::Borrowed(b"1"),
            options: Options { to: Destination::Elsewhere(to), ..Options::default() },
        };
        let pattern = Pattern::new("self.a").unwrap();
        let group = group.map(Cow::Owned);
        let durable = durable.map(Cow::Owned);
        let (retained, monitor, since) = (false, false, None);
        let asked = Subscribe { number, pattern, group, retained, monitor, durable, since };
        for operation in [
            // An empty name is none.
            Operation::Hello {
                name: name.filter(|name| !name.is_empty()),
                client: None,
                descriptors: false,
                token: None,
            },
            Operation::Subscribe(asked),
            Operation::Publish(publication.clone()),
            Operation::Request { number, publication, timeout_ms: 1 },
        ] {
            let request = Request { number: Some(number), operation };
            let bytes = written(&request);
            // It is one frame, and says what was meant or nothing.
            if let Ok(found) = decode::request(whole(&bytes), PAYLOAD_BYTES_DEFAULT) {
                prop_assert_eq!(found, request);
            }
        }
    }

    #[test]
    fn long_senders_forge_nothing(
        mut letter in letter(),
        sender in long_text(),
        device in long_text(),
        number in number(),
    ) {
        letter.sender = sender;
        letter.device = Some(device);
        let delivery = letter.delivery();
        let bytes = delivered(&Event::Message { subscription: number, delivery: delivery.clone() });
        if let Ok(found) = received(whole(&bytes)) {
            let [Event::Message { delivery: found, .. }] = &found[..] else { panic!("{found:?}") };
            prop_assert!(delivery.sender.starts_with(found.sender));
            let device = delivery.device.zip(found.device);
            prop_assert!(device.is_some_and(|(wrote, found)| wrote.starts_with(found)));
            prop_assert_eq!((found.payload, &found.topic), (delivery.payload, &delivery.topic));
        }
    }
}

#[test]
fn options_never_run_over_into_the_payload() {
    // One option that fills what the length of all can say, and another one after it.
    let (sender, device) = ("s".repeat(0xffff - 3), "d");
    let delivery = Delivery {
        message_id: MessageId::from_parts(0, &[0; 10]),
        sender: &sender,
        petname: None,
        device: Some(device),
        scope: Scope::Friends,
        protocol: Protocol::BT,
        topic: Topic::new("a").unwrap(),
        sent_at_ms: 0,
        expires_at_ms: None,
        reply_to: None,
        priority: Priority::Normal,
        retained: true,
        attempt: None,
        headers: Headers::new(),
        payload: b"payload",
        sealed_bytes: None,
    };
    let event = Event::Message { subscription: RequestNumber::MIN, delivery };
    let bytes = delivered(&event);
    let found = received(whole(&bytes)).unwrap();
    let [Event::Message { delivery, .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((delivery.payload, delivery.device), (&b"payload"[..], Some(device)));
    assert!(delivery.retained && sender.starts_with(delivery.sender));
}

#[test]
fn an_empty_group_is_refused_rather_than_forgotten() {
    // Without a group each member would get each message.
    let asked = Subscribe {
        number: RequestNumber::MIN,
        pattern: Pattern::new("self.a").unwrap(),
        group: Some(Cow::Borrowed("")),
        retained: false,
        monitor: false,
        durable: None,
        since: None,
    };
    let operation = Operation::Subscribe(asked);
    let bytes = written(&Request { number: Some(RequestNumber::MIN), operation });
    let refused = decode::request(whole(&bytes), PAYLOAD_BYTES_DEFAULT).unwrap_err();
    assert_eq!(refused.code, Code::BadGroup);
}
