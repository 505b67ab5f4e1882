//! Services: their tokens, what they may publish and subscribe to, and how fast.

use super::tokens::{TOKEN, notices, service, shows, token};
use crate::broker::{Notice, Usage};
use crate::limits::USED_TOKENS_MAX;
use crate::tests::{Bus, FRAMINGS, Heard, Who, own_id, publication, publish, small, with};
use kith_wire::{Code, Operation, Options};
use serde_json::Value;
use std::num::NonZeroU32;

/// A service that may publish on `weather.>` and hear `self.ask`, in this framing.
fn weather(bus: &mut Bus, framing: crate::broker::Framing) -> Who {
    service(bus, framing, "weather", &[], &["weather.>"], &["self.ask"], None)
}

/// The text with which a client was refused last.
fn refused(bus: &mut Bus, who: Who) -> (String, String) {
    match bus.hear(who).pop() {
        Some(Heard::Err { code, text, .. }) => (code, text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_gives_a_name_and_rights() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let rights = super::tokens::rights("weather", &[], &["weather.>"], &[]);
        bus.broker.expect_service(token(TOKEN), rights, None);
        let who = bus.join(framing);
        let hello = Operation::Hello {
            name: Some("somebody else".to_owned()),
            client: None,
            descriptors: false,
            token: Some(token(TOKEN)),
        };
        bus.say(who, 1, hello);
        assert_eq!(bus.hears(who), ["welcome 1"]);
        let id = bus.id(who);
        let entered = Notice::Entered { service: "weather".to_owned(), client: id };
        assert_eq!(notices(&mut bus), [entered]);
        assert_eq!(
            (bus.broker.service(id), bus.broker.name(id)),
            (Some("weather"), Some("weather"))
        );
        assert!(!bus.broker.may_administer(id));
        // Nor can it call itself something else later.
        let other = Some("kith".to_owned());
        let hello = Operation::Hello { name: other, client: None, descriptors: false, token: None };
        bus.say(who, 2, hello);
        assert_eq!(bus.hears(who), ["welcome 2"]);
        assert_eq!(bus.broker.name(id), Some("weather"));
        bus.cut(who);
        let usage = Usage::default();
        let left = Notice::Left { service: "weather".to_owned(), client: id, usage };
        assert_eq!(notices(&mut bus), [left]);
    }
}

#[test]
fn a_token_works_once_and_a_wrong_one_ends_the_connection() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        weather(&mut bus, framing);
        for (shown, said) in
            [(TOKEN, "this token was used before"), ("other", "this token is unknown")]
        {
            let who = bus.join(framing);
            shows(&mut bus, who, shown);
            let heard = bus.hear(who);
            let [Heard::Err { code, text, fatal: true, .. }] = heard.as_slice() else {
                panic!("{heard:?}")
            };
            assert_eq!(code, "bad-token");
            assert!(text.starts_with(said), "{text}");
            assert!(bus.broker.is_closing(bus.id(who)));
        }
        // One that the shell takes back is unknown.
        let rights = super::tokens::rights("late", &[], &[], &[]);
        bus.broker.expect_service(token("late"), rights, None);
        bus.broker.forget_token(&token("late"));
        let who = bus.join(framing);
        shows(&mut bus, who, "late");
        assert_eq!(bus.hears(who), ["err 1 bad-token fatal"]);
    }
}

#[test]
fn so_many_used_tokens_are_remembered() {
    let mut bus = Bus::new(small());
    let show = |bus: &mut Bus, text: &str| {
        let who = bus.json();
        shows(bus, who, text);
        let last = bus.hear(who).pop();
        bus.cut(who);
        last
    };
    for n in 0..=USED_TOKENS_MAX {
        let rights = super::tokens::rights("weather", &[], &[], &[]);
        let text = n.to_string();
        bus.broker.expect_service(token(&text), rights, None);
        assert!(matches!(show(&mut bus, &text), Some(Heard::Welcome { .. })));
    }
    let Some(Heard::Err { text, .. }) = show(&mut bus, "0") else { panic!() };
    assert!(text.contains("unknown"), "{text}");
    let Some(Heard::Err { text, .. }) = show(&mut bus, "1") else { panic!() };
    assert!(text.contains("used before"), "{text}");
}

