//! A daemon that is told to stop: what it has is written, and who waits is answered.

use super::talk::Talk;
use super::{STORES, configuration};
use crate::process::Place;
use rustix::process::Signal;
use serde_json::json;

#[test]
fn what_nobody_waits_for_is_written_before_the_daemon_ends() {
    for store in STORES {
        let place = Place::new(&configuration(store));
        let daemon = place.start();
        let mut consumer = Talk::dial(&place.socket());
        let durable = json!({"op": "sub", "pattern": "self.a", "durable": "log"});
        assert_eq!(consumer.ask(1, durable.clone())["op"], "ok");
        drop(consumer);
        let mut writer = Talk::dial(&place.socket());
        for number in 0..10 {
            writer.say(&json!({"op": "pub", "topic": "a", "payload": number}));
        }
        let kept = json!({"op": "pub", "topic": "kept", "payload": 1, "retain": true});
        assert_eq!(writer.ask(2, kept)["op"], "ok");
        assert!(daemon.stop().status.success());
        let daemon = place.start();
        let mut consumer = Talk::dial(&place.socket());
        assert_eq!(consumer.ask(1, durable)["op"], "ok");
        for number in 0..10 {
            assert_eq!(consumer.hear().unwrap()["payload"], number);
        }
        let retained = json!({"op": "sub", "pattern": "self.kept", "retained": true});
        assert_eq!(consumer.ask(2, retained)["op"], "ok");
        assert_eq!(consumer.hear().unwrap()["retained"], true);
        assert!(daemon.stop().status.success());
    }
}

#[test]
fn whoever_waits_for_the_disk_is_answered_before_the_goodbye() {
    let place = Place::new("");
    let daemon = place.start();
    let mut writer = Talk::dial(&place.socket());
    let durable = json!({"op": "sub", "pattern": "self.a", "durable": "log"});
    assert_eq!(writer.ask(1000, durable)["op"], "ok");
    for number in 1..=300 {
        writer.say(&json!({"op": "pub", "id": number, "topic": "a", "payload": number}));
    }
    // The first is answered, so all that was said with it has been read.
    while writer.hear().unwrap()["id"] != 1 {}
    daemon.process().signal(Signal::TERM);
    let (mut stored, mut said_goodbye) = (1, false);
    while let Some(heard) = writer.hear() {
        if heard["state"] == "stored" {
            assert!(!said_goodbye, "{heard}");
            stored += 1;
        }
        said_goodbye |= heard["op"] == "bye";
    }
    assert!(said_goodbye);
    let ended = daemon.wait();
    assert!(ended.status.success(), "{ended:?}");
    // What was not read by then was not taken; all that was taken was answered.
    let daemon = place.start();
    let mut asking = Talk::dial(&place.socket());
    let list = json!({"op": "req", "topic": "bus.consumers", "payload": null});
    let heard = asking.ask(1, list);
    assert_eq!(heard["payload"]["consumers"][0]["waiting"], stored, "{heard}");
    assert!(daemon.stop().status.success());
}
