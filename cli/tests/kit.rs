//! `kith services test`: the conformance kit from a shell.

use crate::bus::{Ended, Running, kith};
use anyhow::{Context, Result};
use rustix::fs::Mode;
use rustix::process::{Pid, test_kill_process};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/services");

fn test(program: &str, arguments: &[&str]) -> Result<Ended> {
    let mut command = kith();
    command.args(["services", "test"]).args(arguments);
    Ended::new(command.arg(format!("{SERVICES}/{program}")).output()?)
}

#[test]
fn a_good_service_passes() -> Result<()> {
    if !kith_tests::require("python3") {
        return Ok(());
    }
    let said = test("hello.py", &[])?.ok()?;
    assert!(said.starts_with("passed  starts "), "{said}");
    // What it does after being spoken to is looked for a while, and a slow machine may be slower.
    let (_, last) = said.trim_end().rsplit_once('\n').context("one line")?;
    assert!(last.contains(" passed, ") && last.ends_with(" skipped"), "{said}");
    assert!(!said.contains("FAILED"), "{said}");
    Ok(())
}

#[test]
fn a_bad_one_is_told_what_to_change() -> Result<()> {
    if !kith_tests::require("python3") {
        return Ok(());
    }
    let ended = test("bad.py", &["--only", "stop", "--only", "starts"])?;
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""));
    assert!(ended.out.starts_with("FAILED  starts "), "{ended:?}");
    assert!(ended.out.contains("`bad` may not publish on `good.morning`"), "{ended:?}");
    assert!(ended.out.contains("    change    end with exit code 0 when `bye`"), "{ended:?}");
    assert!(ended.out.ends_with("\n0 passed, 2 failed\n"), "{ended:?}");
    let ended = test("bad.py", &["--only", "stop", "--json"])?;
    let report: serde_json::Value = serde_json::from_str(&ended.out)?;
    assert_eq!((ended.code, &report["failed"]), (Some(1), &1.into()));
    assert_eq!(report["scenarios"][0]["verdict"], "fail");
    assert_eq!(report["scenarios"][0]["name"], "stop");
    Ok(())
}

#[test]
fn what_can_not_be_tried_is_told() -> Result<()> {
    let ended = test("nobody.py", &[])?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("there is no manifest beside "), "{ended:?}");
    let ended = test("hello.py", &["--only", "everything"])?;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("there are starts, heartbeat, stop, "), "{ended:?}");
    let ended = test("hello.py", &["--settings", "[]"])?;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    let ended = test("hello.py", &["--socket", "/x"])?;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    Ok(())
}

#[test]
fn whoever_interrupts_it_leaves_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("sleeper.sh");
    std::fs::write(&script, "#!/bin/sh\necho $$ > \"$1\"\nexec sleep 600\n")?;
    std::fs::set_permissions(&script, Permissions::from_mode(0o700))?;
    std::fs::write(folder.path().join("sleeper.toml"), "name = 'sleeper'\nversion = '1'\n")?;
    // The shell waits here until somebody reads.
    let told = folder.path().join("told");
    rustix::fs::mkfifoat(rustix::fs::CWD, &told, Mode::RUSR | Mode::WUSR)?;
    let mut command = kith();
    command.args(["services", "test"]).arg(&script).arg(&told);
    let running = Running { child: command.stdout(Stdio::piped()).spawn()? };
    let id: i32 = std::fs::read_to_string(&told)?.trim().parse()?;
    running.interrupt()?;
    assert_eq!(running.end()?.code, Some(130));
    let id = Pid::from_raw(id).context("no process id")?;
    assert!(test_kill_process(id).is_err(), "it still runs");
    Ok(())
}