#[test]
fn a_service_can_not_become_another() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus, FRAMINGS[0]);
    let rights = super::tokens::rights("other", &[], &[], &[]);
    bus.broker.expect_service(token("second"), rights, None);
    shows(&mut bus, who, "second");
    assert_eq!(bus.hears(who), ["err 1 bad-token fatal"]);
}

#[test]
fn what_the_manifest_does_not_ask_for_is_refused() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let who = weather(&mut bus, framing);
        let listener = bus.json();
        bus.subscribed(listener, 1, "self.>");
        let outside = || publication("else.where", "1");
        for (number, operation) in [
            (1, publish(outside())),
            (2, publish(with("else.where", "1", |options| options.retain = true))),
            (3, Operation::Will(outside())),
        ] {
            bus.say(who, number, operation);
            assert_eq!(bus.hears(who), [format!("err {number} not-granted")]);
        }
        bus.ask(who, 4, "else.where", 1_000);
        let (code, text) = refused(&mut bus, who);
        assert_eq!(code, "not-granted");
        assert!(text.contains("weather") && text.contains("else.where"), "{text}");
        for (number, pattern) in [(5, "self.>"), (6, "*/self.ask"), (7, "self.bus.client")] {
            bus.sub(who, number, pattern);
            assert_eq!(bus.hears(who), [format!("err {number} not-granted")], "{pattern}");
        }
        assert_eq!(bus.broker.usage(bus.id(who)).unwrap().refused, 7);
        assert_eq!(bus.hears(listener), Vec::<String>::new());
        // What it may, it may.
        bus.say(who, 8, publish(publication("weather.now", "1")));
        bus.sub(who, 9, "self.ask");
        bus.say(who, 10, Operation::Will(publication("weather.gone", "1")));
        bus.ask(who, 11, "weather.more", 1_000);
        bus.publish(listener, "ask", "2");
        let heard = bus.hears(who);
        assert_eq!(heard, ["ok 8", "ok 9", "ok 10", "msg 9 ask 2"]);
        bus.cut(who);
        let mut heard = bus.hears(listener);
        heard.retain(|text| !text.contains("bus.client"));
        let wanted = ["weather.now 1", "weather.more \"?\"", "ask 2", "weather.gone 1"];
        assert_eq!(heard, wanted.map(|text| format!("msg 1 {text}")));
    }
}

#[test]
fn refusals_are_told_each_time_that_their_number_has_doubled() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus, FRAMINGS[0]);
    notices(&mut bus);
    for _ in 0..9 {
        bus.say(who, 1, publish(publication("else", "1")));
    }
    let counts: Vec<u64> = notices(&mut bus)
        .into_iter()
        .map(|notice| match notice {
            Notice::Refused { client, code: Code::NotGranted, count, .. } => {
                assert_eq!(client, bus.id(who));
                count
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [1, 2, 4, 8]);
    // What any client may be refused for is nothing against a service.
    bus.line(who, "nonsense");
    bus.unsub(who, 2, 77);
    assert_eq!(bus.broker.usage(bus.id(who)).unwrap().refused, 9);
}

/// Frames as a program writes them that publishes as fast as it can: without numbers.
fn plain(bus: &Bus, who: Who, topic: &str, count: usize) -> Vec<u8> {
    bus.encode(who, 0, publish(publication(topic, "1"))).repeat(count)
}

#[test]
fn a_run_of_plain_publishes_is_refused_one_by_one() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus, crate::broker::Framing::Binary);
    let listener = bus.binary();
    bus.subscribed(listener, 1, "self.>");
    let mut bytes = plain(&bus, who, "weather.a", 3);
    bytes.extend(plain(&bus, who, "else", 5));
    bytes.extend(plain(&bus, who, "weather.b", 2));
    bus.feed(who, &bytes);
    assert_eq!(bus.hears(who), vec!["err - not-granted"; 5]);
    assert_eq!(bus.hears(listener).len(), 5);
    let usage = bus.broker.usage(bus.id(who)).unwrap();
    assert_eq!((usage.published, usage.refused), (5, 5));
}

