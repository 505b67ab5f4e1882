//! Reserved topics: who publishes there, in which words, and in which form others hear it.

use super::tokens::{notices, service};
use crate::broker::{Framing, Notice};
use crate::tests::{Bus, FRAMINGS, Heard, Who, publication, publish, small, small_queue, with};
use kith_contract::{NODE_INFO, Rights, Role, STATE, bus, entry, transports};
use kith_wire::{Operation, Protocol, Publication, Token};

const HEALTH: &str = r#"{"service":"weather","state":"ok"}"#;
const NODE: &str = r#"{"record":"c2lnbmVkIE5vZGVJbmZv","provenance":"hand"}"#;
const GET: &str = r#"{"lookup":"card","key":"JvhWfyVpGCKUw/pbn5yyJwtVTu9ii0wUnPgqQoiP9K4="}"#;
const REPLY: &str =
    r#"{"directory":"dht","lookup":"card","key":"JvhWfyVpGCKUw/pbn5yyJwtVTu9ii0wUnPgqQoiP9K4="}"#;

fn weather(bus: &mut Bus) -> Who {
    let who = service(bus, FRAMINGS[0], "weather", &[], &["weather.>"], &[], None);
    notices(bus);
    who
}

/// A service of this name with this role.
fn with_role(bus: &mut Bus, name: &str, role: Role) -> Who {
    service(bus, FRAMINGS[1], name, &[role], &[], &[], None)
}

/// The same payload, as CBOR.
fn cbor(topic: &str, json: &str) -> Publication<'static> {
    let views = entry(topic).unwrap().check("ms", json.as_bytes()).unwrap();
    Publication { protocol: Protocol::KITH, payload: views.cbor.into(), ..publication(topic, json) }
}

