//! What `/proc` knows: CPU time, memory and wakeups of processes, how busy the whole machine was,
//! and what machine it is.
//!
//! CPU time is in ticks of 10 ms, which is fine for runs of half a second and more. Our own comes
//! from the process clock, which is exact. A process that is gone counts as 0.

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// CPU time of a process, in seconds.
#[derive(Default, Clone, Copy, Debug, PartialEq)]
pub(crate) struct CpuSeconds {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

pub(crate) fn process_cpu(pid: u32) -> CpuSeconds {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return CpuSeconds::default();
    };
    stat_cpu(&stat, clock_ticks_per_second() as f64)
}

/// Fields 14 and 15 of `/proc/PID/stat` (proc_pid_stat(5)). The second field is the program's name
/// in parentheses and may hold anything, so counting starts behind its last parenthesis.
fn stat_cpu(stat: &str, ticks_per_second: f64) -> CpuSeconds {
    let behind_name = stat.rfind(')').map_or(stat, |at| &stat[at + 1..]);
    let mut ticks = behind_name.split_whitespace().skip(11).map(|x| x.parse().unwrap_or(0.0));
    let mut next = || ticks.next().unwrap_or(0.0) / ticks_per_second;
    CpuSeconds { user: next(), system: next() }
}

/// CPU seconds of this process, all threads.
pub(crate) fn own_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds that the whole machine was busy since boot, time stolen by its host included.
pub(crate) fn busy_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/stat") else { return 0.0 };
    stat_busy(&stat, clock_ticks_per_second() as f64)
}

fn stat_busy(stat: &str, ticks_per_second: f64) -> f64 {
    let line = stat.lines().next().unwrap_or("");
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, irq, softirq, steal; not idle (3) and iowait (4)
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|field| ticks.get(*field)).sum::<f64>();
    busy / ticks_per_second
}

/// A line of `/proc/PID/status` that is in KiB, such as `VmRSS:`.
pub(crate) fn status_kib(pid: u32, key: &str) -> u64 {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// How often threads of a process have gone to sleep (voluntary context switches). While nobody
/// uses it, each is the end of a time that it was woken for nothing.
pub(crate) fn wakeups(pid: u32) -> u64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let statuses = threads.flatten().map(|thread| thread.path().join("status"));
    statuses.flat_map(std::fs::read_to_string).map(|status| switches(&status)).sum()
}

fn switches(status: &str) -> u64 {
    let lines = status.lines().filter(|line| line.starts_with("voluntary_ctxt_switches:"));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

pub(crate) fn process_name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_string()
}

/// Process ids of the children of a process's first thread.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    list.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// What the figures were measured on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_mib: u64,
    /// Without what its builder added behind the version.
    pub(crate) kernel: String,
    pub(crate) system: String,
}

impl Description {
    /// This machine.
    pub(crate) fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let release = text("/proc/sys/kernel/osrelease");
        let memory_kib = value(&text("/proc/meminfo"), "MemTotal");
        let memory_kib: u64 = memory_kib.trim_end_matches(" kB").parse().unwrap_or(0);
        Self {
            processor: value(&text("/proc/cpuinfo"), "model name"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_kib / 1024,
            kernel: release.split(['-', '\n']).next().unwrap_or("").to_string(),
            system: value(&text("/etc/os-release"), "PRETTY_NAME").trim_matches('"').to_string(),
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, processors, memory_mib, kernel, system } = self;
        write!(formatter, "{processors} × {processor}, {memory_mib} MiB, Linux {kernel}, {system}")
    }
}

/// The value of a `key : value` or `key=value` line; empty where there is none.
fn value(text: &str, key: &str) -> String {
    let rest = text.lines().find_map(|line| line.strip_prefix(key));
    let Some(rest) = rest else { return String::new() };
    rest.trim_start_matches([' ', '\t', ':', '=']).trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_summed_and_values_found() {
        let status = "Name:\ta\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(switches(status), 7);
        assert_eq!(value("a : 1\nmodel name\t: Fast CPU\n", "model name"), "Fast CPU");
        assert_eq!(value("PRETTY_NAME=\"A B\"", "PRETTY_NAME"), "\"A B\"");
        assert_eq!(value("a : 1", "b"), "");
    }

    #[test]
    fn cpu_is_read_behind_a_hostile_program_name() {
        let stat = "42 (a ) 9 b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 1 0 99 0";
        assert_eq!(stat_cpu(stat, 100.0), CpuSeconds { user: 2.5, system: 0.5 });
    }

    #[test]
    fn busy_leaves_out_idle_and_waiting() {
        let stat = "cpu  100 10 50 9000 8000 5 3 2 0 0\ncpu0 1 1 1 1\n";
        assert_eq!(stat_busy(stat, 100.0), 1.7);
    }

    #[test]
    fn what_is_gone_counts_as_nothing() {
        assert_eq!(stat_cpu("", 100.0), CpuSeconds::default());
        assert_eq!(stat_busy("", 100.0), 0.0);
    }
}
