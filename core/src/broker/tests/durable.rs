//! Durable subscriptions: stored before it is said, delivered until acknowledged, and what becomes
//! of it when the daemon or the disk fails.

use crate::limits::{Limits, STORE_STALL_MS_MAX};
use crate::tests::{Bus, Heard, Who, small};
use kith_store::{Failure, Memory};

const LEASE_MS: u64 = 30_000;

fn bus() -> Bus {
    Bus::on(small(), Memory::new())
}

/// A durable subscription, and what it hears first.
fn durable(bus: &mut Bus, number: u32, name: &str, more: &str) -> Who {
    let who = bus.json();
    let line =
        format!(r#"{{"op":"sub","id":{number},"pattern":"self.a.>","durable":"{name}"{more}}}"#);
    bus.line(who, &line);
    who
}

fn publish(bus: &mut Bus, who: Who, number: u32, payload: &str) {
    let line = format!(r#"{{"op":"pub","id":{number},"topic":"a.b","payload":{payload}}}"#);
    bus.line(who, &line);
    bus.settle();
}

/// A publish whose message has an id of its publisher's.
fn with_id(number: u32) -> String {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    format!(r#"{{"op":"pub","id":{number},"topic":"a.b","payload":1,"msg_id":"{id}"}}"#)
}

/// Acknowledges all of these.
fn acknowledge(bus: &mut Bus, who: Who, subscription: u32, heard: &[Heard]) {
    for one in heard {
        if let Heard::Message { message, .. } = one {
            let line =
                format!(r#"{{"op":"ack","sub":{subscription},"msg_id":"{}"}}"#, message.message_id);
            bus.line(who, &line);
        }
    }
}

/// The daemon ends here and now, and starts again with what the disk has.
fn restart(mut bus: Bus, limits: Limits) -> Bus {
    bus.settle();
    let disk = bus.store.unwrap().into_backend();
    let mut again = Bus::on(limits, disk);
    again.now = bus.now;
    again
}

#[test]
fn a_message_is_stored_before_its_publisher_is_told_and_waits_for_its_consumer() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    assert_eq!(bus.hears(reader), ["ok 1 stored"]);
    bus.cut(reader);
    bus.holds = true;
    publish(&mut bus, writer, 1, "1");
    assert!(bus.hears(writer).is_empty(), "the store has not answered");
    bus.answer_store();
    assert_eq!(bus.hears(writer), ["ok 1 stored"]);
    bus.holds = false;
    publish(&mut bus, writer, 2, "2");
    let mut bus = restart(bus, small());
    let reader = durable(&mut bus, 7, "log", "");
    assert_eq!(bus.hears(reader), ["ok 7", "msg 7 a.b 1", "msg 7 a.b 2"]);
}

#[test]
fn what_is_acknowledged_is_done_with_and_the_rest_comes_again_marked() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    for payload in ["1", "2", "3"] {
        publish(&mut bus, writer, 5, payload);
    }
    let heard = bus.hear(reader);
    assert_eq!(heard.len(), 4);
    acknowledge(&mut bus, reader, 1, &heard[1..2]);
    bus.pass(1_000);
    bus.cut(reader);
    let reader = durable(&mut bus, 2, "log", "");
    let again = ["ok 2", "msg 2 a.b 2 attempt 2", "msg 2 a.b 3 attempt 2"];
    assert_eq!(bus.hears(reader), again);
    let mut bus = restart(bus, small());
    let reader = durable(&mut bus, 3, "log", "");
    let again = ["ok 3", "msg 3 a.b 2 attempt 2", "msg 3 a.b 3 attempt 2"];
    assert_eq!(bus.hears(reader), again);
}

#[test]
fn an_acknowledgement_with_a_number_is_answered_once_it_is_on_the_disk() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    publish(&mut bus, writer, 1, "1");
    let heard = bus.hear(reader);
    let id = heard[1].message().message_id.clone();
    let line = format!(r#"{{"op":"ack","id":9,"sub":1,"msg_id":"{id}"}}"#);
    bus.line(reader, &line);
    assert_eq!(bus.hears(reader), ["ok 9 stored"]);
    bus.line(reader, &line);
    assert_eq!(bus.hears(reader), ["err 9 unknown-message"]);
    let mut bus = restart(bus, small());
    let reader = durable(&mut bus, 1, "log", "");
    assert_eq!(bus.hears(reader), ["ok 1"]);
}

#[test]
fn a_lease_that_ends_gives_the_message_to_another_and_at_last_to_nobody() {
    let mut bus = Bus::on(Limits { deliveries_max: 2, ..small() }, Memory::new());
    let first = durable(&mut bus, 1, "work", "");
    let writer = bus.json();
    publish(&mut bus, writer, 1, "1");
    assert_eq!(bus.hears(first), ["ok 1 stored", "msg 1 a.b 1"]);
    let second = durable(&mut bus, 1, "work", "");
    bus.pass(LEASE_MS);
    let (by_first, by_second) = (bus.hears(first), bus.hears(second));
    let both = [by_first, by_second].concat();
    assert_eq!(both.iter().filter(|one| one.ends_with("attempt 2")).count(), 1, "{both:?}");
    bus.pass(LEASE_MS);
    assert!(bus.hears(first).is_empty() && bus.hears(second).is_empty());
    bus.ask(writer, 3, "bus.consumers", 1_000);
    let answer = bus.hears(writer).pop().unwrap();
    assert!(answer.contains(r#""dead":1"#) && answer.contains(r#""waiting":0"#), "{answer}");
}

#[test]
fn who_acknowledges_one_after_the_other_keeps_what_it_was_given() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    for payload in ["1", "2", "3"] {
        publish(&mut bus, writer, 5, payload);
    }
    let heard = bus.hear(reader);
    for one in &heard[1..] {
        bus.pass(LEASE_MS - 1);
        acknowledge(&mut bus, reader, 1, std::slice::from_ref(one));
    }
    bus.pass(LEASE_MS);
    assert!(bus.hears(reader).is_empty());
}

#[test]
fn live_subscribers_do_not_wait_for_the_disk() {
    let mut bus = bus();
    let _reader = durable(&mut bus, 1, "log", "");
    let (live, writer) = (bus.json(), bus.json());
    bus.subscribed(live, 1, "self.a.b");
    bus.holds = true;
    publish(&mut bus, writer, 1, "1");
    assert_eq!(bus.hears(live), ["msg 1 a.b 1"]);
    assert!(bus.hears(writer).is_empty());
}

#[test]
fn a_full_disk_is_told_to_publishers_and_recovers_without_a_restart() {
    let mut bus = bus();
    let (reader, live, writer) = (durable(&mut bus, 1, "log", ""), bus.json(), bus.json());
    bus.hear(reader);
    bus.subscribed(live, 1, "self.a.b");
    let full = Failure::Full { text: "the disk is full".to_owned() };
    bus.store.as_mut().unwrap().backend_mut().fail(Some(full));
    let line = &with_id(1);
    bus.line(writer, line);
    assert_eq!(bus.hears(writer), ["err 1 not-stored"]);
    assert_eq!(bus.hears(live), ["msg 1 a.b 1"]);
    bus.store.as_mut().unwrap().backend_mut().fail(None);
    // The same once more: it is stored, and live subscribers have it already.
    bus.line(writer, line);
    assert_eq!(bus.hears(writer), ["ok 1 stored"]);
    assert!(bus.hears(live).is_empty());
    assert_eq!(bus.hears(reader), ["msg 1 a.b 1"]);
    bus.line(writer, line);
    assert_eq!(bus.hears(writer), ["ok 1 duplicate stored"]);
}

#[test]
fn a_disk_that_does_not_answer_is_told_after_a_while() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    bus.hear(reader);
    bus.holds = true;
    publish(&mut bus, writer, 1, "1");
    bus.pass(STORE_STALL_MS_MAX);
    assert_eq!(bus.hears(writer), ["err 1 not-stored"]);
    publish(&mut bus, writer, 2, "2");
    assert_eq!(bus.hears(writer), ["err 2 not-stored"]);
    bus.answer_store();
    bus.holds = false;
    publish(&mut bus, writer, 3, "3");
    assert_eq!(bus.hears(writer), ["ok 3 stored"]);
    assert_eq!(bus.hears(reader), ["msg 1 a.b 1", "msg 1 a.b 3"]);
}

#[test]
fn a_publish_that_is_repeated_after_a_restart_is_stored_once() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    bus.cut(reader);
    let hello = r#"{"op":"hello","client":"01890a5d-ac96-774b-bcce-b302099a8057"}"#;
    let line = &with_id(2);
    bus.line(writer, hello);
    bus.line(writer, line);
    assert_eq!(bus.hears(writer), ["ok 2 stored"]);
    let mut bus = restart(bus, small());
    let writer = bus.json();
    bus.line(writer, hello);
    bus.line(writer, line);
    assert_eq!(bus.hears(writer), ["ok 2 duplicate stored"]);
    let reader = durable(&mut bus, 1, "log", "");
    assert_eq!(bus.hears(reader), ["ok 1", "msg 1 a.b 1"]);
}

#[test]
fn who_comes_later_can_have_what_was_before() {
    let mut bus = bus();
    let (first, writer) = (durable(&mut bus, 1, "first", ""), bus.json());
    for payload in ["1", "2"] {
        publish(&mut bus, writer, 5, payload);
        bus.pass(10);
    }
    let heard = bus.hear(first);
    acknowledge(&mut bus, first, 1, &heard);
    bus.pass(1_000);
    let all = durable(&mut bus, 1, "all", r#","since":"start""#);
    assert_eq!(bus.hears(all), ["ok 1 stored", "msg 1 a.b 1", "msg 1 a.b 2"]);
    let sent_at = heard[2].message().sent_at;
    let timed = durable(&mut bus, 1, "timed", &format!(r#","since":{sent_at}"#));
    assert_eq!(bus.hears(timed), ["ok 1 stored", "msg 1 a.b 2"]);
    let id = &heard[1].message().message_id;
    let after = durable(&mut bus, 1, "after", &format!(r#","since":"{id}""#));
    assert_eq!(bus.hears(after), ["ok 1 stored", "msg 1 a.b 2"]);
    let gone = r#","since":"01890a5d-ac96-774b-bcce-b302099a8057""#;
    let gone = durable(&mut bus, 1, "gone", gone);
    assert_eq!(bus.hears(gone), ["ok 1 stored", "msg 1 a.b 1", "msg 1 a.b 2"]);
    let later = durable(&mut bus, 1, "later", "");
    assert_eq!(bus.hears(later), ["ok 1 stored"]);
}

#[test]
fn a_replay_that_the_power_ended_is_done_again_where_it_is_asked_for_again() {
    let mut bus = bus();
    let (first, writer) = (durable(&mut bus, 1, "first", ""), bus.json());
    publish(&mut bus, writer, 5, "1");
    let heard = bus.hear(first);
    acknowledge(&mut bus, first, 1, &heard);
    bus.pass(20);
    bus.settle();
    bus.holds = true;
    // The consumer gets to the disk, and nothing of what it was to have.
    durable(&mut bus, 1, "all", r#","since":"start""#);
    bus.settle();
    bus.answer_one();
    let disk = bus.store.unwrap().into_backend();
    let mut bus = Bus::on(small(), disk);
    let all = durable(&mut bus, 1, "all", r#","since":"start""#);
    assert_eq!(bus.hears(all), ["ok 1 stored", "msg 1 a.b 1"]);
    bus.cut(all);
    let all = durable(&mut bus, 1, "all", r#","since":"start""#);
    assert_eq!(bus.hears(all), ["ok 1", "msg 1 a.b 1 attempt 2"]);
}

#[test]
fn kept_values_survive_a_restart() {
    let mut bus = bus();
    let writer = bus.json();
    let line = |id: u32, payload: &str, until: &str| {
        format!(
            r#"{{"op":"pub","id":{id},"topic":"a.b","payload":{payload},"retain":true{until}}}"#
        )
    };
    bus.line(writer, &line(1, "1", ""));
    assert_eq!(bus.hears(writer), ["ok 1"]);
    bus.pass(1_000);
    let mut bus = restart(bus, small());
    let (reader, writer) = (bus.json(), bus.json());
    bus.sub_retained(reader, 1, "self.a.b");
    assert_eq!(bus.hears(reader), ["ok 1", "msg 1 a.b 1 retained"]);
    bus.line(writer, &line(2, "2", r#","until":"stored""#));
    assert_eq!(bus.hears(writer), ["ok 2 stored"]);
    let mut bus = restart(bus, small());
    let reader = bus.json();
    bus.sub_retained(reader, 1, "self.a.b");
    assert_eq!(bus.hears(reader), ["ok 1", "msg 1 a.b 2 retained"]);
}

#[test]
fn what_nobody_stores_is_refused_to_who_wants_it_stored() {
    let mut bus = bus();
    let (live, writer) = (bus.json(), bus.json());
    bus.subscribed(live, 1, "self.a.b");
    let line = r#"{"op":"pub","id":1,"topic":"a.b","payload":1,"until":"stored"}"#;
    bus.line(writer, line);
    assert_eq!(bus.hears(writer), ["err 1 no-consumers"]);
    assert!(bus.hears(live).is_empty());
    let mut none = Bus::new(small());
    let writer = none.json();
    none.line(writer, line);
    none.line(writer, r#"{"op":"sub","id":2,"pattern":"self.a","durable":"x"}"#);
    assert_eq!(none.hears(writer), ["err 1 not-available", "err 2 not-available"]);
}

#[test]
fn a_name_has_one_pattern_and_what_is_removed_is_gone() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    bus.line(writer, r#"{"op":"sub","id":1,"pattern":"self.b","durable":"log"}"#);
    assert_eq!(bus.hears(writer), ["err 1 durable-conflict"]);
    publish(&mut bus, writer, 2, "1");
    bus.line(
        writer,
        r#"{"op":"req","id":3,"topic":"bus.consumers.remove","payload":{"name":"log"}}"#,
    );
    assert_eq!(bus.hears(writer), ["ok 2 stored", "err 3 busy"]);
    bus.cut(reader);
    bus.line(
        writer,
        r#"{"op":"req","id":4,"topic":"bus.consumers.purge","payload":{"name":"log"}}"#,
    );
    assert_eq!(bus.hears(writer), [r#"reply 4 bus.consumers.purge {"purged":1}"#]);
    publish(&mut bus, writer, 5, "2");
    bus.line(
        writer,
        r#"{"op":"req","id":6,"topic":"bus.consumers.remove","payload":{"name":"log"}}"#,
    );
    assert_eq!(bus.hears(writer), ["ok 5 stored", r#"reply 6 bus.consumers.remove {"removed":1}"#]);
    let mut bus = restart(bus, small());
    let reader = durable(&mut bus, 1, "log", "");
    assert_eq!(bus.hears(reader), ["ok 1 stored"]);
}

#[test]
fn quotas_are_told_to_the_publisher_and_live_traffic_goes_on() {
    let mut bus = Bus::on(Limits { stored_messages_max: 4, ..small() }, Memory::new());
    let (reader, live, writer) = (durable(&mut bus, 1, "log", ""), bus.json(), bus.json());
    bus.cut(reader);
    bus.subscribed(live, 1, "self.a.b");
    for number in 1..4 {
        publish(&mut bus, writer, number, "1");
    }
    assert_eq!(bus.hears(writer), ["ok 1 stored", "ok 2 stored", "err 3 quota-stored"]);
    assert_eq!(bus.hears(live).len(), 3);
}

#[test]
fn runs_of_posts_are_stored_too() {
    let mut bus = bus();
    let reader = durable(&mut bus, 1, "log", "");
    bus.cut(reader);
    let writer = bus.binary();
    for payload in ["1", "2", "3"] {
        bus.publish(writer, "a.b", payload);
        bus.settle();
    }
    // Nobody waits for an answer, so they are written when there are more, or a while later.
    bus.pass(20);
    let mut bus = restart(bus, small());
    let reader = durable(&mut bus, 1, "log", "");
    assert_eq!(bus.hears(reader), ["ok 1", "msg 1 a.b 1", "msg 1 a.b 2", "msg 1 a.b 3"]);
}

#[test]
fn expired_messages_are_not_delivered_and_make_room() {
    let mut bus = bus();
    let reader = durable(&mut bus, 1, "log", "");
    bus.cut(reader);
    let writer = bus.json();
    bus.line(writer, r#"{"op":"pub","topic":"a.b","payload":1,"expire_after_ms":500}"#);
    publish(&mut bus, writer, 1, "2");
    bus.pass(600);
    let reader = durable(&mut bus, 1, "log", "");
    assert_eq!(bus.hears(reader), ["ok 1", "msg 1 a.b 2"]);
    bus.ask(writer, 3, "bus.consumers", 1_000);
    let answer = bus.hears(writer).pop().unwrap();
    assert!(answer.contains(r#""expired":1"#), "{answer}");
}

#[test]
fn a_long_queue_comes_in_order_and_nothing_is_lost() {
    let mut bus = bus();
    let reader = durable(&mut bus, 1, "log", "");
    bus.cut(reader);
    let writer = bus.json();
    for number in 0..3_000 {
        publish(&mut bus, writer, 1, &number.to_string());
        bus.hear(writer);
    }
    let mut bus = restart(bus, small());
    let reader = durable(&mut bus, 1, "log", "");
    let mut next = 0;
    for _ in 0..400 {
        let heard = bus.hear(reader);
        for one in &heard {
            if let Heard::Message { message, .. } = one {
                assert_eq!(message.payload, next.to_string().into_bytes());
                next += 1;
            }
        }
        acknowledge(&mut bus, reader, 1, &heard);
        bus.pass(20);
        if next == 3_000 {
            return;
        }
    }
    panic!("only {next} came");
}

#[test]
fn what_expires_on_its_way_to_the_disk_does_not_wait_for_ever() {
    let mut bus = bus();
    let reader = durable(&mut bus, 1, "log", "");
    bus.cut(reader);
    let writer = bus.json();
    bus.holds = true;
    bus.line(writer, r#"{"op":"pub","id":1,"topic":"a.b","payload":1,"expire_after_ms":1}"#);
    bus.settle();
    bus.pass(100);
    bus.answer_store();
    bus.holds = false;
    bus.pass(100);
    bus.ask(writer, 3, "bus.consumers", 1_000);
    let answer = bus.hears(writer).pop().unwrap();
    assert!(answer.contains(r#""expired":1"#) && answer.contains(r#""waiting":0"#), "{answer}");
}

#[test]
fn a_purge_that_the_power_ends_leaves_whole_messages() {
    let mut bus = Bus::on(Limits { history_messages_max: 0, ..small() }, Memory::new());
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    bus.cut(reader);
    for number in 0..10_000 {
        publish(&mut bus, writer, 1, &number.to_string());
        bus.hear(writer);
    }
    bus.holds = true;
    let purge = r#"{"op":"req","id":4,"topic":"bus.consumers.purge","payload":{"name":"log"}}"#;
    bus.line(writer, purge);
    bus.settle();
    bus.answer_one();
    let disk = bus.store.unwrap().into_backend();
    let mut bus = Bus::on(small(), disk);
    let asking = bus.json();
    bus.ask(asking, 3, "bus.consumers", 1_000);
    let answer = bus.hears(asking).pop().unwrap();
    assert!(answer.contains(r#""dead":0"#) && answer.contains(r#""waiting":5904"#), "{answer}");
    let reader = durable(&mut bus, 1, "log", "");
    assert!(bus.hears(reader)[1].starts_with("msg 1 a.b 4096"));
    bus.ask(asking, 3, "bus.consumers", 1_000);
    assert!(bus.hears(asking).pop().unwrap().contains(r#""dead":0"#));
}

#[test]
fn history_is_as_much_as_it_may_be_however_often_the_daemon_starts() {
    let limits = || Limits { history_messages_max: 5, ..small() };
    let mut bus = Bus::on(limits(), Memory::new());
    for round in 0..8 {
        let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
        for payload in 0..3 {
            publish(&mut bus, writer, 5, &(3 * round + payload).to_string());
        }
        let heard = bus.hear(reader);
        acknowledge(&mut bus, reader, 1, &heard);
        bus.pass(20);
        bus = restart(bus, limits());
    }
    let all = durable(&mut bus, 1, "all", r#","since":"start""#);
    let last: Vec<_> = (19..24).map(|number| format!("msg 1 a.b {number}")).collect();
    assert_eq!(bus.hears(all)[1..], last);
    bus.settle();
    let kept = bus.store.as_mut().unwrap().backend_mut().entries_mut().clone();
    assert_eq!(kept.keys().filter(|key| key.first() == Some(&b'm')).count(), 5);
}

#[test]
fn a_kept_value_that_could_not_be_stored_is_stored_when_it_is_published_again() {
    let mut bus = bus();
    let writer = bus.json();
    let line = r#"{"op":"pub","id":1,"topic":"a.b","payload":1,"retain":true,"until":"stored","#;
    let line = format!(r#"{line}"msg_id":"01890a5d-ac96-774b-bcce-b302099a8057"}}"#);
    let full = Failure::Full { text: "the disk is full".to_owned() };
    bus.store.as_mut().unwrap().backend_mut().fail(Some(full));
    bus.line(writer, &line);
    assert_eq!(bus.hears(writer), ["err 1 not-stored"]);
    bus.store.as_mut().unwrap().backend_mut().fail(None);
    bus.line(writer, &line);
    assert_eq!(bus.hears(writer), ["ok 1 stored"]);
    bus.line(writer, &line);
    assert_eq!(bus.hears(writer), ["ok 1 duplicate stored"]);
}

#[test]
fn whoever_joins_a_consumer_that_is_not_there_yet_waits_for_it_too() {
    let mut bus = bus();
    let full = Failure::Full { text: "the disk is full".to_owned() };
    bus.store.as_mut().unwrap().backend_mut().fail(Some(full));
    bus.holds = true;
    let first = durable(&mut bus, 1, "log", "");
    bus.settle();
    let second = durable(&mut bus, 1, "log", "");
    bus.settle();
    bus.answer_store();
    assert_eq!(bus.hears(first), ["err 1 not-stored"]);
    assert_eq!(bus.hears(second), ["err 1 not-stored"]);
}

#[test]
fn when_the_daemon_stops_what_was_gathered_is_written_and_who_waits_is_answered_first() {
    let mut bus = bus();
    let (reader, writer) = (durable(&mut bus, 1, "log", ""), bus.json());
    bus.cut(reader);
    bus.line(writer, r#"{"op":"pub","topic":"a.b","payload":1}"#);
    bus.holds = true;
    publish(&mut bus, writer, 2, "2");
    bus.line(writer, r#"{"op":"pub","topic":"a.b","payload":3,"retain":true}"#);
    bus.broker.shut_down();
    bus.settle();
    assert!(bus.broker.has_unstored());
    bus.answer_store();
    assert!(!bus.broker.has_unstored());
    assert_eq!(bus.hears(writer), ["ok 2 stored", "bye shutting-down"]);
    let mut bus = restart(bus, small());
    let (reader, other) = (durable(&mut bus, 1, "log", ""), bus.json());
    assert_eq!(bus.hears(reader), ["ok 1", "msg 1 a.b 1", "msg 1 a.b 2", "msg 1 a.b 3"]);
    bus.sub_retained(other, 1, "self.a.b");
    assert_eq!(bus.hears(other), ["ok 1", "msg 1 a.b 3 retained"]);
}
