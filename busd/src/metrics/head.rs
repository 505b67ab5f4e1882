//! What somebody asks for: from the bytes of an HTTP request to a [`Verdict`].
//!
//! `httparse` knows the grammar; here is what is done about it. The head is looked at whenever a
//! line has ended, so that what is no HTTP is answered at its first line; whatever is wrong is said
//! in a sentence that tells what to do. A body is never read.
//!
//! On TCP the `Host` has to be an address of this machine or `localhost`: a web page whose name
//! is made to point here (DNS rebinding) could otherwise read the answer by a user's browser.

use crate::limits::{METRICS_HEAD_BYTES_MAX, METRICS_HEAD_FIELDS_MAX};
use httparse::{EMPTY_HEADER, Header, Request, Status};
use std::net::IpAddr;

/// By which way somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A Unix socket, whose peer the kernel has named.
    Socket,
    /// A loopback address, on which a browser might be sent by anybody.
    Tcp,
}

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The metrics; only the head of that answer if `is_head`.
    Metrics { is_head: bool },
    /// Something else, and why.
    Refused(Refused),
}

/// A request that does not get the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: &'static str,
    /// What to do instead.
    pub(super) text: &'static str,
    /// Whether only the head of this answer is wanted.
    pub(crate) is_head: bool,
}

impl Refused {
    pub(super) const fn new(status: &'static str, text: &'static str) -> Self {
        Self { status, text, is_head: false }
    }
}

pub(super) const BAD_REQUEST: &str = "400 Bad Request";

const NOT_HTTP: Refused = Refused::new(
    BAD_REQUEST,
    "This is no HTTP request, and here are the metrics of Kith's daemon: GET /metrics. Programs \
     that use the bus connect to its own socket.",
);
const NO_HOST: Refused = Refused::new(
    BAD_REQUEST,
    "A request of HTTP/1.1 names the host once: add a line `Host: localhost`.",
);
const OTHER_HOST: Refused = Refused::new(
    BAD_REQUEST,
    "The host that is asked for is not this machine: use http://127.0.0.1, http://[::1] or \
     http://localhost.",
);
const TOO_LARGE: Refused = Refused::new(
    "431 Request Header Fields Too Large",
    "The head of the request is larger than anything that is of use here: GET /metrics.",
);
const NOT_FOUND: Refused = Refused::new("404 Not Found", "The metrics are at /metrics.");
const NOT_ALLOWED: Refused =
    Refused::new("405 Method Not Allowed", "The metrics can only be read: GET /metrics, or HEAD.");

/// Looks at what has come so far. Nothing if more has to come.
pub(crate) fn judge(bytes: &[u8], way: Way) -> Option<Verdict> {
    let mut fields = [EMPTY_HEADER; METRICS_HEAD_FIELDS_MAX];
    let mut request = Request::new(&mut fields);
    let refused = match request.parse(bytes) {
        Ok(Status::Complete(_)) => return Some(judge_request(&request, way)),
        Ok(Status::Partial) if bytes.len() < METRICS_HEAD_BYTES_MAX => return None,
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => TOO_LARGE,
        Err(_) => NOT_HTTP,
    };
    Some(Verdict::Refused(refused))
}

fn judge_request(request: &Request<'_, '_>, way: Way) -> Verdict {
    let method = request.method.unwrap_or_default();
    let is_head = method == "HEAD";
    let refuse = |refused| Verdict::Refused(Refused { is_head, ..refused });
    let (authority, path) = split_target(request.path.unwrap_or_default());
    let mut hosts = request.headers.iter().filter(|field| is_host(field));
    let (host, other) = (hosts.next(), hosts.next());
    if other.is_some() || host.is_none() && request.version == Some(1) {
        return refuse(NO_HOST);
    }
    let host = host.map(|field| field.value);
    // The target goes before the field (RFC 9112, section 3.2.2).
    let asked = authority.map(str::as_bytes).or(host);
    if way == Way::Tcp && asked.is_some_and(|asked| !is_own(asked)) {
        return refuse(OTHER_HOST);
    }
    match (path.split('?').next(), method) {
        (Some("/metrics"), "GET" | "HEAD") => Verdict::Metrics { is_head },
        (Some("/metrics"), _) => refuse(NOT_ALLOWED),
        _ => refuse(NOT_FOUND),
    }
}

/// Host and path of a target, which may be a whole address.
fn split_target(target: &str) -> (Option<&str>, &str) {
    let Some(rest) = target.strip_prefix("http://") else { return (None, target) };
    match rest.find('/') {
        Some(at) => {
            let (authority, path) = rest.split_at(at);
            (Some(authority), path)
        }
        None => (Some(rest), "/"),
    }
}

