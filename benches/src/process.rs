//! A broker's process: started in the foreground, waited for until it answers, ended by its id.
//!
//! Some brokers are two processes (dbus-broker and its launcher), so figures are sums over the
//! process and its children. Children are ended through a pidfd taken while they still are
//! children: a process id alone could belong to somebody else by then.

use crate::interrupt;
use crate::machine::{self, CpuSeconds};
use crate::peer::Peer;
use crate::raw::Connection;
use crate::socket::{Endpoint, Socket};
use anyhow::{Context, bail};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use std::fs::{self, DirBuilder, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a broker may take until it answers.
const START_MAX: Duration = Duration::from_secs(15);
/// How long a broker may take to end after SIGTERM.
const END_MAX: Duration = Duration::from_secs(3);

pub(crate) struct Running {
    child: Child,
    pub(crate) endpoint: Endpoint,
    /// From exec to the first answered ping.
    pub(crate) ready_after: Duration,
    log: PathBuf,
}

impl Running {
    /// Starts a peer in a fresh directory of its own below `base`.
    pub(crate) fn start(peer: &dyn Peer, base: &Path, tag: &str) -> anyhow::Result<Self> {
        let directory = directory(peer, base, tag);
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        Self::start_again(peer, base, tag)
    }

    /// Starts a peer in the directory that it had before, with what it left there.
    pub(crate) fn start_again(peer: &dyn Peer, base: &Path, tag: &str) -> anyhow::Result<Self> {
        interrupt::check()?;
        let directory = directory(peer, base, tag);
        // Kith, like others, wants a directory that nobody else may enter.
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let mut start = peer.start(&directory)?;
        let log = directory.join("stdio.log");
        let output = File::create(&log)?;
        start.command.stdout(output.try_clone()?).stderr(output);
        let began = Instant::now();
        let name = start.command.get_program().to_string_lossy().into_owned();
        let child = start.command.spawn().with_context(|| {
            format!("can't start {name}: is it installed, or, if it is ours, built?")
        })?;
        let endpoint = start.endpoint;
        let mut running = Self { child, endpoint, ready_after: Duration::ZERO, log };
        running.wait_until_ready(peer, began)?;
        running.ready_after = began.elapsed();
        Ok(running)
    }

    /// An answered ping; for a peer with a client program, whose own start would be measured, an
    /// accepted connection.
    fn wait_until_ready(&mut self, peer: &dyn Peer, began: Instant) -> anyhow::Result<()> {
        let codec = peer.codec();
        let reach = || match peer.client_program() {
            None => Connection::open(&*codec, &self.endpoint).map(|_| ()),
            Some(_) => Socket::connect(&self.endpoint).map(|_| ()),
        };
        loop {
            let Err(error) = reach() else { return Ok(()) };
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at start, {status}: {}", peer.name(), self.last_words());
            }
            if began.elapsed() > START_MAX {
                bail!("{} not ready: {error}; {}", peer.name(), self.last_words());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }

    /// The last line that the broker wrote to its output.
    fn last_words(&self) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        said.lines().last().unwrap_or("it said nothing").to_string()
    }

    /// The broker's process and, behind it, its descendants.
    fn process_ids(&self) -> Vec<u32> {
        let mut ids = vec![self.child.id()];
        let mut at = 0;
        while at < ids.len() {
            ids.extend(machine::children(ids[at]));
            at += 1;
        }
        ids
    }

    /// CPU time of the broker so far.
    pub(crate) fn cpu(&self) -> CpuSeconds {
        let mut sum = CpuSeconds::default();
        for id in self.process_ids() {
            let cpu = machine::process_cpu(id);
            sum.user += cpu.user;
            sum.system += cpu.system;
        }
        sum
    }

    pub(crate) fn cpu_seconds(&self) -> f64 {
        let cpu = self.cpu();
        cpu.user + cpu.system
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        self.process_ids().iter().map(|id| machine::status_kib(*id, "VmRSS:")).sum()
    }

    /// The part of `resident_kib` that no file backs.
    pub(crate) fn anonymous_kib(&self) -> u64 {
        self.process_ids().iter().map(|id| machine::status_kib(*id, "RssAnon:")).sum()
    }

    /// How often threads of the broker have gone to sleep since it started.
    pub(crate) fn wakeups(&self) -> u64 {
        self.process_ids().iter().map(|id| machine::wakeups(*id)).sum()
    }

    /// Name and resident KiB of each process, for brokers of more than one.
    pub(crate) fn detail(&self) -> Vec<String> {
        let describe = |id: &u32| {
            format!("{} {}", machine::process_name(*id), machine::status_kib(*id, "VmRSS:"))
        };
        self.process_ids().iter().map(describe).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let descendants: Vec<OwnedFd> = self.process_ids()[1..]
            .iter()
            .filter_map(|id| Pid::from_raw(*id as i32))
            .filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            .collect();
        end(&mut self.child);
        for descendant in descendants {
            // What is left of a broker without its first process has nothing to finish.
            let _gone_already = pidfd_send_signal(descendant, Signal::KILL);
        }
    }
}

/// Where a broker with this tag has its own.
pub(crate) fn directory(peer: &dyn Peer, base: &Path, tag: &str) -> PathBuf {
    base.join(format!("{}-{tag}", peer.name()))
}

/// Ends a child of ours: SIGTERM, and SIGKILL if that is not heard.
pub(crate) fn end(child: &mut Child) {
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    if let Some(pid) = Pid::from_raw(child.id() as i32) {
        // Not reaped, so the id is still its own.
        let _gone_already = kill_process(pid, Signal::TERM);
    }
    let began = Instant::now();
    while began.elapsed() < END_MAX && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _gone_already = child.kill();
    let _reaped = child.wait();
}
