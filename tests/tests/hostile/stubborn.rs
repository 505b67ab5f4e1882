//! Connections that don't read: answers, messages, replies, kept values.

use super::{CULPRIT, HELD_RATIO, SMALL_QUEUE, Scene, TIGHT, TIGHT_BYTES};
use crate::door::{
    Client, Event, FRAMINGS, Framing, JsonLines, Operation, Publication, Subscription,
};
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;

#[test]
fn who_does_not_read_its_answers_is_not_read_from() {
    let mut scene = Scene::new("");
    let stream = scene.daemon.dial();
    let asked = scene.flood(&stream, b"{\"op\":\"ping\",\"id\":1}\n", 10_000_000);
    assert!(asked < 200_000, "the daemon goes on reading: {asked} pings");
    scene.talk();
    // It gets every single answer as soon as it reads, and is a client like any other.
    let mut client = JsonLines::new(stream);
    for _ in 0..asked {
        assert_eq!(client.line().as_deref(), Some("{\"op\":\"ok\",\"id\":1}"));
    }
    client.say("{\"op\":\"ping\",\"id\":2}\n");
    assert_eq!(client.line().as_deref(), Some("{\"op\":\"ok\",\"id\":2}"));
    drop(client);
    scene.end(8 << 10);
}

/// Reads until so many messages have come or are known to be lost, and returns how many were lost.
fn missed(client: &mut Client, total: u64) -> u64 {
    let (mut received, mut missed) = (0, 0);
    while received + missed < total {
        match client.next() {
            Event::Message { .. } => received += 1,
            Event::Lag { count, .. } => missed += count,
            Event::Welcome { .. } | Event::Ok { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(received + missed, total);
    missed
}

fn subscribe(pattern: &str) -> Operation {
    Operation::Subscribe(Subscription::to(pattern))
}

/// A JSON string of so many bytes.
fn text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

#[test]
fn who_does_not_read_its_messages_costs_its_queue_and_no_more() {
    let mut scene = Scene::new(SMALL_QUEUE);
    let asked = [(1, subscribe("self.flood"))];
    let deaf: Vec<(Framing, UnixStream)> = FRAMINGS
        .repeat(5)
        .into_iter()
        .map(|framing| (framing, scene.silent_culprit(framing, &asked)))
        .collect();
    // It hears itself as well, and never reads.
    let own = scene.silent_culprit(Framing::JsonLines, &asked);
    scene.publisher.wait_for_count("subscriptions", 2 + 11);
    let publish = Operation::Publish(Publication::json("flood", &text(10_000)));
    let published = scene.flood(&own, &Framing::JsonLines.bytes(None, &publish), 3_000);
    assert_eq!(published, 3_000, "a publisher is not held up by those who don't read");
    let is_done = |one: &serde_json::Value| one["published"] == 3_000;
    scene.wait_for_culprits(|culprits| culprits.iter().any(is_done));
    // Whoever looks sees who it is, and the log says so once for each.
    let culprits = scene.culprits();
    assert_eq!(culprits.len(), 11);
    for culprit in culprits {
        assert!(culprit["dropped"].as_u64() > Some(2_000), "{culprit}");
        assert_eq!(culprit["lagging"], true);
    }
    let log = scene.daemon.process().stderr();
    let named = log.lines().filter(|line| line.contains("fast enough"));
    assert_eq!(named.filter(|line| line.contains(&format!("name=\"{CULPRIT}\""))).count(), 11);
    // As soon as one reads, it is told what it lost, and so is who asks about lag.
    scene.subscriber.subscribe(9, "self.bus.lag");
    for (framing, stream) in deaf {
        assert!(missed(&mut framing.client(stream), 3_000) > 2_000, "it does not fit into 256 KiB");
        let lag = scene.subscriber.message_on(9).value();
        assert_eq!((&lag["name"], &lag["pattern"]), (&CULPRIT.into(), &"self.flood".into()));
        assert!(lag["count"].as_u64() > Some(2_000), "{lag}");
        scene.talk();
    }
    scene.subscriber.done(&Operation::Unsubscribe(9));
    drop(own);
    // Eleven queues, each doubled by its growth, and what is on its way.
    scene.end(11 * 2 * 256 + (4 << 10));
}

#[test]
fn who_does_not_read_its_replies_gets_some_and_for_the_others_an_error() {
    let mut scene = Scene::new(SMALL_QUEUE);
    let mut responder = Framing::BinaryFrames.connect(&scene.daemon);
    responder.subscribe(1, "self.what");
    for framing in FRAMINGS {
        let request = |_| Operation::Request {
            publication: Publication::json("what", "1"),
            timeout_ms: Some(60_000),
        };
        let asked: Vec<(u32, Operation)> = (1..=500).map(|id| (id, request(id))).collect();
        let stream = scene.silent_culprit(framing, &asked);
        for _ in 0..500 {
            let question = responder.message_on(1);
            let answer = responder.reply(&question, &text(10_000));
            assert!(matches!(answer, Event::Ok { .. }), "who answers is not to blame: {answer:?}");
        }
        scene.talk();
        let mut culprit = framing.client(stream);
        let (mut replied, mut busy) = (0, 0);
        for id in 1..=500 {
            match culprit.answer(id) {
                Event::Reply { .. } => replied += 1,
                Event::Err { code: kith_wire::Code::Busy, fatal: false, .. } => busy += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(replied > 20 && busy > 400, "{framing:?}: {replied} replies, {busy} errors");
    }
    drop(responder);
    scene.end(8 << 10);
}

#[test]
fn who_does_not_read_kept_values_is_told_how_many_it_missed() {
    let mut scene = Scene::new(SMALL_QUEUE);
    let mut keeper = Framing::JsonLines.connect(&scene.daemon);
    for topic in 0..200 {
        let value = Publication::json(&format!("kept.{topic}"), &text(1_000));
        keeper.publish_it(value.retained());
    }
    for framing in FRAMINGS {
        let all = || Operation::Subscribe(Subscription::to("self.kept.*").with_retained());
        let asked: Vec<(u32, Operation)> = (1..=50).map(|id| (id, all())).collect();
        let stream = scene.silent_culprit(framing, &asked);
        scene.publisher.wait_for_count("subscriptions", 2 + 50);
        scene.talk();
        let lost = missed(&mut framing.client(stream), 50 * 200);
        assert!(lost > 9_000, "10 MB do not fit into 256 KiB: {lost}");
        scene.wait_until_others(1);
    }
    drop(keeper);
    scene.end(8 << 10);
}

/// Clients that don't read, so many that their queues would take many times what there is.
const DEAF: usize = 90;

/// They listen to a topic each, with little memory for all of them; and one who publishes.
fn deaf_crowd() -> (Scene, Vec<UnixStream>, Client) {
    let mut scene = Scene::new(TIGHT);
    let listen = |nth: usize| {
        let asked = [(1, subscribe(&format!("self.flood.n{nth}")))];
        scene.silent_culprit(FRAMINGS[nth % FRAMINGS.len()], &asked)
    };
    let streams: Vec<UnixStream> = (0..DEAF).map(listen).collect();
    scene.publisher.wait_for_count("subscriptions", 2 + DEAF as u64);
    let loud = scene.culprit(Framing::BinaryFrames);
    (scene, streams, loud)
}

fn end_of_deaf_crowd(mut scene: Scene, streams: Vec<UnixStream>, loud: Client) {
    assert!(scene.waiting_bytes(TIGHT_BYTES) > TIGHT_BYTES / 3, "they do not count");
    assert!(scene.count("dropped") > 5 * DEAF as u64, "there was room for nearly all");
    drop((streams, loud));
    scene.end(HELD_RATIO * (TIGHT_BYTES >> 10) + (8 << 10));
}

#[test]
fn many_queues_that_nobody_reads_have_a_bound() {
    let (mut scene, streams, mut loud) = deaf_crowd();
    // Each has messages of its own, since what queues share counts and is held once. The first of
    // each go to its socket; the rest would fill its queue. They are small enough to be taken in
    // when nearly nothing is free.
    for _ in 0..16 {
        for nth in 0..DEAF {
            for _ in 0..4 {
                loud.publish(&format!("flood.n{nth}"), &text(7_000));
            }
        }
        scene.talk();
        scene.waiting_bytes(TIGHT_BYTES);
    }
    end_of_deaf_crowd(scene, streams, loud);
}

#[test]
fn many_that_do_not_read_their_answers_have_a_bound() {
    let mut scene = Scene::new(TIGHT);
    // A little at a time, so that all of them get as far.
    let pings = b"{\"op\":\"ping\",\"id\":1}\n".repeat(100);
    let mut deaf: Vec<(UnixStream, usize)> = Vec::new();
    for _ in 0..DEAF {
        let stream = scene.daemon.dial();
        stream.set_nonblocking(true).unwrap();
        deaf.push((stream, 0));
    }
    // Until nobody is read from any more.
    let mut turns = 0;
    while turns < 20 {
        turns += 1;
        for (stream, written) in &mut deaf {
            match stream.write(&pings[*written % pings.len()..]) {
                Ok(some) => {
                    *written += some;
                    turns = 0;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        scene.talk();
        scene.waiting_bytes(TIGHT_BYTES);
    }
    assert!(scene.waiting_bytes(TIGHT_BYTES) > TIGHT_BYTES / 3, "they do not count");
    drop(deaf);
    scene.end(HELD_RATIO * (TIGHT_BYTES >> 10) + (8 << 10));
}

/// A page of `bus.subscriptions` may have hundreds of kilobytes, which nobody has published and
/// which cost who asks for it a line.
#[test]
fn many_that_do_not_read_the_lists_that_they_ask_for_have_a_bound() {
    const ASKERS: usize = 200;
    const TOTAL_BYTES: u64 = 8 << 20;
    /// However little is free, each gets the beginning of a list.
    const BEGINNING_BYTES: u64 = 16 << 10;
    const WAITING_BYTES_MAX: u64 = TOTAL_BYTES + ASKERS as u64 * BEGINNING_BYTES;
    let mut scene = Scene::new(
        "[limits]\npayload_bytes_max = '1 MiB'\nqueue_bytes_max = '2 MiB'\n\
         waiting_bytes_total_max = '8 MiB'\n",
    );
    let mut holder = scene.culprit(Framing::JsonLines);
    for number in 1..=1_100 {
        // Each quote takes two bytes where it is listed.
        holder.send_as(number, &subscribe(&format!("self.{}.{number}", "\"".repeat(245))));
    }
    for number in 1..=1_100 {
        assert!(matches!(holder.answer(number), Event::Ok { .. }));
    }
    let asked = || Operation::Request {
        publication: Publication::json("bus.subscriptions", "null"),
        timeout_ms: Some(60_000),
    };
    let mut askers: Vec<(Framing, UnixStream)> = Vec::new();
    for nth in 0..ASKERS {
        let framing = FRAMINGS[nth % FRAMINGS.len()];
        askers.push((
            framing,
            scene.silent_culprit(framing, &[(1, asked()), (2, asked()), (3, asked())]),
        ));
        scene.talk();
        scene.waiting_bytes(WAITING_BYTES_MAX);
    }
    // Whoever reads gets a page, of as many rows as there is room for, or is told that there is
    // none.
    for (framing, stream) in askers {
        match framing.client(stream).answer(1) {
            Event::Reply { .. } | Event::Err { code: kith_wire::Code::Busy, fatal: false, .. } => {}
            other => panic!("{other:?}"),
        }
        scene.waiting_bytes(WAITING_BYTES_MAX);
    }
    drop(holder);
    scene.end(HELD_RATIO * (TOTAL_BYTES >> 10) + (8 << 10));
}

#[test]
fn queues_that_are_filled_one_after_another_leave_room_for_who_reads() {
    let (mut scene, streams, mut loud) = deaf_crowd();
    // One after another, each with less and less.
    for nth in 0..DEAF {
        for (size, times) in [(7_000, 70), (500, 40), (20, 100)] {
            for _ in 0..times {
                loud.publish(&format!("flood.n{nth}"), &text(size));
            }
        }
        scene.talk();
        scene.waiting_bytes(TIGHT_BYTES);
    }
    end_of_deaf_crowd(scene, streams, loud);
}
