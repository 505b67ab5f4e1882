//! `kill -9` at random moments under load: the next start goes on at once, with all that was
//! answered, and nothing of it twice without a mark.

use super::talk::{Consumed, Published, consumer};
use super::{Chance, STORES, configuration, number_of};
use crate::process::Place;
use rustix::process::Signal;
use std::sync::mpsc;
use std::thread;

/// Rounds, unless `KITH_CRASH_ROUNDS` says how many.
const ROUNDS: u64 = 8;
/// Answers until the kill, at most.
const ANSWERS: u64 = 150;
/// Rounds on one state.
const ROUNDS_A_STATE: u64 = 50;

struct Outcome {
    stored: usize,
    redelivered: u64,
}

/// So many kills on one state.
fn rounds(store: &str, seed: u64, count: u64) -> Result<Outcome, String> {
    let place = Place::new(&configuration(store));
    let mut chance = Chance(seed);
    let (mut published, mut consumed) = (Published::default(), Consumed::default());
    for round in 0..count {
        let daemon = place.start();
        let socket = place.socket();
        let mut talk = consumer(&socket);
        let enough = chance.below(ANSWERS);
        let forgetting = Chance(chance.below(u64::MAX));
        let (killed, kill) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| consumed.run(&mut talk, Some(forgetting), None));
            let publisher = scope.spawn(|| {
                let mut answered = 0;
                published.run(&socket, |_| {
                    answered += 1;
                    if answered == enough {
                        // Whoever waits for it has failed, and says why.
                        let _ = killed.send(());
                    }
                    false
                });
                drop(killed);
            });
            if enough > 0 {
                kill.recv().unwrap_or_else(|_| panic!("round {round}: the daemon ended itself"));
            }
            daemon.process().signal(Signal::KILL);
            publisher.join().unwrap();
        });
        drop(daemon.wait());
    }
    let daemon = place.start();
    consumed.settle(&place.socket(), &published.stored)?;
    let ended = daemon.stop();
    let is_quiet = !ended.stderr.contains("WARN") && !ended.stderr.contains("ERROR");
    if !ended.status.success() || !is_quiet {
        return Err(format!("{ended:?}"));
    }
    Ok(Outcome { stored: published.stored.len(), redelivered: consumed.redelivered })
}

fn keeps_what_it_said(store: &str) {
    let wanted = number_of("KITH_CRASH_ROUNDS", ROUNDS);
    let first_seed = number_of("KITH_CRASH_SEED", 1);
    let (mut done, mut stored, mut redelivered) = (0, 0, 0);
    while done < wanted {
        let count = ROUNDS_A_STATE.min(wanted - done);
        let seed = first_seed + done;
        let outcome = rounds(store, seed, count).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        done += count;
        stored += outcome.stored;
        redelivered += outcome.redelivered;
    }
    println!(
        "{store}: {done} kills of the daemon, {stored} messages answered as stored, 0 lost, \
         {redelivered} delivered again and marked"
    );
    assert!(stored > 0);
}

#[test]
fn a_daemon_that_is_killed_keeps_what_it_said_is_stored_with_sqlite() {
    keeps_what_it_said(STORES[0]);
}

#[test]
fn a_daemon_that_is_killed_keeps_what_it_said_is_stored_with_sled() {
    keeps_what_it_said(STORES[1]);
}
