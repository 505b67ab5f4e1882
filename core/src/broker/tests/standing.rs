//! What programs may do: sandboxed ones less, administrators more; and what the shell is asked.

use super::tokens::{notices, service, shows, token};
use crate::broker::{ASKED, Allowed, Notice};
use crate::limits::ASKED_MAX;
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
fn what_is_granted_holds_from_then_on_and_its_end_ends_the_connection() {
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
    // Its subscriptions would stay, so it is let go, and can come again.
    allow(&mut bus, who, Allowed::default());
    assert_eq!(bus.hears(who), ["bye not-granted"]);
    assert!(bus.broker.is_closing(bus.id(who)));
    // One that had nothing that it could keep goes on.
    let other = confined(&mut bus, FRAMINGS[1]);
    allow(&mut bus, other, Allowed { reserved: false, administer: true });
    allow(&mut bus, other, Allowed::default());
    assert!(!bus.broker.is_closing(bus.id(other)));
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
fn a_service_has_nothing_left_of_what_it_was_granted_as_a_program() {
    let mut bus = Bus::new(small());
    let rights = super::tokens::rights("weather", &[], &["weather.>"], &["self.ask"]);
    bus.broker.expect_service(token("t"), rights, None);
    let who = bus.join(FRAMINGS[1]);
    allow(&mut bus, who, Allowed { reserved: true, administer: true });
    shows(&mut bus, who, "t");
    assert_eq!(bus.hears(who), ["welcome 1"]);
    assert!(!bus.broker.may_administer(bus.id(who)));
}

#[test]
fn a_token_comes_before_anything_that_would_stay() {
    for what in ["subscription", "will", "request"] {
        let mut bus = Bus::new(small());
        let rights = super::tokens::rights("weather", &[], &["weather.>"], &["self.ask"]);
        bus.broker.expect_service(token("t"), rights, None);
        let other = bus.join(FRAMINGS[1]);
        bus.subscribed(other, 1, "self.slow");
        let who = bus.join(FRAMINGS[1]);
        match what {
            "subscription" => bus.subscribed(who, 7, "self.other.>"),
            "will" => {
                bus.say(who, 7, Operation::Will(publication("other.will", "1")));
                assert_eq!(bus.hears(who), ["ok 7"]);
            }
            _ => bus.ask_with(who, 7, publication("slow", "1"), 1_000),
        }
        shows(&mut bus, who, "t");
        assert_eq!(bus.hears(who), ["err 1 bad-token fatal"], "{what}");
        assert!(bus.broker.is_closing(bus.id(who)));
        // It is not used up by that.
        let right = bus.join(FRAMINGS[1]);
        shows(&mut bus, right, "t");
        assert_eq!(bus.hears(right), ["welcome 1"]);
    }
}

#[test]
fn nobody_has_another_answer_where_it_may_not_publish_itself() {
    let mut bus = Bus::new(small());
    let who = bus.join(FRAMINGS[1]);
    for topic in ["services.health", "bus", "envelope.sent"] {
        let options = kith_wire::Options {
            reply_to: kith_wire::Topic::new(topic).ok(),
            ..kith_wire::Options::default()
        };
        let asked = Publication { options, ..publication("echo", "1") };
        bus.say(who, 1, publish(asked.clone()));
        bus.say(who, 2, Operation::Will(asked));
        assert_eq!(bus.hears(who), ["err 1 bad-field", "err 2 bad-field"], "{topic}");
    }
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
    let most = u32::try_from(ASKED_MAX).unwrap();
    for number in 1..=most {
        let bytes = one(&bus, number);
        bus.feed(who, &bytes);
    }
    assert!(bus.hears(who).is_empty());
    let bytes = one(&bus, most + 1);
    bus.feed(who, &bytes);
    assert_eq!(bus.hears(who), [format!("err {} quota-requests", most + 1)]);
    assert_eq!(notices(&mut bus).len(), ASKED_MAX);
    // An answer makes room for the next.
    let (now, id, number) = (bus.now, bus.id(who), RequestNumber::new(1).unwrap());
    bus.broker.answer_asked(now, id, number, "services.list", Ok("[]".to_owned()));
    let bytes = one(&bus, most + 2);
    bus.feed(who, &bytes);
    assert_eq!(notices(&mut bus).len(), 1);
}
