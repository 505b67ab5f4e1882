//! The conformance kit: tries a program, in any language, as a service of the Kith bus.
//!
//! A service that works on a good day is easily written. This is about the others: the bus stops,
//! or is gone without a word, refuses what it took before, has more to say than fits, asks for a
//! sign of life, says nonsense, never answers, has its clock set. Each of these is a scenario: a
//! name, a sentence on what is expected, and a verdict; where it is bad, with what was seen and
//! what to change, in words for somebody who wrote the program and not the bus.
//!
//! The bus that the program gets is the daemon's own broker (`kith-core`) on a socket in a
//! directory of its own, with the kit in the place of the daemon around it. So the kit has in its
//! hand what a daemon can't be asked for: time, rights, the size of queues, and to end without a
//! goodbye. It is one thread: `stage` has the bus and the program, and whoever waits for something
//! drives both.
//!
//! - `program`: what is started, and its manifest; `child`: it, running;
//! - `bus`: the broker and its connections; `stage`: waiting for what should happen;
//! - `stimulus`, `reserved`: what can be said to a service, from what it subscribes to;
//! - `scenarios`: all of them; `outcome`: what is found.
//!
//! Deliberately absent: judging what the program does, which only its author can; a sandbox for it;
//! and numbers of how fast it is.

mod bus;
mod child;
mod limits;
mod outcome;
mod program;
mod reserved;
mod scenarios;
mod stage;
mod stimulus;

pub use outcome::{Outcome, Report, Verdict};
pub use program::{Program, ProgramError};
pub use scenarios::{SCENARIOS, Scenario, UnknownScenario, choose};

use outcome::Stop;
use scenarios::HEARTBEAT;
use std::io;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Why nothing more can be said about a program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The system doesn't let the kit have its bus, or look at the program.
    #[error("the kit's own bus failed: {0}")]
    Io(#[from] io::Error),
    /// It was told to stop.
    #[error("stopped before it was through")]
    Cancelled,
}

/// Plays these scenarios with a program, one after the other, and tells `each` what came of it as
/// it is known. Ends soon, and ends the program, once `cancelled` is set.
///
/// # Errors
/// If the program could not be tried.
pub fn run(
    program: &Program,
    scenarios: &[&'static Scenario],
    cancelled: &AtomicBool,
    mut each: impl FnMut(&Outcome),
) -> Result<Report, KitError> {
    let mut outcomes = Vec::new();
    let mut is_hopeless = false;
    let mut has_heartbeat = true;
    for scenario in scenarios {
        let begin = Instant::now();
        let skip = |why: &str| Verdict::Skip { why: why.to_owned() };
        let verdict = if is_hopeless {
            skip("it has to start first")
        } else if scenario.needs_heartbeat && !has_heartbeat {
            skip("it has to answer heartbeats first")
        } else {
            match scenario.play(program, cancelled) {
                Ok(()) => Verdict::Pass,
                Err(Stop::Verdict(verdict)) => verdict,
                Err(Stop::Hopeless(verdict)) => {
                    is_hopeless = true;
                    verdict
                }
                Err(Stop::Io(error)) => return Err(KitError::Io(error)),
                Err(Stop::Cancelled) => return Err(KitError::Cancelled),
            }
        };
        has_heartbeat &= scenario.name != HEARTBEAT || !verdict.is_fail();
        let ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = Outcome { name: scenario.name, expected: scenario.expected, verdict, ms };
        each(&outcome);
        outcomes.push(outcome);
    }
    Ok(Report::new(program, outcomes))
}
