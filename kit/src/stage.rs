//! The bus and the program together, for one scenario: starting it, and waiting for what should
//! happen.
//!
//! Everything that is waited for has a limit. Whoever waits drives the bus meanwhile, sees the
//! program end, and hears when the kit is told to stop.

use crate::bus::{Bus, Seen};
use crate::child::{Child, ending};
use crate::limits::{HEARTBEAT_MS_MAX, SETTLE_MS, START_MS_MAX};
use crate::outcome::{Stop, failed, hopeless};
use crate::program::Program;
use crate::stimulus::{Ear, ears, poke};
use kith_plugins_api::Manifest;
use kith_plugins_api::contract::Rights;
use kith_wire::{Code, Token};
use std::ffi::OsString;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The bus and the program.
pub(crate) struct Stage<'a> {
    program: &'a Program,
    manifest: &'a Manifest,
    rights: &'a Rights,
    cancelled: &'a AtomicBool,
    folder: TempDir,
    /// Ended before the bus is, so that it doesn't see that go.
    child: Option<Child>,
    pub(crate) bus: Bus,
}

/// The exit code of a service that says that starting it again can't help.
const CAN_NOT_RUN: i32 = 78;

/// What ended the waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// What was waited for has happened.
    Happened,
    /// The program has ended before.
    Ended,
    /// The time is over.
    TimeIsOver,
}

impl<'a> Stage<'a> {
    /// A bus, and nobody on it.
    pub(crate) fn set(program: &'a Program, cancelled: &'a AtomicBool) -> Result<Self, Stop> {
        let (manifest, rights) = program.manifest().map_err(|error| {
            hopeless(
                format!("its manifest is refused:\n{}", indented(&error.to_string())),
                "change the lines that are marked",
            )
        })?;
        let folder = tempfile::Builder::new().prefix("kith-kit-").tempdir()?;
        let bus = Bus::start(&folder.path().join("bus.sock"))?;
        Ok(Self { program, manifest, rights, cancelled, folder, child: None, bus })
    }

