//! `kith services`: programs that a daemon runs, from being shown to being gone.

use crate::bus::Bus;
use anyhow::{Context, Result, ensure};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;

const HELLO: &str = include_str!("../../examples/services/hello.py");
const HELLO_MANIFEST: &str = include_str!("../../examples/services/hello.toml");

/// A bus with a service in Python.
fn bus_with_hello() -> Result<Bus> {
    Bus::with_files(&[
        ("hello.py", HELLO),
        ("hello.toml", HELLO_MANIFEST),
        ("kith.toml", "[services.hello]\ncommand = ['./hello.py']\n"),
    ])
}

fn row(bus: &Bus, name: &str) -> Result<Value> {
    let mut rows = bus.run(&["services", "list", name, "--json"])?.json()?;
    ensure!(rows.len() == 1, "{rows:?}");
    Ok(rows.remove(0))
}

#[test]
fn a_service_is_enabled_restarted_and_disabled() -> Result<()> {
    if !kith_tests::require("python3") {
        return Ok(());
    }
    let bus = bus_with_hello()?;
    let list = bus.run(&["services"])?.ok()?;
    let line = list.lines().find(|line| line.starts_with("  hello ")).context("no hello")?;
    let cells: Vec<_> = line.split_whitespace().collect();
    assert_eq!(cells[1..4], ["disabled", "-", "external"], "{list}");

    // Nobody is there to be asked, so nothing is granted.
    let asked = bus.administer(&["services", "enable", "hello"])?;
    assert_eq!(asked.code, Some(64), "{asked:?}");
    assert!(asked.err.ends_with("  grant it: --yes\n"), "{asked:?}");
    assert_eq!(row(&bus, "hello")?["state"], "disabled");

    let enabled = bus.administer(&["services", "enable", "hello", "--yes"])?;
    assert_eq!(enabled.ok()?, "hello is running\n");
    let first = row(&bus, "hello")?;
    assert_eq!((&first["state"], &first["enabled"]), (&"running".into(), &true.into()));
    let answer = bus.run(&["req", "hello.greet", "\"Ann\""])?.ok()?;
    assert_eq!(answer, "\"Hello, Ann!\"\n");
    let shown = bus.run(&["services", "list", "hello"])?.ok()?;
    assert!(shown.contains("\n  subscribes  self.hello.greet\n"), "{shown}");
    assert!(shown.contains(" out, 0 refused, 0 lost\n"), "{shown}");
    // What was granted is granted, so nobody is asked again.
    assert_eq!(bus.administer(&["services", "enable", "hello"])?.ok()?, "hello is running\n");
    // Where its manifest asks for something else now, it has to be looked at, and agreed to.
    let manifest = bus.folder().join("hello.toml");
    std::fs::write(&manifest, format!("{HELLO_MANIFEST}\nnetwork = true\n"))?;
    let changed = bus.administer(&["services", "enable", "hello"])?;
    assert_eq!(changed.code, Some(1), "{changed:?}");
    assert!(changed.err.contains("`hello` has changed meanwhile"), "{changed:?}");
    assert_eq!(bus.administer(&["services", "enable", "hello"])?.code, Some(64));
    let changed = bus.administer(&["services", "enable", "hello", "--yes", "--json"])?.json()?;
    assert_eq!(
        (&changed[0]["state"], &changed[0]["granted"]["network"]),
        (&"running".into(), &true.into())
    );
    assert_ne!(changed[0]["pid"], first["pid"]);

    let restarted = bus.administer(&["services", "restart", "hello", "--json"])?.json()?;
    assert_eq!(restarted[0]["state"], "running");
    assert_ne!(restarted[0]["pid"], changed[0]["pid"]);
    let list = bus.run(&["services"])?.ok()?;
    let line = list.lines().find(|line| line.starts_with("  hello ")).context("no hello")?;
    assert!(line.contains("  running "), "{list}");
    let status = bus.run(&["status"])?.ok()?;
    assert!(status.lines().any(|line| line.contains(" hello ") && line.ends_with("  service")));

    assert_eq!(bus.administer(&["services", "disable", "hello"])?.ok()?, "hello is disabled\n");
    let gone = bus.administer(&["services", "restart", "hello"])?;
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.err.contains("kith services enable hello"), "{gone:?}");
    Ok(())
}

