//! JSON lines, as they are on the socket.

use crate::door::JsonLines;
use crate::process::Daemon;
use serde_json::{Value, json};

fn connect(daemon: &Daemon) -> JsonLines {
    JsonLines::new(daemon.dial())
}

/// Says these lines and returns the next line of the daemon.
fn answer(client: &mut JsonLines, lines: &str) -> Value {
    client.say(format!("{lines}\n"));
    serde_json::from_str(&client.line().expect("closed")).unwrap()
}

/// A line of the daemon with what differs from run to run taken out.
fn timeless(line: &str) -> String {
    let mut line = line.to_owned();
    for (before, after, value) in
        [("\"msg_id\":\"", '"', "ID"), ("\"sent_at\":", ',', "T"), ("\"expires_at\":", ',', "T")]
    {
        if let Some(start) = line.find(before).map(|at| at + before.len()) {
            let end = start + line[start..].find(after).unwrap();
            line.replace_range(start..end, value);
        }
    }
    line
}

#[test]
fn lines_have_the_fields_of_the_document_in_its_order() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    let mut said = |line: &str, expected: &[&str]| {
        client.say(format!("{line}\n"));
        for expected in expected {
            assert_eq!(timeless(&client.line().unwrap()), *expected, "{line}");
        }
    };
    said(r#"{"op":"ping","id":1}"#, &[r#"{"op":"ok","id":1}"#]);
    let version = env!("CARGO_PKG_VERSION");
    let welcome = format!(
        r#"{{"op":"ok","id":2,"version":"{version}","protocol":1,"payload_bytes_max":16777216}}"#
    );
    said(r#"{"op":"hello","id":2,"name":"test"}"#, &[&welcome]);
    said(r#"{"op":"sub","id":3,"pattern":"*/self.a","retained":true}"#, &[r#"{"op":"ok","id":3}"#]);
    let stamp = r#""msg_id":"ID","sender":"local","scope":"self""#;
    let plain = r#","protocol":"ms","topic":"a","sent_at":T,"payload":{ "b" : null }}"#;
    said(
        r#"{"op":"pub","id":4,"topic":"a","payload":{ "b" : null }}"#,
        &[
            r#"{"op":"ok","id":4,"msg_id":"ID"}"#,
            &format!(r#"{{"op":"msg","sub":3,{stamp}{plain}"#),
        ],
    );
    let names = r#""protocol":"bt","topic":"a""#;
    let options = r#""reply_to":"b","priority":"high","headers":{"c":"d\"","e":"f"}"#;
    let payload = r#""payload_b64":"aGk=""#;
    let times = r#""sent_at":T,"expires_at":T"#;
    said(
        &format!(r#"{{"op":"pub",{names},{payload},"expire_after_ms":60000,{options}}}"#),
        &[&format!(r#"{{"op":"msg","sub":3,{stamp},{names},{times},{options},{payload}}}"#)],
    );
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let with_id = format!(r#"{{"op":"pub","id":5,"topic":"b","payload":1,"msg_id":"{id}"}}"#);
    said(&with_id, &[r#"{"op":"ok","id":5,"msg_id":"ID"}"#]);
    said(&with_id, &[r#"{"op":"ok","id":5,"msg_id":"ID","duplicate":true}"#]);
    client.say("{\"op\":\"req\",\"id\":6,\"topic\":\"a\",\"payload\":[]}\n");
    let asked: Value = serde_json::from_str(&client.line().unwrap()).unwrap();
    let topic = asked["reply_to"].as_str().unwrap();
    client.say(format!("{{\"op\":\"pub\",\"topic\":\"{topic}\",\"payload\":3}}\n"));
    let names = format!(r#""protocol":"ms","topic":"{topic}""#);
    let expected = format!(r#"{{"op":"reply","id":6,{stamp},{names},"sent_at":T,"payload":3}}"#);
    assert_eq!(timeless(&client.line().unwrap()), expected);
    client.say("{\"op\":\"bye\"}\n");
    assert_eq!(client.line(), None);
}

#[test]
fn a_carriage_return_before_the_line_feed_and_empty_lines_are_ignored() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    client.say("{\"op\":\"ping\",\"id\":1}\r\n\r\n\n\n  {\"op\":\"ping\",\"id\":2}  \r\n");
    assert_eq!(client.line().unwrap(), r#"{"op":"ok","id":1}"#);
    assert_eq!(client.line().unwrap(), r#"{"op":"ok","id":2}"#);
}

#[test]
fn nobody_can_claim_a_sender_or_a_scope() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    answer(&mut client, r#"{"op":"sub","id":1,"pattern":"*/*.>"}"#);
    for claim in [
        r#""sender":"did:key:z6Mk""#,
        r#""sender":"local""#,
        r#""scope":"friends""#,
        r#""scope":"self""#,
        r#""device":"x""#,
        r#""sent_at":1"#,
        r#""retained":true"#,
        r#""expires_at":1"#,
        r#""sub":1"#,
        r#""room":"kitchen""#,
    ] {
        for op in ["pub", "will", "req"] {
            let line = format!(r#"{{"op":"{op}","id":2,"topic":"a","payload":1,{claim}}}"#);
            let answer = answer(&mut client, &line);
            let said = (&answer["op"], &answer["id"], &answer["code"]);
            assert_eq!(said, (&json!("err"), &json!(2), &json!("bad-field")), "{line}");
        }
    }
    // Nothing was delivered in between.
    assert_eq!(answer(&mut client, r#"{"op":"ping","id":3}"#), json!({"op": "ok", "id": 3}));
}

#[test]
fn a_field_that_an_operation_does_not_have_is_refused() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    let fields = [
        ("name", "\"a\""),
        ("client", "\"01890a5d-ac96-774b-bcce-b302099a8057\""),
        ("pattern", "\"self.a\""),
        ("group", "\"a\""),
        ("retained", "true"),
        ("sub", "1"),
        ("topic", "\"a\""),
        ("payload", "1"),
        ("payload_b64", "\"MQ==\""),
        ("protocol", "\"ms\""),
        ("msg_id", "\"01890a5d-ac96-774b-bcce-b302099a8057\""),
        ("to", "\"local\""),
        ("expire_after_ms", "1"),
        ("retain", "true"),
        ("reply_to", "\"a\""),
        ("priority", "\"high\""),
        ("headers", "{}"),
        ("timeout_ms", "1"),
        ("topics", "1"),
        ("Topic", "\"a\""),
        ("", "0"),
    ];
    let publication =
        "topic payload payload_b64 protocol msg_id to expire_after_ms priority headers";
    for (op, needed, own) in [
        ("hello", "", "name client".to_owned()),
        ("sub", r#","pattern":"self.a""#, "pattern group retained".to_owned()),
        ("unsub", r#","sub":1"#, "sub".to_owned()),
        ("pub", r#","topic":"a","payload":1"#, format!("{publication} retain reply_to")),
        ("will", r#","topic":"a","payload":1"#, format!("{publication} retain reply_to")),
        ("req", r#","topic":"a","payload":1"#, format!("{publication} timeout_ms")),
        ("unwill", "", String::new()),
        ("ping", "", String::new()),
        ("bye", "", String::new()),
    ] {
        for (field, value) in fields {
            if own.split(' ').any(|name| name == field && !name.is_empty()) {
                continue;
            }
            let line = format!(r#"{{"op":"{op}","id":7{needed},"{field}":{value}}}"#);
            let answer = answer(&mut client, &line);
            assert_eq!(
                (&answer["id"], &answer["code"]),
                (&json!(7), &json!("bad-field")),
                "{line}"
            );
            client.say("{\"op\":\"ping\",\"id\":8}\n");
            assert_eq!(client.line().unwrap(), r#"{"op":"ok","id":8}"#, "{line}");
        }
    }
}

/// Where the first `^` stands in `marked`, and `marked` without it.
fn mark(marked: &str) -> (usize, String) {
    (marked.find('^').unwrap(), marked.replacen('^', "", 1))
}

#[test]
fn an_error_names_the_offending_byte_from_the_first_of_the_connection() {
    let daemon = Daemon::start();
    let mut wrong = Vec::new();
    for (marked, code) in [
        (r#"{"op":"pub","id":1,"topic":"a.^*","payload":1}"#, "bad-topic"),
        (r#"{"op":"pub","id":1,"topic":"ä.^","payload":1}"#, "bad-topic"),
        (r#"{"op":"pub","topic":"^","payload":1}"#, "bad-topic"),
        (r#"{"op":"pub","topic":"a","payload":1,"reply_to":"a^ b"}"#, "bad-topic"),
        (r#"{"op":"sub","id":1,"pattern":"self.a.^>.b"}"#, "bad-pattern"),
        (r#"{"op":"sub","id":1,"pattern":"^chess.move"}"#, "bad-pattern"),
        (r#"{"op":"sub","id":1,"pattern":"self.a","group":"a^.b"}"#, "bad-group"),
        (r#"{"op":"pub","topic":"a","payload":1,"protocol":"m^S"}"#, "bad-protocol"),
        (r#"{"op":"pub","topic":"a","payload":{"a":^}}"#, "bad-json"),
        (r#"{"op":"pub","topic":"a","payload":[1 ^2]}"#, "bad-json"),
        (r#"{"op":"pub","topic":"a","payload_b64":"MQ^=x"}"#, "bad-payload"),
        (r#"{"op":"pub","topic":"a","payload":1,"msg_id":"^7"}"#, "bad-id"),
        (r#"{"op":"pub","topic":"a","payload":1,"priority":"^low"}"#, "bad-field"),
        (r#"{"op":"pub","topic":"a","payload":1,"headers":{"^A":"b"}}"#, "bad-header"),
        (r#"{"op":"^publish","topic":"a","payload":1}"#, "bad-op"),
        (r#"^[{"op":"ping"}]"#, "bad-json"),
        (r#"{"op":"ping^""#, "bad-json"),
        (r#"{"op":"ping"}^}"#, "bad-json"),
    ] {
        let mut client = connect(&daemon);
        let before = "{\"op\":\"ping\"}\r\n\n";
        client.say(before);
        let (at, line) = mark(marked);
        let answer = answer(&mut client, &line);
        assert_eq!(answer["op"], "err", "{line}: {answer}");
        let at = json!(before.len() + at);
        if (&answer["code"], &answer["at"]) != (&json!(code), &at) {
            wrong.push(format!("{line}: {answer}, not {code} at {at}"));
        }
        assert!(answer.get("fatal").is_none(), "{answer}");
        client.say("{\"op\":\"ping\",\"id\":8}\n");
        assert_eq!(client.line().unwrap(), r#"{"op":"ok","id":8}"#, "{line}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_error_for_which_no_byte_is_to_blame_names_the_start_of_its_line() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    let mut start = 0;
    for (line, code) in [
        // A field is missing.
        (r#"{"op":"pub","id":1,"topic":"a"}"#, "bad-field"),
        (r#"{"op":"unsub","id":1}"#, "bad-field"),
        // The text has escapes, so that its bytes stand elsewhere in the line.
        (r#"{"op":"hello","id":1,"name":"a\u0001"}"#, "bad-field"),
        (r#"{"op":"pub","id":1,"topic":"\u0061..b","payload":1}"#, "bad-topic"),
        // Nothing is wrong with the line.
        (r#"{"op":"unsub","id":1,"sub":7}"#, "unknown-subscription"),
        (r#"{"op":"req","id":1,"topic":"nobody","payload":1}"#, "no-responders"),
    ] {
        let answer = answer(&mut client, line);
        assert_eq!((&answer["op"], &answer["code"]), (&json!("err"), &json!(code)), "{answer}");
        assert_eq!(answer["at"], json!(start), "{line}: {answer}");
        start += line.len() + 1;
    }
}

#[test]
fn what_is_missing_given_twice_or_of_the_wrong_kind_is_refused() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    for line in [
        r#"{"id":1}"#,
        r#"{"op":1}"#,
        r#"{"op":null}"#,
        r#"{"op":"ping","op":"ping"}"#,
        r#"{"op":"ping","id":0}"#,
        r#"{"op":"ping","id":-1}"#,
        r#"{"op":"ping","id":1.5}"#,
        r#"{"op":"ping","id":"1"}"#,
        r#"{"op":"ping","id":null}"#,
        r#"{"op":"pub","topic":"a","payload":1,"to":null}"#,
        r#"{"op":"ping","id":4294967296}"#,
        r#"{"op":"sub","pattern":"self.a"}"#,
        r#"{"op":"sub","id":1}"#,
        r#"{"op":"sub","id":1,"pattern":["self.a"]}"#,
        r#"{"op":"sub","id":1,"pattern":"self.a","retained":1}"#,
        r#"{"op":"sub","id":1,"pattern":"self.a","pattern":"self.b"}"#,
        r#"{"op":"unsub"}"#,
        r#"{"op":"unsub","sub":0}"#,
        r#"{"op":"pub","payload":1}"#,
        r#"{"op":"pub","topic":"a"}"#,
        r#"{"op":"pub","topic":"a","payload":1,"payload_b64":"MQ=="}"#,
        r#"{"op":"pub","topic":"a","protocol":"bt","payload":1}"#,
        r#"{"op":"pub","topic":"a","payload":1,"payload":2}"#,
        r#"{"op":"pub","topic":"a","payload":1,"expire_after_ms":"1"}"#,
        r#"{"op":"pub","topic":"a","payload":1,"headers":[]}"#,
        r#"{"op":"pub","topic":"a","payload":1,"headers":{"a":1}}"#,
        r#"{"op":"req","topic":"a","payload":1}"#,
        r#"{"op":"req","id":1,"topic":"a","payload":1,"retain":true}"#,
        r#"{"op":"req","id":1,"topic":"a","payload":1,"reply_to":"b"}"#,
    ] {
        let answer = answer(&mut client, line);
        assert_eq!(
            (&answer["op"], &answer["code"]),
            (&json!("err"), &json!("bad-field")),
            "{line}"
        );
        client.say("{\"op\":\"ping\",\"id\":8}\n");
        assert_eq!(client.line().unwrap(), r#"{"op":"ok","id":8}"#, "{line}");
    }
}

#[test]
fn an_ms_payload_may_travel_as_base64_and_arrives_as_json() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    answer(&mut client, r#"{"op":"sub","id":1,"pattern":"self.a"}"#);
    let message = answer(&mut client, r#"{"op":"pub","topic":"a","payload_b64":"eyJiIjpbXX0="}"#);
    assert_eq!(message["payload"], json!({"b": []}));
}

#[test]
fn texts_may_be_written_with_escapes() {
    let daemon = Daemon::start();
    let mut client = connect(&daemon);
    let ok = answer(&mut client, r#"{"\u006fp":"s\u0075b","id":1,"pattern":"self.\u00e4.\u002a"}"#);
    assert_eq!(ok, json!({"op": "ok", "id": 1}));
    let line = r#"{"op":"pub","topic":"\u00e4.\"\ud83d\ude00","payload":"\n"}"#;
    let message = answer(&mut client, line);
    assert_eq!((&message["topic"], &message["payload"]), (&json!("ä.\"😀"), &json!("\n")));
}
