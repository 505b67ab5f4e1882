//! Binary frames, held to `vectors/binary.txt` and `vectors/binary-refused.txt`.

use super::events::events;
use super::notation::{Ruling, Vector, Way, vectors};
use super::requests::request;
use kith_wire::binary::{self, Frame, Kind, MAGIC, Tag, decode, deliver, encode, receive, split};
use kith_wire::limits::frame_bytes_max;
use kith_wire::{Code, Event, Refusal, Request};
use std::collections::BTreeSet;

const TAKEN: &str = include_str!("../../vectors/binary.txt");
const REFUSED: &str = include_str!("../../vectors/binary-refused.txt");
const PAYLOAD_BYTES_MAX: usize = 1_024;

/// Cuts the one frame of a vector off, and holds that it is all of it.
fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, Refusal> {
    let frame = split(bytes, frame_bytes_max(PAYLOAD_BYTES_MAX))?;
    if let Some(frame) = &frame {
        assert_eq!(frame.bytes.len(), bytes.len(), "bytes after the frame");
    }
    Ok(frame)
}

fn read(bytes: &[u8]) -> Result<Option<Request<'_>>, Refusal> {
    frame(bytes)?.map(|frame| decode::request(frame, PAYLOAD_BYTES_MAX)).transpose()
}

fn received(bytes: &[u8]) -> Result<Vec<Event<'_>>, Refusal> {
    let mut found = Vec::new();
    let frame = frame(bytes)?.expect("a whole frame");
    receive::events(frame, |event| {
        found.push(event);
        Ok(())
    })?;
    Ok(found)
}

/// What the daemon writes for these events.
fn delivered(name: &str, events: &[Event<'_>]) -> Vec<u8> {
    let mut written = Vec::new();
    if !name.starts_with("msgs") {
        events.iter().for_each(|event| deliver::event(&mut written, event));
        return written;
    }
    let mut first = None;
    for event in events {
        let Event::Message { subscription, delivery } = event else { panic!("{event:?}") };
        first.get_or_insert((*subscription, delivery));
        let topic = delivery.topic.as_str();
        encode::entry(&mut written, topic, &delivery.protocol, delivery.payload);
    }
    let (subscription, delivery) = first.unwrap();
    let head = deliver::run_head(
        subscription.get(),
        delivery.scope,
        delivery.message_id,
        delivery.sent_at_ms,
        u32::try_from(events.len()).unwrap(),
        written.len(),
    );
    [&head, &written[..]].concat()
}

fn taken(way: Way) -> impl Iterator<Item = Vector> {
    vectors(TAKEN).into_iter().filter(move |vector| vector.way == way)
}

#[test]
fn the_magic_is_what_it_was() {
    let [magic] = taken(Way::Both).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((magic.name, &magic.bytes[..]), ("magic", &MAGIC[..]));
    assert_eq!(binary::VERSION, 1);
}

#[test]
fn what_clients_write_is_what_the_daemon_reads() {
    for Vector { name, ruling, bytes, .. } in taken(Way::ToDaemon) {
        let found = read(&bytes);
        if ruling == Ruling::Incomplete {
            assert_eq!(found, Ok(None), "{name}");
            continue;
        }
        let expected = request(name).unwrap_or_else(|| panic!("{name} is not in requests.rs"));
        assert_eq!(found, Ok(Some(expected.clone())), "{name}");
        if ruling == Ruling::Exact {
            let mut written = Vec::new();
            encode::request(&mut written, &expected);
            assert_eq!(written, bytes, "{name}");
        }
    }
}

#[test]
fn what_the_daemon_writes_is_what_clients_read() {
    for Vector { name, ruling, bytes, .. } in taken(Way::FromDaemon) {
        let expected = events(name);
        assert!(!expected.is_empty(), "{name} is not in events.rs");
        assert_eq!(received(&bytes), Ok(expected.clone()), "{name}");
        if ruling == Ruling::Exact {
            assert_eq!(delivered(name, &expected), bytes, "{name}");
        }
    }
}

#[test]
fn what_is_refused_is_refused_with_its_code_and_place() {
    let mut wrong = Vec::new();
    for Vector { name, way, ruling, bytes } in vectors(REFUSED) {
        let Ruling::Refused(expected) = ruling else { panic!("{name}: {ruling:?}") };
        let refusal = match way {
            Way::ToDaemon => read(&bytes).map(drop),
            _ => received(&bytes).map(drop),
        };
        let found = refusal.as_ref().map_err(|refusal| (refusal.code, refusal.at, refusal.fatal));
        if found != Err((expected.code, expected.at, expected.fatal)) {
            wrong.push(format!("{name}: expected {expected:?}, found {refusal:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_and_tag_has_a_vector() {
    let frames: Vec<Vector> = vectors(TAKEN);
    let kinds: BTreeSet<u8> =
        frames.iter().filter_map(|vector| vector.bytes.get(4)).copied().collect();
    for kind in Kind::all() {
        assert!(kinds.contains(&kind.byte()), "no vector of {}", kind.name());
    }
    let written = |tag: Tag| {
        let mut lines = TAKEN.lines().map(str::trim_start);
        lines.any(|line| {
            line.starts_with(&format!("{:02X} ", tag.byte())) && line.contains(tag.name())
        })
    };
    for tag in Tag::all() {
        assert!(written(tag), "no vector has the option {}", tag.name());
    }
}

#[test]
fn every_code_of_the_binary_framing_has_a_vector() {
    let mut codes: BTreeSet<u16> = BTreeSet::new();
    for vector in vectors(REFUSED) {
        let Ruling::Refused(refused) = vector.ruling else { panic!("{}", vector.name) };
        codes.insert(refused.code.number());
    }
    // JSON alone has bad-json; what comes after too-large is for the broker to say, but for the
    // names of consumers.
    let expected = Code::all().map(Code::number).filter(|n| *n <= Code::TooLarge.number());
    let mut expected: BTreeSet<u16> = expected.filter(|n| *n != Code::BadJson.number()).collect();
    expected.insert(Code::BadConsumer.number());
    assert_eq!(codes, expected);
}
