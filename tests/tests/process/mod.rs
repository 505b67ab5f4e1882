//! Programs under test: started, listened to, and ended by their own id.
//!
//! What a program writes is collected while it runs, so that no pipe ever fills up, and a test can
//! wait for a text to appear. Nothing waits without end and nothing sleeps: every wait is for
//! something that the program does, and fails with all that it wrote if it takes too long.
//!
//! - `daemon.rs`: the daemon, on a socket of its own in a directory of its own;
//! - `supervisor.rs`: whom it tells how it is.

mod daemon;
mod supervisor;

pub(crate) use daemon::{Daemon, PROGRAM, Place, dial};
pub(crate) use supervisor::Supervisor;

use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Long, since machines that build are slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs, and what it has written so far.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Collected>,
    stderr: Arc<Collected>,
}

/// What a program left when it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts `command` with a standard input that stays open until [`Process::close_input`].
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with_its_input(command.stdin(Stdio::piped()))
    }

    /// Starts `command` with the standard input that it has been given.
    pub(crate) fn start_with_its_input(command: &mut Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Collected::of(child.stdout.take().unwrap());
        let stderr = Collected::of(child.stderr.take().unwrap());
        Self { stdin: child.stdin.take(), child, stdout, stderr }
    }

    /// Starts `command` without input, and waits until it ends.
    pub(crate) fn run(command: &mut Command) -> Ended {
        let mut process = Self::start(command);
        process.close_input();
        process.wait()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its standard input comes from.
    pub(crate) fn input(&mut self) -> &mut ChildStdin {
        self.stdin.as_mut().expect("its input is closed")
    }

    /// Ends its standard input.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until `found` in what it has written to standard output so far.
    pub(crate) fn wait_for_stdout(&self, found: impl Fn(&str) -> bool) -> String {
        self.wait_for(&self.stdout, found)
    }

    /// Waits until `found` in what it has written to standard error so far.
    pub(crate) fn wait_for_stderr(&self, found: impl Fn(&str) -> bool) -> String {
        self.wait_for(&self.stderr, found)
    }

    fn wait_for(&self, collected: &Collected, found: impl Fn(&str) -> bool) -> String {
        collected.wait(|text, _| found(text)).unwrap_or_else(|why| panic!("{why}; {}", self.said()))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it ends.
    pub(crate) fn wait(&mut self) -> Ended {
        // A program that has ended has no output open; so the wait for its status is short.
        for collected in [&self.stdout, &self.stderr] {
            if let Err(why) = collected.wait(|_, is_closed| is_closed) {
                panic!("it runs on: {why}; {}", self.said());
            }
        }
        let status = self.child.wait().unwrap();
        Ended { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    fn said(&self) -> String {
        format!("stdout: {:?}, stderr: {:?}", self.stdout.text(), self.stderr.text())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one pipe has brought so far.
#[derive(Default)]
struct Collected {
    state: Mutex<(Vec<u8>, bool)>,
    grown: Condvar,
}

impl Collected {
    fn of(mut pipe: impl Read + Send + 'static) -> Arc<Self> {
        let collected = Arc::new(Self::default());
        let sink = Arc::clone(&collected);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = pipe.read(&mut buffer).unwrap_or(0);
                let mut state = sink.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.0.extend_from_slice(&buffer[..read]);
                state.1 = read == 0;
                sink.grown.notify_all();
                if state.1 {
                    return;
                }
            }
        });
        collected
    }

    fn text(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&state.0).into_owned()
    }

    /// Waits until `found` in the text, or in whether the pipe is closed.
    fn wait(&self, found: impl Fn(&str, bool) -> bool) -> Result<String, &'static str> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let text = String::from_utf8_lossy(&state.0).into_owned();
            if found(&text, state.1) {
                return Ok(text);
            }
            if state.1 {
                return Err("it never came");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("it did not come in time");
            }
            let waited = self.grown.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
