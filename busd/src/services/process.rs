//! A service as a process of its own: any program in any language.
//!
//! It is started with a token in its environment, which makes its connection the service's; what it
//! writes is its log. It leads a process group of its own, so that what it started ends with it.
//!
//! Deliberately absent: a sandbox. What a process may touch is systemd's to say, or that of
//! whatever the command starts.

use super::instance::{Reporter, What};
use super::supervisor::{Action, Failure};
use crate::limits::{LOG_PAUSE, LOG_READ_BYTES};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Ended so, a service says that starting it again can't help: `EX_CONFIG` of sysexits.h.
const FATAL: i32 = 78;

/// What is started.
#[derive(Debug)]
pub(super) struct Program {
    /// The program, found, and its arguments.
    pub(super) command: Vec<String>,
    /// Where a program with a slash in its name is looked for.
    pub(super) base: Option<PathBuf>,
    /// Where it runs.
    pub(super) folder: PathBuf,
    /// What it is told.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

/// A service as a process.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
}

/// All processes of a service. What it started and left behind ends with it, and all of it with the
/// daemon, if that does not wait any longer.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        signal(self.0, Signal::KILL);
    }
}

impl Program {
    /// The file of the program, where its name says which.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let program = Path::new(self.command.first()?);
        let is_named = program.components().count() > 1;
        let base = || self.base.as_deref().unwrap_or_else(|| Path::new("/"));
        is_named.then(|| base().join(program))
    }
}

impl Process {
    /// Starts it; in the runtime.
    ///
    /// # Errors
    /// If it can't be started, with the name of what can't.
    pub(super) fn start(program: &Program, reporter: Reporter) -> Result<Self, Failure> {
        let name = program.command.first().map(String::as_str).unwrap_or_default();
        let file = program.file().unwrap_or_else(|| name.into());
        let mut command = Command::new(&file);
        command
            .args(program.command.iter().skip(1))
            .current_dir(&program.folder)
            .envs(program.environment.iter().map(|(key, value)| (key, value)))
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_PID")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let started = command.spawn();
        let mut child =
            started.map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        let pid = child.id().unwrap_or_default();
        let output = child.stdout.take();
        let errors = child.stderr.take();
        let group = Group(pid);
        tokio::task::spawn_local(async move {
            let said = async {
                tokio::join!(listen(output, &reporter), listen(errors, &reporter));
            };
            let status = wait(&mut child, said).await;
            drop(group);
            reporter.report(What::Ended(ended(status))).await;
        });
        Ok(Self { pid })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Start | Action::Dismiss => {}
            Action::Terminate => signal(self.pid, Signal::TERM),
            Action::Kill => signal(self.pid, Signal::KILL),
        }
    }
}

/// Waits for its end, and listens meanwhile; to what was said before the end, too, but not to what
/// others say that have its output.
async fn wait(child: &mut Child, said: impl Future<Output = ()>) -> io::Result<ExitStatus> {
    tokio::pin!(said);
    let status = tokio::select! {
        status = child.wait() => status,
        () = &mut said => return child.wait().await,
    };
    let _ = tokio::time::timeout(LOG_PAUSE, said).await;
    status
}

/// Reports what is written there, line by line, until the end.
async fn listen(output: Option<impl AsyncRead + Unpin>, reporter: &Reporter) {
    let Some(mut output) = output else { return };
    let mut buffer = vec![0; LOG_READ_BYTES];
    let mut line = Vec::new();
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        let bytes = buffer.get(..read).unwrap_or_default();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Of a line without end only the beginning is of use.
            let room = LOG_READ_BYTES.saturating_sub(line.len());
            line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
            if part.ends_with(b"\n") {
                reporter.report(What::Line(text(&line))).await;
                line.clear();
            }
        }
        if read == LOG_READ_BYTES {
            // Whoever says so much waits a little, and not the daemon.
            tokio::time::sleep(LOG_PAUSE).await;
        }
    }
    if !line.is_empty() {
        reporter.report(What::Line(text(&line))).await;
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

fn signal(pid: u32, signal: Signal) {
    let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended.
        let _ = kill_process_group(group, signal);
    }
}

fn ended(status: io::Result<ExitStatus>) -> Failure {
    match status {
        Ok(status) if status.success() => Failure::new("ended by itself"),
        Ok(status) if status.code() == Some(FATAL) => Failure::fatal("ended with exit code 78"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Failure::new(format!("ended with exit code {code}")),
            (None, Some(signal)) => Failure::new(format!("was ended by signal {signal}")),
            (None, None) => Failure::new("ended"),
        },
        Err(error) => Failure::new(format!("its end can't be told: {error}")),
    }
}
