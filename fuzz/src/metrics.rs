//! Who asks the daemon for its metrics: anybody's bytes, as the head of an HTTP request.
//!
//! What is answered must not depend on how the bytes arrive, an endless head must come to an end,
//! and by TCP only who names this machine gets an answer with content: a web page whose name was
//! made to point here must not.

use kith_busd::fuzzing::{asked_of_metrics, head_bytes_max};
use std::net::IpAddr;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let [socket, tcp] = [false, true].map(|is_tcp| asked_of_metrics(bytes, is_tcp));
    assert_eq!(socket.is_some(), tcp.is_some(), "one way waits, and the other does not");
    assert!(socket.is_some() || bytes.len() < head_bytes_max(), "the head has no end");
    if tcp != socket {
        // The one thing that TCP looks at besides is asked first.
        assert_eq!(tcp.map(|(status, _)| status), Some("400 Bad Request"), "{socket:?}");
    }
    if let Some(("200 OK", _)) = tcp {
        names_this_machine(&String::from_utf8_lossy(bytes));
    }
    first_answer_is_the_last(bytes, tcp);
}

/// Holds that a request asks for the metrics, and for no host but this machine: by its target, or
/// else by its one `Host`, which only HTTP/1.0 may leave out.
fn names_this_machine(text: &str) {
    let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    let mut lines = lines.skip_while(|line| line.is_empty());
    let request = lines.next().unwrap_or_default();
    let target = request.split(' ').nth(1).unwrap_or_default();
    assert!(target.contains("/metrics"), "{text}");
    let fields = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
    let hosts = fields.filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    let hosts: Vec<&str> = hosts.map(|(_, host)| host.trim_matches([' ', '\t'])).collect();
    assert!(hosts.len() < 2, "{text}");
    assert!(!hosts.is_empty() || request.trim_end().ends_with("HTTP/1.0"), "{text}");
    let authority = target.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    if let Some(asked) = authority.or_else(|| hosts.first().copied()) {
        assert!(is_this_machine(asked), "{text}");
    }
}

/// Whether a host, without its port and brackets, is `localhost` or a loopback address. What stands
/// for the port, and whether a bracket is closed, is left to the daemon: no browser asks so.
fn is_this_machine(host: &str) -> bool {
    let (rest, end) = host.strip_prefix('[').map_or((host, ':'), |rest| (rest, ']'));
    let name = rest.split_once(end).map_or(rest, |(name, _port)| name);
    let address = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The daemon answers as soon as it can: what comes later would not have changed it.
fn first_answer_is_the_last(bytes: &[u8], answer: Option<(&str, bool)>) {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    for end in ends.take_while(|end| *end < head_bytes_max()) {
        if let Some(early) = asked_of_metrics(&bytes[..end], true) {
            assert_eq!(Some(early), answer, "after {end} bytes");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_name_that_was_made_to_point_here_is_not_this_machine() {
        for host in ["localhost", "LocalHost:80", "127.1.2.3:9464", "[::1]", "[::1]:9464"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["evil.example:9464", "127.0.0.1.evil.example", "::1", "[::2]:1", ""] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn who_is_let_in_by_another_name_is_found() {
        let holds = |target: &str, fields: &str| {
            let text = format!("GET {target} HTTP/1.1\r\n{fields}\r\n");
            catch_unwind(|| names_this_machine(&text)).is_ok()
        };
        assert!(holds("/metrics", "A: b\r\nhost:\tlocalhost:1 \r\n"));
        assert!(!holds("/metrics", "Host: evil.example:9464\r\nA: localhost\r\n"));
        assert!(!holds("/metrics", "A: localhost\r\n"));
        assert!(!holds("/metrics", "Host: localhost\r\nHost: localhost\r\n"));
        assert!(!holds("http://evil.example/metrics", "Host: localhost\r\n"));
        assert!(holds("http://[::1]:9464/metrics", "Host: evil.example\r\n"));
        names_this_machine("GET /metrics HTTP/1.0\r\n\r\n");
    }
}
