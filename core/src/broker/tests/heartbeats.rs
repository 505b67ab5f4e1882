//! Heartbeats: a service is asked whether it lives, and only it can answer.

use super::tokens::{notices, service};
use crate::broker::Notice;
use crate::tests::{Bus, FRAMINGS, Who, small, small_queue};

const HEARTBEAT: &str = "self.services.heartbeat.weather";

fn weather(bus: &mut Bus) -> Who {
    let who = service(bus, FRAMINGS[1], "weather", &[], &["weather.>"], &["self.ask"], None);
    notices(bus);
    who
}

fn asks(bus: &mut Bus, who: Who) -> bool {
    let (now, id) = (bus.now, bus.id(who));
    bus.broker.ask_heartbeat(now, id, 10_000)
}

/// Where the answer to a heartbeat goes that a client has heard.
fn reply_to(bus: &mut Bus, who: Who) -> String {
    let heard = bus.hear(who);
    assert_eq!(heard.len(), 1, "{heard:?}");
    let message = heard[0].message();
    assert_eq!((message.topic.as_str(), &*message.payload), (&HEARTBEAT[5..], b"{}".as_slice()));
    message.reply_to.clone().unwrap()
}

#[test]
fn a_service_is_there_when_it_has_subscribed_to_its_heartbeat() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus);
    bus.subscribed(who, 1, "self.ask");
    assert_eq!(notices(&mut bus), []);
    assert!(!asks(&mut bus, who), "it would not hear it");
    bus.subscribed(who, 2, HEARTBEAT);
    assert_eq!(notices(&mut bus), [Notice::Ready(bus.id(who))]);
    // Nobody else is there for it.
    let other = bus.json();
    bus.subscribed(other, 1, HEARTBEAT);
    assert_eq!(notices(&mut bus), []);
}

#[test]
fn an_answer_in_time_is_a_sign_of_life() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus);
    bus.subscribed(who, 1, HEARTBEAT);
    notices(&mut bus);
    assert!(asks(&mut bus, who));
    let topic = reply_to(&mut bus, who);
    bus.pass(9_999);
    bus.publish(who, &topic, "null");
    assert_eq!(notices(&mut bus), [Notice::Alive(bus.id(who))]);
    // Once is enough.
    bus.publish(who, &topic, "null");
    assert_eq!(bus.hears(who), ["err - unknown-request"]);
    bus.pass(60_000);
    assert_eq!(notices(&mut bus), []);
}

#[test]
fn a_late_answer_is_none() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus);
    bus.subscribed(who, 1, HEARTBEAT);
    notices(&mut bus);
    assert!(asks(&mut bus, who));
    let topic = reply_to(&mut bus, who);
    bus.pass(10_000);
    assert_eq!(notices(&mut bus), [Notice::Silent(bus.id(who))]);
    bus.publish(who, &topic, "null");
    assert_eq!(bus.hears(who), ["err - unknown-request"]);
    assert_eq!(notices(&mut bus), []);
}

#[test]
fn only_the_service_itself_can_answer() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus);
    let onlooker = bus.json();
    bus.subscribed(onlooker, 1, HEARTBEAT);
    assert!(!asks(&mut bus, who), "who looks on is not the service");
    assert!(bus.hears(onlooker).is_empty());
    bus.subscribed(who, 1, HEARTBEAT);
    notices(&mut bus);
    assert!(asks(&mut bus, who));
    let topic = reply_to(&mut bus, onlooker);
    bus.publish(onlooker, &topic, "null");
    assert_eq!(bus.hears(onlooker), ["err - unknown-request"]);
    assert_eq!(notices(&mut bus), []);
    // The service still can.
    bus.publish(who, &topic, "null");
    assert_eq!(notices(&mut bus), [Notice::Alive(bus.id(who))]);
}

#[test]
fn one_whose_queue_is_full_can_not_be_asked() {
    let mut bus = Bus::new(small_queue(2));
    let who = weather(&mut bus);
    let other = bus.json();
    bus.subscribed(other, 1, HEARTBEAT);
    bus.subscribed(who, 1, HEARTBEAT);
    bus.subscribed(who, 2, "self.ask");
    for _ in 0..3 {
        bus.publish(other, "ask", "1");
    }
    assert!(!asks(&mut bus, who), "only the onlooker has room");
    bus.hears(who);
    assert!(asks(&mut bus, who));
}

#[test]
fn a_service_that_goes_owes_no_answer() {
    let mut bus = Bus::new(small());
    let who = weather(&mut bus);
    bus.subscribed(who, 1, HEARTBEAT);
    assert!(asks(&mut bus, who));
    bus.cut(who);
    notices(&mut bus);
    assert!(!asks(&mut bus, who));
    bus.pass(10_000);
    // Whoever waits for it asks by its connection, which is no other service's ever again.
    let late = notices(&mut bus);
    assert!(late.is_empty() || late == [Notice::Silent(bus.id(who))], "{late:?}");
}

#[test]
fn its_own_heartbeat_is_all_that_it_may_hear_of_them() {
    for pattern in ["self.services.heartbeat.other", "self.services.heartbeat.*", "self.services.>"]
    {
        let mut bus = Bus::new(small());
        let who = weather(&mut bus);
        bus.sub(who, 1, pattern);
        assert_eq!(bus.hears(who), ["err 1 not-granted"], "{pattern}");
    }
}