/// What comes of publishing this: the code, or `ok`.
fn outcome(bus: &mut Bus, who: Who, publication: Publication<'static>) -> String {
    bus.say(who, 9, publish(publication));
    match bus.hear(who).pop() {
        Some(Heard::Ok { .. }) => "ok".to_owned(),
        Some(Heard::Err { code, fatal: false, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn programs_may_bring_what_is_signed_and_ask_and_no_more() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let who = bus.join(framing);
        assert_eq!(outcome(&mut bus, who, publication("transports.nodeInfo", NODE)), "ok");
        assert_eq!(outcome(&mut bus, who, publication("directory.get", GET)), "ok");
        assert_eq!(outcome(&mut bus, who, cbor("directory.get", GET)), "ok");
        for entry in kith_contract::entries() {
            let topic = match entry.ends_with_name() {
                true => format!("{}weather", entry.topic()),
                false => entry.topic().to_owned(),
            };
            if !["transports.nodeInfo", "directory.get"].contains(&topic.as_str()) {
                let outcome = outcome(&mut bus, who, publication(&topic, "{}"));
                assert_eq!(outcome, "reserved-topic", "{topic}");
            }
        }
        for topic in ["bus", "bus.else", "people.x", "rooms.x", "services.x", "directory.x"] {
            assert_eq!(outcome(&mut bus, who, publication(topic, "{}")), "reserved-topic");
        }
        bus.say(who, 1, Operation::Will(publication("directory.get", GET)));
        assert_eq!(bus.hears(who), ["err 1 reserved-topic"]);
    }
}

#[test]
fn services_may_publish_what_their_role_says() {
    let sent = r#"{"transport":"quic","envelope":"019a5b7e-8c00-7000-8000-000000000001"}"#;
    let cases = [
        ("envelope.sent", sent, Role::Transport, "quic"),
        ("directory.getReply", REPLY, Role::Directory, "dht"),
    ];
    for (topic, json, role, name) in cases {
        let mut bus = Bus::new(small());
        let plain = weather(&mut bus);
        assert_eq!(outcome(&mut bus, plain, publication(topic, json)), "not-granted");
        for other in Role::ALL {
            let who = with_role(&mut bus, name, other);
            let wanted = if other == role { "ok" } else { "not-granted" };
            assert_eq!(outcome(&mut bus, who, publication(topic, json)), wanted, "{topic}");
        }
    }
    // What is the daemon's own no role gives.
    let mut bus = Bus::new(small());
    for role in Role::ALL {
        let who = with_role(&mut bus, "x", role);
        for topic in ["bus.ready", "services.state", "services.heartbeat.x"] {
            assert_eq!(outcome(&mut bus, who, publication(topic, "{}")), "not-granted");
        }
        assert_eq!(outcome(&mut bus, who, publication("people.x", "{}")), "reserved-topic");
    }
}

#[test]
fn a_service_speaks_for_itself_alone() {
    let mut bus = Bus::new(small());
    let listener = bus.json();
    bus.subscribed(listener, 1, "self.services.health");
    let who = weather(&mut bus);
    let other = HEALTH.replace("weather", "other");
    bus.say(who, 1, publish(publication("services.health", &other)));
    let heard = bus.hear(who);
    let [Heard::Err { code, text, .. }] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(code, "not-granted");
    assert!(text.contains("`other`") && text.contains("weather"), "{text}");
    assert_eq!(outcome(&mut bus, who, cbor("services.health", &other)), "not-granted");
    assert!(bus.hears(listener).is_empty());
    let names = |notice: &Notice| matches!(notice, Notice::Refused { .. });
    assert!(notices(&mut bus).iter().all(names));
}

#[test]
fn a_payload_that_is_not_as_it_has_to_be_is_refused_with_its_field() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let listener = bus.json();
        bus.subscribed(listener, 1, "self.services.health");
        let who = service(&mut bus, framing, "weather", &[], &[], &[], None);
        for (json, field) in [
            ("{}", "`service`"),
            (r#"{"service":"weather"}"#, "`state`"),
            (r#"{"service":"weather","state":"fine"}"#, "`state`"),
            (r#"{"service":"weather","state":"ok","stat":1}"#, "`stat`"),
            (r#"{"service":"weather","state":"ok","text":7}"#, "`text`"),
            ("[]", "a list"),
        ] {
            bus.say(who, 1, publish(publication("services.health", json)));
            let heard = bus.hear(who);
            let [Heard::Err { code, text, .. }] = heard.as_slice() else { panic!("{heard:?}") };
            assert_eq!(code, "bad-payload", "{json}");
            assert!(text.starts_with("`services.health`") && text.contains(field), "{text}");
        }
        // Neither form, another protocol, and CBOR that is not the one form.
        let mut cut = cbor("services.health", HEALTH);
        cut.payload = cut.payload[..5].to_vec().into();
        assert_eq!(outcome(&mut bus, who, cut), "bad-payload");
        let mut long = cbor("services.health", HEALTH).payload.to_vec();
        long.splice(0..1, [0xb8, 0x02]);
        let long = Publication { payload: long.into(), ..cbor("services.health", HEALTH) };
        assert_eq!(outcome(&mut bus, who, long), "bad-payload");
        let protocol = Protocol::new("else").unwrap();
        let other = Publication { protocol, ..publication("services.health", HEALTH) };
        assert_eq!(outcome(&mut bus, who, other), "bad-payload");
        assert_eq!(bus.broker.usage(bus.id(who)).unwrap().refused, 9);
        assert!(bus.hears(listener).is_empty());
    }
}

#[test]
fn nothing_is_kept_on_a_reserved_topic() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus);
    let kept = with("services.health", HEALTH, |options| options.retain = true);
    assert_eq!(outcome(&mut bus, who, kept), "bad-field");
    let program = bus.json();
    let kept = with("directory.get", GET, |options| options.retain = true);
    assert_eq!(outcome(&mut bus, program, kept), "bad-field");
    // An empty one would delete what is kept.
    let empty = with("directory.get", "", |options| options.retain = true);
    assert_ne!(outcome(&mut bus, program, empty), "ok");
}

#[test]
fn each_subscriber_gets_the_form_that_it_named_once() {
    for framing in FRAMINGS {
        for is_cbor in [false, true] {
            let mut bus = Bus::new(small());
            let listener = bus.join(framing);
            let topic = "transports.nodeInfo";
            for (number, protocol) in [(1, "ms"), (2, "kith"), (3, "*"), (4, "else")] {
                bus.subscribed(listener, number, &format!("{protocol}/self.{topic}"));
            }
            let who = bus.json();
            let given = if is_cbor { cbor(topic, NODE) } else { publication(topic, NODE) };
            assert_eq!(outcome(&mut bus, who, given), "ok");
            let mut heard: Vec<_> = bus
                .hear(listener)
                .into_iter()
                .map(|one| {
                    let Heard::Message { subscription, message } = one else { panic!("{one:?}") };
                    let read = NODE_INFO.read(&message.protocol, &message.payload).unwrap();
                    assert_eq!(read.provenance, transports::Provenance::Hand);
                    (subscription, message.protocol)
                })
                .collect();
            heard.sort();
            let own = if is_cbor { "kith" } else { "ms" };
            let wanted = [(1, "ms"), (2, "kith"), (3, own)];
            assert_eq!(heard, wanted.map(|(number, name)| (number, name.to_owned())));
        }
    }
}

/// What a listener heard in each form, read with the contract's type.
fn both_forms<T: kith_contract::Payload + PartialEq + std::fmt::Debug>(
    bus: &mut Bus,
    listener: Who,
    topic: &kith_contract::Topic<T>,
) -> Vec<T> {
    let mut all = [Vec::new(), Vec::new()];
    for one in bus.hear(listener) {
        let Heard::Message { subscription, message } = one else { panic!("{one:?}") };
        let (form, protocol) = if subscription == 1 { (0, "ms") } else { (1, "kith") };
        assert_eq!(message.protocol, protocol);
        all[form].push(topic.read(protocol, &message.payload).unwrap());
    }
    let [json, cbor] = all;
    assert_eq!(json, cbor);
    json
}

fn listens_to(bus: &mut Bus, topic: &str) -> Who {
    let listener = bus.binary();
    bus.subscribed(listener, 1, &format!("ms/self.{topic}"));
    bus.subscribed(listener, 2, &format!("kith/self.{topic}"));
    listener
}

#[test]
fn the_daemon_tells_who_comes_and_goes_in_both_forms() {
    let mut bus = Bus::new(small());
    let listener = listens_to(&mut bus, "bus.client");
    let json = bus.json();
    let name = Some("n\"ä".to_owned());
    bus.say(json, 1, Operation::Hello { name, client: None, descriptors: false, token: None });
    bus.cut(json);
    // One that is cut off, one by each door, and a service.
    let wrong = bus.binary();
    let token = Token::new("wrong").ok();
    bus.say(wrong, 1, Operation::Hello { name: None, client: None, descriptors: false, token });
    bus.cut(wrong);
    let who = weather(&mut bus);
    bus.cut(who);
    for door in ["dbus", "service"] {
        let id = bus.broker.connect_by(bus.now, Some(door)).unwrap();
        bus.broker.disconnect(bus.now, id, "gone");
    }
    let told = both_forms(&mut bus, listener, &kith_contract::BUS_CLIENT);
    assert_eq!(told.len(), 10);
    assert_eq!(told[1].name.as_deref(), Some("n\"ä"));
    assert_eq!(told[3].reason.as_deref(), Some("cut off: bad-token"));
    assert_eq!(told[5].name.as_deref(), Some("weather"));
    let framings: Vec<_> = told.iter().map(|one| one.framing).collect();
    assert_eq!(
        framings[7..],
        [bus::Framing::Dbus, bus::Framing::Service, bus::Framing::Service].map(Some)
    );
}

#[test]
fn the_daemon_tells_its_counters_and_who_lags_in_both_forms() {
    let mut bus = Bus::new(small_queue(2));
    let counters = listens_to(&mut bus, "bus.stats");
    bus.pass(bus.broker.limits().stats_interval_ms);
    let told = both_forms(&mut bus, counters, &kith_contract::BUS_STATS);
    assert_eq!((told.len(), told[0].clients, told[0].subscriptions), (1, 1, 2));
    let lags = listens_to(&mut bus, "bus.lag");
    let slow = bus.json();
    bus.subscribed(slow, 7, "self.a");
    for _ in 0..5 {
        bus.publish(counters, "a", "1");
    }
    bus.hears(slow);
    let told = both_forms(&mut bus, lags, &kith_contract::BUS_LAG);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].sub, told[0].count), (Some(7), 3));
}

