//! `kith install` and `kith uninstall`: what they put where, and whose files they leave alone.

use crate::bus::{Bus, kith};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A home directory.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir()? })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = kith();
        command.args(arguments).env("HOME", self.path());
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(arguments).output()?)
    }

    /// What each file's action was, and the exit code.
    fn actions(&self, arguments: &[&str]) -> Result<(BTreeMap<PathBuf, String>, Option<i32>)> {
        let output = self.run(&[arguments, &["--json"]].concat())?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let files = report.get("files").and_then(Value::as_array).context("no files")?;
        let row = |row: &Value| {
            let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
            let path = PathBuf::from(text("path"));
            let path = path.strip_prefix(self.path()).map(Path::to_owned).unwrap_or(path);
            (path, text("action").to_owned())
        };
        Ok((files.iter().map(row).collect(), output.status.code()))
    }

    /// Every file below, whatever it is.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let (mut found, mut open) = (Vec::new(), vec![self.path().to_owned()]);
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    open.push(entry.path());
                } else {
                    found.push(entry.path().strip_prefix(self.path())?.to_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

const SERVICE: &str = ".config/systemd/user/kith.service";
const SOCKET: &str = ".config/systemd/user/kith.socket";
const ACTIVATION: &str = ".local/share/dbus-1/services/org.kithbus.Bus1.service";
const BASH: &str = ".local/share/bash-completion/completions/kith";

fn all(actions: &BTreeMap<PathBuf, String>, action: &str) -> bool {
    !actions.is_empty() && actions.values().all(|found| found == action)
}

#[test]
fn it_puts_all_in_place_once_and_takes_all_away() -> Result<()> {
    let home = Home::new()?;
    let (planned, code) = home.actions(&["install", "--dry-run"])?;
    assert!(all(&planned, "created") && code == Some(0), "{planned:?}");
    assert!(home.files()?.is_empty(), "nothing is touched");

    let (made, code) = home.actions(&["install"])?;
    assert_eq!((&made, code), (&planned, Some(0)));
    assert_eq!(home.files()?, made.keys().cloned().collect::<Vec<_>>());
    for file in [SERVICE, SOCKET, ACTIVATION, BASH, ".local/share/man/man1/kith-install.1"] {
        assert!(made.contains_key(Path::new(file)), "{file}: {made:?}");
    }
    let program = Path::new(assert_cmd::cargo::cargo_bin!("kith")).canonicalize()?;
    let folder = program.parent().context("no folder")?.display().to_string();
    let service = fs::read_to_string(home.path().join(SERVICE))?;
    assert!(service.contains(&format!("\nExecStart={folder}/kith")), "{service}");
    let activation = fs::read_to_string(home.path().join(ACTIVATION))?;
    assert!(activation.contains(&format!("\nExec={folder}/kith")), "{activation}");

    let (again, code) = home.actions(&["install", "--user"])?;
    assert!(all(&again, "unchanged") && code == Some(0), "{again:?}");
    let (gone, code) = home.actions(&["uninstall"])?;
    assert!(all(&gone, "removed") && code == Some(0), "{gone:?}");
    assert!(home.files()?.is_empty());
    let (again, code) = home.actions(&["uninstall"])?;
    assert!(all(&again, "absent") && code == Some(0), "{again:?}");
    Ok(())
}

#[test]
fn people_are_told_file_by_file_and_what_to_do_next() -> Result<()> {
    let home = Home::new()?;
    let output = home.run(&["install"])?;
    let text = String::from_utf8(output.stdout)?;
    let service = home.path().join(SERVICE);
    assert!(text.starts_with(&format!("created    {}\n", service.display())), "{text}");
    let (_, next) = text.split_once("\nNext:\n").context("nothing to do next")?;
    let can_start = ["systemctl --user enable --now kith.socket", "org.kithbus.Bus1"];
    assert!(can_start.iter().any(|word| next.contains(word)), "{next}");
    assert!(output.stderr.is_empty());
    let text = String::from_utf8(home.run(&["install", "--dry-run"])?.stdout)?;
    assert!(text.starts_with("Nothing is touched."), "{text}");
    Ok(())
}

#[test]
fn what_somebody_changed_or_put_there_stays() -> Result<()> {
    let home = Home::new()?;
    home.run(&["install"])?;
    let at = |file: &str| home.path().join(file);
    let changed = fs::read_to_string(at(SERVICE))? + "# mine\n";
    fs::write(at(SERVICE), &changed)?;
    fs::write(at(BASH), "# somebody else's\n")?;
    fs::rename(at(SOCKET), at("real.socket"))?;
    symlink(at("real.socket"), at(SOCKET))?;
    for command in ["install", "uninstall"] {
        let (actions, code) = home.actions(&[command])?;
        for file in [SERVICE, BASH, SOCKET] {
            assert_eq!(actions[Path::new(file)], "left", "{command} {file}");
        }
        assert_eq!(code, Some(1), "{command}");
        assert_eq!(fs::read_to_string(at(SERVICE))?, changed);
        assert_eq!(fs::read_to_string(at(BASH))?, "# somebody else's\n");
        assert!(fs::symlink_metadata(at(SOCKET))?.is_symlink());
    }
    let text = String::from_utf8(home.run(&["install"])?.stdout)?;
    let told = format!("left       {}: it was changed since", at(SERVICE).display());
    assert!(text.contains(&told) && text.contains("--force replaces it"), "{text}");

    let (actions, code) = home.actions(&["install", "--force"])?;
    assert_eq!((actions[Path::new(SERVICE)].as_str(), code), ("updated", Some(0)));
    assert!(fs::symlink_metadata(at(SOCKET))?.is_file(), "the link is replaced");
    assert!(at("real.socket").exists(), "what it led to is not");
    Ok(())
}

#[test]
fn what_an_older_version_installed_is_brought_up_to_date() -> Result<()> {
    let home = Home::new()?;
    home.run(&["install"])?;
    // The same file, as a version would have written it whose units had less to say.
    let path = home.path().join(SOCKET);
    fs::copy(home.path().join(SERVICE), &path)?;
    let (actions, code) = home.actions(&["install"])?;
    assert_eq!((actions[Path::new(SOCKET)].as_str(), code), ("updated", Some(0)));
    assert!(fs::read_to_string(&path)?.contains("[Socket]"));
    Ok(())
}

#[test]
fn units_that_were_enabled_leave_no_links_behind() -> Result<()> {
    let home = Home::new()?;
    home.run(&["install"])?;
    let wants = home.path().join(".config/systemd/user/sockets.target.wants");
    fs::create_dir(&wants)?;
    symlink(home.path().join(SOCKET), wants.join("kith.socket"))?;
    symlink("/elsewhere", wants.join("other.socket"))?;
    let (actions, code) = home.actions(&["uninstall"])?;
    assert!(all(&actions, "removed") && code == Some(0), "{actions:?}");
    let left = [PathBuf::from(".config/systemd/user/sockets.target.wants/other.socket")];
    assert_eq!(home.files()?, left);
    Ok(())
}

#[test]
fn a_place_that_can_not_be_had_is_told_and_the_others_are_filled() -> Result<()> {
    let home = Home::new()?;
    fs::create_dir(home.path().join(".config"))?;
    fs::write(home.path().join(".config/systemd"), "a file")?;
    fs::create_dir_all(home.path().join(BASH))?;
    let (actions, code) = home.actions(&["install"])?;
    assert_eq!(code, Some(74));
    assert_eq!(actions[Path::new(SERVICE)], "failed");
    assert_eq!(actions[Path::new(BASH)], "left", "a directory is nobody's to replace");
    assert_eq!(actions[Path::new(ACTIVATION)], "created");
    let text = String::from_utf8(home.run(&["install", "--force"])?.stdout)?;
    let bash = home.path().join(BASH);
    let told = format!("left       {}: a directory is there; move it away\n", bash.display());
    assert!(text.contains(&told), "{text}");
    let next = "\nNext:\n  Not all is in place: mend the above and run it again\n";
    assert!(text.ends_with(next), "{text}");
    Ok(())
}

#[test]
fn a_completion_that_is_left_keeps_nothing_from_starting() -> Result<()> {
    let home = Home::new()?;
    fs::create_dir_all(home.path().join(BASH))?;
    let text = String::from_utf8(home.run(&["install"])?.stdout)?;
    assert!(!text.contains("--force") && !text.contains("Not all is in place"), "{text}");
    Ok(())
}

#[test]
fn a_disk_that_fills_up_leaves_no_half_of_a_file() -> Result<()> {
    let home = Home::new()?;
    home.run(&["install"])?;
    fs::remove_file(home.path().join(BASH))?;
    fs::remove_file(home.path().join(ACTIVATION))?;
    let before = home.files()?;
    // No file may grow beyond a block of 512 bytes or 1 KiB; what that is told is as a full disk's.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let program = assert_cmd::cargo::cargo_bin!("kith");
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(program)
        .arg("install")
        .env("HOME", home.path())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    assert_eq!(output.status.code(), Some(74), "{text}");
    let failed = format!("failed     {}", home.path().join(BASH).display());
    assert!(text.contains(&failed) && !text.contains(" at path "), "{text}");
    let mut after = home.files()?;
    after.retain(|file| file != Path::new(ACTIVATION));
    assert_eq!(after, before, "neither a part of a file nor a temporary one");
    Ok(())
}

#[test]
fn for_all_users_it_goes_below_a_prefix() -> Result<()> {
    let home = Home::new()?;
    let prefix = home.path().join("usr");
    let prefix = prefix.to_str().context("no text")?;
    // A mask that hides from others what one makes is no reason to hide programs' files.
    let output = Command::new("sh")
        .args(["-c", "umask 077; exec \"$@\"", "sh"])
        .arg(assert_cmd::cargo::cargo_bin!("kith"))
        .args(["install", "--system", "--prefix", prefix])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains("look below") && !text.contains("starts the daemon"), "{text}");
    for folder in ["usr", "usr/share", "usr/share/man/man1", "usr/lib/systemd/user"] {
        let mode = fs::metadata(home.path().join(folder))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{folder}");
    }
    let (actions, code) = home.actions(&["install", "--system", "--prefix", prefix])?;
    assert!(all(&actions, "unchanged") && code == Some(0), "{actions:?}");
    let is_below = |path: &PathBuf| path.starts_with("usr/lib") || path.starts_with("usr/share");
    assert!(actions.keys().all(is_below), "{actions:?}");
    let (actions, _) = home.actions(&["uninstall", "--system", "--prefix", prefix])?;
    assert!(all(&actions, "removed"), "{actions:?}");
    Ok(())
}

#[test]
fn without_a_home_it_says_what_to_set() -> Result<()> {
    for command in ["install", "uninstall"] {
        let output = Home::new()?.command(&[command]).env_remove("HOME").output()?;
        assert_eq!(output.status.code(), Some(78));
        let said = String::from_utf8(output.stderr)?;
        assert!(said.contains("HOME is not set") && said.contains("--system"), "{said}");
    }
    Ok(())
}

#[test]
fn a_daemon_that_still_runs_is_told_of() -> Result<()> {
    if Path::new("/run/systemd/system").is_dir() {
        // Nobody is asked there: to connect could start one.
        return Ok(());
    }
    let (home, bus) = (Home::new()?, Bus::start()?);
    let told = |home: &Home| -> Result<String> {
        let output = home.command(&["uninstall"]).env("KITH_SOCKET", bus.socket()).output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let pid = bus.id();
    let text = told(&home)?;
    assert!(text.ends_with(&format!("  process {pid} still runs: kill {pid}\n")), "{text}");
    let text = String::from_utf8(home.run(&["uninstall"])?.stdout)?;
    assert!(!text.contains("still runs"), "{text}");
    Ok(())
}

#[test]
fn a_session_bus_finds_the_daemon_whatever_its_path_holds() -> Result<()> {
    if !kith_tests::require("dbus-run-session") || !kith_tests::require("dbus-send") {
        return Ok(());
    }
    let home = Home::new()?;
    let folder = home.path().join("a $HOME `b` \"c\" 'd' \\e \\s #f %h ü");
    fs::create_dir(&folder)?;
    let program = folder.join("kith");
    fs::copy(assert_cmd::cargo::cargo_bin!("kith"), &program)?;
    for name in ["kith", "kith-busd"] {
        // The first ends with its session bus, but nobody waits for it.
        let own = tempfile::tempdir()?;
        if name == "kith-busd" {
            fs::write(folder.join(name), "#!/bin/sh\nexec \"${0%-busd}\" daemon\n")?;
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755))?;
        }
        let in_home = |command: &mut Command| -> Result<Output> {
            command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
            // dbus-daemon takes a home from the user database, and this from the environment.
            command.env("HOME", home.path()).env("XDG_DATA_HOME", home.path().join("data"));
            command.env("XDG_RUNTIME_DIR", own.path()).env("XDG_STATE_HOME", own.path());
            Ok(command.output()?)
        };
        let installed = in_home(Command::new(&program).arg("install"))?;
        assert_eq!(installed.status.code(), Some(0), "{installed:?}");
        let mut call = Command::new("dbus-run-session");
        call.args(["--", "dbus-send", "--session", "--print-reply", "--dest=org.kithbus.Bus1"]);
        call.args(["/org/kithbus/Bus1", "org.freedesktop.DBus.Peer.Ping"]);
        let called = in_home(&mut call)?;
        assert!(called.status.success(), "{name}: {called:?}");
    }
    Ok(())
}
