//! Clients that ask for more than their share: of subscriptions, requests, kept values, wills.

use super::{CULPRIT, SMALL_QUEUE, Scene};
use crate::door::{
    Client, Connection, Event, FRAMINGS, Framing, JsonLines, Operation, Publication, Subscription,
};
use kith_wire::Code;
use std::ops::RangeInclusive;

/// How many operations are said before their answers are read.
const BATCH: u32 = 500;

/// What became of operations that were each answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    done: u32,
    refused: u32,
}

/// Says an operation for each number, in batches, between which the neighbours talk. Each is done
/// or refused with this code.
fn storm(
    scene: &mut Scene,
    client: &mut Client,
    numbers: RangeInclusive<u32>,
    code: Code,
    operation: impl Fn(u32) -> Operation,
) -> Tally {
    let mut tally = Tally::default();
    let numbers: Vec<u32> = numbers.collect();
    for batch in numbers.chunks(BATCH as usize) {
        for number in batch {
            client.send_as(*number, &operation(*number));
        }
        for number in batch {
            match client.answer(*number) {
                Event::Ok { .. } => tally.done += 1,
                Event::Err { code: found, fatal: false, .. } if found == code => tally.refused += 1,
                other => panic!("{other:?}"),
            }
        }
        scene.talk();
    }
    tally
}

/// The line that refuses this one, which names the quota.
fn refusal(lines: &mut JsonLines, operation: &Operation) -> String {
    lines.send(Some(77), operation);
    let line = lines.line().unwrap();
    assert!(line.starts_with("{\"op\":\"err\",\"id\":77,\"code\":\"quota-"), "{line}");
    line
}

fn sub(pattern: &str) -> Operation {
    Operation::Subscribe(Subscription::to(pattern))
}

#[test]
fn subscriptions_past_the_quota_are_refused_and_those_that_end_make_room() {
    let mut scene = Scene::new("[limits]\nsubscriptions_max = 1000\n");
    let code = Code::QuotaSubscriptions;
    for framing in FRAMINGS {
        let mut culprit = scene.culprit(framing);
        let own = |number: u32| sub(&format!("self.storm.{number}"));
        let tally = storm(&mut scene, &mut culprit, 1..=3_000, code, own);
        assert_eq!(tally, Tally { done: 1_000, refused: 2_000 });
        assert_eq!(scene.culprits()[0]["subscriptions"], 1_000);
        for _ in 0..3 {
            let end = |number: u32| Operation::Unsubscribe(number - 100_000);
            let tally = storm(&mut scene, &mut culprit, 100_001..=101_000, code, end);
            assert_eq!(tally, Tally { done: 1_000, refused: 0 });
            let tally = storm(&mut scene, &mut culprit, 1..=1_001, code, own);
            assert_eq!(tally, Tally { done: 1_000, refused: 1 });
        }
        drop(culprit);
        scene.wait_until_alone();
    }
    let mut lines = JsonLines::new(scene.daemon.dial());
    for number in 1..=1_000 {
        lines.send(Some(number + 1_000), &sub("self.storm"));
        assert!(matches!(lines.receive(), Some(Event::Ok { .. })));
    }
    let line = refusal(&mut lines, &sub("self.storm"));
    assert!(line.contains("at most 1000 subscriptions"), "{line}");
    drop(lines);
    scene.end(4 << 10);
}

#[test]
fn a_hundred_thousand_subscriptions_are_only_many() {
    let mut scene = Scene::new("");
    let mut culprit = scene.culprit(Framing::BinaryFrames);
    let own = |number: u32| match number % 3 {
        0 => sub(&format!("self.storm.{number}.*")),
        1 => sub(&format!("*/*.storm.*.n{number}")),
        _ => sub(&format!("self.storm.{number}")),
    };
    let tally = storm(&mut scene, &mut culprit, 1..=100_000, Code::QuotaSubscriptions, own);
    assert_eq!(tally, Tally { done: 100_000, refused: 0 });
    drop(culprit);
    scene.end(48 << 10);
}

#[test]
fn patterns_that_match_everything_cost_who_holds_them() {
    let mut scene = Scene::new(SMALL_QUEUE);
    for framing in FRAMINGS {
        // Never read, and each message of the neighbours comes two hundred times.
        let asked: Vec<(u32, Operation)> = (1..=200).map(|id| (id, sub("*/*.>"))).collect();
        let stream = scene.silent_culprit(framing, &asked);
        scene.publisher.wait_for_count("subscriptions", 2 + 200);
        for _ in 0..30 {
            scene.talk();
        }
        let culprit = &scene.culprits()[0];
        assert_eq!(culprit["lagging"], true, "{culprit}");
        assert!(culprit["queued_bytes"].as_u64() <= Some(256 << 10), "{culprit}");
        drop(stream);
        scene.wait_until_alone();
    }
    scene.end(4 << 10);
}

