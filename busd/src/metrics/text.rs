//! A [`Snapshot`] as OpenMetrics text, version 1.0.0.
//!
//! The specification is
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>. In short: each family of samples is
//! introduced by its type, its unit if it has one, with which its name then ends, and a sentence;
//! the samples of a counter are called as the family with `_total` behind it; and the text ends
//! with `# EOF`, so that one that was cut off is noticed.
//!
//! What is about the process has the names that Prometheus' own libraries use, so that dashboards
//! know it. `docs/monitoring.md` lists every family; a test compares the two.
//!
//! Deliberately absent: times of creation (`_created`): every counter begins when the daemon does,
//! which `process_start_time_seconds` says once.

use super::snapshot::{Culprit, Process, Snapshot};
use kith_core::{Limits, Stats};

/// What a family of samples is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Counter,
    Gauge,
    Info,
}

/// A number, as it is written.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(u64),
    /// Seconds, given in milliseconds.
    Milliseconds(u64),
    /// Seconds, given in microseconds.
    Microseconds(u64),
}

/// The names and values of a sample's labels.
type Labels<'a> = [(&'a str, &'a str)];

/// The whole text.
pub(super) fn render(snapshot: &Snapshot) -> String {
    let mut text = Text::default();
    text.family("kith_build", Kind::Info, "", "The daemon, and the protocol that it speaks.");
    let protocol = kith_wire::binary::VERSION.to_string();
    let labels = [("version", snapshot.version), ("protocol", &protocol)];
    text.sample(&labels, Number::Whole(1));
    counters(&mut text, &snapshot.stats);
    gauges(&mut text, &snapshot.stats);
    limits(&mut text, &snapshot.limits);
    clients(&mut text, &snapshot.culprits);
    process(&mut text, &snapshot.process, snapshot.started_at_ms);
    text.out.push_str("# EOF\n");
    text.out
}

fn counters(text: &mut Text, stats: &Stats) {
    let totals = &stats.totals;
    for (name, help, number) in [
        ("kith_messages_published", "Messages that clients published.", totals.published),
        (
            "kith_messages_delivered",
            "Messages queued for subscribers; one that goes to three counts three.",
            totals.delivered,
        ),
        (
            "kith_messages_dropped",
            "Messages dropped because a subscriber's queue was full; each is told to who lost it.",
            totals.dropped,
        ),
        (
            "kith_messages_expired",
            "Messages that waited in a queue for longer than they were of use.",
            totals.expired,
        ),
        ("kith_requests", "Requests that were asked.", totals.requests),
        ("kith_replies", "Replies that were handed over.", totals.replies),
        (
            "kith_requests_unanswerable",
            "Requests to which nobody subscribed.",
            totals.no_responders,
        ),
        ("kith_refusals", "Operations and connections that were refused.", totals.refused),
        (
            "kith_refused_connections",
            "Connections that were not let in; they count as refusals too.",
            totals.refused_connections,
        ),
        (
            "kith_cut_off_connections",
            "Connections that were closed because of what they said.",
            totals.cut_off,
        ),
    ] {
        text.family(name, Kind::Counter, "", help);
        text.sample(&[], Number::Whole(number));
    }
}

fn gauges(text: &mut Text, stats: &Stats) {
    text.gauge("kith_clients", "", "Connections.", stats.clients);
    text.gauge("kith_subscriptions", "", "Subscriptions of all clients.", stats.subscriptions);
    text.gauge(
        "kith_requests_waiting",
        "",
        "Requests that wait for their reply.",
        stats.requests_waiting,
    );
    text.gauge("kith_retained_messages", "", "Kept values.", stats.retained_messages);
    text.gauge("kith_retained_bytes", "bytes", "Bytes of kept values.", stats.retained_bytes);
    text.gauge(
        "kith_queued_messages",
        "",
        "Messages that wait for clients to read them.",
        stats.queued_messages,
    );
    text.gauge(
        "kith_queued_bytes",
        "bytes",
        "Bytes of messages that wait for clients to read them.",
        stats.queued_bytes,
    );
    text.gauge(
        "kith_waiting_bytes",
        "bytes",
        "Memory that waits for all clients: queues, answers, unfinished frames, wills.",
        stats.waiting_bytes,
    );
    text.gauge(
        "kith_remembered_ids",
        "",
        "Message ids that are remembered against publishing twice.",
        stats.remembered_ids,
    );
}

