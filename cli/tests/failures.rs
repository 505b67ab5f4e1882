//! What is said where something is missing or wrong, whichever command meets it.

use crate::bus::{Bus, kith};
use anyhow::Result;

#[test]
fn that_no_daemon_runs_is_told_with_the_way_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("bus.sock");
    for arguments in [
        &["pub", "a", "1"][..],
        &["sub", "self.a"],
        &["req", "a"],
        &["reply", "self.a", "1"],
        &["tap"],
        &["status"],
        &["top", "--json"],
        &["id"],
        &["friends"],
        &["invite", "--state", "/nowhere"],
        &["init", "--state", "/nowhere"],
        &["services"],
        &["services", "enable", "echo", "--state", "/nowhere"],
        &["grants"],
        &["grants", "add", "sandbox", "reserved", "--state", "/nowhere"],
    ] {
        let output = kith().args(arguments).env("KITH_SOCKET", &socket).output()?;
        assert_eq!(output.status.code(), Some(69), "{arguments:?}");
        let said = String::from_utf8(output.stderr)?;
        let socket = socket.display();
        let expected = format!("kith: no daemon listens at {socket}\n  start one: kith daemon &\n");
        assert_eq!(said, expected, "{arguments:?}");
        let output =
            kith().arg("--socket").arg(folder.path().join("x")).args(arguments).output()?;
        let said = String::from_utf8(output.stderr)?;
        assert!(said.contains("  start one: kith daemon --socket /"), "{said}");
    }
    Ok(())
}

#[test]
fn that_no_path_is_known_is_told() -> Result<()> {
    let output = kith().arg("status").output()?;
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("set KITH_SOCKET or XDG_RUNTIME_DIR, or give --socket PATH"), "{said}");
    Ok(())
}

#[test]
fn a_socket_is_refused_where_it_means_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for command in [&["install"][..], &["completions", "bash"], &["man"], &["demo"]] {
        let output =
            kith().args(command).args(["--socket", "/x"]).env("HOME", folder.path()).output()?;
        assert_eq!(output.status.code(), Some(64), "{command:?}");
        let said = String::from_utf8(output.stderr)?;
        assert_eq!(said, "kith: --socket means nothing to this command\n");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(folder.path().read_dir()?.count(), 0, "nothing was installed");
    Ok(())
}

#[test]
fn a_topic_with_a_scope_is_told_of_and_published() -> Result<()> {
    let bus = Bus::start()?;
    let said = "kith: a topic has no scope: only `self.self.chess.move` hears this; did you mean \
                `chess.move`?\n";
    let published = bus.run(&["pub", "self.chess.move", "1", "--retain"])?;
    assert_eq!((published.code, published.err.as_str()), (Some(0), said));
    let heard = bus.run(&["sub", "self.self.chess.move", "--retained", "--count", "1", "--raw"])?;
    assert_eq!(heard.ok()?, "1\n");
    let asked = bus.run(&["req", "self.chess.move"])?;
    assert!(asked.code == Some(68) && asked.err.starts_with(said), "{asked:?}");
    // Nor is anything said in a script, or of a word that only begins like a scope.
    assert!(bus.run(&["pub", "self.chess.move", "1", "--json"])?.err.is_empty());
    for topic in ["selfish.a", "self", "chess.self"] {
        bus.run(&["pub", topic, "1"])?.ok()?;
    }
    Ok(())
}

#[test]
fn a_wrong_command_line_is_told_what_was_meant() -> Result<()> {
    let output = kith().args(["sub", "chess.>"]).output()?;
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("did you mean `self.chess.>`?"), "{said}");
    let output = kith().output()?;
    assert_eq!(output.status.code(), Some(64));
    Ok(())
}

#[test]
fn help_and_version_are_no_errors() -> Result<()> {
    let output = kith().arg("--help").output()?;
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout)?;
    for word in [
        "pub",
        "sub",
        "req",
        "reply",
        "tap",
        "status",
        "init",
        "invite",
        "join",
        "friends",
        "devices",
        "recovery",
        "top",
        "services",
        "grants",
        "daemon",
        "demo",
        "install",
        "uninstall",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {word} ")), "{help}");
    }
    assert!(help.contains("Exit codes:\n    0  done"), "{help}");
    let output = kith().arg("--version").output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "kith 0.1.0\n");
    let output = kith().args(["daemon", "--print-config"]).output()?;
    assert!(String::from_utf8(output.stdout)?.contains("[limits]"));
    Ok(())
}

#[test]
fn colours_are_there_where_they_are_wanted() -> Result<()> {
    let bus = Bus::start()?;
    assert!(!bus.run(&["status"])?.ok()?.contains('\u{1b}'));
    assert!(bus.run(&["status", "--color", "always"])?.ok()?.contains("\u{1b}[1m"));
    Ok(())
}
