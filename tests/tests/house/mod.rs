//! The house rules (`CONTRIBUTING.md`), as tests.
//!
//! A rule that only reviewers know is broken by whoever reviews last. Each rule here is one file:
//! a checker that takes text and returns every violation, a test that runs it over the whole
//! tree, and tests that run it over a small bad sample, so that we know that it can fail.
//!
//! The checkers read text; they don't compile. That keeps them fast and within reach of anybody
//! who wants to add one, and it means that they can be fooled on purpose. They are for people who
//! forgot, not for people who cheat. What the compiler or clippy can check is checked there
//! (`[workspace.lints]`), not here.

mod arrows;
mod contract;
mod dependencies;
mod essay;
mod leftovers;
mod length;
mod limits;
pub(crate) mod markdown;
mod orphans;
mod programs;
mod protocol;
mod purity;
mod rust;
mod tree;
mod unsafety;

use std::fmt;

/// One place where a rule is broken, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    /// The file, relative to the workspace.
    path: String,
    /// Its line, counted from 1.
    line: usize,
    /// What is wrong, and the way out.
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Fails with every violation, sorted and each once; passes if there is none.
#[track_caller]
fn keep(rule: &str, violations: impl IntoIterator<Item = Violation>) {
    let mut violations: Vec<Violation> = violations.into_iter().collect();
    violations.sort();
    violations.dedup();
    let lines: Vec<String> = violations.iter().map(|one| format!("  {one}")).collect();
    assert!(lines.is_empty(), "{rule}; {} to mend:\n{}\n", lines.len(), lines.join("\n"));
}

#[test]
#[should_panic(expected = "sorted rule; 2 to mend:\n  a.rs:2: mend it\n  b.rs:1: mend it\n")]
fn every_violation_is_shown_once_and_in_order() {
    let first = Violation::new("a.rs", 2, "mend it");
    let second = Violation::new("b.rs", 1, "mend it");
    keep("sorted rule", [second, first.clone(), first]);
}
