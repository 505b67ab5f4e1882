//! `kith req`: the reply in its forms, and the two ways of not getting one.

use crate::bus::{Bus, Line};
use anyhow::Result;
use serde_json::json;

#[test]
fn the_reply_is_printed() -> Result<()> {
    let bus = Bus::start()?;
    let mut responder = Line::connect(&bus)?;
    responder.ask(r#"{"op":"sub","id":1,"pattern":"*/self.t"}"#)?;
    let mut answer = |arguments: &[&str], payload: &str| -> Result<_> {
        let asking = bus.spawn(arguments)?;
        let asked = responder.read()?;
        let topic = asked["reply_to"].as_str().unwrap_or_default();
        responder.ask(&format!(r#"{{"op":"pub","id":2,"topic":"{topic}",{payload}}}"#))?;
        Ok((asked, asking.end()?))
    };
    let (asked, printed) = answer(&["req", "t", "{\"a\":1}"], r#""payload":{"b": 2}"#)?;
    assert_eq!(asked["payload"], json!({"a": 1}));
    assert_eq!(printed.ok()?, "{\"b\": 2}\n");
    let (asked, printed) = answer(&["req", "t", "--header", "k=v"], r#""payload":"x""#)?;
    assert_eq!((&asked["payload"], &asked["headers"]), (&json!(null), &json!({"k": "v"})));
    assert_eq!(printed.ok()?, "\"x\"\n");
    let bytes = r#""protocol":"bt","payload_b64":"/wA=""#;
    let (asked, printed) = answer(&["req", "t", "--text", "hi", "--raw"], bytes)?;
    assert_eq!(asked["payload"], "hi");
    assert_eq!(printed.bytes, b"\xff\x00");
    let (_, printed) = answer(&["req", "t", "--json"], r#""payload":1,"headers":{"k":"v"}"#)?;
    let reply = printed.json()?.remove(0);
    assert_eq!((&reply["payload"], &reply["headers"]), (&json!(1), &json!({"k": "v"})));
    assert!(reply["msg_id"].is_string() && reply["op"].is_null());
    Ok(())
}

#[test]
fn the_daemon_can_be_asked() -> Result<()> {
    let bus = Bus::start()?;
    let stats = bus.run(&["req", "bus.stats"])?.json()?.remove(0);
    assert_eq!(stats["clients"], 1);
    Ok(())
}

#[test]
fn that_nobody_is_there_is_told_at_once() -> Result<()> {
    let bus = Bus::start()?;
    let ended = bus.run(&["req", "t.nobody", "1", "--timeout", "1h"])?;
    assert_eq!(ended.code, Some(68), "{ended:#?}");
    assert_eq!(ended.err, "kith: nobody is there to answer: nobody subscribes to `t.nobody`\n");
    Ok(())
}

#[test]
fn that_nobody_answers_is_told_in_time() -> Result<()> {
    let bus = Bus::start()?;
    let mut silent = Line::connect(&bus)?;
    silent.ask(r#"{"op":"sub","id":1,"pattern":"self.t"}"#)?;
    let ended = bus.run(&["req", "t", "1", "--timeout", "20ms"])?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert_eq!(ended.err, "kith: no reply to `t` came in 0.02 s\n  --timeout waits longer\n");
    Ok(())
}
