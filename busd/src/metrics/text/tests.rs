//! The text word by word, and what somebody else wrote in a name.

use super::super::snapshot::{Culprit, Process, Snapshot};
use super::render;
use kith_core::{Limits, Stats, Totals, Usage};

fn snapshot() -> Snapshot {
    Snapshot {
        version: "1.2.3",
        started_at_ms: 1_700_000_000_045,
        stats: Stats::default(),
        limits: Limits::default(),
        culprits: Vec::new(),
        process: Process::default(),
    }
}

/// The lines that begin with one of these.
fn lines<'a>(text: &'a str, starts: &[&str]) -> Vec<&'a str> {
    text.lines().filter(|line| starts.iter().any(|start| line.starts_with(start))).collect()
}

#[test]
fn families_are_introduced_as_the_specification_says() {
    let totals = Totals { published: u64::MAX, dropped: 7, ..Totals::default() };
    let stats = Stats { totals, queued_bytes: 99, ..Stats::default() };
    let text = render(&Snapshot { stats, ..snapshot() });
    let start = "\
# TYPE kith_build info
# HELP kith_build The daemon, and the protocol that it speaks.
kith_build_info{version=\"1.2.3\",protocol=\"1\"} 1
# TYPE kith_messages_published counter
# HELP kith_messages_published Messages that clients published.
kith_messages_published_total 18446744073709551615
";
    assert!(text.starts_with(start), "{text}");
    let queued = "\
# TYPE kith_queued_bytes gauge
# UNIT kith_queued_bytes bytes
# HELP kith_queued_bytes Bytes of messages that wait for clients to read them.
kith_queued_bytes 99
";
    assert!(text.contains(queued), "{text}");
    assert!(text.contains("\nkith_messages_dropped_total 7\n"), "{text}");
    assert!(text.contains("\nkith_limit_clients 4096\n"), "{text}");
    assert!(text.ends_with("\n# EOF\n") && !text.contains("\n\n"), "{text}");
}

#[test]
fn what_the_kernel_does_not_say_is_left_out() {
    let text = render(&snapshot());
    assert_eq!(lines(&text, &["process_"]), ["process_start_time_seconds 1700000000.045"]);
    let process = Process {
        resident_bytes: Some(4 << 20),
        cpu_us: Some(61_000_007),
        open_files: Some(12),
        open_files_max: None,
    };
    let text = render(&Snapshot { process, ..snapshot() });
    let expected = [
        "process_start_time_seconds 1700000000.045",
        "process_cpu_seconds_total 61.000007",
        "process_resident_memory_bytes 4194304",
        "process_open_fds 12",
    ];
    assert_eq!(lines(&text, &["process_"]), expected);
}

#[test]
fn a_name_stays_in_its_label() {
    let usage = Usage { dropped: 3, queued_messages: 2, queued_bytes: 1, ..Usage::default() };
    let culprit = |serial, name: &str| Culprit { serial, name: name.to_owned(), usage };
    let culprits = vec![culprit(5, ""), culprit(6, "a\"} 1\n\\ä # EOF")];
    let text = render(&Snapshot { culprits, ..snapshot() });
    let escaped = r#"{client="6",name="a\"} 1\n\\ä # EOF"}"#;
    let expected = [
        "kith_client_messages_dropped_total{client=\"5\",name=\"\"} 3".to_owned(),
        format!("kith_client_messages_dropped_total{escaped} 3"),
        "kith_client_queued_messages{client=\"5\",name=\"\"} 2".to_owned(),
        format!("kith_client_queued_messages{escaped} 2"),
        "kith_client_queued_bytes{client=\"5\",name=\"\"} 1".to_owned(),
        format!("kith_client_queued_bytes{escaped} 1"),
    ];
    assert_eq!(lines(&text, &["kith_client_"]), expected);
    assert!(!render(&snapshot()).contains("kith_client_"));
}
