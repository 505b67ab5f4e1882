//! The power fails while the daemon works: from what its disk would hold, the next daemon has all
//! that publishers were told is stored.
//!
//! The daemon is recorded as it stores, delivers and is acknowledged (`crash/recording.rs`), and a
//! seed says at which of its system calls the power fails, and what of the changes that were not
//! synced is there (`crash/medium.rs`). What a client was told by then is known from how long the
//! recording was when it heard of it.

use super::talk::{Consumed, Published, consumer};
use super::{STORES, configuration, number_of};
use crate::crash::medium::{Medium, Trust};
use crate::crash::recording::{events, record, recorder};
use crate::process::Place;
use kith_tests::workload::Random;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;

/// Losses of power, unless `KITH_CRASH_SEEDS` says how many.
const SEEDS: u64 = 12;
const SEEDS_A_RECORDING: u64 = 100;
/// Messages that are published in one recording.
const MESSAGES: u64 = 250;

/// What clients knew, and how long the recording was then.
#[derive(Default)]
struct Known {
    stored: BTreeMap<u64, u64>,
    delivered: BTreeMap<u64, u64>,
    acknowledged: BTreeMap<u64, u64>,
}

impl Known {
    fn by(of: &BTreeMap<u64, u64>, length: u64) -> BTreeSet<u64> {
        of.iter().filter(|(_, at)| **at <= length).map(|(number, _)| *number).collect()
    }
}

/// A recording of a daemon at work.
struct Recording {
    place: Place,
    log: Vec<u8>,
    known: Known,
}

impl Recording {
    fn new(store: &str, recorder: &Path) -> Self {
        let place = Place::new(&configuration(store));
        let directory = place.state().join("store");
        fs::create_dir_all(&directory).unwrap();
        let log = place.path().join("recording");
        let mut command = place.command();
        record(command.args(["--log", "info"]), recorder, &directory, &log);
        let daemon = place.start_by(&mut command);
        let length = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let socket = place.socket();
        let mut talk = consumer(&socket);
        let mut known = Known::default();
        let Known { stored, delivered, acknowledged } = &mut known;
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut published = Published::default();
                published.run(&socket, |number| {
                    stored.insert(number, length());
                    stored.len() as u64 == MESSAGES
                });
            });
            while (delivered.len() as u64) < MESSAGES {
                let heard = talk.hear().expect("it goes on");
                let number = heard["payload"].as_u64().unwrap();
                delivered.insert(number, length());
                if number.is_multiple_of(2) {
                    // From before it was said: it may be on the disk at any time after that.
                    acknowledged.insert(number, length());
                    talk.say(&json!({"op": "ack", "sub": 1, "msg_id": heard["msg_id"]}));
                }
            }
        });
        drop(daemon.kill());
        let log = fs::read(&log).unwrap();
        Self { place, log, known }
    }

    /// Loses the power at one moment, and starts the next daemon on what is left.
    fn lose_power(&self, store: &str, seed: u64) -> Result<(), String> {
        let events = events(&self.log);
        let mut random = Random::new(seed);
        let cut = usize::try_from(random.below(events.len() as u64 + 1)).unwrap();
        let directory = self.place.state().join("store");
        let mut medium = Medium::new(&directory, Trust::Syncs);
        events[..cut].iter().for_each(|(_, event)| medium.apply(event));
        let length = events[..cut].last().map_or(0, |(length, _)| *length as u64);
        let place = Place::new(&configuration(store));
        let rebuilt = place.state().join("store");
        fs::create_dir_all(&rebuilt).unwrap();
        medium.rebuild(&mut random, &rebuilt);
        let daemon = place.start();
        let acknowledged: BTreeSet<u64> = self.known.acknowledged.keys().copied().collect();
        let stored = Known::by(&self.known.stored, length);
        // Acknowledged or not: it may be there still, and need not.
        let needed = stored.difference(&acknowledged).copied().collect();
        let mut consumed = Consumed::default();
        let settled = consumed.settle(&place.socket(), &needed);
        let said = daemon.stop().stderr;
        let at = format!("event {cut} of {}", events.len());
        if said.contains("damaged") {
            return Err(format!("{at}: damaged: {said}"));
        }
        settled.map_err(|why| format!("{at}: {why}"))?;
        let delivered = Known::by(&self.known.delivered, length);
        let unmarked: Vec<_> =
            consumed.unmarked.keys().filter(|number| delivered.contains(number)).collect();
        if !unmarked.is_empty() {
            return Err(format!("{at}: delivered before, and not marked: {unmarked:?}"));
        }
        Ok(())
    }
}

/// As many losses of power as are asked for: what went wrong.
fn lose_power_often(store: &str) -> Option<(u64, Vec<String>)> {
    let recorder = recorder()?;
    let count = number_of("KITH_CRASH_SEEDS", SEEDS);
    let first = number_of("KITH_CRASH_SEED", 1);
    let mut wrong = Vec::new();
    let mut recording = None;
    for seed in first..first + count {
        if (seed - first).is_multiple_of(SEEDS_A_RECORDING) {
            recording = Some(Recording::new(store, recorder));
        }
        let recording = recording.as_ref().unwrap();
        if let Err(why) = recording.lose_power(store, seed) {
            wrong.push(format!("seed {seed}, {why}"));
        }
    }
    println!("{store}: the daemon lost its power {count} times, {} went wrong", wrong.len());
    Some((count, wrong))
}

#[test]
fn a_daemon_with_sqlite_keeps_what_it_said_is_stored() {
    let Some((_, wrong)) = lose_power_often(STORES[0]) else { return };
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// With sled now and then the files can't be read any more; that is said loudly, and what could be
/// read is saved. It fails where that is much more than what is known of sled.
#[test]
fn a_daemon_with_sled_loses_as_much_as_is_known_of_it_and_no_more() {
    let Some((count, wrong)) = lose_power_often(STORES[1]) else { return };
    wrong.iter().for_each(|why| println!("{why}"));
    assert!(wrong.len() as u64 * 4 <= count.max(12), "{wrong:#?}");
}
