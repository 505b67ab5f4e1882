//! What programs may do: sandboxed ones less, administrators more; and what the shell is asked.

use super::tokens::{notices, service, shows, token};
use crate::broker::{ASKED, Allowed, Notice};
use crate::limits::NOTICES_MAX;
use crate::tests::{Bus, FRAMINGS, Heard, Who, publication, publish, small, with};
use kith_wire::{Operation, Protocol, Publication, RequestNumber};
use serde_json::Value;

const NODE: &str = r#"{"record":"c2lnbmVkIE5vZGVJbmZv","provenance":"hand"}"#;
const KEY: &str = "f00";

/// A sandboxed program.
fn confined(bus: &mut Bus, framing: crate::broker::Framing) -> Who {
    let who = bus.join(framing);
    let id = bus.id(who);
    bus.broker.confine(id, "flatpak:org.example.App");
    who
}

fn allow(bus: &mut Bus, who: Who, allowed: Allowed) {
    let id = bus.id(who);
    bus.broker.allow(id, allowed);
}

const RESERVED: Allowed = Allowed { reserved: true, administer: false };

/// The first code that a client heard.
fn code(bus: &mut Bus, who: Who) -> String {
    match bus.hear(who).into_iter().next() {
        Some(Heard::Err { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sandboxed_program_has_its_own_topics_and_no_reserved_ones() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let who = confined(&mut bus, framing);
        for (number, pattern) in [
            (1, "self.>"),
            (2, "self.*"),
            (3, "*/*.*.client"),
            (4, "self.bus.client"),
            (5, "self.bus"),
            (6, "kith/self.services.>"),
            (7, "*/*.transports.nodeInfo"),
        ] {
            bus.sub(who, number, pattern);
            let heard = bus.hear(who);
            let [Heard::Err { code, text, .. }] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!(code, "not-granted", "{pattern}");
            assert!(text.contains("`kith grants add flatpak:org.example.App reserved`"), "{text}");
        }
        bus.subscribed(who, 8, "self.app.>");
        bus.subscribed(who, 9, "*/*.app.*");
        bus.say(who, 10, publish(with("app.x", "1", |options| options.retain = true)));
        assert!(bus.hears(who).contains(&"ok 10".to_owned()));
        assert_eq!(bus.broker.usage(bus.id(who)).unwrap().refused, 7);
    }
}

#[test]
fn a_sandboxed_program_publishes_no_reserved_topic_and_asks_for_no_list() {
    let mut bus = Bus::new(small());
    bus.broker.ask_shell();
    let who = confined(&mut bus, FRAMINGS[0]);
    bus.say(who, 1, publish(publication("transports.nodeInfo", NODE)));
    assert_eq!(code(&mut bus, who), "reserved-topic");
    for topic in ["bus.clients", "bus.subscriptions", "bus.stats", "bus.else"].iter().chain(&ASKED)
    {
        bus.ask_with(who, 2, publication(topic, "null"), 1_000);
        assert_eq!(code(&mut bus, who), "not-granted", "{topic}");
    }
    assert_eq!(notices(&mut bus), [], "a program's refusals are told to itself alone");
    // It may answer whoever asks it.
    bus.subscribed(who, 1, "self.app.ask");
    let asker = bus.json();
    bus.ask(asker, 1, "app.ask", 1_000);
    let reply_to = bus.hear(who)[0].message().reply_to.clone().unwrap();
    bus.publish(who, &reply_to, "1");
    assert_eq!(bus.hear(asker).len(), 1);
}

#[test]
fn what_is_granted_holds_from_then_on_and_what_it_has_stays() {
    let mut bus = Bus::new(small());
    let who = confined(&mut bus, FRAMINGS[1]);
    allow(&mut bus, who, RESERVED);
    bus.subscribed(who, 1, "self.services.>");
    bus.say(who, 2, publish(publication("transports.nodeInfo", NODE)));
    bus.ask_with(who, 3, publication("bus.stats", "null"), 1_000);
    let heard = bus.hears(who);
    assert_eq!(heard[0], "ok 2");
    assert!(heard[1].starts_with("reply 3 bus.stats"));
    assert!(!bus.broker.may_administer(bus.id(who)));
    allow(&mut bus, who, Allowed::default());
    bus.sub(who, 4, "self.bus.>");
    assert_eq!(code(&mut bus, who), "not-granted");
    assert_eq!(bus.broker.stats().subscriptions, 1);
}

#[test]
fn who_shows_the_key_administers_and_no_grant_changes_that() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        bus.broker.set_administration_key(token(KEY));
        // As often as there are administrators, sandboxed or not.
        for who in [bus.join(framing), confined(&mut bus, framing)] {
            shows(&mut bus, who, KEY);
            assert_eq!(bus.hears(who), ["welcome 1"]);
            let id = bus.id(who);
            assert!(bus.broker.may_administer(id) && bus.broker.service(id).is_none());
            allow(&mut bus, who, Allowed::default());
            assert!(bus.broker.may_administer(id));
            bus.subscribed(who, 2, "self.>");
        }
        let program = bus.join(framing);
        assert!(!bus.broker.may_administer(bus.id(program)));
        shows(&mut bus, program, "f0");
        assert_eq!(bus.hears(program), ["err 1 bad-token fatal"]);
        assert_eq!(notices(&mut bus), []);
    }
}