#[test]
fn monitors_that_do_not_read_hold_up_no_request() {
    let mut scene = Scene::new(SMALL_QUEUE);
    let monitor = Subscription::to("*/*.>").looking_on();
    let asked = [(1, Operation::Subscribe(monitor))];
    let deaf: Vec<_> = (0..40).map(|nth| scene.silent_culprit(FRAMINGS[nth % 2], &asked)).collect();
    scene.publisher.wait_for_count("subscriptions", 2 + 40);
    let payload = format!("\"{}\"", "x".repeat(10_000));
    for _ in 0..60 {
        scene.publisher.publish("elsewhere", &payload);
        let number = scene.publisher.request("nobody", "1", 5_000);
        let code = Code::NoResponders;
        let expected = Event::Err { number: Some(number), code, fatal: false };
        assert_eq!(scene.publisher.answer(number), expected);
        scene.talk();
    }
    let culprits = scene.culprits();
    assert!(culprits.iter().all(|one| one["lagging"] == true) && culprits.len() == 40);
    drop(deaf);
    scene.end(40 * 2 * 256 + (4 << 10));
}

#[test]
fn requests_past_the_quota_are_refused_and_those_that_wait_end_in_time() {
    let mut scene = Scene::new("[limits]\nrequests_max = 100\n");
    let mut mute = Framing::BinaryFrames.connect(&scene.daemon);
    mute.subscribe(1, "self.what");
    let request = |timeout_ms| {
        let publication = Publication::json("what", "1");
        Operation::Request { publication, timeout_ms: Some(timeout_ms) }
    };
    for framing in FRAMINGS {
        let mut culprit = scene.culprit(framing);
        for number in 1..=100 {
            culprit.send_as(number, &request(3_600_000));
        }
        // Whoever doesn't read its answers isn't read from, so not all at once.
        for first in (101..=2_600).step_by(500) {
            for number in first..first + 500 {
                culprit.send_as(number, &request(3_600_000));
            }
            for number in first..first + 500 {
                let code = Code::QuotaRequests;
                let expected = Event::Err { number: Some(number), code, fatal: false };
                assert_eq!(culprit.answer(number), expected);
            }
        }
        assert_eq!(scene.count("requests_waiting"), 100);
        assert_eq!(scene.culprits()[0]["requests_waiting"], 100);
        scene.talk();
        drop(culprit);
        scene.wait_until_others(1);
        assert_eq!(scene.count("requests_waiting"), 0);
        // Those that nobody answers end in an error, each of them.
        let mut culprit = scene.culprit(framing);
        let in_time = storm_of_requests(&mut scene, &mut culprit, &request(1));
        assert_eq!(in_time, 1_000);
        drop(culprit);
        scene.wait_until_others(1);
    }
    let mut lines = JsonLines::new(scene.daemon.dial());
    for number in 1..=100 {
        lines.send(Some(number + 1_000), &request(3_600_000));
    }
    let line = refusal(&mut lines, &request(1));
    assert!(line.contains("waits for 100 replies, as many as it may"), "{line}");
    drop((lines, mute));
    scene.end(8 << 10);
}

/// A thousand requests, as many at a time as may wait, that all end in a time-out.
fn storm_of_requests(scene: &mut Scene, culprit: &mut Client, request: &Operation) -> usize {
    let mut ended = 0;
    for round in 0..10 {
        let numbers = (1..=100).map(|number| 10_000 + round * 100 + number);
        for number in numbers.clone() {
            culprit.send_as(number, request);
        }
        for number in numbers {
            let timeout = Event::Err { number: Some(number), code: Code::Timeout, fatal: false };
            assert_eq!(culprit.answer(number), timeout);
            ended += 1;
        }
        scene.talk();
    }
    ended
}

#[test]
fn replies_that_nobody_waits_for_are_refused_one_by_one() {
    let mut scene = Scene::new("");
    for framing in FRAMINGS {
        let mut culprit = scene.culprit(framing);
        let reply = |number: u32| {
            let topic = format!("bus.reply.{:032x}", u128::from(number) << 64 | 7);
            Operation::Publish(Publication::json(&topic, "1"))
        };
        let code = Code::UnknownRequest;
        let tally = storm(&mut scene, &mut culprit, 1..=3_000, code, reply);
        assert_eq!(tally, Tally { done: 0, refused: 3_000 });
        let forged = |number: u32| {
            Operation::Publish(Publication::json(&format!("bus.reply.{number}"), "1"))
        };
        let code = Code::ReservedTopic;
        let tally = storm(&mut scene, &mut culprit, 1..=500, code, forged);
        assert_eq!(tally, Tally { done: 0, refused: 500 });
    }
    scene.end(4 << 10);
}