#[test]
fn bus_ready_is_kept_in_both_forms() {
    let mut bus = Bus::new(small());
    bus.broker.announce_ready(bus.now, "1.2.3", 42);
    for (pattern, protocol) in
        [("kith/self.bus.ready", "kith"), ("self.bus.ready", "ms"), ("*/self.bus.>", "ms")]
    {
        let late = bus.join(Framing::Binary);
        bus.sub_retained(late, 1, pattern);
        let heard = bus.hear(late);
        assert_eq!(heard.len(), 2, "{pattern}");
        let message = heard[1].message();
        assert_eq!((message.protocol.as_str(), message.retained), (protocol, true));
        let ready = kith_contract::BUS_READY.read(protocol, &message.payload).unwrap();
        assert_eq!((ready.version.as_str(), ready.pid), ("1.2.3", 42));
    }
}

#[test]
fn what_the_shell_announces_comes_in_both_forms_if_somebody_listens() {
    let mut bus = Bus::new(small());
    let now = bus.now;
    bus.broker.announce_contract(now, "services.state", || panic!("nobody listens"));
    let listener = listens_to(&mut bus, "services.state");
    let json = r#"{"name":"weather","state":"waiting","reason":"ended"}"#;
    bus.broker.announce_contract(now, "services.state", || json.to_owned());
    let told = both_forms(&mut bus, listener, &STATE);
    assert_eq!((told[0].name.as_str(), told[0].reason.as_deref()), ("weather", Some("ended")));
}

