//! The demo's own daemons: this program once more, each in a folder of its own, with nothing of the
//! user's.
//!
//! Nobody sleeps until it is ready: whenever it logs something, connecting is tried. It gets a
//! process group of its own, so that Ctrl-C in the terminal ends the demo, which then ends the
//! daemon in good order.

use crate::limits::DEMO_LOG_LINES_MAX;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;

/// A daemon that runs.
pub(super) struct DaemonProcess {
    child: Child,
    socket: PathBuf,
    /// What it has logged last; ends when it does.
    log: watch::Receiver<VecDeque<String>>,
}

impl DaemonProcess {
    /// Starts one whose files are all in `folder`, with this configuration.
    pub(super) fn start(folder: &Path, text: &str) -> Result<Self> {
        let (configuration, socket) = (folder.join("kith.toml"), folder.join("bus.sock"));
        std::fs::write(&configuration, text).context("can't write its configuration")?;
        let program = std::env::current_exe().context("can't find this program's own file")?;
        let mut command = Command::new(program);
        command.args(["daemon", "--log", "info", "--config"]).arg(configuration);
        command.arg("--socket").arg(&socket).arg("--state").arg(folder.join("state"));
        let is_foreign = |name: &str| {
            ["KITH_", "LISTEN_", "DBUS_", "XDG_"].iter().any(|of| name.starts_with(of))
        };
        for (name, _) in std::env::vars_os() {
            if is_foreign(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"] {
            command.env(name, folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child =
            command.process_group(0).kill_on_drop(true).spawn().context("can't start a daemon")?;
        let (lines, log) = watch::channel(VecDeque::new());
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(follow(stderr, lines));
        }
        Ok(Self { child, socket, log })
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its process.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it can be connected to.
    pub(super) async fn ready(&mut self) -> Result<()> {
        loop {
            self.log.borrow_and_update();
            if UnixStream::connect(&self.socket).await.is_ok() {
                return Ok(());
            }
            if self.log.changed().await.is_err() {
                let log = self.log.borrow().iter().cloned().collect::<Vec<_>>();
                bail!("the daemon ended before it was ready; it said: {}", log.join(" "));
            }
        }
    }

    /// Ends it as a crash does.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("can't kill it")
    }

    /// Asks it to end, by its process id, and waits until it has.
    pub(super) async fn end(&mut self) -> Result<ExitStatus> {
        // Without an id it has ended, and was waited for.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            kill_process(id, Signal::TERM).context("can't send it a signal")?;
        }
        self.child.wait().await.context("can't wait for it")
    }
}

/// Reads what the daemon logs, so that it never waits for a reader, and keeps the last of it.
async fn follow(stderr: ChildStderr, lines: watch::Sender<VecDeque<String>>) {
    let mut reader = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        lines.send_modify(|kept| {
            kept.push_back(line);
            if kept.len() > DEMO_LOG_LINES_MAX {
                kept.pop_front();
            }
        });
    }
}
