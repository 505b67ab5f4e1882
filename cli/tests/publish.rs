//! `kith pub`: where payloads come from, what they may be, and what is said about each.

use crate::bus::{Bus, Line};
use anyhow::Result;
use serde_json::{Value, json};

/// Subscribes a raw connection to everything below `self.t`.
fn watch(bus: &Bus) -> Result<Line> {
    let mut line = Line::connect(bus)?;
    let answer = line.ask(r#"{"op":"sub","id":1,"pattern":"*/self.t.>"}"#)?;
    anyhow::ensure!(answer.get("op") == Some(&json!("ok")), "{answer}");
    Ok(line)
}

#[test]
fn a_message_is_published_and_nothing_is_said() -> Result<()> {
    let bus = Bus::start()?;
    let mut watch = watch(&bus)?;
    assert_eq!(bus.run(&["pub", "t.a", "{\"x\": [1, 2]}"])?.ok()?, "");
    let message = watch.read()?;
    assert_eq!((&message["topic"], &message["payload"]), (&json!("t.a"), &json!({"x": [1, 2]})));
    let printed = bus.run(&["pub", "t.a", "-5", "--json"])?.json()?;
    let message = watch.read()?;
    assert_eq!(message["payload"], -5);
    assert_eq!(printed, [json!({"msg_id": message["msg_id"]})]);
    Ok(())
}

#[test]
fn payloads_come_from_files_and_standard_input() -> Result<()> {
    let bus = Bus::start()?;
    let mut watch = watch(&bus)?;
    let file = bus.folder().join("pretty.json");
    std::fs::write(&file, "{\n  \"a b\": [\n    1\n  ]\n}\n")?;
    let file = file.to_string_lossy();
    bus.run(&["pub", "t.a", "--file", &file])?.ok()?;
    bus.run_with(&["pub", "t.a"], b"[\r\n1,\n2]\n")?.ok()?;
    bus.run_with(&["pub", "t.a", "-"], b"3")?.ok()?;
    bus.run_with(&["pub", "t.a", "--text"], "hällo\nworld\n".as_bytes())?.ok()?;
    bus.run(&["pub", "t.a", "--text", "a \"quoted\" word"])?.ok()?;
    bus.run_with(&["pub", "t.a", "--protocol", "x-bytes"], b"\xff\n")?.ok()?;
    let expected = [
        json!({"a b": [1]}),
        json!([1, 2]),
        json!(3),
        json!("hällo\nworld"),
        json!("a \"quoted\" word"),
    ];
    for expected in expected {
        assert_eq!(watch.read()?["payload"], expected);
    }
    let bytes = watch.read()?;
    assert_eq!((&bytes["protocol"], &bytes["payload_b64"]), (&json!("x-bytes"), &json!("/wo=")));
    Ok(())
}

#[test]
fn everything_that_can_be_said_about_a_message_arrives() -> Result<()> {
    let bus = Bus::start()?;
    let mut watch = watch(&bus)?;
    let id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    let arguments = [
        "pub",
        "t.a",
        "1",
        "--id",
        id,
        "--reply-to",
        "t.answers",
        "--priority",
        "high",
        "--header",
        "trace=7",
        "--header",
        "a=b=c",
        "--expire",
        "1h",
        "--json",
    ];
    assert_eq!(bus.run(&arguments)?.json()?, [json!({"msg_id": id})]);
    let message = watch.read()?;
    assert_eq!(message["msg_id"], id);
    assert_eq!(message["reply_to"], "t.answers");
    assert_eq!(message["priority"], "high");
    assert_eq!(message["headers"], json!({"trace": "7", "a": "b=c"}));
    let life_ms = message["expires_at"].as_u64().zip(message["sent_at"].as_u64());
    assert_eq!(life_ms.map(|(end, begin)| end - begin), Some(3_600_000));
    Ok(())
}

#[test]
fn a_value_is_kept_and_removed() -> Result<()> {
    let bus = Bus::start()?;
    bus.run(&["pub", "t.lamp", "{\"on\":true}", "--retain"])?.ok()?;
    let late = ["sub", "self.t.lamp", "--retained", "--count", "1", "--raw"];
    assert_eq!(bus.run(&late)?.ok()?, "{\"on\":true}\n");
    let kept = bus.stats("retained_messages")?;
    bus.run(&["pub", "t.lamp", "--clear"])?.ok()?;
    assert_eq!(bus.stats("retained_messages")?, kept - 1);
    Ok(())
}

#[test]
fn each_line_is_a_message() -> Result<()> {
    let bus = Bus::start()?;
    let mut watch = watch(&bus)?;
    let lines: String = (0..1000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let printed = bus.run_with(&["pub", "t.n", "--lines", "--json"], lines.as_bytes())?.json()?;
    assert_eq!(printed.len(), 1000);
    for (n, printed) in printed.iter().enumerate() {
        let message = watch.read()?;
        assert_eq!(message["payload"]["n"], n);
        assert_eq!(message["msg_id"], printed["msg_id"]);
    }
    let ended = bus.run_with(&["pub", "t.n", "--lines"], b"1\n\n2\nnonsense\n3\n")?;
    assert_eq!(ended.code, Some(65), "{ended:#?}");
    assert!(ended.err.starts_with("kith: line 4: the payload is not JSON at line 1, column 2"));
    bus.run_with(&["pub", "t.n", "--lines", "--text"], b"end\n")?.ok()?;
    let rest: Vec<Value> = [watch.read()?, watch.read()?, watch.read()?].into();
    let payloads: Vec<_> = rest.iter().map(|message| &message["payload"]).collect();
    assert_eq!(payloads, [&json!(1), &json!(2), &json!("end")]);
    Ok(())
}

#[test]
fn what_is_wrong_is_told_with_its_code() -> Result<()> {
    let bus = Bus::start()?;
    for (arguments, code, said) in [
        (
            &["pub", "t.a", "hello"][..],
            65,
            "not JSON at line 1, column 1: expected value\n  --text",
        ),
        (&["pub", "t.a"], 65, "the payload is empty"),
        (&["pub", "t.a", "--file", "/nonexistent"], 66, "can't open /nonexistent: No such file"),
        (&["pub", "t.a", "--file", "/"], 66, "can't read /: Is a directory"),
        (&["pub", "bus.ready", "1"], 1, "belongs to the daemon"),
        (&["pub", "t.*", "1"], 64, "wildcards belong in a subscription's pattern"),
        (&["pub", "t.a", "1", "--expire", "10"], 64, "a unit is missing: 10s"),
        (&["pub", "t.a", "1", "--expire", "31d"], 64, "at most 30d"),
    ] {
        let ended = bus.run(arguments)?;
        assert_eq!(ended.code, Some(code), "{arguments:?} {ended:#?}");
        assert!(ended.err.contains(said), "{arguments:?} {ended:#?}");
        assert_eq!(ended.out, "");
    }
    Ok(())
}