#[test]
fn kept_values_past_the_quota_are_refused_and_half_is_left_for_others() {
    let mut scene = Scene::new("[limits]\nretained_messages_max = 2000\n");
    let code = Code::QuotaRetained;
    let keep = |number: u32| {
        let topic = format!("kept.{number}");
        Operation::Publish(Publication::json(&topic, "[1,2,3]").retained())
    };
    let mut culprit = scene.culprit(Framing::JsonLines);
    let tally = storm(&mut scene, &mut culprit, 1..=3_000, code, keep);
    assert_eq!(tally, Tally { done: 1_000, refused: 2_000 });
    let line = refusal(
        &mut {
            let mut lines = JsonLines::new(scene.daemon.dial());
            for number in 1..=998 {
                lines.send(Some(number), &keep(10_000 + number));
                assert!(matches!(lines.receive(), Some(Event::Ok { .. })));
            }
            // With `bus.ready` there are 1,999: another takes the last place of all.
            let own = Publication::json("neighbour.kept", "1").retained();
            scene.publisher.publish_it(own);
            lines
        },
        &keep(99_999),
    );
    assert!(line.contains("the bus keeps at most 2000 values"), "{line}");
    // What one has it may replace, as often as it likes, and what it removes is free.
    let tally = storm(&mut scene, &mut culprit, 1..=1_000, code, keep);
    assert_eq!(tally, Tally { done: 1_000, refused: 0 });
    for number in 1..=10 {
        let gone =
            Publication { payload: None, ..Publication::json(&format!("kept.{number}"), "") };
        culprit.publish_it(gone.retained());
    }
    let tally = storm(&mut scene, &mut culprit, 1..=10, code, keep);
    assert_eq!(tally, Tally { done: 10, refused: 0 });
    drop(culprit);
    scene.end(8 << 10);
}

#[test]
fn wills_by_the_thousand_are_all_published() {
    let mut scene = Scene::new("");
    scene.subscriber.subscribe(9, "self.will");
    let payload = format!("\"{}\"", "x".repeat(60_000));
    let mut left = 0;
    for round in 0..10 {
        let wills: Vec<_> = (0..100)
            .map(|nth| {
                let framing = FRAMINGS[nth % FRAMINGS.len()];
                // One after the other, of which the last counts.
                let will = |payload: &str| Operation::Will(Publication::json("will", payload));
                let wills = [(0, will("1")), (0, will(&payload)), (0, Operation::Ping)];
                left += 1;
                scene.silent_culprit(framing, &wills)
            })
            .collect();
        scene.wait_until_others(100);
        drop(wills);
        for _ in 0..100 {
            assert_eq!(scene.subscriber.message_on(9).payload.len(), payload.len(), "{round}");
        }
        scene.talk();
    }
    assert_eq!(left, 1_000);
    scene.subscriber.done(&Operation::Unsubscribe(9));
    // A hundred wills, and as many in the queue of who gets them.
    scene.end(3 * 100 * 64 + (4 << 10));
}

#[test]
fn members_that_do_not_read_are_passed_over() {
    let mut scene = Scene::new(SMALL_QUEUE);
    let member = Operation::Subscribe(Subscription::to("self.work").in_group("crew"));
    let deaf: Vec<_> = (0..20)
        .map(|nth| {
            let asked: Vec<(u32, Operation)> = (1..=50).map(|id| (id, member.clone())).collect();
            scene.silent_culprit(FRAMINGS[nth % 2], &asked)
        })
        .collect();
    scene.publisher.wait_for_count("subscriptions", 2 + 20 * 50);
    let mut reader = Framing::BinaryFrames.connect(&scene.daemon);
    reader.subscribe_group(9, "self.work", "crew");
    let payload = format!("\"{}\"", "x".repeat(40_000));
    let published = 600;
    let mut got = 0;
    for _ in 0..published {
        scene.publisher.publish("work", &payload);
        // Once all others are full, each comes here.
        got += reader.pending_payloads(9).len();
    }
    let taken: u64 = scene.culprits().iter().map(|one| one["delivered"].as_u64().unwrap()).sum();
    assert_eq!(taken + got as u64, published, "each to one member");
    assert!(got > 300, "{got}");
    assert_eq!(scene.count("dropped"), 0);
    scene.talk();
    drop((deaf, reader));
    scene.end(20 * 2 * 256 + (4 << 10));
}

#[test]
fn groups_by_the_thousand_are_looked_through() {
    let mut scene = Scene::new(SMALL_QUEUE);
    for framing in FRAMINGS {
        let group = |id: u32| Subscription::to("self.neighbour").in_group(&format!("g{id}"));
        let asked: Vec<(u32, Operation)> =
            (1..=2_000).map(|id| (id, Operation::Subscribe(group(id)))).collect();
        let stream = scene.silent_culprit(framing, &asked);
        scene.publisher.wait_for_count("subscriptions", 2 + 2_000);
        for _ in 0..10 {
            scene.talk();
        }
        let culprit = &scene.culprits()[0];
        assert_eq!((&culprit["lagging"], &culprit["name"]), (&true.into(), &CULPRIT.into()));
        drop(stream);
        scene.wait_until_alone();
    }
    scene.end(8 << 10);
}
