//! Who asks the daemon for its metrics: anybody's bytes, as the head of an HTTP request.
//!
//! What is answered must not depend on how the bytes arrive, an endless head must come to an end,
//! and by TCP only who names this machine gets an answer with content: a web page whose name was
//! made to point here must not.

use kith_busd::fuzzing::{asked_of_metrics, head_bytes_max};

/// Ways to say this machine: each host that is let through has one of them in it.
const OWN: [&str; 3] = ["localhost", "127.", ":"];

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let [socket, tcp] = [false, true].map(|is_tcp| asked_of_metrics(bytes, is_tcp));
    assert_eq!(socket.is_some(), tcp.is_some(), "one way waits, and the other does not");
    assert!(socket.is_some() || bytes.len() < head_bytes_max(), "the head has no end");
    if tcp != socket {
        // The one thing that TCP looks at besides is asked first.
        assert_eq!(tcp.map(|(status, _)| status), Some("400 Bad Request"), "{socket:?}");
    }
    if let Some((status @ "200 OK", _)) = tcp {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        let names_this_machine = OWN.iter().any(|own| text.contains(own));
        assert!(names_this_machine || text.contains("http/1.0"), "{status}: {text}");
        assert!(text.contains("/metrics"), "{status}: {text}");
    }
    first_answer_is_the_last(bytes, tcp);
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
