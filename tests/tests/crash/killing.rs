//! `kill -9` at random moments: what was answered is there, and the next start goes on at once.
//!
//! Rounds follow each other on one directory, so that each starts with what the last kill left. The
//! kernel keeps what a killed process has written; what this finds is what an engine does when it
//! stops anywhere, and starts again.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use kith_store_disk::Kind;
use kith_tests::workload::Random;
use tempfile::TempDir;

use super::checking::check;
use super::number_of;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kith-tests-crash");
const ROUNDS: u64 = 12;
/// More than a round ever gets to.
const COMMITS: u64 = 1_000_000;
/// Answers before the kill, at most.
const ANSWERS: u64 = 60;
/// Rounds on one directory: whoever checks makes the commits anew each time.
const ROUNDS_A_DIRECTORY: u64 = 40;

/// Kills one process, and returns the last commit that it had said was answered.
fn kill(kind: Kind, place: &TempDir, seed: u64, from: u64, random: &mut Random) -> u64 {
    let mut command = Command::new(PROGRAM);
    command.arg(kind.name()).arg(place.path());
    command.args([seed.to_string(), from.to_string(), COMMITS.to_string()]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answered = from - 1;
    let mut hear = |line: Result<String, _>| {
        let line: String = line.unwrap();
        let number = line.strip_prefix("ack ").map(|number| number.parse().unwrap());
        answered = number.unwrap_or(answered);
    };
    let n_answers = usize::try_from(random.below(ANSWERS)).unwrap();
    lines.by_ref().take(n_answers).for_each(&mut hear);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it was killed counts, too.
    lines.for_each(&mut hear);
    answered
}

fn keeps_what_was_answered(kind: Kind) -> Result<u64, String> {
    let n_rounds = number_of("KITH_CRASH_ROUNDS", ROUNDS);
    let mut random = Random::new(number_of("KITH_CRASH_SEED", 1));
    let mut n_answered = 0;
    for start in (0..n_rounds).step_by(usize::try_from(ROUNDS_A_DIRECTORY).unwrap()) {
        let place = TempDir::new().unwrap();
        let mut from = 1;
        for round in start..n_rounds.min(start + ROUNDS_A_DIRECTORY) {
            let answered = kill(kind, &place, start, from, &mut random);
            n_answered += answered + 1 - from;
            let number = check(place.path(), kind, start, answered, from + COMMITS)
                .map_err(|text| format!("round {round}: {text}"))?;
            // The check has made one more.
            from = number + 2;
        }
    }
    println!("{}: {n_rounds} kills, {n_answered} commits answered, none lost", kind.name());
    Ok(n_answered)
}

#[test]
fn sqlite_keeps_what_was_answered_when_it_is_killed() {
    assert!(keeps_what_was_answered(Kind::Sqlite).unwrap() > 0);
}

#[test]
fn sled_keeps_what_was_answered_when_it_is_killed() {
    assert!(keeps_what_was_answered(Kind::Sled).unwrap() > 0);
}
