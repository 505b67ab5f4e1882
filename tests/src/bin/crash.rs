//! A program that commits to a store and says what has been answered: it is there to be killed.
//!
//! `kith-tests-crash ENGINE DIRECTORY SEED FROM COMMITS [early]` opens the store, goes on with
//! commit FROM, and writes `ack N` once commit N has been answered by the store; with `early` it
//! says so as soon as it has asked, which is the mistake that the crash suites have to see. What
//! commit N changes is in `kith_tests::workload`, so that whoever checks knows it too.
//!
//! Some of the time many commits are under way, and now and then the store is closed and opened.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc;

use anyhow::{Context, ensure};
use kith_store_disk::{Disk, Kind};
use kith_tests::workload::{Random, changes};

/// Commits between one opening and the next, at most.
const COMMITS_AT_ONCE: u64 = 120;
/// Commits that wait for their answers, at most.
const UNDER_WAY: u64 = 24;

fn say(number: u64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "ack {number}")?;
    out.flush()
}

fn main() -> anyhow::Result<()> {
    let mut words = env::args().skip(1);
    let mut word = |name: &str| words.next().with_context(|| format!("no {name}"));
    let kind = Kind::from_name(&word("engine")?).context("no such engine")?;
    let directory = PathBuf::from(word("directory")?);
    let seed: u64 = word("seed")?.parse()?;
    let mut number: u64 = word("from")?.parse()?;
    let end = number + word("commits")?.parse::<u64>()?;
    let is_early = word("early").is_ok_and(|word| word == "early");
    let mut random = Random::new(seed ^ number);
    while number < end {
        let (disk, opened) = Disk::open(&directory, kind)?;
        ensure!(opened.quarantined.is_none(), "{opened:?}");
        let (answer, answered) = mpsc::channel();
        let until = end.min(number + 1 + random.below(COMMITS_AT_ONCE));
        let mut under_way = 0;
        while number < until {
            let answer = answer.clone();
            let asked = number;
            if is_early {
                say(asked)?;
            }
            disk.commit(changes(seed, asked), move |result| {
                let said = match result {
                    Ok(_) if is_early => Ok(()),
                    Ok(_) => say(asked).map_err(anyhow::Error::from),
                    Err(failure) => Err(failure.into()),
                };
                // Nobody waits any more once something has failed.
                let _ = answer.send(said);
            });
            number += 1;
            under_way += 1;
            while under_way > random.below(UNDER_WAY) {
                answered.recv()??;
                under_way -= 1;
            }
        }
        drop(answer);
        answered.iter().collect::<anyhow::Result<()>>()?;
    }
    Ok(())
}