#[test]
fn without_a_key_nobody_administers() {
    let mut bus = Bus::new(small());
    let who = bus.json();
    shows(&mut bus, who, KEY);
    assert_eq!(bus.hears(who), ["err 1 bad-token fatal"]);
}

#[test]
fn a_service_is_what_its_token_says_sandboxed_or_granted() {
    let mut bus = Bus::new(small());
    let rights = super::tokens::rights("weather", &[], &["weather.>"], &["self.bus.client"]);
    bus.broker.expect_service(token("t"), rights, None);
    let who = confined(&mut bus, FRAMINGS[0]);
    shows(&mut bus, who, "t");
    bus.sub(who, 1, "self.bus.client");
    bus.ask_with(who, 2, publication("bus.clients", "null"), 1_000);
    let heard = bus.hears(who);
    assert_eq!(heard[..2], ["welcome 1", "ok 1"]);
    assert!(heard[2].starts_with("reply 2 bus.clients"));
    allow(&mut bus, who, Allowed { reserved: true, administer: true });
    assert!(!bus.broker.may_administer(bus.id(who)));
    bus.sub(who, 3, "self.services.>");
    assert_eq!(code(&mut bus, who), "not-granted");
}

#[test]
fn bus_clients_says_who_is_sandboxed() {
    let mut bus = Bus::new(small());
    let who = confined(&mut bus, FRAMINGS[1]);
    bus.sub(who, 1, "self.>");
    let asker = bus.json();
    bus.ask_with(asker, 1, publication("bus.clients", "null"), 1_000);
    let rows: Value = serde_json::from_slice(&bus.hear(asker)[0].message().payload).unwrap();
    let row = &rows[0];
    assert_eq!((&row["confined"], &row["refused"]), (&"flatpak:org.example.App".into(), &1.into()));
    assert_eq!(bus.broker.confined(bus.id(who)), Some("flatpak:org.example.App"));
    assert_eq!(bus.broker.confined(bus.id(asker)), None);
}

#[test]
fn what_only_the_shell_knows_it_is_asked_and_its_answer_comes_back() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let who = bus.join(framing);
        // A shell that does not know either has not said that it does.
        bus.ask_with(who, 1, publication("services.list", "null"), 1_000);
        assert_eq!(code(&mut bus, who), "reserved-topic");
        bus.broker.ask_shell();
        for (topic, number) in ASKED.into_iter().zip(1..) {
            bus.ask_with(who, number, publication(topic, "[1]"), 1_000);
            let (client, number) = (bus.id(who), RequestNumber::new(number).unwrap());
            let asked = Notice::Asked { client, number, topic, payload: b"[1]".to_vec() };
            assert_eq!(notices(&mut bus), [asked]);
            let now = bus.now;
            bus.broker.answer_asked(now, client, number, topic, Ok("{}".to_owned()));
            assert_eq!(bus.hears(who), [format!("reply {number} {topic} {{}}")]);
        }
        let bytes = Publication { protocol: Protocol::KITH, ..publication("services.list", "1") };
        bus.ask_with(who, 9, bytes, 1_000);
        assert_eq!(code(&mut bus, who), "bad-field");
        assert_eq!(notices(&mut bus), []);
    }
}

#[test]
fn a_service_may_read_the_lists_too() {
    let mut bus = Bus::new(small());
    bus.broker.ask_shell();
    let who = service(&mut bus, FRAMINGS[0], "weather", &[], &[], &[], None);
    notices(&mut bus);
    bus.ask_with(who, 1, publication("services.list", "null"), 1_000);
    assert!(matches!(notices(&mut bus).as_slice(), [Notice::Asked { .. }]));
    assert!(!bus.broker.may_administer(bus.id(who)));
}

#[test]
fn questions_to_the_shell_have_a_bound() {
    let mut bus = Bus::new(small());
    bus.broker.ask_shell();
    let who = bus.binary();
    let one = |bus: &Bus, number| {
        let publication = publication("services.list", "null");
        let number = RequestNumber::new(number).unwrap();
        let operation = Operation::Request { number, publication, timeout_ms: 1_000 };
        bus.encode(who, number.get(), operation)
    };
    for number in 1..=u32::try_from(NOTICES_MAX).unwrap() {
        let bytes = one(&bus, number);
        bus.feed(who, &bytes);
    }
    assert!(bus.hears(who).is_empty());
    let bytes = one(&bus, 1);
    bus.feed(who, &bytes);
    assert_eq!(bus.hears(who), ["err 1 busy"]);
    assert_eq!(notices(&mut bus).len(), NOTICES_MAX);
    let bytes = one(&bus, 2);
    bus.feed(who, &bytes);
    assert_eq!(notices(&mut bus).len(), 1);
}
