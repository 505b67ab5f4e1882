//! Payloads in descriptors: handed over to those who asked, and in their usual form to others.

use crate::door::{
    BinaryFrames, Client, Connection, Descriptors, Event, JsonLines, Operation, Publication,
    SEALED_BYTES_MIN, Subscription, sealed_frame,
};
use crate::process::Daemon;
use kith_sealed::{DESCRIPTORS_PER_CALL_MAX, SealedMemory};
use kith_wire::Code;
use std::os::fd::AsFd;

fn subscribe(client: &mut Descriptors, subscription: Subscription) {
    client.send(Some(1), &Operation::Subscribe(subscription));
    let expected = Event::Ok { number: 1, message_id: None, duplicate: false, stored: false };
    assert_eq!(client.receive(), Some(expected));
}

/// The next event, which is a message: its payload, and whether that came in a descriptor.
fn message(client: &mut Descriptors) -> (Vec<u8>, bool) {
    let before = client.taken.len();
    match client.receive() {
        Some(Event::Message { delivery, .. }) => (delivery.payload, client.taken.len() > before),
        other => panic!("{other:?}"),
    }
}

/// Publishes, and returns the refusal if it is one.
fn publish(client: &mut Descriptors, publication: Publication) -> Option<Code> {
    client.send(Some(9), &Operation::Publish(publication));
    match client.receive() {
        Some(Event::Ok { number: 9, message_id: Some(_), .. }) => None,
        Some(Event::Err { number: Some(9), code, fatal: false }) => Some(code),
        other => panic!("{other:?}"),
    }
}

fn json() -> String {
    format!("\"{}\"", "x".repeat(SEALED_BYTES_MIN))
}

#[test]
fn each_subscriber_gets_it_in_its_own_form() {
    let daemon = Daemon::start();
    let mut publisher = Descriptors::new(daemon.dial());
    let mut taker = Descriptors::new(daemon.dial());
    subscribe(&mut taker, Subscription::to("self.a"));
    let mut lines = Client::new(JsonLines::new(daemon.dial()));
    let mut frames = Client::new(BinaryFrames::new(daemon.dial()));
    lines.subscribe(1, "self.a");
    frames.subscribe(1, "self.a");
    let memory = SealedMemory::create(json().as_bytes()).unwrap();
    let publication = Publication::json("a", "");
    let frame = sealed_frame(9, &publication, memory.len());
    publisher.say(&frame, &[memory.as_fd()]);
    assert!(matches!(publisher.receive(), Some(Event::Ok { number: 9, .. })));
    assert_eq!(message(&mut taker), (json().into_bytes(), true));
    for client in [&mut lines, &mut frames] {
        assert_eq!(client.message_on(1).text(), json());
    }
    // It is the publisher's very memory.
    let inode = |memory: &SealedMemory| rustix::fs::fstat(memory.as_fd()).unwrap().st_ino;
    assert_eq!(inode(&taker.taken[0]), inode(&memory));
    // What is published in frames comes in frames, however large it is.
    lines.publish("a", &json());
    assert_eq!(message(&mut taker), (json().into_bytes(), false));
}

#[test]
fn json_is_checked_in_descriptors_too() {
    let daemon = Daemon::start();
    let mut publisher = Descriptors::new(daemon.dial());
    let mut taker = Descriptors::new(daemon.dial());
    subscribe(&mut taker, Subscription::to("self.>"));
    let broken = json().replace('x', "\n");
    assert_eq!(publish(&mut publisher, Publication::json("a", &broken)), Some(Code::BadPayload));
    let open = "[".repeat(SEALED_BYTES_MIN);
    assert_eq!(publish(&mut publisher, Publication::json("a", &open)), Some(Code::BadPayload));
    assert_eq!(publish(&mut publisher, Publication::json("a", &json())), None);
    assert_eq!(message(&mut taker), (json().into_bytes(), true));
}

