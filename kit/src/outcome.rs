//! What is found: a verdict for each scenario, and all of them together.

use crate::program::Program;
use serde::Serialize;
use std::io;

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// The program did what it should.
    Pass,
    /// It did not.
    Fail {
        /// What was seen.
        seen: String,
        /// What its author should change.
        change: String,
    },
    /// It does nothing to which this could happen.
    Skip {
        /// Why not.
        why: String,
    },
}

impl Verdict {
    pub(crate) fn is_fail(&self) -> bool {
        matches!(self, Self::Fail { .. })
    }
}

/// A scenario and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub name: &'static str,
    /// What is expected, in one sentence.
    pub expected: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// All that was found about a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The program and its arguments.
    pub program: Vec<String>,
    /// Its manifest's file.
    pub manifest: String,
    /// How many scenarios it passed.
    pub passed: usize,
    /// How many it did not.
    pub failed: usize,
    /// How many did not apply.
    pub skipped: usize,
    /// Each of them.
    pub scenarios: Vec<Outcome>,
}

impl Report {
    pub(crate) fn new(program: &Program, scenarios: Vec<Outcome>) -> Self {
        let count = |is_meant: fn(&Verdict) -> bool| {
            scenarios.iter().filter(|outcome| is_meant(&outcome.verdict)).count()
        };
        Self {
            program: program.words(),
            manifest: program.manifest_file().display().to_string(),
            passed: count(|verdict| *verdict == Verdict::Pass),
            failed: count(Verdict::is_fail),
            skipped: count(|verdict| matches!(verdict, Verdict::Skip { .. })),
            scenarios,
        }
    }
}

/// Why a scenario ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Verdict(Verdict),
    /// It failed, and so badly that nothing else can be tried.
    Hopeless(Verdict),
    Io(io::Error),
    Cancelled,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The program did something wrong: what was seen, and what to change.
pub(crate) fn failed(seen: impl Into<String>, change: impl Into<String>) -> Stop {
    Stop::Verdict(Verdict::Fail { seen: seen.into(), change: change.into() })
}

/// The same, where the program does not even start.
pub(crate) fn hopeless(seen: impl Into<String>, change: impl Into<String>) -> Stop {
    Stop::Hopeless(Verdict::Fail { seen: seen.into(), change: change.into() })
}

/// There is nothing to try.
pub(crate) fn skipped(why: impl Into<String>) -> Stop {
    Stop::Verdict(Verdict::Skip { why: why.into() })
}
