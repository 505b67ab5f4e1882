//! `kith demo`: every step is seen to work, and nothing is left behind, whatever happens.

use crate::bus::kith;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const STEPS: [&str; 16] = [
    "start",
    "wildcards",
    "group",
    "retained",
    "request",
    "no-responders",
    "will",
    "slow-reader",
    "stored",
    "people",
    "invite",
    "scopes",
    "across",
    "stranger",
    "removed",
    "stop",
];

/// The demo, in a folder of its own for temporary files.
fn demo() -> Result<(TempDir, Command)> {
    let folder = tempfile::tempdir()?;
    let mut command = kith();
    command.arg("demo").env("TMPDIR", folder.path());
    // Nothing of the user's may reach it.
    command.env("KITH_SOCKET", "/nonexistent/bus.sock").env("KITH_LOG", "nonsense");
    Ok((folder, command))
}

fn is_empty(folder: &TempDir) -> Result<bool> {
    Ok(std::fs::read_dir(folder.path())?.next().is_none())
}

#[test]
fn a_person_sees_every_step() -> Result<()> {
    let (folder, mut command) = demo()?;
    let output = command.output()?;
    let printed = String::from_utf8(output.stdout)?;
    assert_eq!(output.status.code(), Some(0), "{printed}{}", String::from_utf8(output.stderr)?);
    for n in 1..=STEPS.len() {
        assert!(printed.contains(&format!("\n{n}. ")), "{n}: {printed}");
    }
    assert!(printed.contains("ann → {\"op\":\"sub\",\"id\":2,\"pattern\":\"self.chess.>\"}"));
    assert!(printed.contains("All 16 steps were seen to work"), "{printed}");
    for seen in [
        "✓ the phone is ann's: it has her identity",
        "✓ bob reached laptop and phone in the scope `friends`, once each",
        "✓ carol reached the subscription to public.talk.> and no other",
        "✓ bob's message reached ann's laptop; her phone got nothing any more",
        "✓ the first said goodbye; all ended with 0, and their sockets are gone",
    ] {
        assert!(printed.contains(seen), "{seen}: {printed}");
    }
    // What a link has of a secret is not shown.
    assert!(
        !printed
            .split_whitespace()
            .any(|word| { word.contains("kith://join/") && word.chars().count() > 30 })
    );
    assert!(!printed.contains('\u{1b}') && !printed.contains('✗'), "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 110), "{printed}");
    assert!(is_empty(&folder)?);
    Ok(())
}

#[test]
fn a_program_sees_every_step() -> Result<()> {
    let (folder, mut command) = demo()?;
    let output = command.arg("--json").output()?;
    assert_eq!(output.status.code(), Some(0));
    let mut names = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let step: Value = serde_json::from_str(line)?;
        assert_eq!(step["ok"], true, "{line}");
        assert_eq!(step["step"], names.len() + 1, "{line}");
        names.push(step["name"].as_str().context("no name")?.to_owned());
    }
    assert_eq!(names, STEPS);
    assert!(is_empty(&folder)?);
    Ok(())
}

#[test]
fn it_can_be_broken_off() -> Result<()> {
    let (folder, mut command) = demo()?;
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut reader = BufReader::new(child.stdout.take().context("no stdout")?);
    reader.read_line(&mut String::new())?;
    let id = Pid::from_raw(i32::try_from(child.id())?).context("no process id")?;
    kill_process(id, Signal::INT)?;
    reader.lines().for_each(drop);
    // It may have been through already.
    let code = child.wait()?.code();
    assert!(matches!(code, Some(130 | 0)), "{code:?}");
    assert!(is_empty(&folder)?);
    Ok(())
}

#[test]
fn a_step_that_fails_is_named() -> Result<()> {
    // A socket's path has at most 107 bytes: this daemon can't start.
    let (folder, mut command) = demo()?;
    let deep = folder.path().join("x".repeat(120));
    std::fs::create_dir(&deep)?;
    let output = command.env("TMPDIR", &deep).output()?;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr)?;
    assert!(said.starts_with("kith: step 1 of the demo (start) was not seen to work: "), "{said}");
    assert!(std::fs::read_dir(&deep)?.next().is_none());
    Ok(())
}
