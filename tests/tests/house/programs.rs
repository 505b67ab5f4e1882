//! `.ci/run` installs every program that a test asks for.
//!
//! There `KITH_REQUIRE=all` turns a missing program into a failure, which would otherwise be the
//! first that anybody hears of a program that was added to a test and not to the list.

use super::rust::{RustFile, line_at, words};
use super::tree::{Tree, read};
use super::{Violation, keep};

const SCRIPT: &str = ".ci/run";
const CALL: &str = "require";

fn check(file: &RustFile, script: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for line in calls(&file.code) {
        let text = file.text.lines().nth(line - 1).unwrap_or_default();
        for (_, after) in
            text.match_indices("require(\"").map(|(at, m)| text.split_at(at + m.len()))
        {
            let program = after.split('"').next().unwrap_or_default();
            if words(script, program).is_empty() {
                let what = format!("`{program}` is required: add it to the packages in {SCRIPT}");
                found.push(Violation::new(&file.path, line, what));
            }
        }
    }
    found
}

/// The lines on which `require(` is code, each once.
fn calls(code: &str) -> Vec<usize> {
    let is_call =
        |at: &usize| code.get(at + CALL.len()..).is_some_and(|rest| rest.starts_with('('));
    let mut lines: Vec<_> = code
        .match_indices(CALL)
        .map(|(at, _)| at)
        .filter(is_call)
        .map(|at| line_at(code, at))
        .collect();
    lines.dedup();
    lines
}

#[test]
fn required_programs_are_installed() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let script = read(SCRIPT)?;
    let found = tree.rust.iter().flat_map(|file| check(file, &script));
    keep("what tests require is installed", found);
    Ok(())
}

#[test]
fn a_program_that_is_not_installed_is_seen() {
    let text = "//! Asks.\n// require(\"nothing\")\nfn a() {\n\
                if !kith_tests::require(\"nats\") {}\n\
                if !require(\"jq\") {}\n}\n";
    let found = check(&RustFile::new("tests/tests/a.rs", text), "packages=(socat jq)\n");
    assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [4], "{found:#?}");
}
