//! What the system says of processes: the daemon's memory and processor time, and the names of
//! those that connected.
//!
//! It is read from `/proc`, where everybody may. A process that has ended, or lives where this one
//! can't see it (another container), is unknown. Nothing of another user's is looked for: the bus
//! has one user.

use super::facts::{Client, Process};
use std::collections::HashMap;

/// The daemon's memory and processor time.
pub(crate) fn look(pid: u32) -> Option<Process> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = cpu_ticks(&stat)?;
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let cpu_ms = ticks.saturating_mul(1000) / ticks_per_second;
    Some(Process { resident_bytes: resident_bytes(&status)?, cpu_ms })
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Time in user and in kernel mode: the 14th and 15th field, of which the second is the name, in
/// brackets, and may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    user.checked_add(kernel)
}

/// The names of clients' processes, each looked up once.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    known: HashMap<(u64, u32), Option<String>>,
}

impl Commands {
    /// The name of each client's process. Those of clients that are gone are forgotten.
    pub(crate) fn of(&mut self, clients: &[Client]) -> Vec<Option<String>> {
        let mut known = HashMap::with_capacity(clients.len());
        let mut names = Vec::with_capacity(clients.len());
        for client in clients {
            let name = client.pid.and_then(|pid| {
                let key = (client.client, pid);
                let name = self.known.remove(&key).unwrap_or_else(|| command(pid));
                known.insert(key, name.clone());
                name
            });
            names.push(name);
        }
        self.known = known;
        names
    }

    /// Forgets all of them: another daemon counts its clients anew.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }
}

fn command(pid: u32) -> Option<String> {
    // A name is bytes, which a process can choose as it likes.
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = String::from_utf8_lossy(name.trim_ascii_end()).into_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        let status = "Name:\tkith\nVmHWM:\t    9 kB\nVmRSS:\t    4108 kB\nThreads:\t1\n";
        assert_eq!(resident_bytes(status), Some(4108 << 10));
        assert_eq!(resident_bytes("Name:\tzombie\n"), None);
        assert_eq!(resident_bytes("VmRSS:\t99999999999999999999 kB"), None);
    }

    #[test]
    fn processor_time_is_read_whatever_the_name() {
        let fields = "S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 99 1 1";
        for name in ["kith", "a) b (c", "1 2 3"] {
            assert_eq!(cpu_ticks(&format!("7 ({name}) {fields}")), Some(300), "{name}");
        }
        assert_eq!(cpu_ticks("7 (kith) S 1"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn this_process_is_there_to_be_seen() {
        let process = look(std::process::id()).unwrap();
        assert!(process.resident_bytes > 100_000, "{process:?}");
        assert!(look(u32::MAX).is_none());
        let client = |client, pid| Client { client, pid, ..Client::default() };
        let own = Some(std::process::id());
        let mut commands = Commands::default();
        let clients = [client(0, own), client(1, None), client(2, Some(u32::MAX))];
        let names = commands.of(&clients);
        assert!(names[0].as_ref().is_some_and(|name| !name.is_empty()), "{names:?}");
        assert_eq!(names[1..], [None, None]);
        assert_eq!((commands.of(&clients), commands.known.len()), (names, 2));
        commands.of(&[]);
        assert!(commands.known.is_empty());
    }
}