#[test]
fn a_service_that_floods_is_refused_and_then_cut_off() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let listener = bus.binary();
        bus.subscribed(listener, 1, "self.weather.*");
        let rate = NonZeroU32::new(10);
        let who = service(&mut bus, framing, "weather", &[], &["weather.>"], &[], rate);
        notices(&mut bus);
        let bytes = plain(&bus, who, "weather.a", 12);
        bus.feed(who, &bytes);
        assert_eq!(bus.hears(who), ["err - quota-rate", "err - quota-rate"]);
        assert_eq!(bus.hears(listener).len(), 10);
        // A tenth of a second later there is room for one.
        bus.pass(100);
        let bytes = plain(&bus, who, "weather.a", 2);
        bus.feed(who, &bytes);
        assert_eq!(bus.hears(who), ["err - quota-rate"]);
        assert_eq!(bus.hears(listener).len(), 1);
        // A second later for all, and nothing is held against it.
        bus.pass(1_000);
        let bytes = plain(&bus, who, "weather.a", 21);
        bus.feed(who, &bytes);
        let heard = bus.hears(who);
        assert_eq!(heard.len(), 11);
        assert_eq!(heard[10], "err - quota-rate fatal");
        assert_eq!(bus.hears(listener).len(), 10);
        let cut_off = Notice::CutOff { client: bus.id(who), code: Code::QuotaRate };
        assert_eq!(notices(&mut bus).last(), Some(&cut_off));
        assert!(bus.broker.is_closing(bus.id(who)));
    }
}

#[test]
fn requests_and_reserved_topics_count_as_much_as_publishes() {
    let mut bus = Bus::new(small());
    let rate = NonZeroU32::new(3);
    let who = service(&mut bus, FRAMINGS[0], "weather", &[], &["weather.>"], &[], rate);
    bus.ask(who, 1, "weather.a", 1_000);
    bus.publish(who, "services.health", r#"{"service":"weather","state":"ok"}"#);
    bus.publish(who, "weather.a", "1");
    bus.publish(who, "services.health", r#"{"service":"weather","state":"ok"}"#);
    bus.ask(who, 2, "weather.a", 1_000);
    assert_eq!(bus.hears(who), ["err 1 no-responders", "err - quota-rate", "err 2 quota-rate"]);
    // What it asks the daemon, and replies, are no burden on others.
    bus.ask_with(who, 3, publication("bus.stats", "null"), 1_000);
    assert!(bus.hears(who)[0].starts_with("reply 3 bus.stats"));
}

#[test]
fn replies_need_no_grant() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus, FRAMINGS[0]);
    bus.subscribed(who, 1, "self.ask");
    let asker = bus.binary();
    bus.ask(asker, 1, "ask", 1_000);
    let reply_to = bus.hear(who)[0].message().reply_to.clone().unwrap();
    bus.publish(who, &reply_to, "42");
    let heard = bus.hears(asker);
    assert!(heard[0].starts_with("reply 1 ") && heard[0].ends_with(" 42"), "{heard:?}");
}

#[test]
fn what_a_service_publishes_twice_under_an_id_comes_once() {
    let mut bus = Bus::new(small());
    let listener = bus.json();
    bus.subscribed(listener, 1, "self.services.health");
    let who = weather(&mut bus, FRAMINGS[1]);
    let set = |options: &mut Options<'static>| options.message_id = Some(own_id(1));
    let health = || with("services.health", r#"{"service":"weather","state":"ok"}"#, set);
    bus.say(who, 1, publish(health()));
    bus.say(who, 2, publish(health()));
    assert_eq!(bus.hears(who), ["ok 1", "ok 2 duplicate"]);
    assert_eq!(bus.hear(listener).len(), 1);
}

#[test]
fn bus_clients_names_the_service_and_what_it_was_refused() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus, FRAMINGS[0]);
    bus.publish(who, "else", "1");
    let asker = bus.json();
    bus.ask_with(asker, 1, publication("bus.clients", "null"), 1_000);
    let rows: Value = serde_json::from_slice(&bus.hear(asker)[0].message().payload).unwrap();
    assert_eq!((&rows[0]["service"], &rows[0]["refused"]), (&"weather".into(), &1.into()));
    assert_eq!((&rows[1]["service"], &rows[1]["confined"]), (&Value::Null, &Value::Null));
}
