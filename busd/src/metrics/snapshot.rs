//! The numbers of one moment, as plain values.
//!
//! Most are the broker's counters as they are. Of the clients only those are named that lose
//! messages or are about to: the first question behind a dropped message is whose it was.

use crate::limits::{METRICS_CLIENTS_MAX, METRICS_QUEUE_PARTS};
use kith_core::{Limits, Stats, Usage};
use std::cmp::Reverse;

/// What is told.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The daemon's version.
    pub(super) version: &'static str,
    /// When it started, in milliseconds since the Unix epoch.
    pub(super) started_at_ms: u64,
    pub(super) stats: Stats,
    pub(super) limits: Limits,
    /// Who lost most, first.
    pub(super) culprits: Vec<Culprit>,
    pub(super) process: Process,
}

/// A client that loses messages, or has a queue that is nearly full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Culprit {
    /// Which of all connections since the start it is.
    pub(super) serial: u64,
    /// As it called itself; empty if it didn't.
    pub(super) name: String,
    pub(super) usage: Usage,
}

/// What the kernel says of this process; what it doesn't say is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) resident_bytes: Option<u64>,
    /// Processor time, in microseconds.
    pub(super) cpu_us: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
}

/// Of all clients, given as serial, name and usage, those that are named in the metrics.
pub(super) fn culprits<'a>(
    clients: impl IntoIterator<Item = (u64, Option<&'a str>, Usage)>,
    limits: &Limits,
) -> Vec<Culprit> {
    let is_filling = |queued: usize, queue: usize| queued > queue / METRICS_QUEUE_PARTS;
    let is_culprit = |usage: &Usage| {
        usage.dropped > 0
            || is_filling(usage.queued_bytes, limits.queue_bytes_max)
            || is_filling(usage.queued_messages, limits.queue_messages_max)
    };
    let mut found: Vec<_> = clients.into_iter().filter(|(.., usage)| is_culprit(usage)).collect();
    found.sort_by_key(|(serial, _, usage)| {
        (Reverse(usage.dropped), Reverse(usage.queued_bytes), *serial)
    });
    found.truncate(METRICS_CLIENTS_MAX);
    let named = |(serial, name, usage): (u64, Option<&str>, Usage)| Culprit {
        serial,
        name: name.unwrap_or_default().to_owned(),
        usage,
    };
    found.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(
        serial: u64,
        dropped: u64,
        queued_bytes: usize,
    ) -> (u64, Option<&'static str>, Usage) {
        (serial, Some("n"), Usage { dropped, queued_bytes, ..Usage::default() })
    }

    #[test]
    fn who_lost_most_comes_first_and_who_is_well_does_not_come_at_all() {
        let limits = Limits { queue_bytes_max: 1000, ..Limits::default() };
        let clients = [
            client(1, 0, 0),
            client(2, 0, 250),
            client(3, 0, 251),
            client(4, 1, 0),
            client(5, 7, 0),
            client(6, 1, 900),
        ];
        let serials = |clients: &[(u64, Option<&'static str>, Usage)]| {
            let found = culprits(clients.iter().copied(), &limits);
            found.iter().map(|one| one.serial).collect::<Vec<_>>()
        };
        assert_eq!(serials(&clients), [5, 6, 4, 3]);
        let many: Vec<_> = (0..100).map(|serial| client(serial, 1, 0)).collect();
        assert_eq!(serials(&many), (0..10).collect::<Vec<_>>());
        let messages = Usage { queued_messages: 1 << 18, ..Usage::default() };
        assert_eq!(culprits([(1, None, messages)], &limits).first().unwrap().name, "");
    }
}
