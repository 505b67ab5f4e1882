//! `docs/writing-a-service.md` and `docs/services-built-in.md`, followed to the letter.
//!
//! What a page tells people to type has to work. So every block of it is carried out, in order and
//! with nothing else: ` ```sh run` is run by a shell that stops at the first error, ` ```sh
//! terminal` in the background, until its daemon serves programs, ` ```rust file=PATH` is written
//! to that file. Each line of ` ```text expect` has to be one that the block before it printed, in
//! this order; `…` stands for anything. ` ```sh before` is what has to be there already, as it is
//! here: `kith` is on the path, the one that was just built.
//!
//! The reader has a home of their own, so `~` and what lies there by default are as on the page.
//! Dependencies are those of the workspace, without the network; what is built stays in
//! `target/tutorial`, so that only the first time takes long. How long goes to standard error.

mod blocks;

use crate::bus::{interrupt, kith, wait_until_it_serves};
use anyhow::{Context, Result, ensure};
use blocks::{Block, blocks, missing};
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use std::{env, thread};
use tempfile::TempDir;

/// Who reads the page: a home, where in it the reader is, and what is on the screen.
struct Reader {
    home: TempDir,
    here: PathBuf,
    printed: String,
    daemon: Option<Child>,
}

impl Reader {
    fn new() -> Result<Self> {
        let home = tempfile::tempdir()?;
        let here = home.path().join("here");
        fs::create_dir(&here)?;
        DirBuilder::new().mode(0o700).create(home.path().join("run"))?;
        fs::create_dir(home.path().join("bin"))?;
        symlink(kith().get_program(), home.path().join("bin/kith"))?;
        Ok(Self { home, here, printed: String::new(), daemon: None })
    }

    fn follow(&mut self, block: &Block) -> Result<()> {
        match block {
            Block::Before => {}
            Block::File { path, text } => {
                let path = self.here.join(path);
                fs::create_dir_all(path.parent().context("no folder")?)?;
                fs::write(path, text)?;
            }
            Block::Run(script) => self.run(script)?,
            Block::Terminal(script) => self.open_terminal(script)?,
            Block::Expect(expected) => {
                let missing = missing(expected, &self.printed);
                ensure!(missing.is_none(), "no {missing:?} in:\n{}", self.printed);
            }
        }
        Ok(())
    }

    fn run(&mut self, script: &str) -> Result<()> {
        self.keep_what_is_built()?;
        let file = self.home.path().join("here.txt");
        let output = self.shell(&format!("{script}\npwd > '{}'", file.display()))?.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.printed = text(&output.stdout) + &text(&output.stderr);
        ensure!(output.status.success(), "{script}\n{}", self.printed);
        self.here = PathBuf::from(fs::read_to_string(file)?.trim_end());
        Ok(())
    }

    /// What runs there is a daemon. It is waited for, as people do.
    fn open_terminal(&mut self, script: &str) -> Result<()> {
        ensure!(self.daemon.is_none(), "there is a daemon already");
        let mut shell = self.shell(&format!("exec {script}"))?;
        let daemon = self.daemon.insert(shell.stderr(Stdio::piped()).spawn()?);
        wait_until_it_serves(daemon, &self.home.path().join("run/kith/bus.sock"))
    }

    /// A shell with the reader's environment, and little else.
    fn shell(&self, script: &str) -> Result<Command> {
        let home = self.home.path();
        let mut command = Command::new("sh");
        command.args(["-euc", script]).current_dir(&self.here).stdin(Stdio::null());
        // The toolchain stays where it is.
        if let Some(real) = env::home_dir() {
            for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
                if env::var_os(name).is_none() {
                    command.env(name, real.join(folder));
                }
            }
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = [home.join("bin")].into_iter().chain(env::split_paths(&path));
        command
            .env("PATH", env::join_paths(folders)?)
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("KITH", workspace())
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_COLOR", "never");
        for name in [
            "CARGO_TARGET_DIR",
            "DBUS_SESSION_BUS_ADDRESS",
            "KITH_LOG",
            "KITH_SOCKET",
            "KITH_TOKEN",
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
        ] {
            command.env_remove(name);
        }
        Ok(command)
    }

    /// Has cargo build where it has built the last time.
    fn keep_what_is_built(&self) -> Result<()> {
        if self.here.join("Cargo.toml").exists() && !self.here.join("target").exists() {
            fs::create_dir_all(kept())?;
            symlink(kept(), self.here.join("target"))?;
        }
        Ok(())
    }

    /// Ends the daemon as Ctrl-C does.
    fn leave(mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("no daemon was started")?;
        interrupt(&daemon)?;
        ensure!(daemon.wait()?.success(), "the daemon did not end well");
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo builds.
fn kept() -> PathBuf {
    workspace().join("target/tutorial")
}

/// Follows the page, and says how long it took, and what of it took the longest.
fn follow(page: &str) -> Result<()> {
    let text = fs::read_to_string(workspace().join(page))?;
    let state = if kept().exists() { "warm" } else { "cold" };
    let mut reader = Reader::new()?;
    let begin = Instant::now();
    let mut longest = (0.0, String::new());
    for block in &blocks(&text)? {
        let begin = Instant::now();
        reader.follow(block)?;
        let seconds = begin.elapsed().as_secs_f64();
        if let (Block::Run(script), true) = (block, longest.0 < seconds) {
            longest = (seconds, script.lines().last().unwrap_or_default().to_owned());
        }
    }
    reader.leave()?;
    let (seconds, (most, what)) = (begin.elapsed().as_secs_f64(), longest);
    // Past the test runner's capture; a closed standard error is no reason to fail.
    let test = thread::current().name().unwrap_or_default().to_owned();
    let most = format!("{most:.1} s of it `{what}`");
    let line = format!("{test}: {page} took {seconds:.1} s, target {state}; {most}");
    let _ = writeln!(io::stderr(), "{line}");
    Ok(())
}

#[test]
fn a_service_is_written_from_nothing() -> Result<()> {
    follow("docs/writing-a-service.md")
}

#[test]
fn the_services_that_are_built_in_are_enabled() -> Result<()> {
    follow("docs/services-built-in.md")
}
