//! The program as a process: started, stopped for a while, watched to its end.
//!
//! It leads a process group, as under the daemon; whatever happens to the kit, the group is ended
//! when this is dropped. What it says goes into a file, of which the end is shown where it helps.

use crate::limits::{SAID_BYTES_MAX, SAID_LINES_MAX};
use crate::program::Program;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};

/// The program, running or ended.
#[derive(Debug)]
pub(crate) struct Child {
    process: Process,
    pid: Pid,
    /// Can be read once it has ended.
    watched: OwnedFd,
    status: Option<ExitStatus>,
    /// The file with what it said.
    said: PathBuf,
}

impl Child {
    /// Starts the program in `folder`, with these variables beside the kit's own. What it says goes
    /// into the file `said`.
    pub(crate) fn start(
        program: &Program,
        folder: &Path,
        said: PathBuf,
        environment: &[(&str, OsString)],
    ) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(&said)?;
        let mut process = Command::new(program.command())
            .args(program.arguments())
            .current_dir(folder)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let watched = pid.ok_or_else(|| io::ErrorKind::NotFound.into()).and_then(|pid| {
            let watched = pidfd_open(pid, PidfdFlags::empty())?;
            Ok((pid, watched))
        });
        match watched {
            Ok((pid, watched)) => Ok(Self { process, pid, watched, status: None, said }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error)
            }
        }
    }

    /// What can be read once it has ended.
    pub(crate) fn watched(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }

    /// Takes note that it has ended, and ends what it has left behind.
    pub(crate) fn has_ended(&mut self) -> io::Result<()> {
        if self.status.is_none() {
            // Before its number is free for others.
            self.signal(Signal::KILL);
            self.status = Some(self.process.wait()?);
        }
        Ok(())
    }

    /// How it ended, if it has.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Sends a signal to it and what it started.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            // It may have ended just now.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// The last lines that it said, each indented, or nothing.
    pub(crate) fn last_words(&self) -> String {
        let text = self.read_end().unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let first = lines.len().saturating_sub(SAID_LINES_MAX);
        lines.iter().skip(first).map(|line| format!("\n  {line}")).collect()
    }

    fn read_end(&self) -> io::Result<String> {
        let mut said = File::open(&self.said)?;
        let bytes = said.metadata()?.len();
        said.seek(SeekFrom::Start(bytes.saturating_sub(SAID_BYTES_MAX)))?;
        let mut end = Vec::new();
        said.take(SAID_BYTES_MAX).read_to_end(&mut end)?;
        Ok(String::from_utf8_lossy(&end).into_owned())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.signal(Signal::KILL);
            let _ = self.process.wait();
        }
    }
}

/// How a process ended, in words.
pub(crate) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "ended with exit code 0, as if all were done".to_owned(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
