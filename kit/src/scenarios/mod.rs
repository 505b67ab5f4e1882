//! The scenarios: what is played, what is expected, and how it is judged.
//!
//! Each is played on a bus of its own with the program newly started, so that none depends on what
//! another left behind.

mod ends;
mod life;
mod strange;
mod trouble;

use crate::outcome::Stop;
use crate::program::Program;
use crate::stage::Stage;
use std::sync::atomic::AtomicBool;

/// What is played.
type Play = fn(&mut Stage<'_>) -> Result<(), Stop>;

/// A scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// What is expected of the program, in one sentence.
    pub expected: &'static str,
    /// Whether it is judged by heartbeats.
    pub(crate) needs_heartbeat: bool,
    play: Play,
}

/// The scenario without which those that need heartbeats say nothing.
pub(crate) const HEARTBEAT: &str = "heartbeat";

/// All scenarios, in the order in which they are played.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "starts",
        expected: "it shows its token, subscribes to its heartbeat within 10 s, and does nothing \
                   that its manifest doesn't ask for",
        needs_heartbeat: false,
        play: life::starts,
    },
    Scenario {
        name: HEARTBEAT,
        expected: "it answers each of five heartbeats within 10 s",
        needs_heartbeat: false,
        play: life::heartbeat,
    },
    Scenario {
        name: "stop",
        expected: "it ends by itself with exit code 0 within 2 s after the bus has said goodbye",
        needs_heartbeat: false,
        play: ends::stop,
    },
    Scenario {
        name: "bus-restart",
        expected: "it ends within 5 s when the bus is gone without a goodbye, and works again when \
                   the next bus starts it",
        needs_heartbeat: false,
        play: ends::bus_restart,
    },
    Scenario {
        name: "unknown-token",
        expected: "it ends within 5 s when its token is refused, instead of trying again",
        needs_heartbeat: false,
        play: ends::unknown_token,
    },
    Scenario {
        name: "lag",
        expected: "it goes on, and answers a heartbeat within 10 s, after messages for it were \
                   lost",
        needs_heartbeat: true,
        play: trouble::lag,
    },
    Scenario {
        name: "refused-publish",
        expected: "it goes on, and answers a heartbeat within 10 s, when what it publishes is \
                   refused",
        needs_heartbeat: true,
        play: trouble::refused_publish,
    },
    Scenario {
        name: "slow-reply",
        expected: "it answers a heartbeat within 10 s while nobody answers its requests, and goes \
                   on when an answer comes late",
        needs_heartbeat: true,
        play: trouble::slow_reply,
    },
    Scenario {
        name: "clock-jump",
        expected: "it goes on, and answers heartbeats within 10 s, when the clock is set a day \
                   forth and back",
        needs_heartbeat: true,
        play: strange::clock_jump,
    },
    Scenario {
        name: "garbage",
        expected: "it goes on, and answers heartbeats within 10 s, whatever is said to it",
        needs_heartbeat: true,
        play: strange::garbage,
    },
];

impl Scenario {
    pub(crate) fn play(&self, program: &Program, cancelled: &AtomicBool) -> Result<(), Stop> {
        (self.play)(&mut Stage::set(program, cancelled)?)
    }
}

/// A scenario that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario `{name}`: there are {}", names())]
pub struct UnknownScenario {
    /// What was asked for.
    pub name: String,
}

fn names() -> String {
    SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}

/// The scenarios with these names, in their order; all of them, if none is named.
///
/// # Errors
/// If there is none with one of the names.
pub fn choose(names: &[String]) -> Result<Vec<&'static Scenario>, UnknownScenario> {
    let is_known = |name: &&String| SCENARIOS.iter().any(|scenario| scenario.name == **name);
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        return Err(UnknownScenario { name: name.clone() });
    }
    let is_chosen =
        |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| *name == scenario.name);
    Ok(SCENARIOS.iter().filter(is_chosen).collect())
}
