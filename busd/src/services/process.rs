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
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::cell::Cell;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

/// Ended so, a service says that starting it again can't help: `EX_CONFIG` of sysexits.h.
const FATAL: i32 = 78;

/// What is started.
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
    group: Group,
}

/// All processes of a service, by the number of the first; no number, once that is free for others.
#[derive(Clone, Debug)]
struct Group(Rc<Cell<Option<Pid>>>);

/// The first of them. What it started and left behind ends with it, and all of it with the daemon,
/// if that does not wait any longer.
struct Leader {
    child: Child,
    group: Group,
    /// Heard when any process that this one has started ends.
    ends: Signals,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it is told has its token in it.
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("Program")
            .field("command", &self.command)
            .field("base", &self.base)
            .field("folder", &self.folder)
            .field("environment", &names)
            .finish()
    }
}

impl Group {
    /// Sends a signal to all of them, while they are known to be the service's.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0.get() {
            // They may have ended.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Ends all of them, and has nobody else be taken for them.
    fn end(&self) {
        self.signal(Signal::KILL);
        self.0.set(None);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        // Before its number is free for others, which comes after.
        self.group.end();
    }
}

impl Leader {
    fn start(command: &mut Command) -> io::Result<Self> {
        // Before it can end.
        let ends = signal(SignalKind::child())?;
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, group: Group(Rc::new(Cell::new(pid))), ends })
    }

    /// Whether it has ended. That takes nothing away: its number stays its own.
    fn has_ended(&self) -> bool {
        let Some(pid) = self.group.0.get() else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(pid), options) {
            Ok(status) => status.is_some(),
            Err(error) => error != Errno::INTR,
        }
    }

    async fn until_ended(&mut self) {
        while !self.has_ended() {
            if self.ends.recv().await.is_none() {
                return;
            }
        }
    }

    /// Waits for its end, and listens meanwhile; to what was said before the end, too, but not to
    /// what others say that have its output.
    async fn wait(&mut self, said: impl Future<Output = ()>) -> io::Result<ExitStatus> {
        tokio::pin!(said);
        let has_said_all = tokio::select! {
            () = self.until_ended() => false,
            () = &mut said => true,
        };
        if has_said_all {
            self.until_ended().await;
        } else {
            let _ = tokio::time::timeout(LOG_PAUSE, said).await;
        }
        self.group.end();
        self.child.wait().await
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
        let failed = |error: io::Error| Failure::new(format!("{}: {error}", file.display()));
        let mut leader = Leader::start(&mut command).map_err(failed)?;
        let pid = leader.child.id().unwrap_or_default();
        let group = leader.group.clone();
        tokio::task::spawn_local(async move {
            let (output, errors) = (leader.child.stdout.take(), leader.child.stderr.take());
            let said = async {
                tokio::join!(listen(output, &reporter), listen(errors, &reporter));
            };
            let status = leader.wait(said).await;
            drop(leader);
            reporter.report(What::Ended(ended(status))).await;
        });
        Ok(Self { pid, group })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Start | Action::Dismiss => {}
            Action::Terminate => self.group.signal(Signal::TERM),
            Action::Kill => self.group.signal(Signal::KILL),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn program(script: &str) -> Program {
        Program {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            base: None,
            folder: PathBuf::from("/"),
            environment: vec![("KITH_TOKEN", "secret".into())],
        }
    }

    #[test]
    fn what_it_is_told_is_not_shown() {
        let shown = format!("{:?}", program("true"));
        assert!(shown.contains("KITH_TOKEN") && !shown.contains("secret"), "{shown}");
    }

    /// What it left behind ends, and then its number means nothing any more.
    #[tokio::test(flavor = "current_thread")]
    async fn once_it_has_ended_nobody_is_signalled() {
        let (events, mut reported) = mpsc::channel(10);
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let reporter = Reporter::new("x", 1, events);
                let program = program("sleep 1000 & echo $!; exit 3");
                let mut process = Process::start(&program, reporter).unwrap();
                assert!(process.group.0.get().is_some());
                let mut left = String::new();
                let how = loop {
                    match reported.recv().await.unwrap().what {
                        What::Line(line) => left = line,
                        What::Ended(how) => break how,
                    }
                };
                assert_eq!(how.reason, "ended with exit code 3");
                assert_eq!(process.group.0.get(), None);
                process.act(Action::Kill);
                let left = left.parse().ok().and_then(Pid::from_raw).unwrap();
                let state =
                    || std::fs::read_to_string(format!("/proc/{}/stat", left.as_raw_nonzero()));
                let runs = |text: String| !text.contains(") Z") && !text.contains(") X");
                while state().is_ok_and(runs) {
                    tokio::task::yield_now().await;
                }
            })
            .await;
    }
}
