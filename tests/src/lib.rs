//! What tests that span crates share: how a test says that it could not run, session buses
//! ([`session_bus`]), which the benchmarks start too, a service ([`service`]), and what the crash
//! suites write ([`workload`]).
//!
//! A test that drives the daemon with `socat` or `jq` is worth nothing on a machine without them,
//! and worse than nothing if it passes there in silence. So it asks [`require`] first:
//!
//! ```
//! if !kith_tests::require("socat") {
//!     return;
//! }
//! ```
//!
//! Where the program is missing a line that begins with `NOT RUN:` goes straight to standard
//! error, past the test runner's capture, with a running count; with `KITH_REQUIRE=all`, which
//! `.ci/run` sets, the test fails instead. A house rule checks that `.ci/run` installs whatever
//! is asked for here.
//!
//! Deliberately absent: version checks, and any way to be content with less under `all`.

pub mod service;
pub mod session_bus;
pub mod workload;

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Whether `program` is on the `PATH`. If it is not, says on standard error that the calling test
/// did not run.
///
/// # Panics
///
/// Panics where the program is missing and the environment has `KITH_REQUIRE=all`.
#[must_use = "a test whose program is missing has to return"]
pub fn require(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = locate(program, &path).is_some();
    require_that(is_there, &format!("program `{program}` on the PATH"))
}

/// Whether something else than a program is there, such as a user's rights; the same otherwise.
/// `what` is how the line names it, after "no".
///
/// # Panics
///
/// Panics where it is missing and the environment has `KITH_REQUIRE=all`.
#[must_use = "a test that lacks something has to return"]
pub fn require_that(is_there: bool, what: &str) -> bool {
    if is_there {
        return true;
    }
    let n_not_run = N_NOT_RUN.fetch_add(1, Ordering::Relaxed) + 1;
    let thread = thread::current();
    let line = not_run(thread.name().unwrap_or("a test"), what, n_not_run);
    // `eprintln!` would be captured and lost with a passing test. A closed standard error is
    // no reason to fail.
    let _ = writeln!(io::stderr(), "{line}");
    let required = env::var_os("KITH_REQUIRE");
    assert!(!is_strict(required.as_deref()), "{line} (KITH_REQUIRE=all)");
    false
}

/// The first executable file called `program` in the directories of `path`.
fn locate(program: &str, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn not_run(test: &str, what: &str, n_not_run: usize) -> String {
    format!("NOT RUN: {test}: no {what} ({n_not_run} not run so far)")
}

fn is_strict(required: Option<&OsStr>) -> bool {
    required.is_some_and(|value| value == "all")
}

/// How many tests of this process did not run.
static N_NOT_RUN: AtomicUsize = AtomicUsize::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_there_is_found() {
        assert!(require("cargo"));
    }

    #[test]
    fn what_is_missing_or_not_executable_is_not_found() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(locate("no-such-program", here.as_os_str()), None);
        assert_eq!(locate("Cargo.toml", here.as_os_str()), None);
        assert_eq!(locate("src", here.as_os_str()), None);
    }

    #[test]
    fn only_all_is_strict() {
        assert!(is_strict(Some(OsStr::new("all"))));
        assert!(!is_strict(Some(OsStr::new(""))));
        assert!(!is_strict(None));
    }

    #[test]
    fn the_line_names_the_test_and_what_is_missing() {
        let line = not_run("contract::socat", "program `socat` on the PATH", 2);
        assert!(line.starts_with("NOT RUN: contract::socat: no program `socat`"), "{line}");
        assert!(line.contains("2 not run"), "{line}");
    }
}
