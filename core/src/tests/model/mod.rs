//! A broker that is checked: a reference model does what the real one does, and everything is
//! compared after each step.
//!
//! - `reference.rs`, `deliver.rs`, `publish.rs`, `lists.rs`, `totals.rs`, `queue.rs`,
//!   `message.rs`: the reference, written from `docs/protocol.md`;
//! - `steps.rs`, `said.rs`, `bad.rs`: what clients do, drawn from a seed;
//! - `twin.rs`, `seen.rs`: the real broker and the reference side by side;
//! - here: runs of seeds, and how one that fails is made short.
//!
//! How to run, replay and extend it is in `docs/model.md`. Deliberately absent: sockets and tasks,
//! which the tests across crates have; and codecs, which have vectors of their own.

mod bad;
mod deliver;
mod lists;
mod message;
mod publish;
mod queue;
mod reference;
mod said;
mod seen;
mod steps;
mod totals;
mod twin;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use steps::{Drawing, Step};
use twin::Twin;

/// How many steps are drawn from one seed.
const STEPS: usize = 400;

/// Seeds that found something once, in the broker or in the reference.
const REGRESSIONS: &[u64] = &[7, 20, 177, 304, 5_075, 5_409];

/// What came of the steps of a run: what was sent, as a number; or at which step what was wrong.
fn run(seed: u64, steps: &[Step]) -> Result<u64, (usize, String)> {
    let limits = || Drawing::new(seed).limits;
    let begin = || Twin::new(limits(), seed).map_err(|text| (0, text));
    let mut twin = begin()?;
    let mut sent = 0_u64;
    for (at, step) in steps.iter().enumerate() {
        twin.take(step).map_err(|text| (at, text))?;
        if twin.is_over() {
            twin.end().map_err(|text| (at, text))?;
            sent = sent.wrapping_mul(31).wrapping_add(twin.transcript);
            twin = begin()?;
        }
    }
    twin.end().map_err(|text| (steps.len(), text))?;
    Ok(sent.wrapping_mul(31).wrapping_add(twin.transcript))
}

/// The same, where a panic is a failure like others.
fn run_safely(seed: u64, steps: &[Step]) -> Result<u64, (usize, String)> {
    catch_unwind(AssertUnwindSafe(|| run(seed, steps))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err((steps.len(), format!("a panic: {}", text.unwrap_or_default())))
    })
}

fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut drawing = Drawing::new(seed);
    (0..count).map(|_| drawing.step()).collect()
}

/// Leaves out steps as long as it still fails: first many at once, then one by one.
fn shrink(seed: u64, mut steps: Vec<Step>) -> Vec<Step> {
    let mut length = steps.len() / 2;
    while length > 0 {
        let mut at = 0;
        let before = steps.len();
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + length).min(steps.len()));
            match run_safely(seed, &fewer) {
                Err((end, _)) => {
                    fewer.truncate(end + 1);
                    steps = fewer;
                }
                Ok(_) => at += length,
            }
        }
        if length > 1 || steps.len() == before {
            length /= 2;
        }
    }
    steps
}

/// Runs a seed; if it fails, says how, with as few steps as do it.
fn check(seed: u64, count: usize) -> u64 {
    let mut all = steps(seed, count);
    let (at, text) = match run_safely(seed, &all) {
        Ok(sent) => return sent,
        Err(failure) => failure,
    };
    all.truncate(at + 1);
    println!("seed {seed} fails at step {at}: {text}\nleaving out steps ...");
    let few = shrink(seed, all);
    println!("seed {seed} fails with these {}:", few.len());
    for step in &few {
        println!("    {step:?}");
    }
    let (_, why) = run_safely(seed, &few).err().unwrap_or((at, text));
    let replay = format!("KITH_MODEL_SEED={seed} KITH_MODEL_STEPS={count}");
    panic!("{why}\nagain: {replay} cargo test -p kith-core model -- --nocapture");
}

fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[test]
fn the_broker_does_what_the_reference_does() {
    let begin = asked("KITH_MODEL_SEED");
    let wanted = asked("KITH_MODEL_STEPS").unwrap_or(25 * STEPS as u64);
    let (started, mut told) = (Instant::now(), Duration::ZERO);
    let mut done = 0;
    let mut seed = begin.unwrap_or(1);
    while done < wanted {
        check(seed, usize::try_from(wanted - done).unwrap().min(STEPS));
        (done, seed) = (done + STEPS as u64, seed + 1);
        let elapsed = started.elapsed();
        if told + Duration::from_secs(5) < elapsed || wanted <= done {
            told = elapsed;
            let each_second = done as f64 / elapsed.as_secs_f64();
            println!("{done} steps, to seed {}: {each_second:.0} steps/s", seed - 1);
        }
    }
}

#[test]
fn seeds_that_found_something_find_nothing_any_more() {
    for seed in REGRESSIONS {
        check(*seed, STEPS);
    }
}

#[test]
fn the_same_seed_is_the_same_to_the_byte() {
    for seed in [3, 16, 1_000] {
        assert_eq!(check(seed, STEPS), check(seed, STEPS), "seed {seed}");
    }
}