#[test]
fn one_that_fails_is_told_with_what_it_said() -> Result<()> {
    let bus = Bus::with_files(&[
        ("moody.sh", "#!/bin/sh\necho no mood today\nexit 78\n"),
        ("moody.toml", "name = 'moody'\nversion = '1'\n"),
        ("kith.toml", "[services.moody]\ncommand = ['./moody.sh']\n"),
    ])?;
    let enabled = bus.administer(&["services", "enable", "moody", "--yes"])?;
    assert_eq!((enabled.code, enabled.err.as_str()), (Some(1), ""));
    assert!(enabled.out.starts_with("moody: failed: "), "{enabled:?}");
    assert!(enabled.out.contains("  what it said: kith services logs moody\n"), "{enabled:?}");
    let said = bus.run(&["services", "logs", "moody", "-n", "1"])?.ok()?;
    assert!(said.ends_with(" no mood today\n"), "{said}");
    let said = bus.run(&["services", "logs", "moody", "--json"])?.json()?;
    assert_eq!(said[0]["text"], "no mood today");
    assert!(bus.run(&["services"])?.ok()?.contains("\nmoody: failed: "));

    // To follow is to see the next line when it is said.
    let mut following = bus.subscribe(&["services", "logs", "moody", "-f", "--json"])?;
    let mut lines = BufReader::new(following.child.stdout.take().context("no stdout")?).lines();
    lines.next().context("nothing was said")??;
    bus.administer(&["services", "restart", "moody"])?;
    let line: Value = serde_json::from_str(&lines.next().context("nothing more was said")??)?;
    assert_eq!(line["text"], "no mood today");
    following.interrupt()?;
    assert_eq!(following.end()?.code, Some(130));
    Ok(())
}

#[test]
fn a_manifest_that_is_wrong_is_told_with_its_line() -> Result<()> {
    let bus = Bus::with_files(&[
        ("it.sh", "#!/bin/sh\n"),
        ("it.toml", "name = 'it'\nversion = '1'\npublishes = ['bus.ready']\n"),
        ("kith.toml", "[services.it]\ncommand = ['./it.sh']\n"),
    ])?;
    let enabled = bus.administer(&["services", "enable", "it", "--yes"])?;
    assert_eq!(enabled.code, Some(1), "{enabled:?}");
    assert!(enabled.err.contains("it.toml:3:14: "), "{enabled:?}");
    assert!(enabled.err.contains("\n   3 | publishes = ['bus.ready']\n"), "{enabled:?}");
    Ok(())
}

#[test]
fn what_is_not_there_is_told() -> Result<()> {
    let bus = bus_with_hello()?;
    for arguments in [&["services", "list", "helo"][..], &["services", "logs", "helo"]] {
        let ended = bus.run(arguments)?;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.starts_with("kith: "), "{ended:?}");
    }
    let ended = bus.administer(&["services", "disable", "helo"])?;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.starts_with("kith: there is no service `helo`\n  there are "), "{ended:?}");
    Ok(())
}

/// A terminal of its own: the end at which a person sits, and the other.
fn terminal() -> Result<(File, OwnedFd)> {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&person)?;
    unlockpt(&person)?;
    let terminal =
        open(ptsname(&person, Vec::new())?, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    Ok((File::from(person), terminal))
}

#[test]
fn somebody_at_a_terminal_is_shown_what_is_asked_for_and_decides() -> Result<()> {
    if !kith_tests::require("python3") {
        return Ok(());
    }
    let bus = bus_with_hello()?;
    let other = format!("{HELLO_MANIFEST}\ndisk = true\n");
    for (answer, manifest, code, state) in [
        ("n\n", HELLO_MANIFEST, 1, "disabled"),
        // What comes in the file's place meanwhile was not agreed to.
        ("y\n", &other, 1, "disabled"),
        ("y\n", &other, 0, "running"),
    ] {
        let (mut person, terminal) = terminal()?;
        let mut command = bus.command(&["services", "enable", "hello"]);
        command.arg("--state").arg(bus.folder().join("state"));
        command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
        let mut child = command.spawn()?;
        let (mut shown, mut bytes) = (String::new(), [0; 4096]);
        while !shown.contains("[y/N] ") {
            let read = person.read(&mut bytes)?;
            ensure!(read > 0, "it ended: {shown}");
            shown.push_str(&String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()));
        }
        assert!(shown.contains("hello asks for this:"), "{shown}");
        assert!(shown.contains("self.hello.greet"), "{shown}");
        std::fs::write(bus.folder().join("hello.toml"), manifest)?;
        person.write_all(answer.as_bytes())?;
        assert_eq!(child.wait()?.code(), Some(code), "{answer}");
        assert_eq!(row(&bus, "hello")?["state"], state, "{answer}");
    }
    assert_eq!(row(&bus, "hello")?["granted"]["disk"], true);
    Ok(())
}
