//! A daemon for one test, `kith` as a user of it would run it, and a raw connection to look at it.

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing in these tests takes so long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon; it ends with the test.
pub(crate) struct Bus {
    folder: TempDir,
    daemon: Child,
}

impl Bus {
    pub(crate) fn start() -> Result<Self> {
        Self::with_files(&[])
    }

    /// One with these files beside its configuration, `kith.toml`, which may be one of them.
    pub(crate) fn with_files(files: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("kith.toml"), "")?;
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, text)?;
            std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
        }
        let daemon = start_daemon(folder.path())?;
        Ok(Self { folder, daemon })
    }

    /// Ends the daemon, and starts it again at the same place.
    pub(crate) fn restart(&mut self) -> Result<()> {
        interrupt(&self.daemon)?;
        ensure!(self.daemon.wait()?.success(), "the daemon did not end well");
        self.daemon = start_daemon(self.folder.path())?;
        Ok(())
    }

    /// Ends the daemon as a crash does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.daemon.kill()?;
        self.daemon.wait()?;
        Ok(())
    }

    /// The same, and starts it again at the same place.
    pub(crate) fn crash(&mut self) -> Result<()> {
        self.kill()?;
        self.daemon = start_daemon(self.folder.path())?;
        Ok(())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("bus.sock")
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.daemon.id()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `kith` with these arguments, on this bus.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = kith();
        command.env("KITH_SOCKET", self.socket()).args(arguments).stdin(Stdio::null());
        command
    }

    /// `kith` as the one who administers the daemon: with its state directory.
    pub(crate) fn administer(&self, arguments: &[&str]) -> Result<Ended> {
        let mut command = self.command(arguments);
        Ended::new(command.arg("--state").arg(self.folder.path().join("state")).output()?)
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Ended> {
        Ended::new(self.command(arguments).output()?)
    }

    /// Runs it to its end with this on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Result<Ended> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().context("no stdin")?.write_all(input)?;
        Ended::new(child.wait_with_output()?)
    }

    /// Runs it in the background.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Result<Running> {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Ok(Running { child })
    }

    /// Runs something that subscribes, and waits until it has.
    pub(crate) fn subscribe(&self, arguments: &[&str]) -> Result<Running> {
        let before = self.stats("subscriptions")?;
        let running = self.spawn(arguments)?;
        self.wait_until("it has subscribed", |bus| Ok(bus.stats("subscriptions")? > before))?;
        Ok(running)
    }

    /// A counter of `bus.stats`.
    pub(crate) fn stats(&self, name: &str) -> Result<u64> {
        let mut line = Line::connect(self)?;
        let reply = line.ask(r#"{"op":"req","id":1,"topic":"bus.stats","payload":null}"#)?;
        let counter = reply.get("payload").and_then(|stats| stats.get(name)?.as_u64());
        counter.with_context(|| format!("bus.stats has no {name}"))
    }

    pub(crate) fn wait_until(
        &self,
        what: &str,
        is_so: impl Fn(&Self) -> Result<bool>,
    ) -> Result<()> {
        let begin = Instant::now();
        while !is_so(self)? {
            ensure!(begin.elapsed() < PATIENCE, "it never came to this: {what}");
        }
        Ok(())
    }
}

fn start_daemon(folder: &Path) -> Result<Child> {
    let socket = folder.join("bus.sock");
    let mut command = kith();
    command.args(["daemon", "--config"]).arg(folder.join("kith.toml"));
    command.arg("--socket").arg(&socket).arg("--state").arg(folder.join("state"));
    let mut daemon = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    wait_until_it_serves(&mut daemon, &socket)?;
    Ok(daemon)
}

/// Waits until a daemon that was just started, with a pipe for what it says, lets programs in.
pub(crate) fn wait_until_it_serves(daemon: &mut Child, socket: &Path) -> Result<()> {
    // It is worth trying whenever it has said something.
    let mut said = BufReader::new(daemon.stderr.take().context("no stderr")?).lines();
    let mut so_far = String::new();
    while UnixStream::connect(socket).is_err() {
        let line = said.next().with_context(|| format!("the daemon has ended:\n{so_far}"))??;
        so_far += &(line + "\n");
    }
    std::thread::spawn(move || said.for_each(drop));
    Ok(())
}

pub(crate) fn interrupt(child: &Child) -> Result<()> {
    let id = Pid::from_raw(i32::try_from(child.id())?).context("no process id")?;
    Ok(kill_process(id, Signal::INT)?)
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// `kith` with nothing of the user's environment that it would look at.
pub(crate) fn kith() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("kith"));
    for name in
        ["KITH_SOCKET", "KITH_LOG", "KITH_STORE", "KITH_REPLY_TO", "XDG_RUNTIME_DIR", "NO_COLOR"]
    {
        command.env_remove(name);
    }
    command
}

/// How a run of `kith` ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn new(output: Output) -> Result<Self> {
        Ok(Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            bytes: output.stdout,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// What it printed, if it succeeded and had nothing to complain of.
    pub(crate) fn ok(self) -> Result<String> {
        ensure!(self.code == Some(0) && self.err.is_empty(), "{self:#?}");
        Ok(self.out)
    }

    /// Each line of its output, as JSON.
    pub(crate) fn json(self) -> Result<Vec<Value>> {
        self.ok()?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// A run of `kith` in the background.
pub(crate) struct Running {
    pub(crate) child: Child,
}

impl Running {
    pub(crate) fn interrupt(&self) -> Result<()> {
        interrupt(&self.child)
    }

    /// Waits until it has ended.
    pub(crate) fn end(self) -> Result<Ended> {
        Ended::new(self.child.wait_with_output()?)
    }
}

/// A raw connection in JSON lines.
pub(crate) struct Line {
    reader: BufReader<UnixStream>,
}

impl Line {
    pub(crate) fn connect(bus: &Bus) -> Result<Self> {
        let stream = UnixStream::connect(bus.socket())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        Ok(self.reader.get_mut().write_all(format!("{line}\n").as_bytes())?)
    }

    /// The next line.
    pub(crate) fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the daemon hung up");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Sends a line, and returns the next.
    pub(crate) fn ask(&mut self, line: &str) -> Result<Value> {
        self.send(line)?;
        self.read()
    }
}
