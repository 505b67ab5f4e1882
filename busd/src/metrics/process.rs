//! What the kernel says of this process: memory, processor time, open files.
//!
//! Read when somebody asks, and never before. Where `/proc` is not there, or says something else
//! than expected, that one number is missing in the answer; nothing else depends on it.

use super::snapshot::Process;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fs;

const OPEN_FILES: &str = "/proc/self/fd";

impl Process {
    /// Asks the kernel.
    pub(super) fn read() -> Self {
        Self {
            resident_bytes: fs::read_to_string("/proc/self/status")
                .ok()
                .and_then(|status| resident_bytes(&status)),
            cpu_us: cpu_us(),
            open_files: open_files(),
            open_files_max: getrlimit(Resource::Nofile).current,
        }
    }
}

/// The resident memory that a text of `/proc/self/status` tells (`proc_pid_status(5)`).
fn resident_bytes(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

fn cpu_us() -> Option<u64> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let us = u64::try_from(time.tv_nsec / 1000).ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(us)
}

/// The kernel tells how many there are as the size of their directory, since Linux 6.2; before
/// that the size is 0, and they have to be counted.
fn open_files() -> Option<u64> {
    let told = fs::metadata(OPEN_FILES).ok()?.len();
    if told > 0 { Some(told) } else { listed_files() }
}

fn listed_files() -> Option<u64> {
    let count = fs::read_dir(OPEN_FILES).ok()?.count();
    // One of them is the directory that is being read.
    u64::try_from(count.saturating_sub(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let found = Process::read();
        assert!(found.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{found:?}");
        assert!(found.cpu_us.is_some() && found.open_files.is_some_and(|files| files > 2));
        assert!(listed_files().is_some_and(|files| files > 2));
    }

    #[test]
    fn what_is_not_as_expected_is_left_out() {
        assert_eq!(
            resident_bytes("Name:\ta\nVmRSS:\t    4096 kB\nRssAnon:\t1 kB\n"),
            Some(4 << 20)
        );
        for text in ["", "VmRSS:", "VmRSS: 1 MB", "VmRSS: -1 kB", "VmRSS: 18446744073709551615 kB"]
        {
            assert_eq!(resident_bytes(text), None, "{text}");
        }
    }
}
