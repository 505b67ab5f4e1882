//! Nothing that a publisher writes becomes a line of its own, or a frame.
//!
//! A subscriber that reads lines trusts each line to be the daemon's. So whatever a payload, a
//! topic, a header or a name is made of, either it is refused or it arrives inside of one line, as
//! it was written.

use crate::door::{BinaryFrames, Client, Event, JsonLines, Operation, Publication};
use crate::process::Daemon;
use kith_wire::Code;
use serde_json::Value;

/// What a line could be forged with, put together in every order.
const PIECES: [&str; 14] = [
    "\n",
    "\r",
    "\r\n",
    "}",
    "\"",
    "\\",
    ",",
    "{\"op\":\"bye\"}",
    "\u{2028}",
    "\u{85}",
    "\0",
    "{\"op\":\"msg\",\"sub\":1}",
    "1",
    " ",
];

fn pair(daemon: &Daemon) -> (Client, JsonLines) {
    let mut subscriber = JsonLines::new(daemon.dial());
    subscriber.say("{\"op\":\"sub\",\"id\":1,\"pattern\":\"*/self.a\"}\n");
    assert_eq!(subscriber.line().unwrap(), "{\"op\":\"ok\",\"id\":1}");
    (Client::new(BinaryFrames::new(daemon.dial())), subscriber)
}

/// Publishes, and says whether it was taken.
fn publish(publisher: &mut Client, publication: Publication) -> Result<(), Code> {
    match publisher.ask(&Operation::Publish(publication)) {
        Event::Ok { .. } => Ok(()),
        Event::Err { code, fatal: false, .. } => {
            // So that there are never too many errors in a row.
            publisher.done(&Operation::Ping);
            Err(code)
        }
        other => panic!("{other:?}"),
    }
}

/// Fails unless the next line is the daemon's, of one message on the topic `a`.
fn line(subscriber: &mut JsonLines) -> String {
    let line = subscriber.line().unwrap();
    assert!(line.starts_with("{\"op\":\"msg\",\"sub\":1,\"msg_id\":\""), "forged: {line}");
    assert!(!line.contains('\r'));
    let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(value["topic"], "a");
    line
}

#[test]
fn a_json_payload_is_refused_or_arrives_within_its_line() {
    let daemon = Daemon::start();
    let (mut publisher, mut subscriber) = pair(&daemon);
    let mut taken = 0;
    let mut try_one = |payload: String| {
        let publication = Publication::json("a", &payload);
        match publish(&mut publisher, publication) {
            Ok(()) => {
                taken += 1;
                let line = line(&mut subscriber);
                assert!(line.ends_with(&format!(",\"payload\":{payload}}}")), "{line}");
                assert!(!payload.contains(['\n', '\r']));
            }
            Err(code) => assert_eq!(code, Code::BadPayload, "{payload:?}"),
        }
    };
    for a in PIECES {
        for b in PIECES {
            for frame in [["", ""], ["\"", "\""], ["{}", ""], ["[", "]"], ["", "{}"]] {
                try_one(format!("{}{a}{b}{}", frame[0], frame[1]));
            }
        }
    }
    assert!(taken > 40, "{taken}: some of these are JSON");
}

#[test]
fn bytes_arrive_within_their_line_whatever_they_are() {
    let daemon = Daemon::start();
    let (mut publisher, mut subscriber) = pair(&daemon);
    for piece in PIECES {
        publish(&mut publisher, Publication::bytes("x-raw", "a", piece)).unwrap();
        assert!(line(&mut subscriber).contains("\"payload_b64\":\""));
    }
}

#[test]
fn topics_and_headers_are_refused_or_arrive_within_their_line() {
    let daemon = Daemon::start();
    let (mut publisher, mut subscriber) = pair(&daemon);
    for piece in PIECES {
        let headers = vec![("trace".to_owned(), piece.to_owned())];
        let publication = Publication { headers, ..Publication::json("a", "1") };
        match publish(&mut publisher, publication) {
            Ok(()) => {
                let value: Value = serde_json::from_str(&line(&mut subscriber)).unwrap();
                assert_eq!(value["headers"]["trace"], piece);
            }
            Err(code) => assert_eq!(code, Code::BadHeader, "{piece:?}"),
        }
        let reply_to = Some(format!("b{piece}"));
        let publication = Publication { reply_to, ..Publication::json("a", "1") };
        match publish(&mut publisher, publication) {
            Ok(()) => {
                let value: Value = serde_json::from_str(&line(&mut subscriber)).unwrap();
                assert_eq!(value["reply_to"], format!("b{piece}"));
            }
            Err(code) => assert_eq!(code, Code::BadTopic, "{piece:?}"),
        }
        let publication = Publication::bytes(piece, "a", *b"1");
        if publish(&mut publisher, publication).is_ok() {
            line(&mut subscriber);
        }
    }
}

#[test]
fn what_an_error_repeats_stays_within_its_line() {
    let daemon = Daemon::start();
    let mut client = JsonLines::new(daemon.dial());
    for piece in PIECES.into_iter().chain(["\x1b[31m", "\u{202e}", "\u{9b}"]) {
        let text = serde_json::to_string(piece).unwrap();
        for line in [
            format!("{{\"op\":{text},\"id\":1}}"),
            format!("{{\"op\":\"ping\",\"id\":1,{text}:1}}"),
            format!(
                "{{\"op\":\"pub\",\"id\":1,\"topic\":\"a\",\"payload\":1,\"to\":\"x{}\"}}",
                &text[1..text.len() - 1]
            ),
            format!(
                "{{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.a\",\"group\":\"x.{}\"}}",
                &text[1..text.len() - 1]
            ),
        ] {
            client.say(format!("{line}\n"));
            let answer = client.line().unwrap();
            let value: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(
                (&value["op"], &value["id"]),
                (&"err".into(), &1.into()),
                "{line}: {answer}"
            );
            let shown = value["text"].as_str().unwrap();
            let is_harmful = |c: char| c.is_control() || "\u{2028}\u{202e}".contains(c);
            assert!(!shown.contains(is_harmful), "{line}: {answer:?}");
            client.say("{\"op\":\"ping\",\"id\":2}\n");
            assert_eq!(client.line().unwrap(), "{\"op\":\"ok\",\"id\":2}");
        }
    }
}