fn limits(text: &mut Text, limits: &Limits) {
    for (name, unit, help, number) in [
        ("kith_limit_clients", "", "Connections that there may be.", limits.clients_max),
        (
            "kith_limit_subscriptions",
            "",
            "What all subscriptions together may count.",
            limits.subscriptions_total_max,
        ),
        (
            "kith_limit_client_subscriptions",
            "",
            "What the subscriptions of one client may count.",
            limits.subscriptions_max,
        ),
        (
            "kith_limit_client_requests_waiting",
            "",
            "Requests of one client that may wait.",
            limits.requests_max,
        ),
        (
            "kith_limit_client_queued_messages",
            "",
            "Messages that may wait for one client.",
            limits.queue_messages_max,
        ),
        (
            "kith_limit_client_queued_bytes",
            "bytes",
            "Bytes that may wait for one client.",
            limits.queue_bytes_max,
        ),
        (
            "kith_limit_waiting_bytes",
            "bytes",
            "Memory that may wait for all clients.",
            limits.waiting_bytes_total_max,
        ),
        (
            "kith_limit_retained_messages",
            "",
            "Values that may be kept.",
            limits.retained_messages_max,
        ),
        (
            "kith_limit_retained_bytes",
            "bytes",
            "Bytes of values that may be kept.",
            limits.retained_bytes_max,
        ),
        (
            "kith_limit_payload_bytes",
            "bytes",
            "The largest payload of a message.",
            limits.payload_bytes_max,
        ),
    ] {
        text.gauge(name, unit, help, number);
    }
}

/// Where nobody is named, nothing is written: a family without samples says nothing.
fn clients(text: &mut Text, culprits: &[Culprit]) {
    if culprits.is_empty() {
        return;
    }
    type Count = fn(&Culprit) -> u64;
    let families: [(&str, Kind, &str, &str, Count); 3] = [
        (
            "kith_client_messages_dropped",
            Kind::Counter,
            "",
            "Messages dropped because this client's queue was full.",
            |one| one.usage.dropped,
        ),
        (
            "kith_client_queued_messages",
            Kind::Gauge,
            "",
            "Messages that wait for this client.",
            |one| whole(one.usage.queued_messages),
        ),
        (
            "kith_client_queued_bytes",
            Kind::Gauge,
            "bytes",
            "Bytes of messages that wait for this client.",
            |one| whole(one.usage.queued_bytes),
        ),
    ];
    for (name, kind, unit, help, count) in families {
        text.family(name, kind, unit, help);
        for one in culprits {
            let serial = one.serial.to_string();
            let labels = [("client", serial.as_str()), ("name", &one.name)];
            text.sample(&labels, Number::Whole(count(one)));
        }
    }
}

fn process(text: &mut Text, process: &Process, started_at_ms: u64) {
    text.family(
        "process_start_time_seconds",
        Kind::Gauge,
        "seconds",
        "When the daemon started, in seconds since the Unix epoch.",
    );
    text.sample(&[], Number::Milliseconds(started_at_ms));
    if let Some(us) = process.cpu_us {
        text.family(
            "process_cpu_seconds",
            Kind::Counter,
            "seconds",
            "Processor time that the daemon has used.",
        );
        text.sample(&[], Number::Microseconds(us));
    }
    for (name, unit, help, number) in [
        (
            "process_resident_memory_bytes",
            "bytes",
            "Memory that the daemon has in use.",
            process.resident_bytes,
        ),
        ("process_open_fds", "", "Files and sockets that are open.", process.open_files),
        ("process_max_fds", "", "Files and sockets that may be open.", process.open_files_max),
    ] {
        if let Some(number) = number {
            text.family(name, Kind::Gauge, unit, help);
            text.sample(&[], Number::Whole(number));
        }
    }
}

/// The text so far.
#[derive(Debug, Default)]
struct Text {
    out: String,
    /// How the samples of the family written last are called.
    sample_name: String,
}

impl Text {
    fn gauge(&mut self, name: &str, unit: &str, help: &str, number: usize) {
        self.family(name, Kind::Gauge, unit, help);
        self.sample(&[], Number::Whole(whole(number)));
    }

    /// Introduces a family. All of its samples follow.
    fn family(&mut self, name: &str, kind: Kind, unit: &str, help: &str) {
        let (kind, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Info => ("info", "_info"),
        };
        self.out.push_str(&format!("# TYPE {name} {kind}\n"));
        if !unit.is_empty() {
            self.out.push_str(&format!("# UNIT {name} {unit}\n"));
        }
        self.out.push_str(&format!("# HELP {name} {}\n", escaped(help)));
        self.sample_name = format!("{name}{suffix}");
    }

    fn sample(&mut self, labels: &Labels<'_>, number: Number) {
        self.out.push_str(&self.sample_name);
        if !labels.is_empty() {
            let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
            let labels: Vec<_> = labels.iter().map(label).collect();
            self.out.push_str(&format!("{{{}}}", labels.join(",")));
        }
        let number = match number {
            Number::Whole(number) => number.to_string(),
            Number::Milliseconds(ms) => format!("{}.{:03}", ms / 1000, ms % 1000),
            Number::Microseconds(us) => format!("{}.{:06}", us / 1_000_000, us % 1_000_000),
        };
        self.out.push_str(&format!(" {number}\n"));
    }
}

/// Text in a label's value or a sentence: one line, whatever is in it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn whole(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
