//! Each scenario is passed by a good service, and failed by one that does that one thing wrong.
//!
//! The service is a puppet in Python that is told what to do wrong (`puppet.py`). What fails by
//! silence takes as long as the daemon would wait, so there is little of that.

use anyhow::{Context, Result, ensure};
use kith_kit::{Outcome, Program, Report, Verdict, choose};
use std::ffi::OsString;
use std::sync::atomic::AtomicBool;

const PUPPET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/puppet.py");

/// Whether the puppet can be played with here.
fn has_python() -> bool {
    kith_tests::require("python3")
}

/// Plays these scenarios with a puppet that has this fault.
fn play(fault: &str, scenarios: &[&str]) -> Result<Report> {
    let command = [PUPPET, fault].map(OsString::from);
    let program = Program::find(&command, None)?;
    let names: Vec<_> = scenarios.iter().map(|&name| name.to_owned()).collect();
    let mut told = Vec::new();
    let each = |outcome: &Outcome| told.push(outcome.clone());
    let report = kith_kit::run(&program, &choose(&names)?, &AtomicBool::new(false), each)?;
    ensure!(told == report.scenarios, "what is told as it is known is what is reported");
    Ok(report)
}

/// Plays one scenario, which has to be failed; what was seen, and what to change.
fn failed(fault: &str, scenario: &str) -> Result<String> {
    let report = play(fault, &[scenario])?;
    let outcome = report.scenarios.first().context("nothing was played")?;
    match &outcome.verdict {
        Verdict::Fail { seen, change } => Ok(format!("{seen} // {change}")),
        other => anyhow::bail!("{fault} in {scenario}: {other:?}"),
    }
}

#[test]
fn a_good_service_passes_all() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let report = play("asks", &[])?;
    assert_eq!((report.passed, report.failed, report.skipped), (10, 0, 0), "{report:#?}");
    Ok(())
}

#[test]
fn what_does_not_apply_is_skipped() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let report = play("none", &["slow-reply"])?;
    assert_eq!((report.passed, report.skipped), (0, 1), "{report:#?}");
    Ok(())
}

#[test]
fn one_that_does_not_start_is_told_why_and_tried_no_further() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    for (fault, seen) in [
        ("never-connects", "it did not connect and ended with exit code 1"),
        ("wrong-token", "it showed a wrong token and ended with exit code 0"),
        ("no-heartbeat", "it showed its token, and did not subscribe to its heartbeat"),
    ] {
        let report = play(fault, &[])?;
        assert_eq!((report.failed, report.skipped), (1, 9), "{fault}: {report:#?}");
        let said = failed(fault, "starts")?;
        assert!(said.starts_with(seen), "{fault}: {said}");
    }
    assert!(failed("never-connects", "lag")?.contains("\nits last words:\n  no bus for me //"));
    Ok(())
}

#[test]
fn one_that_does_what_it_did_not_ask_for_is_told_what() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let said = failed("not-asked-for", "starts")?;
    assert!(said.contains("`puppet` may not publish on `said.something`"), "{said}");
    assert!(said.contains("ask for it in the manifest"), "{said}");
    Ok(())
}

#[test]
fn one_that_does_not_end_well_fails() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let said = failed("no-bye", "stop")?;
    assert!(said.starts_with("it still ran 2 s after the bus had said goodbye"), "{said}");
    let said = failed("bad-end", "stop")?;
    assert!(said.starts_with("it ended with exit code 3, after the bus had said"), "{said}");
    Ok(())
}

#[test]
fn one_that_outlives_its_bus_fails() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let said = failed("tries-again", "bus-restart")?;
    assert!(said.starts_with("it still ran 5 s after the bus was gone"), "{said}");
    let said = failed("tries-again", "unknown-token")?;
    assert!(said.starts_with("it tried again and again ("), "{said}");
    Ok(())
}

#[test]
fn one_that_dies_of_trouble_fails() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    for (fault, scenario, seen, words) in [
        ("dies-of-lag", "lag", "after it was stopped for a while", "lost"),
        ("dies-of-err", "refused-publish", "when what it published was refused", "refused: "),
        ("dies-of-clock", "clock-jump", "after the clock was set", "time flies"),
        // Of which garbage: an interpreter may take a while to end, and the next is there by then.
        ("dies-of-garbage", "garbage", "after a ", "has no attribute"),
    ] {
        let said = failed(fault, scenario)?;
        assert!(said.starts_with(&format!("it ended with exit code 1, {seen}")), "{said}");
        assert!(said.contains(words), "{said}");
    }
    Ok(())
}

#[test]
fn one_that_is_silent_fails() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let report = play("silent", &["heartbeat", "lag", "garbage"])?;
    assert_eq!((report.failed, report.skipped), (1, 2), "{report:#?}");
    Ok(())
}

#[test]
fn one_that_waits_for_an_answer_and_nothing_else_fails() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let said = failed("blocks", "slow-reply")?;
    assert!(said.starts_with("no answer to a heartbeat came within 10 s"), "{said}");
    Ok(())
}

#[test]
fn a_manifest_that_is_wrong_is_a_finding() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let manifest = folder.path().join("it.toml");
    std::fs::write(&manifest, "name = 'it'\nversion = '1'\npublishes = ['bus.ready']\n")?;
    let program = Program::find(&["./it".into()], Some(&manifest))?;
    let report = kith_kit::run(&program, &choose(&[])?, &AtomicBool::new(false), |_| {})?;
    assert_eq!((report.failed, report.skipped), (1, 9), "{report:#?}");
    let first = report.scenarios.first().context("nothing was played")?;
    assert!(matches!(&first.verdict, Verdict::Fail { seen, .. } if seen.contains("it.toml:3:14")));
    Ok(())
}

#[test]
fn it_ends_when_it_is_told_to() -> Result<()> {
    if !has_python() {
        return Ok(());
    }
    let program = Program::find(&[PUPPET.into()], None)?;
    let ended = kith_kit::run(&program, &choose(&[])?, &AtomicBool::new(true), |_| {});
    assert!(matches!(ended, Err(kith_kit::KitError::Cancelled)), "{ended:?}");
    Ok(())
}
