//! `kith sub`: the forms it prints, when it ends, and the commands it runs.

use crate::bus::{Bus, Line};
use anyhow::{Context, Result};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};

#[test]
fn a_person_gets_a_line_in_which_nothing_is_dangerous() -> Result<()> {
    let bus = Bus::start()?;
    let sub = bus.subscribe(&["sub", "self.t.>", "*/self.u", "--count", "2"])?;
    bus.run(&["pub", "t.a", "\"\u{9b}2J\u{202e}\"", "--header", "note=x"])?.ok()?;
    bus.run(&["pub", "u", "\u{1b}]0;owned\u{7}", "--protocol", "log"])?.ok()?;
    let printed = sub.end()?.ok()?;
    let lines: Vec<_> =
        printed.lines().map(|line| line.split_once(' ').map(|line| line.1)).collect();
    let expected = [
        Some("self    t.a \"\\u009b2J\\u202e\" (note=x)"),
        Some("self    log/u \\u001b]0;owned\\u0007"),
    ];
    assert_eq!(lines, expected);
    Ok(())
}

#[test]
fn a_program_gets_the_line_of_the_protocol() -> Result<()> {
    let bus = Bus::start()?;
    let mut raw = Line::connect(&bus)?;
    raw.ask(r#"{"op":"sub","id":1,"pattern":"*/self.t.>"}"#)?;
    let sub = bus.subscribe(&["sub", "*/self.t.>", "--json", "--count", "2"])?;
    bus.run(&["pub", "t.a", "{\"x\":1}", "--priority", "bulk", "--header", "k=v"])?.ok()?;
    bus.run_with(&["pub", "t.b", "--protocol", "bt"], b"\x00")?.ok()?;
    for printed in sub.end()?.json()? {
        let mut expected = raw.read()?;
        let fields = expected.as_object_mut().context("no object")?;
        fields.remove("op");
        fields.remove("sub");
        assert_eq!(printed, expected);
    }
    Ok(())
}

#[test]
fn raw_payloads_are_as_they_were_published() -> Result<()> {
    let bus = Bus::start()?;
    let plain = bus.subscribe(&["sub", "*/self.t", "--raw", "--count", "2"])?;
    let separated = ["sub", "*/self.t", "--raw", "--count", "2", "--separator", "\\0"];
    let separated = bus.subscribe(&separated)?;
    bus.run(&["pub", "t", "{ \"a\": 1 }"])?.ok()?;
    bus.run_with(&["pub", "t", "--protocol", "x"], b"\xff\n\x1b")?.ok()?;
    assert_eq!(plain.end()?.bytes, b"{ \"a\": 1 }\n\xff\n\x1b");
    assert_eq!(separated.end()?.bytes, b"{ \"a\": 1 }\0\xff\n\x1b\0");
    Ok(())
}

#[test]
fn it_ends_when_it_was_told_to() -> Result<()> {
    let bus = Bus::start()?;
    let ended = bus.run(&["sub", "self.t", "--count", "2", "--timeout", "20ms"])?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert_eq!(ended.err, "kith: the time is over, with 2 of `--count` still to come\n");
    assert_eq!(bus.run(&["sub", "self.t", "--timeout", "20ms"])?.ok()?, "");
    let sub = bus.subscribe(&["sub", "self.t"])?;
    sub.interrupt()?;
    let ended = sub.end()?;
    assert_eq!((ended.code, ended.err.as_str()), (Some(130), ""));
    Ok(())
}

#[test]
fn it_ends_when_its_reader_has_gone() -> Result<()> {
    let bus = Bus::start()?;
    let mut sub = bus.subscribe(&["sub", "self.t", "--raw"])?;
    bus.run(&["pub", "t", "1"])?.ok()?;
    let mut reader = BufReader::new(sub.child.stdout.take().context("no stdout")?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    assert_eq!(line, "1\n");
    // No further message comes: that the reader leaves has to be enough.
    drop(reader);
    let ended = sub.end()?;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    Ok(())
}

#[test]
fn it_can_be_stopped_while_its_reader_does_not_read() -> Result<()> {
    let bus = Bus::start()?;
    let mut sub = bus.subscribe(&["sub", "self.t", "--raw"])?;
    let before = bus.stats("delivered")?;
    let mut raw = Line::connect(&bus)?;
    let line = format!(r#"{{"op":"pub","topic":"t","payload":"{}"}}"#, "x".repeat(60_000));
    // Twice what a pipe and our own queue hold.
    for _ in 0..64 {
        raw.send(&line)?;
    }
    bus.wait_until("all of it is with kith", |bus| {
        Ok(bus.stats("delivered")? >= before + 64 && bus.stats("queued_messages")? == 0)
    })?;
    sub.interrupt()?;
    assert_eq!(sub.child.wait()?.code(), Some(130));
    Ok(())
}

#[test]
fn nothing_is_lost_without_being_counted() -> Result<()> {
    const PUBLISHED: u64 = 900;
    let bus = Bus::start()?;
    let mut sub = bus.subscribe(&["sub", "self.t", "--json"])?;
    let mut raw = Line::connect(&bus)?;
    let padding = "x".repeat(100_000);
    for n in 0..PUBLISHED {
        raw.send(&format!(r#"{{"op":"pub","topic":"t","payload":{{"n":{n},"x":"{padding}"}}}}"#))?;
    }
    raw.ask(r#"{"op":"ping","id":1}"#)?;
    let reader = BufReader::new(sub.child.stdout.take().context("no stdout")?);
    let (mut received, mut missed) = (0, 0);
    for line in reader.lines() {
        let value: serde_json::Value = serde_json::from_str(&line?)?;
        match value["lag"].as_u64() {
            Some(count) => missed += count,
            None => {
                assert_eq!(value["payload"]["n"], received + missed);
                received += 1;
            }
        }
        if received + missed == PUBLISHED {
            break;
        }
    }
    assert_eq!(received + missed, PUBLISHED);
    assert!(missed > 0, "everything fit somewhere");
    assert_eq!(sub.end()?.code, Some(0));
    Ok(())
}

#[test]
fn a_group_shares_its_messages() -> Result<()> {
    let bus = Bus::start()?;
    let member = ["sub", "self.t", "--raw", "--group", "workers", "--count", "5"];
    let (one, other) = (bus.subscribe(&member)?, bus.subscribe(&member)?);
    bus.run_with(&["pub", "t", "--lines"], b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")?.ok()?;
    let (one, other) = (one.end()?.ok()?, other.end()?.ok()?);
    let mut all: Vec<_> = one.lines().chain(other.lines()).collect();
    all.sort_unstable();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    Ok(())
}

#[test]
fn a_command_is_run_for_each_message() -> Result<()> {
    let bus = Bus::start()?;
    let command = "read -r payload; echo \"$KITH_TOPIC $KITH_SCOPE $KITH_SENDER $KITH_PROTOCOL \
                   ${#KITH_MSG_ID} ${KITH_REPLY_TO-none} $payload\"";
    let sub = bus.subscribe(&["sub", "self.t.>", "--exec", command, "--count", "3"])?;
    bus.run(&["pub", "t.a", "1"])?.ok()?;
    bus.run(&["pub", "t.$(touch$IFS/tmp/never)", "2"])?.ok()?;
    bus.run(&["pub", "t.c", "3", "--reply-to", "t.answers"])?.ok()?;
    let expected = "t.a self local ms 36 none 1\nt.$(touch$IFS/tmp/never) self local ms 36 none 2\n\
                    t.c self local ms 36 t.answers 3\n";
    assert_eq!(sub.end()?.ok()?, expected);
    Ok(())
}

#[test]
fn a_command_that_fails_is_told_and_the_others_go_on() -> Result<()> {
    let bus = Bus::start()?;
    let command = "read -r n; echo $n; [ $n != 2 ] || exit 7";
    let sub =
        bus.subscribe(&["sub", "self.t", "--exec", command, "--count", "3", "--jobs", "2"])?;
    bus.run_with(&["pub", "t", "--lines"], b"1\n2\n3\n")?.ok()?;
    let ended = sub.end()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let mut printed: Vec<_> = ended.out.lines().collect();
    printed.sort_unstable();
    assert_eq!(printed, ["1", "2", "3"]);
    assert!(ended.err.starts_with("kith: t 0"), "{ended:#?}");
    assert!(ended.err.ends_with(": the command ended with 7\n"), "{ended:#?}");
    Ok(())
}

#[test]
fn commands_run_at_once_where_they_may() -> Result<()> {
    let bus = Bus::start()?;
    let fifo = bus.folder().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status()?;
    assert!(made.success());
    // One writes and the other reads: each waits for the other.
    let command =
        format!("read -r n; if [ $n = 1 ]; then echo met > {0}; else cat {0}; fi", fifo.display());
    let arguments = ["sub", "self.t", "--exec", &command, "--count", "2", "--jobs", "2"];
    let sub = bus.subscribe(&arguments)?;
    bus.run_with(&["pub", "t", "--lines"], b"1\n2\n")?.ok()?;
    assert_eq!(sub.end()?.ok()?, "met\n");
    Ok(())
}

#[test]
fn a_daemon_that_ends_and_comes_back_is_told() -> Result<()> {
    let mut bus = Bus::start()?;
    let mut sub = bus.subscribe(&["sub", "self.t", "--json"])?;
    bus.restart()?;
    let mut reader = BufReader::new(sub.child.stdout.take().context("no stdout")?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line)?, json!({"gap": true}));
    sub.interrupt()?;
    let mut rest = String::new();
    reader.read_to_string(&mut rest)?;
    assert_eq!(sub.end()?.code, Some(130));
    Ok(())
}
