//! What the daemon says, as far as `kith top` shows it.
//!
//! What an older daemon leaves out counts as zero or unknown. Counters are kept apart from the
//! rest, because rates are made of them alone, for the bus and for a client alike.

use serde::{Deserialize, Serialize};

/// `bus.ready`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Ready {
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) started_at: u64,
}

/// What only grows.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Counters {
    pub(crate) published: u64,
    pub(crate) published_bytes: u64,
    pub(crate) delivered: u64,
    pub(crate) delivered_bytes: u64,
    pub(crate) dropped: u64,
}

/// `bus.stats`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Stats {
    pub(crate) at: u64,
    #[serde(flatten)]
    pub(crate) counters: Counters,
    pub(crate) expired: u64,
    pub(crate) requests: u64,
    pub(crate) replies: u64,
    pub(crate) no_responders: u64,
    pub(crate) refused: u64,
    /// Of those refused.
    pub(crate) refused_connections: u64,
    pub(crate) cut_off: u64,
    pub(crate) clients: u64,
    pub(crate) subscriptions: u64,
    pub(crate) requests_waiting: u64,
    pub(crate) retained_messages: u64,
    pub(crate) retained_bytes: u64,
    pub(crate) queued_messages: u64,
    pub(crate) queued_bytes: u64,
    /// Memory that waits for all clients, the one sum that the daemon bounds.
    pub(crate) waiting_bytes: u64,
    pub(crate) remembered_ids: u64,
}

/// A row of `bus.clients`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Client {
    pub(crate) client: u64,
    pub(crate) name: Option<String>,
    pub(crate) pid: Option<u32>,
    pub(crate) framing: Option<String>,
    #[serde(flatten)]
    pub(crate) counters: Counters,
    pub(crate) subscriptions: u64,
    pub(crate) requests_waiting: u64,
    pub(crate) queued_messages: u64,
    pub(crate) queued_bytes: u64,
    pub(crate) lagging: bool,
}

/// A row of `bus.subscriptions`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Subscription {
    pub(crate) client: u64,
    pub(crate) sub: u32,
    pub(crate) pattern: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) monitor: bool,
}

/// What the system says of the daemon's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) resident_bytes: u64,
    /// Processor time since it started.
    pub(crate) cpu_ms: u64,
}

/// Everything that was asked for at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// When, on a clock that only goes forward.
    pub(crate) at_ms: u64,
    pub(crate) ready: Option<Ready>,
    pub(crate) process: Option<Process>,
    pub(crate) stats: Stats,
    pub(crate) clients: Vec<Client>,
    /// The names of the clients' processes, one for each of `clients`, where it is known.
    pub(crate) commands: Vec<Option<String>>,
}

/// The subscriptions of one client: the first of them, or why they can't be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patterns {
    pub(crate) client: u64,
    pub(crate) found: Result<Vec<Subscription>, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn every_counter_of_the_daemons_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = kith_busd::Embedded::start(folder.path()).unwrap();
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        let question = r#"{"op":"req","id":1,"topic":"bus.stats","payload":null}"#;
        stream.write_all(format!("{question}\n").as_bytes()).unwrap();
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).unwrap();
        let reply: Value = serde_json::from_str(&reply).unwrap();
        let names = |stats: &Value| -> BTreeSet<String> {
            stats.as_object().unwrap().keys().cloned().collect()
        };
        let known = serde_json::to_value(Stats::default()).unwrap();
        assert_eq!(names(&known), names(&reply["payload"]));
    }

    #[test]
    fn rows_of_other_versions_are_read() {
        let client: Client = serde_json::from_str(
            r#"{"client":3,"name":null,"framing":null,"published":7,"new":[1],"delivered":2}"#,
        )
        .unwrap();
        assert_eq!((client.client, client.pid, client.framing), (3, None, None));
        assert_eq!((client.counters.published, client.counters.published_bytes), (7, 0));
        let stats: Stats = serde_json::from_str(r#"{"dropped":5,"clients":1}"#).unwrap();
        assert_eq!((stats.counters.dropped, stats.clients), (5, 1));
    }
}
