//! `kith reply`: fixed answers, commands that answer, and commands that don't.

use crate::bus::Bus;
use anyhow::Result;

#[test]
fn a_fixed_answer_is_given() -> Result<()> {
    let bus = Bus::start()?;
    let reply = bus.subscribe(&["reply", "self.t.>", "{\"ok\":true}", "--count", "2"])?;
    // What asks for no reply is none of its business.
    bus.run(&["pub", "t.a", "1"])?.ok()?;
    assert_eq!(bus.run(&["req", "t.a"])?.ok()?, "{\"ok\":true}\n");
    assert_eq!(bus.run(&["req", "t.b"])?.ok()?, "{\"ok\":true}\n");
    reply.end()?.ok()?;
    Ok(())
}

#[test]
fn a_command_answers() -> Result<()> {
    let bus = Bus::start()?;
    let json = bus.subscribe(&["reply", "self.json", "--exec", "cat", "--count", "1"])?;
    assert_eq!(bus.run(&["req", "json", "{\"a\":\"\\n\"}"])?.ok()?, "{\"a\":\"\\n\"}\n");
    json.end()?.ok()?;
    let command = "echo \"$KITH_TOPIC\"; tr a-z A-Z";
    let arguments = ["reply", "self.text", "--text", "--exec", command, "--count", "1"];
    let text = bus.subscribe(&arguments)?;
    assert_eq!(bus.run(&["req", "text", "\"hi\""])?.ok()?, "\"text\\n\\\"HI\\\"\"\n");
    text.end()?.ok()?;
    let arguments = ["reply", "self.bytes", "--protocol", "x", "--exec", "cat", "--count", "1"];
    let bytes = bus.subscribe(&arguments)?;
    assert_eq!(bus.run(&["req", "bytes", "1"])?.ok()?, "1");
    bytes.end()?.ok()?;
    Ok(())
}

#[test]
fn a_command_that_does_not_answer_is_told() -> Result<()> {
    let bus = Bus::start()?;
    for (command, said) in [
        ("exit 3", ": the command ended with 3\n"),
        ("kill -9 $$", ": the command was ended by signal 9\n"),
        ("echo no json", ": what the command printed: the payload is not JSON at line 1, column 2"),
    ] {
        let reply = bus.subscribe(&["reply", "self.t", "--exec", command, "--count", "1"])?;
        assert_eq!(bus.run(&["req", "t", "--timeout", "500ms"])?.code, Some(75));
        let ended = reply.end()?;
        assert_eq!(ended.code, Some(1), "{command}: {ended:#?}");
        assert!(ended.err.contains(said), "{command}: {ended:#?}");
    }
    Ok(())
}

#[test]
fn responders_can_share_the_work() -> Result<()> {
    let bus = Bus::start()?;
    let responder =
        |answer| bus.subscribe(&["reply", "self.t", answer, "--group", "g", "--count", "1"]);
    let (one, other) = (responder("1")?, responder("2")?);
    let mut answers = [bus.run(&["req", "t"])?.ok()?, bus.run(&["req", "t"])?.ok()?];
    answers.sort_unstable();
    assert_eq!(answers, ["1\n", "2\n"]);
    one.end()?.ok()?;
    other.end()?.ok()?;
    Ok(())
}
