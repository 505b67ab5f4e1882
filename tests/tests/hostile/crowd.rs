//! Many connections: coming and going, or all there at once.

use super::Scene;
use crate::door::{Connection, Event, FRAMINGS, JsonLines, Operation};
use crate::process::{Daemon, PATIENCE, dial};
use kith_wire::Code;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

#[test]
fn a_thousand_that_come_and_go_leave_nothing_behind() {
    let mut scene = Scene::new("");
    let before = scene.daemon.open_files();
    let beginnings: [&[u8]; 5] = [
        b"",
        b"{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.neighbour\"}\n",
        b"{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.neighb",
        b"KTH\x01\x12\0\0\0\x02\0\0\0\x01\0\0\0*/*.>x",
        b"KT",
    ];
    for round in 0..1_000 {
        let mut stream = scene.daemon.dial();
        stream.write_all(beginnings[round % beginnings.len()]).unwrap();
        drop(stream);
        if round % 100 == 0 {
            scene.talk();
        }
    }
    scene.wait_until_alone();
    assert_eq!(scene.count("subscriptions"), 2);
    assert_eq!(scene.daemon.open_files(), before);
    scene.end(8 << 10);
}

#[test]
fn past_the_limit_connections_are_refused_in_words() {
    let mut scene = Scene::new("limits.clients_max = 40");
    let mut crowd: Vec<_> = (0..38).map(|_| scene.daemon.dial()).collect();
    scene.publisher.wait_for_count("clients", 40);
    for says_something in [false, true] {
        let mut stream = scene.daemon.dial();
        if says_something {
            // It may have been closed already.
            let _ = stream.write_all(b"{\"op\":\"ping\",\"id\":1}\n");
        }
        let mut refused = JsonLines::new(stream);
        let expected = Event::Err { number: None, code: Code::QuotaClients, fatal: true };
        assert_eq!(refused.receive(), Some(expected));
        assert_eq!(refused.receive(), None);
    }
    scene.talk();
    // Who is there already stays, and a place that gets free is given again.
    let mut last = JsonLines::new(crowd.pop().unwrap());
    last.say("{\"op\":\"ping\",\"id\":1}\n");
    assert_eq!(last.line().as_deref(), Some("{\"op\":\"ok\",\"id\":1}"));
    drop(crowd);
    drop(last);
    scene.wait_until_alone();
    let mut next = JsonLines::new(scene.daemon.dial());
    next.say("{\"op\":\"ping\",\"id\":1}\n");
    assert_eq!(next.line().as_deref(), Some("{\"op\":\"ok\",\"id\":1}"));
    drop(next);
    scene.end(4 << 10);
}

/// Ends a storm, also where the test fails: else it would go on for ever.
struct Calm<'a>(&'a AtomicBool);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whoever connects again and again as fast as it can: others are let in all the same.
#[test]
fn a_storm_of_connections_shuts_nobody_out() {
    // On a busy machine hundreds of them may wait to be ended, each in its program's turn.
    let mut scene = Scene::new("limits.clients_max = 2000");
    let socket = scene.daemon.place().socket();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let storm = || {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                let _ = dial(&socket).write_all(b"KTH\x01\x12\0");
                count += 1;
            }
            count
        };
        let storms = [(); 2].map(|()| scope.spawn(storm));
        let calm = Calm(&is_over);
        for nth in 0..80 {
            let mut client = FRAMINGS[nth % 2].connect(&scene.daemon);
            client.done(&Operation::Ping);
            scene.talk();
        }
        drop(calm);
        let came: usize = storms.map(|storm| storm.join().unwrap()).iter().sum();
        assert!(came > 300, "{came} are no storm");
    });
    scene.wait_until_alone();
    scene.end(8 << 10);
}

/// Ten times as many connections as there may be: the neighbour notices nothing, and when they are
/// gone a new one is served.
fn crowd_out(scene: &mut Scene, limit: usize) {
    let crowd: Vec<_> = (0..10 * limit).map(|_| scene.daemon.dial()).collect();
    scene.talk();
    let left = Instant::now();
    drop(crowd);
    // Those who wait to be taken were there before; until they are, there may be no room.
    loop {
        let mut client = JsonLines::new(scene.daemon.dial());
        client.try_say("{\"op\":\"ping\",\"id\":1}\n");
        match client.receive() {
            Some(Event::Ok { number: 1, .. }) => break,
            _ => assert!(left.elapsed() < PATIENCE, "the crowd is still there"),
        }
    }
    scene.talk();
}

#[test]
fn a_crowd_ten_times_the_limit_stops_nobody_after_it() {
    let mut scene = Scene::new("limits.clients_max = 40");
    crowd_out(&mut scene, 40);
    scene.end(8 << 10);
}

#[test]
fn a_crowd_ten_times_the_file_descriptors_stops_nobody_after_it() {
    let daemon = Daemon::with_open_files_max(64, "");
    assert!(daemon.process().stderr().contains("fewer connections than configured"));
    let mut scene = Scene::on(daemon);
    crowd_out(&mut scene, 64);
    scene.end(8 << 10);
}