fn is_host(field: &Header<'_>) -> bool {
    field.name.eq_ignore_ascii_case("host")
}

/// Whether a host, with or without a port, is this machine.
fn is_own(host: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(host) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Verdict> {
        judge(text.as_bytes(), Way::Socket)
    }

    fn status(verdict: Option<Verdict>) -> &'static str {
        match verdict {
            Some(Verdict::Refused(refused)) => &refused.status[..3],
            Some(Verdict::Metrics { is_head: false }) => "GET",
            Some(Verdict::Metrics { is_head: true }) => "HEAD",
            None => "more",
        }
    }

    #[test]
    fn the_metrics_are_at_one_place_and_can_only_be_read() {
        for (line, expected) in [
            ("GET /metrics HTTP/1.1", "GET"),
            ("HEAD /metrics HTTP/1.1", "HEAD"),
            ("GET /metrics?name[]=a HTTP/1.1", "GET"),
            ("GET http://localhost:9464/metrics HTTP/1.1", "GET"),
            ("GET / HTTP/1.1", "404"),
            ("GET http://localhost HTTP/1.1", "404"),
            ("GET /metrics/ HTTP/1.1", "404"),
            ("GET /metricsx HTTP/1.1", "404"),
            ("POST /other HTTP/1.1", "404"),
            ("POST /metrics HTTP/1.1", "405"),
            ("OPTIONS * HTTP/1.1", "404"),
            ("get /metrics HTTP/1.1", "405"),
            ("GET /metrics HTTP/2.0", "400"),
            ("GET /metrics", "400"),
            ("{\"op\":\"ping\",\"id\":1}", "400"),
            ("KTH\u{1}", "400"),
        ] {
            let found = asked(&format!("{line}\r\nHost: a\r\n\r\n"));
            assert_eq!(status(found), expected, "{line}");
        }
        assert_eq!(status(asked("GET /metrics HTTP/1.1\nHost: a\n\n")), "GET");
    }

    #[test]
    fn who_asks_for_a_head_gets_no_more_than_that() {
        let found = asked("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(matches!(found, Some(Verdict::Refused(Refused { is_head: true, .. }))));
    }

    #[test]
    fn the_host_is_named_once_and_by_tcp_it_is_this_machine() {
        let by = |way, fields: &str| {
            judge(format!("GET /metrics HTTP/1.1\r\n{fields}\r\n").as_bytes(), way)
        };
        for way in [Way::Socket, Way::Tcp] {
            assert_eq!(status(by(way, "")), "400");
            assert_eq!(status(by(way, "Host: localhost\r\nhost: localhost\r\n")), "400");
            assert_eq!(status(judge(b"GET /metrics HTTP/1.0\r\n\r\n", way)), "GET");
        }
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:9464", "[::1]:9464", "[::1]"] {
            assert_eq!(status(by(Way::Tcp, &format!("Host: {host}\r\n"))), "GET", "{host}");
        }
        for host in ["evil.example:9464", "127.0.0.1.evil.example", "192.0.2.1", "[::2]", "", "é"]
        {
            assert_eq!(status(by(Way::Tcp, &format!("Host: {host}\r\n"))), "400", "{host}");
            assert_eq!(status(by(Way::Socket, &format!("Host: {host}\r\n"))), "GET", "{host}");
        }
        let target = b"GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(status(judge(target, Way::Tcp)), "400");
    }

    #[test]
    fn what_has_not_come_yet_is_waited_for_but_not_without_end() {
        let whole = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(asked(&whole[..end]), None, "{end}");
        }
        let endless = format!("GET /metrics HTTP/1.1\r\nA: {}", "x".repeat(METRICS_HEAD_BYTES_MAX));
        assert_eq!(status(asked(&endless)), "431");
        let many = "a: b\r\n".repeat(METRICS_HEAD_FIELDS_MAX + 1);
        assert_eq!(status(asked(&format!("GET /metrics HTTP/1.1\r\n{many}\r\n"))), "431");
    }

    #[test]
    fn no_bytes_panic() {
        let whole = b"HEAD http://[::1]:80/metrics?a HTTP/1.1\r\nHost: [::1]:9464\r\nA: b\r\n\r\n";
        for at in 0..whole.len() {
            for byte in [0, b'\n', b' ', b'[', b':', 0x80, 0xFF] {
                let mut bytes = whole.to_vec();
                bytes[at] = byte;
                judge(&bytes, Way::Tcp);
            }
        }
    }
}
