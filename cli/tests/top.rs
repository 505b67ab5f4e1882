//! `kith top`: as JSON, and on a terminal that is one for nobody else.

use crate::bus::{Bus, Line};
use anyhow::{Context, Result, ensure};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;

#[test]
fn a_snapshot_is_one_object() -> Result<()> {
    let bus = Bus::start()?;
    let mut ann = Line::connect(&bus)?;
    ann.ask(r#"{"op":"hello","id":1,"name":"ann"}"#)?;
    ann.ask(r#"{"op":"sub","id":2,"pattern":"self.t"}"#)?;
    let snapshots = bus.run(&["top", "--json", "--interval", "100ms", "--count", "2"])?.json()?;
    assert_eq!(snapshots.len(), 2);
    for snapshot in snapshots {
        assert_eq!(snapshot["ready"]["version"], "0.1.0");
        assert!(snapshot["memory_bytes"].as_u64() > Some(100_000), "{snapshot}");
        assert!(snapshot["cpu_percent"].is_number() && snapshot["stats"]["clients"] == 2);
        // It asks, and does not count that.
        assert_eq!(snapshot["rates"]["published"], 0.0);
        let clients = snapshot["clients"].as_array().context("no clients")?;
        let named = |name: &str| clients.iter().find(|client| client["name"] == name);
        let (ann, own) = (named("ann").context("no ann")?, named("kith top").context("no top")?);
        assert_eq!((&ann["this"], &own["this"]), (&false.into(), &true.into()));
        assert_eq!(ann["pid"], std::process::id());
        assert_eq!(own["process"], "kith");
        assert!(own["rates"]["published"].as_f64() > Some(0.0), "{own}");
    }
    let none = bus.run(&["top", "--json", "--interval", "100ms", "--filter", "zoe"])?.json()?;
    assert_eq!(none[0]["clients"], serde_json::json!([]));
    Ok(())
}

#[test]
fn without_a_terminal_the_way_out_is_told() -> Result<()> {
    let bus = Bus::start()?;
    let ended = bus.run(&["top"])?;
    assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""));
    let expected = "kith: kith top draws on a terminal, and standard output is none\n  \
                    as text, once: kith top --json\n  without rates: kith status\n";
    assert_eq!(ended.err, expected);
    Ok(())
}

/// `kith top` on a terminal of its own.
struct OnTerminal {
    child: Child,
    /// The end at which a person would sit.
    person: File,
    /// The terminal itself, kept open so that it can be looked at when `kith top` has ended.
    terminal: OwnedFd,
    printed: String,
}

impl OnTerminal {
    fn start(bus: &Bus) -> Result<Self> {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&person)?;
        unlockpt(&person)?;
        let name = ptsname(&person, Vec::new())?;
        let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size)?;
        let mut command = bus.command(&["top", "--interval", "100ms"]);
        command.env("TERM", "xterm-256color");
        command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?);
        let child = command.stderr(terminal.try_clone()?).spawn()?;
        Ok(Self { child, person: File::from(person), terminal, printed: String::new() })
    }

    /// Reads until this was drawn, since the last time.
    fn wait_for(&mut self, text: &str) -> Result<()> {
        let mut bytes = [0; 4096];
        while !self.printed.contains(text) {
            let n_bytes = self.person.read(&mut bytes)?;
            ensure!(n_bytes > 0, "it ended without {text:?}: {}", self.printed);
            let read = bytes.get(..n_bytes).unwrap_or_default();
            self.printed.push_str(&String::from_utf8_lossy(read));
        }
        self.printed.clear();
        Ok(())
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.person.write_all(keys.as_bytes())?)
    }

    fn is_raw(&self) -> Result<bool> {
        Ok(!tcgetattr(&self.terminal)?.local_modes.contains(LocalModes::ICANON))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits for its end, and says with which code it ended. The terminal has to be as before.
    fn end(mut self) -> Result<Option<i32>> {
        self.wait_for("\u{1b}[?1049l")?;
        let status = self.child.wait()?;
        ensure!(!self.is_raw()?, "the terminal is still raw");
        Ok(status.code())
    }
}

#[test]
fn a_terminal_is_taken_and_given_back() -> Result<()> {
    let bus = Bus::start()?;
    let mut top = OnTerminal::start(&bus)?;
    top.wait_for("published/s")?;
    assert!(top.is_raw()?);
    top.press("?")?;
    top.wait_for("Keys")?;
    top.press("xq")?;
    assert_eq!(top.end()?, Some(0));

    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut top = OnTerminal::start(&bus)?;
        top.wait_for("(this)")?;
        top.signal(signal)?;
        assert_eq!(top.end()?, Some(code));
    }
    Ok(())
}

#[test]
fn a_daemon_that_comes_back_is_watched_again() -> Result<()> {
    let mut bus = Bus::start()?;
    let mut top = OnTerminal::start(&bus)?;
    top.wait_for("(this)")?;
    bus.restart()?;
    // Either it has seen that the daemon was gone, or it hasn't looked until it was back.
    top.press("/nobody\r")?;
    top.wait_for("esc")?;
    top.press("\u{1b}")?;
    top.wait_for("(this)")?;
    let mut line = Line::connect(&bus)?;
    line.ask(r#"{"op":"hello","id":1,"name":"newcomer"}"#)?;
    top.wait_for("newcomer")?;
    top.press("q")?;
    assert_eq!(top.end()?, Some(0));
    Ok(())
}