    pub(crate) fn manifest(&self) -> &'a Manifest {
        self.manifest
    }

    /// Where the program listens, but for reserved topics.
    pub(crate) fn ears(&self) -> Vec<Ear> {
        ears(self.manifest)
    }

    /// Says the simplest things wherever it listens.
    pub(crate) fn poke(&mut self) -> io::Result<()> {
        poke(&mut self.bus, self.manifest)
    }

    /// Starts the program, with what its manifest grants, and waits until it is ready.
    pub(crate) fn start(&mut self) -> Result<(), Stop> {
        self.start_with(self.rights.clone())
    }

    /// The same, and until it has done what it does first: then it only waits.
    pub(crate) fn start_and_settle(&mut self) -> Result<(), Stop> {
        self.start()?;
        self.pass(SETTLE_MS, "right after its start", "run until the bus says goodbye or hangs up")
    }

    /// The same with other rights.
    pub(crate) fn start_with(&mut self, rights: Rights) -> Result<(), Stop> {
        let token = token()?;
        self.bus.expect(token.clone(), rights);
        self.spawn(&token)?;
        let begin = Instant::now();
        let limit = Duration::from_millis(START_MS_MAX);
        loop {
            if self.bus.ask_heartbeat(START_MS_MAX)? {
                return Ok(());
            }
            let had = self.what_it_has();
            let left = limit.saturating_sub(begin.elapsed());
            let waited = self.wait(left, |stage| stage.what_it_has() != had)?;
            if waited != Waited::Happened {
                return Err(self.not_ready(waited));
            }
        }
    }

    /// What has come so far, of which more may make it ready.
    fn what_it_has(&self) -> (bool, usize) {
        (self.bus.seen.service.is_some(), self.bus.subscriptions())
    }

    /// Starts the program with a token, whether or not that is worth anything.
    pub(crate) fn spawn(&mut self, token: &Token) -> Result<(), Stop> {
        let data = self.folder.path().join("data");
        if !data.is_dir() {
            fs::create_dir(&data)?;
        }
        let environment: [(&str, OsString); 5] = [
            ("KITH_SOCKET", self.socket().into_os_string()),
            ("KITH_TOKEN", token.reveal().into()),
            ("KITH_SERVICE", self.manifest.name.clone().into()),
            ("KITH_DATA_DIR", data.clone().into_os_string()),
            ("KITH_SETTINGS", self.program.settings().into()),
        ];
        let said = self.folder.path().join("said");
        let started = Child::start(self.program, &data, said, &environment);
        self.child = Some(started.map_err(|error| {
            let seen = format!("{} can't be started: {error}", self.program.command().display());
            hopeless(seen, "name a program that can be run; a script wants a first line with #!")
        })?);
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bus.sock")
    }

    /// Ends the bus without a goodbye, as a crash does. Then there is nobody at its socket.
    pub(crate) fn lose_bus(&mut self) -> io::Result<()> {
        fs::remove_file(self.socket())?;
        // One that nobody can find takes its place, so that there always is one.
        self.bus = Bus::start(&self.folder.path().join("nowhere.sock"))?;
        fs::remove_file(self.folder.path().join("nowhere.sock"))
    }

    /// Has a bus at the socket again.
    pub(crate) fn find_bus(&mut self) -> io::Result<()> {
        self.bus = Bus::start(&self.socket())?;
        self.child = None;
        Ok(())
    }

    /// Waits until something is so, the program ends, or this time is over.
    pub(crate) fn wait(
        &mut self,
        limit: Duration,
        is_so: impl Fn(&Self) -> bool,
    ) -> Result<Waited, Stop> {
        let begin = Instant::now();
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(Stop::Cancelled);
            }
            if is_so(self) {
                return Ok(Waited::Happened);
            }
            if self.status().is_some() {
                return Ok(Waited::Ended);
            }
            let left = limit.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok(Waited::TimeIsOver);
            }
            let watched = self.child.as_ref().map(Child::watched);
            let has_ended = self.bus.turn(left, watched)?;
            if let Some(child) = self.child.as_mut().filter(|_| has_ended) {
                child.has_ended()?;
                // What it said last may still be on its way.
                self.bus.turn(Duration::ZERO, None)?;
            }
        }
    }

    /// Waits for so long, in which the program has to live.
    pub(crate) fn pass(&mut self, span_ms: u64, during: &str, change: &str) -> Result<(), Stop> {
        match self.wait(Duration::from_millis(span_ms), |_| false)? {
            Waited::Ended => Err(self.died(during, change)),
            _ => Ok(()),
        }
    }

    /// Asks for a sign of life while nothing is wrong.
    pub(crate) fn first_beat(&mut self) -> Result<(), Stop> {
        let change = "reply to each message on self.services.heartbeat.NAME: publish anything, \
                      such as null, on the topic in its `reply_to`; and do nothing that takes \
                      seconds in between";
        self.beat("while nothing else happened", change)
    }

    /// Asks for a sign of life, which has to come. `during` says when: "after …".
    pub(crate) fn beat(&mut self, during: &str, change: &str) -> Result<(), Stop> {
        let answered = self.bus.seen.answered;
        self.bus.seen.is_silent = false;
        let begin = Instant::now();
        let limit = Duration::from_millis(HEARTBEAT_MS_MAX);
        let mut is_asked = false;
        loop {
            if !is_asked {
                is_asked = self.bus.ask_heartbeat(HEARTBEAT_MS_MAX)?;
            }
            // While it can't be asked, its queue is full: there is room when it reads.
            let patience = if is_asked { limit } else { Duration::from_millis(10) };
            let left = limit.saturating_sub(begin.elapsed());
            let is_over = |stage: &Self| {
                let seen: &Seen = &stage.bus.seen;
                seen.answered > answered || seen.is_silent || seen.service.is_none()
            };
            let waited = self.wait(left.min(patience), is_over)?;
            if self.bus.seen.answered > answered {
                return Ok(());
            }
            let has_hung_up = self.bus.seen.service.is_none();
            if waited == Waited::Ended || has_hung_up && self.ends_soon()? {
                return Err(self.died(during, change));
            }
            if has_hung_up {
                return Err(failed(format!("it closed its connection {during}"), change));
            }
            if self.bus.seen.is_silent || left.is_zero() {
                let seconds = HEARTBEAT_MS_MAX / 1000;
                let seen = format!("no answer to a heartbeat came within {seconds} s, {during}");
                return Err(failed(seen + &self.last_words(), change));
            }
        }
    }

    /// Whether it ends within a moment.
    fn ends_soon(&mut self) -> Result<bool, Stop> {
        let settle = Duration::from_millis(SETTLE_MS);
        Ok(self.wait(settle, |_| false)? == Waited::Ended)
    }

    /// How it ended, if it has.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        self.child.as_ref().and_then(Child::status)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    /// What it said last, below a heading, or nothing.
    pub(crate) fn last_words(&self) -> String {
        let words = self.child.as_ref().map(Child::last_words).unwrap_or_default();
        if words.is_empty() { words } else { format!("\nits last words:{words}") }
    }

    /// It ended when it should not have.
    pub(crate) fn died(&self, during: &str, change: &str) -> Stop {
        let how = self.status().map_or_else(|| "ended".to_owned(), ending);
        let seen = format!("it {how}, {during}{}", self.last_words());
        if self.status().and_then(|status| status.code()) == Some(CAN_NOT_RUN) {
            let change = "exit code 78 says that it can't run like this: give it what it misses, \
                          such as --settings";
            return hopeless(seen, change);
        }
        failed(seen, change)
    }

    /// What it was told went wrong, each once.
    pub(crate) fn refusals(&self) -> String {
        let mut texts: Vec<&str> = Vec::new();
        for (_, text) in &self.bus.seen.refusals {
            if !texts.contains(&text.as_str()) {
                texts.push(text);
            }
        }
        texts.iter().map(|text| format!("\n  {text}")).collect()
    }

    /// Why it is not ready, and what to change.
    fn not_ready(&self, waited: Waited) -> Stop {
        let seen = &self.bus.seen;
        let is_told = |wanted: Code| seen.refusals.iter().any(|(code, _)| *code == Some(wanted));
        let seconds = START_MS_MAX / 1000;
        let (what, change) = if is_told(Code::BadToken) {
            (
                "it showed a wrong token",
                "send the value of KITH_TOKEN as it is, as `token` of the first `hello`, once",
            )
        } else if seen.connections == 0 {
            ("it did not connect", "connect to the Unix socket whose path is in KITH_SOCKET")
        } else if !seen.has_entered {
            (
                "it connected, and did not show its token",
                "begin with {\"op\":\"hello\",\"id\":1,\"token\":…}, the value of KITH_TOKEN",
            )
        } else {
            (
                "it showed its token, and did not subscribe to its heartbeat",
                "subscribe to self.services.heartbeat.NAME, with the value of KITH_SERVICE as \
                 NAME, and reply to each message there",
            )
        };
        let mut text = match (waited, self.status()) {
            (Waited::Ended, Some(status)) => format!("{what} and {}", ending(status)),
            _ => format!("{what} within {seconds} s"),
        };
        let refusals = self.refusals();
        if !refusals.is_empty() {
            text = format!("{text}\nit was told:{refusals}");
        }
        hopeless(text + &self.last_words(), change)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        drop(self.child.take());
    }
}

/// A token for a bus that nobody else can reach.
pub(crate) fn token() -> Result<Token, Stop> {
    let text = || format!("{:016x}", RandomState::new().hash_one(()));
    Ok(Token::new(text() + &text()).map_err(io::Error::other)?)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
