//! What `/proc` knows: CPU time and memory of processes, and how busy the whole machine was.
//!
//! CPU time is in ticks of 10 ms, which is fine for runs of half a second and more. Our own comes
//! from the process clock, which is exact. A process that is gone counts as 0.

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

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

pub(crate) fn process_name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_string()
}

/// Process ids of the children of a process's first thread.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    list.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
