//! Payloads in descriptors: to whom they go on in them, who gets a copy, and that nothing of them
//! is left.

use crate::limits::{DESCRIPTORS_MAX, Limits};
use crate::sealed::SealedPayload;
use crate::tests::{Bus, FRAMINGS, Heard, Who};
use kith_wire::{
    Operation, Options, Priority, Protocol, Publication, Request, RequestNumber, Topic,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 64 << 10;

/// A payload that counts how often it is read, or can't be.
#[derive(Clone, Debug)]
struct Payload {
    bytes: Vec<u8>,
    reads: Arc<AtomicUsize>,
    is_broken: bool,
    /// Alive for as long as somebody has it.
    open: Arc<()>,
}

impl Payload {
    fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let (reads, open) = (Arc::default(), Arc::default());
        Self { bytes: bytes.into(), reads, is_broken: false, open }
    }

    /// How many others have it.
    fn held(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl SealedPayload for Payload {
    fn payload_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn read_into(&self, out: &mut Vec<u8>) -> bool {
        self.reads.fetch_add(1, Ordering::Relaxed);
        out.extend_from_slice(&self.bytes);
        !self.is_broken
    }
}

fn publication(topic: &'static str, protocol: Protocol<'static>) -> Publication<'static> {
    let (topic, payload) = (Topic::new(topic).unwrap(), Vec::new().into());
    Publication { topic, protocol, payload, options: Options::default() }
}

fn operation(publication: Publication<'static>, payload_bytes: usize) -> Operation<'static> {
    Operation::PublishSealed { publication, payload_bytes: payload_bytes as u64 }
}

/// A client that takes descriptors.
fn join(bus: &mut Bus) -> Who {
    let who = bus.binary();
    bus.say(who, 9, Operation::Hello { name: None, client: None, descriptors: true, token: None });
    assert_eq!(bus.hears(who), ["welcome 9"]);
    assert!(bus.broker.takes_descriptors(bus.id(who)));
    who
}

/// Publishes opaque bytes under number 5.
fn publish(bus: &mut Bus, who: Who, topic: &'static str, payload: &Payload) {
    bus.hand_over(who, Ok(Box::new(payload.clone())));
    bus.say(who, 5, operation(publication(topic, Protocol::BT), payload.bytes.len()));
}

fn only_message(heard: &[Heard]) -> (Vec<u8>, bool) {
    let [Heard::Message { message, .. }] = heard else { panic!("{heard:?}") };
    (message.payload.clone(), message.is_sealed)
}

#[test]
fn who_asked_gets_the_payload_itself_and_others_a_copy_that_is_made_once() {
    let mut bus = Bus::new(Limits::default());
    let boss = join(&mut bus);
    let takers = [join(&mut bus), join(&mut bus)];
    let others: Vec<Who> = [0, 1, 0, 1].map(|n| bus.join(FRAMINGS[n])).into();
    for who in takers.iter().chain(&others) {
        bus.subscribed(*who, 1, "bt/self.a");
    }
    let payload = Payload::new(vec![b'x'; SIZE]);
    publish(&mut bus, boss, "a", &payload);
    bus.broker.check_counts().unwrap();
    // Once for each framing, and in how many queues it stands doesn't count.
    assert_eq!((payload.reads(), payload.held()), (2, 1));
    assert!(bus.hears(boss)[0].starts_with("ok 5"));
    for who in takers {
        assert_eq!(bus.broker.usage(bus.id(who)).unwrap().queued_bytes / SIZE, 1);
        assert_eq!(only_message(&bus.hear(who)), (payload.bytes.clone(), true));
    }
    assert_eq!(payload.held(), 0);
    for who in others {
        assert_eq!(only_message(&bus.hear(who)), (payload.bytes.clone(), false));
    }
    bus.broker.check_counts().unwrap();
    assert_eq!(bus.broker.stats().waiting_bytes, 0);
}

#[test]
fn it_may_have_whatever_a_publication_may_have() {
    let mut bus = Bus::new(Limits::default());
    let (boss, taker, member) = (join(&mut bus), join(&mut bus), join(&mut bus));
    bus.subscribed(taker, 1, "bt/self.a");
    for who in [taker, member] {
        bus.joined(who, 2, "bt/self.g", "workers");
    }
    let payload = Payload::new(vec![b'x'; SIZE]);
    let mut asked = publication("a", Protocol::BT);
    asked.options.message_id = Some(crate::tests::own_id(1));
    asked.options.priority = Priority::High;
    asked.options.reply_to = Some(Topic::new("b").unwrap());
    for answer in ["ok 5", "ok 5 duplicate"] {
        bus.hand_over(boss, Ok(Box::new(payload.clone())));
        bus.say(boss, 5, operation(asked.clone(), SIZE));
        assert_eq!(bus.hears(boss), [answer]);
    }
    let heard = bus.hear(taker);
    assert_eq!(only_message(&heard), (payload.bytes.clone(), true));
    let message = heard[0].message();
    assert_eq!((message.priority.as_str(), message.reply_to.as_deref()), ("high", Some("b")));
    assert_eq!(message.message_id, crate::tests::own_id(1).to_string());
    for _ in 0..2 {
        publish(&mut bus, boss, "g", &payload);
    }
    for who in [taker, member] {
        assert!(only_message(&bus.hear(who)).1);
    }
    // One that expires before it is sent closes its descriptor.
    asked.options = Options { expire_after_ms: Some(10), ..Options::default() };
    bus.hand_over(boss, Ok(Box::new(payload.clone())));
    bus.say(boss, 0, operation(asked, SIZE));
    assert_eq!(payload.held(), 1);
    bus.pass(10);
    assert_eq!(bus.hear(taker), []);
    assert_eq!((payload.held(), bus.broker.stats().totals.expired), (0, 1));
    bus.broker.check_counts().unwrap();
}

#[test]
fn json_is_checked_and_what_is_kept_is_kept_as_bytes() {
    let mut bus = Bus::new(Limits::default());
    let (boss, taker) = (join(&mut bus), join(&mut bus));
    bus.subscribed(taker, 1, "self.>");
    let json = format!("\"{}\"", "x".repeat(SIZE - 2));
    let ms = |retain| {
        let mut publication = publication("a", Protocol::MS);
        publication.options.retain = retain;
        operation(publication, SIZE)
    };
    for (text, answer) in [
        (json.clone(), "ok 5"),
        (" ".repeat(SIZE), "err 5 bad-payload"),
        (json.replace('x', "\n"), "err 5 bad-payload"),
    ] {
        bus.hand_over(boss, Ok(Box::new(Payload::new(text))));
        bus.say(boss, 5, ms(false));
        assert_eq!(bus.hears(boss), [answer]);
    }
    assert_eq!(only_message(&bus.hear(taker)), (json.clone().into_bytes(), true));
    let payload = Payload::new(json.clone());
    bus.hand_over(boss, Ok(Box::new(payload.clone())));
    bus.say(boss, 5, ms(true));
    assert!(only_message(&bus.hear(taker)).1);
    assert_eq!((payload.reads(), payload.held()), (2, 0), "one of them is the test's");
    bus.sub_retained(taker, 2, "self.a");
    let heard = bus.hear(taker);
    assert_eq!(only_message(&heard[1..]), (json.into_bytes(), false));
}

#[test]
fn a_reply_may_come_in_a_descriptor_and_goes_in_its_frame() {
    let mut bus = Bus::new(Limits::default());
    let (boss, asker) = (join(&mut bus), join(&mut bus));
    bus.subscribed(boss, 1, "self.ask");
    bus.ask(asker, 3, "ask", 1_000);
    let reply_to = bus.hear(boss)[0].message().reply_to.clone().unwrap();
    let mut reply = publication("a", Protocol::BT);
    reply.topic = Topic::new(reply_to).unwrap();
    let payload = Payload::new(vec![b'x'; SIZE]);
    bus.hand_over(boss, Ok(Box::new(payload.clone())));
    bus.say(boss, 5, operation(reply, SIZE));
    assert!(bus.hears(boss)[0].starts_with("ok 5"));
    let heard = bus.hear(asker);
    let [Heard::Reply { message, .. }] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((&message.payload, message.is_sealed), (&payload.bytes, false));
    assert_eq!(payload.held(), 0);
}

#[test]
fn what_is_not_what_the_frame_says_is_refused_and_the_connection_goes_on() {
    let mut bus = Bus::new(Limits { payload_bytes_max: 2 * SIZE, ..Limits::default() });
    let (boss, taker) = (join(&mut bus), join(&mut bus));
    bus.subscribed(taker, 1, "bt/self.a");
    let payload = |bytes: usize| Payload::new(vec![b'x'; bytes]);
    let cases = [
        (payload(SIZE), SIZE + 1, "err 5 bad-payload"),
        (payload(SIZE - 1), SIZE - 1, "err 5 bad-payload"),
        (payload(2 * SIZE + 1), 2 * SIZE + 1, "err 5 too-large"),
        (payload(2 * SIZE), 2 * SIZE, "ok 5"),
    ];
    for (payload, said, answer) in cases {
        bus.hand_over(boss, Ok(Box::new(payload)));
        bus.say(boss, 5, operation(publication("a", Protocol::BT), said));
        assert_eq!(bus.hears(boss), [answer]);
    }
    bus.hand_over(boss, Err("the descriptor is no memfd".to_owned()));
    bus.say(boss, 5, operation(publication("a", Protocol::BT), SIZE));
    let heard = bus.hear(boss);
    let [Heard::Err { text, .. }] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(text, "the descriptor is no memfd");
    assert_eq!(bus.hear(taker).len(), 1);
    // A frame that is wrong for another reason takes its descriptor with it.
    let wrong = payload(SIZE);
    bus.hand_over(boss, Ok(Box::new(wrong.clone())));
    let frame = operation(publication("a", Protocol::BT), SIZE);
    let mut bytes = bus.encode(boss, 6, frame);
    bytes[12] = b'*';
    bus.feed(boss, &bytes);
    assert_eq!((bus.hears(boss), wrong.held()), (vec!["err 6 bad-topic".to_owned()], 0));
}

#[test]
fn a_frame_without_its_descriptor_ends_the_connection() {
    let mut bus = Bus::new(Limits::default());
    for asks in [true, false] {
        let boss = if asks { join(&mut bus) } else { bus.binary() };
        bus.say(boss, 5, operation(publication("a", Protocol::BT), SIZE));
        assert_eq!(bus.hears(boss), ["err 5 bad-frame fatal"]);
        assert!(bus.broker.is_closing(bus.id(boss)));
    }
}

#[test]
fn who_does_not_read_gets_copies_once_too_many_wait() {
    let mut bus = Bus::new(Limits { queue_bytes_max: 64 << 20, ..Limits::default() });
    let (boss, taker) = (join(&mut bus), join(&mut bus));
    bus.subscribed(taker, 1, "bt/self.a");
    let payload = Payload::new(vec![b'x'; SIZE]);
    for _ in 0..DESCRIPTORS_MAX + 10 {
        publish(&mut bus, boss, "a", &payload);
        bus.hear(boss);
    }
    bus.broker.check_counts().unwrap();
    assert_eq!((payload.held(), payload.reads()), (DESCRIPTORS_MAX, 10));
    let heard = bus.hear(taker);
    let is_sealed = |one: &Heard| one.message().is_sealed;
    assert_eq!(heard.iter().filter(|one| is_sealed(one)).count(), DESCRIPTORS_MAX);
    assert!(heard[..DESCRIPTORS_MAX].iter().all(is_sealed) && heard.len() == DESCRIPTORS_MAX + 10);
    publish(&mut bus, boss, "a", &payload);
    assert!(only_message(&bus.hear(taker)).1);
}

#[test]
fn those_who_do_not_read_share_the_descriptors_that_there_are() {
    let mut bus = Bus::new(Limits { descriptors_total_max: 12, ..Limits::default() });
    let boss = join(&mut bus);
    let takers = [join(&mut bus), join(&mut bus), join(&mut bus)];
    let topics = ["a", "b", "c"];
    for (who, topic) in takers.iter().zip(topics) {
        bus.subscribed(*who, 1, &format!("bt/self.{topic}"));
    }
    let payloads = topics.map(|_| Payload::new(vec![b'x'; SIZE]));
    for (payload, topic) in payloads.iter().zip(topics) {
        for _ in 0..12 {
            publish(&mut bus, boss, topic, payload);
        }
    }
    // Half of what is there, then half of what is left.
    assert_eq!(payloads.each_ref().map(Payload::held), [6, 3, 2]);
    bus.broker.check_counts().unwrap();
    for who in takers {
        bus.cut(who);
    }
    assert_eq!(payloads.each_ref().map(Payload::held), [0, 0, 0]);
    bus.broker.check_counts().unwrap();
}

#[test]
fn descriptors_ahead_of_their_frames_are_bounded_too() {
    for (total, fitting) in [(12, 6), (1 << 20, DESCRIPTORS_MAX)] {
        let mut bus = Bus::new(Limits { descriptors_total_max: total, ..Limits::default() });
        let payload = Payload::new(vec![b'x'; SIZE]);
        let (hog, boss) = (join(&mut bus), join(&mut bus));
        let hand_over = |bus: &mut Bus, who, count| {
            for _ in 0..count {
                bus.hand_over(who, Ok(Box::new(payload.clone())));
            }
            bus.feed(who, &[]);
            bus.broker.check_counts().unwrap();
        };
        hand_over(&mut bus, hog, fitting);
        hand_over(&mut bus, boss, fitting.min(6));
        assert!(bus.hear(hog).is_empty() && bus.hear(boss).is_empty());
        hand_over(&mut bus, hog, DESCRIPTORS_MAX);
        assert_eq!(bus.hears(hog), ["err - quota-memory fatal"]);
        assert_eq!(payload.held(), fitting.min(6));
        bus.cut(boss);
        bus.cut(hog);
        assert_eq!(bus.broker.residue(), 0);
    }
}

#[test]
fn with_no_descriptors_to_give_nobody_is_granted_any() {
    let mut bus = Bus::new(Limits { descriptors_total_max: 0, ..Limits::default() });
    let who = bus.binary();
    bus.say(who, 9, Operation::Hello { name: None, client: None, descriptors: true, token: None });
    assert_eq!(bus.hears(who), ["welcome 9"]);
    assert!(!bus.broker.takes_descriptors(bus.id(who)));
}

#[test]
fn what_can_not_be_handed_over_is_copied_and_what_can_not_be_read_is_lost() {
    let mut bus = Bus::new(Limits::default());
    let (boss, taker, other) = (join(&mut bus), join(&mut bus), bus.binary());
    for who in [taker, other] {
        bus.subscribed(who, 1, "bt/self.a");
    }
    let payload = Payload::new(vec![b'x'; SIZE]);
    let broken = Payload { is_broken: true, ..Payload::new(vec![b'x'; SIZE]) };
    publish(&mut bus, boss, "a", &payload);
    let (now, id) = (bus.now, bus.id(taker));
    assert_eq!(bus.broker.stage_sealed(now, id).filter(|one| one.payload.is_some()).count(), 1);
    assert!(bus.broker.copy_sealed(id));
    bus.broker.check_counts().unwrap();
    assert_eq!(payload.held(), 0);
    assert_eq!(only_message(&bus.hear(taker)), (payload.bytes, false));
    assert_eq!(bus.hear(other).len(), 1);
    publish(&mut bus, boss, "a", &broken);
    assert_eq!(bus.hears(other), ["lag 1 of 1"]);
    assert_eq!(bus.broker.stage_sealed(now, id).filter(|one| one.payload.is_some()).count(), 1);
    assert!(!bus.broker.copy_sealed(id));
    bus.broker.check_counts().unwrap();
    bus.broker.discard_output(id);
    assert_eq!(broken.held(), 0);
}

#[test]
fn a_run_around_one_is_cut_by_it() {
    let mut bus = Bus::new(Limits::default());
    let (boss, taker) = (join(&mut bus), join(&mut bus));
    bus.subscribed(taker, 1, "bt/self.a");
    let mut plain = publication("a", Protocol::BT);
    plain.payload = b"plain".to_vec().into();
    let plain = bus.encode(boss, 0, Operation::Publish(plain));
    let sealed = bus.encode(boss, 0, operation(publication("a", Protocol::BT), SIZE));
    bus.hand_over(boss, Ok(Box::new(Payload::new(vec![b'x'; SIZE]))));
    bus.feed(boss, &[&plain[..], &plain, &sealed, &plain].concat());
    let heard = bus.hear(taker);
    let found: Vec<usize> = heard.iter().map(|one| one.message().payload.len()).collect();
    assert_eq!(found, [5, 5, SIZE, 5]);
}

#[test]
fn who_asks_for_descriptors_has_to_want_the_answer() {
    let mut bus = Bus::new(Limits::default());
    let who = bus.binary();
    let hello = Operation::Hello { name: None, client: None, descriptors: true, token: None };
    let number = None::<RequestNumber>;
    let mut bytes = Vec::new();
    kith_wire::binary::encode::request(&mut bytes, &Request { number, operation: hello });
    bus.feed(who, &bytes);
    assert_eq!(bus.hears(who), ["err - bad-field"]);
    assert!(!bus.broker.takes_descriptors(bus.id(who)));
}

#[test]
fn what_is_read_or_copied_counts_as_work() {
    let mut bus = Bus::new(Limits::default());
    let (boss, taker) = (join(&mut bus), join(&mut bus));
    bus.subscribed(taker, 1, "*/self.a");
    let json = format!("\"{}\"", "x".repeat(SIZE - 2));
    let work_of = |bus: &mut Bus, protocol: Protocol<'static>| {
        let before = bus.broker.work();
        bus.hand_over(boss, Ok(Box::new(Payload::new(json.clone()))));
        bus.say(boss, 5, operation(publication("a", protocol), SIZE));
        assert!(bus.hears(boss)[0].starts_with("ok 5"));
        bus.broker.work() - before
    };
    assert!(work_of(&mut bus, Protocol::BT) < 10, "it is handed over unseen");
    assert!((256..266).contains(&work_of(&mut bus, Protocol::MS)), "it is checked");
    let other = bus.json();
    bus.subscribed(other, 1, "*/self.a");
    assert!((256..266).contains(&work_of(&mut bus, Protocol::BT)), "it is copied");
}