#[test]
fn how_a_service_is_is_told_the_shell_in_json() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus);
    let client = bus.id(who);
    assert_eq!(outcome(&mut bus, who, cbor("services.health", HEALTH)), "ok");
    let told = Notice::Health { client, payload: HEALTH.to_owned() };
    assert_eq!(notices(&mut bus), [told]);
}

/// The daemon's own part comes with a token like any service, and says what no service may.
#[test]
fn the_daemons_own_part_speaks_for_it() {
    const CHANGED: &str =
        r#"{"change":"removed","person":"JvhWfyVpGCKUw/pbn5yyJwtVTu9ii0wUnPgqQoiP9K4="}"#;
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let listener = bus.json();
        bus.subscribed(listener, 1, "self.people.>");
        let token = Token::new("its-own").unwrap();
        bus.broker.expect_service(token.clone(), Rights::daemon(), None);
        let who = bus.join(framing);
        let (name, token) = (None, Some(token));
        bus.say(who, 1, Operation::Hello { name, client: None, descriptors: false, token });
        assert_eq!(bus.hears(who), ["welcome 1"]);
        assert!(notices(&mut bus).is_empty(), "the host of services has not started it");
        bus.subscribed(who, 2, "*/*.>");
        let changed = publication("people.changed", CHANGED);
        assert_eq!(outcome_besides(&mut bus, who, changed), "ok");
        assert_eq!(bus.hears(listener).len(), 1);
        for (topic, wanted) in [("a", "not-granted"), ("envelope.received", "not-granted")] {
            let outcome = outcome_besides(&mut bus, who, publication(topic, "{}"));
            assert_eq!(outcome, wanted, "{topic}");
        }
        bus.cut(who);
        assert!(notices(&mut bus).iter().all(|notice| matches!(notice, Notice::Refused { .. })));
    }
}

/// The same for one that also hears what it says.
fn outcome_besides(bus: &mut Bus, who: Who, publication: Publication<'static>) -> String {
    bus.say(who, 9, publish(publication));
    let heard = bus.hear(who);
    let answer = heard.iter().find(|heard| !matches!(heard, Heard::Message { .. }));
    match answer {
        Some(Heard::Ok { .. }) => "ok".to_owned(),
        Some(Heard::Err { code, fatal: false, .. }) => code.clone(),
        other => panic!("{other:?}"),
    }
}