#[test]
fn groups_share_them_and_kept_values_come_in_frames() {
    let daemon = Daemon::start();
    let mut publisher = Descriptors::new(daemon.dial());
    let mut members = [(); 2].map(|()| Descriptors::new(daemon.dial()));
    for member in &mut members {
        subscribe(member, Subscription::to("bt/self.a").in_group("workers"));
    }
    let payload = |byte| vec![byte; SEALED_BYTES_MIN];
    let kept = |byte| Publication::bytes("bt", "a", payload(byte)).retained();
    for byte in [1, 2] {
        assert_eq!(publish(&mut publisher, kept(byte)), None);
    }
    let mut heard = members.each_mut().map(message);
    heard.sort();
    assert_eq!(heard, [(payload(1), true), (payload(2), true)]);
    let mut late = Descriptors::new(daemon.dial());
    late.send(Some(1), &Operation::Subscribe(Subscription::to("bt/self.a").with_retained()));
    let events = [late.receive().unwrap(), late.receive().unwrap()];
    let is_kept = |event: &Event| {
        matches!(event, Event::Message { delivery, .. }
            if delivery.retained && delivery.payload == payload(2))
    };
    assert!(events.iter().any(is_kept));
    assert!(late.taken.is_empty());
}

#[test]
fn many_in_one_call_come_in_order_between_other_frames() {
    let daemon = Daemon::start();
    let mut publisher = Descriptors::new(daemon.dial());
    let mut taker = Descriptors::new(daemon.dial());
    subscribe(&mut taker, Subscription::to("bt/self.a"));
    let publication = Publication::bytes("bt", "a", "");
    let count = u8::try_from(DESCRIPTORS_PER_CALL_MAX).unwrap();
    let payload = |byte| vec![byte; SEALED_BYTES_MIN];
    let memories: Vec<_> =
        (0..count).map(|byte| SealedMemory::create(&payload(byte)).unwrap()).collect();
    let mut bytes = Vec::new();
    for byte in 0..count {
        bytes.extend(sealed_frame(0, &publication, SEALED_BYTES_MIN));
        if byte.is_multiple_of(10) {
            // Larger than a read, so that its bytes and the descriptors come apart.
            let plain = Publication::bytes("bt", "a", vec![b'p'; 3 * SEALED_BYTES_MIN]);
            bytes.extend(crate::door::operation_frame(0, &Operation::Publish(plain)));
        }
    }
    let reader = std::thread::spawn(move || {
        for byte in 0..count {
            assert_eq!(message(&mut taker), (payload(byte), true));
            if byte.is_multiple_of(10) {
                assert_eq!(message(&mut taker), (vec![b'p'; 3 * SEALED_BYTES_MIN], false));
            }
        }
    });
    let descriptors: Vec<_> = memories.iter().map(AsFd::as_fd).collect();
    publisher.say(&bytes, &descriptors);
    drop(memories);
    reader.join().unwrap();
}

#[test]
fn who_does_not_read_gets_copies_when_too_many_wait_and_loses_what_does_not_fit() {
    let daemon = Daemon::with("[limits]\nqueue_bytes_max = 33554432\n");
    let before = daemon.open_files();
    let mut publisher = Descriptors::new(daemon.dial());
    let mut deaf = Descriptors::new(daemon.dial());
    subscribe(&mut deaf, Subscription::to("bt/self.a"));
    let rounds: usize = 900;
    for _ in 0..rounds {
        let publication = Publication::bytes("bt", "a", vec![b'x'; SEALED_BYTES_MIN]);
        assert_eq!(publish(&mut publisher, publication), None);
    }
    let waiting = daemon.open_files() - before;
    assert!((200..=253 + 2).contains(&waiting), "{waiting} files more than at first");
    let (mut sealed, mut copied, mut lost) = (0, 0, 0);
    while sealed + copied + lost < rounds {
        let before = deaf.taken.len();
        match deaf.receive() {
            Some(Event::Message { .. }) if deaf.taken.len() > before => sealed += 1,
            Some(Event::Message { .. }) => copied += 1,
            Some(Event::Lag { count, .. }) => lost += usize::try_from(count).unwrap(),
            other => panic!("{other:?}"),
        }
        deaf.taken.clear();
    }
    assert!(sealed >= 253 && copied > 0 && lost > 0, "{sealed} {copied} {lost}");
    assert_eq!(sealed + copied + lost, rounds);
    drop((publisher, deaf));
    daemon.wait_for_open_files(before);
}

#[test]
fn a_daemon_with_few_files_grants_none() {
    let daemon = Daemon::with_open_files_max(64, "");
    let (mut client, is_granted) = Descriptors::asked(daemon.dial());
    assert!(!is_granted);
    client.send(Some(2), &Operation::Ping);
    assert!(matches!(client.receive(), Some(Event::Ok { number: 2, .. })));
}
