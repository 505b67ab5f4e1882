//! Durable subscriptions from a shell: what is stored, who is owed what, and looking after it.

use crate::bus::Bus;
use anyhow::{Context, Result};
use serde_json::Value;

/// Makes the consumer `box` of `self.t`.
fn consumer(bus: &Bus) -> Result<()> {
    let sub = bus.subscribe(&["sub", "self.t", "--durable", "box"])?;
    sub.interrupt()?;
    assert_eq!(sub.end()?.code, Some(130));
    Ok(())
}

/// What `kith consumers` says of it.
fn row(bus: &Bus) -> Result<Value> {
    let answer = bus.run(&["consumers", "--json"])?.json()?.remove(0);
    answer.pointer("/consumers/0").cloned().context("no consumer")
}

fn depth(bus: &Bus) -> Result<u64> {
    row(bus)?.get("waiting").and_then(Value::as_u64).context("no depth")
}

#[test]
fn what_is_stored_outlives_the_daemon_and_is_acknowledged_when_it_is_printed() -> Result<()> {
    let mut bus = Bus::start()?;
    consumer(&bus)?;
    let stored = bus.run(&["pub", "--until", "stored", "t", "1", "--json"])?.json()?.remove(0);
    assert_eq!(stored["state"], "stored");
    bus.run(&["pub", "t", "2"])?.ok()?;
    bus.crash()?;
    assert_eq!(depth(&bus)?, 2);
    let sub = ["sub", "self.t", "--durable", "box", "--json", "--count", "2"];
    let messages = bus.run(&sub)?.json()?;
    let told: Vec<_> = messages.iter().map(|one| (&one["payload"], &one["attempt"])).collect();
    let (one, two) = (Value::from(1), Value::from(2));
    assert_eq!(told, [(&one, &one), (&two, &one)]);
    assert_eq!(messages[0]["msg_id"], stored["msg_id"]);
    assert_eq!(depth(&bus)?, 0);
    Ok(())
}

#[test]
fn what_nobody_took_from_the_pipe_comes_again() -> Result<()> {
    let bus = Bus::start()?;
    let mut sub = bus.subscribe(&["sub", "self.t", "--durable", "box"])?;
    drop(sub.child.stdout.take());
    assert_eq!(sub.end()?.code, Some(0));
    bus.run(&["pub", "t", "7"])?.ok()?;
    let raw = ["sub", "self.t", "--durable", "box", "--raw", "--count", "1"];
    assert_eq!(bus.run(&raw)?.ok()?, "7\n");
    Ok(())
}

#[test]
fn a_message_is_done_when_its_command_was() -> Result<()> {
    let bus = Bus::start()?;
    consumer(&bus)?;
    bus.run(&["pub", "t", "7"])?.ok()?;
    let exec = |command| ["sub", "self.t", "--durable", "box", "--count", "1", "--exec", command];
    let failed = bus.run(&exec("exit 3"))?;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(depth(&bus)?, 1);
    assert_eq!(bus.run(&exec("cat; echo \" $KITH_ATTEMPT\""))?.ok()?, "7 2\n");
    assert_eq!(depth(&bus)?, 0);
    Ok(())
}

#[test]
fn what_can_not_be_stored_ends_with_a_code_that_says_so() -> Result<()> {
    let bus = Bus::with_files(&[("kith.toml", "[limits]\nstored_messages_max = 16\n")])?;
    let publish = ["pub", "--until", "stored", "t", "1"];
    let nobody = bus.run(&publish)?;
    assert_eq!(nobody.code, Some(68), "{nobody:?}");
    assert!(nobody.err.contains("kith sub self.t --durable NAME"), "{nobody:?}");
    consumer(&bus)?;
    // One consumer may have half of it.
    for _ in 0..8 {
        bus.run(&publish)?.ok()?;
    }
    let full = bus.run(&publish)?;
    assert_eq!(full.code, Some(75), "{full:?}");
    let retained = ["pub", "--retain", "--until", "stored", "other", "1", "--json"];
    assert_eq!(bus.run(&retained)?.json()?[0]["state"], "stored");
    Ok(())
}

#[test]
fn a_new_consumer_begins_where_it_was_told() -> Result<()> {
    let bus = Bus::start()?;
    consumer(&bus)?;
    bus.run(&["pub", "t", "1"])?.ok()?;
    let second = bus.run(&["pub", "t", "2", "--json"])?.json()?.remove(0);
    bus.run(&["pub", "t", "3"])?.ok()?;
    let id = second["msg_id"].as_str().context("no id")?;
    let from = |name: &str, from: &[&str], count: &str| {
        let sub = ["sub", "self.t", "--raw", "--count", count, "--durable", name];
        bus.run(&[&sub[..], from].concat())?.ok()
    };
    assert_eq!(from("a", &["--from-start"], "3")?, "1\n2\n3\n");
    assert_eq!(from("b", &["--since", "1h"], "3")?, "1\n2\n3\n");
    assert_eq!(from("c", &["--since", id], "1")?, "3\n");
    let two = bus.run(&["sub", "self.a", "self.b", "--durable", "d"])?;
    assert_eq!(two.code, Some(64), "{two:?}");
    let other = bus.run(&["sub", "self.other", "--durable", "box"])?;
    assert_eq!(other.code, Some(1), "{other:?}");
    Ok(())
}

#[test]
fn consumers_are_shown_emptied_and_removed() -> Result<()> {
    let bus = Bus::start()?;
    let none = bus.run(&["consumers"])?.ok()?;
    assert!(none.starts_with("there are no consumers; "), "{none}");
    consumer(&bus)?;
    bus.run(&["pub", "t", "1"])?.ok()?;
    let table = bus.run(&["consumers"])?.ok()?;
    assert!(table.contains("\n  box   self.t "), "{table}");
    assert!(table.contains("store: sqlite, 1 message, "), "{table}");
    let unasked = bus.run(&["consumers", "purge", "box"])?;
    assert_eq!(unasked.code, Some(64), "{unasked:?}");
    assert!(unasked.err.ends_with("  do it all the same: --yes\n"), "{unasked:?}");
    let gone = bus.run(&["consumers", "purge", "box", "--yes"])?.ok()?;
    assert_eq!(gone, "1 message for box thrown away\n");
    let dead = bus.run(&["consumers", "purge", "box", "--dead", "--yes", "--json"])?.json()?;
    assert_eq!(dead[0]["purged"], 0);
    let sub = bus.spawn(&["sub", "self.t", "--durable", "box"])?;
    bus.wait_until("it has subscribed", |bus| Ok(row(bus)?["connections"] == 1))?;
    let used = bus.run(&["consumers", "remove", "box", "--yes"])?;
    let said = "kith: `box` is used by 1 connection\n  end them first\n";
    assert_eq!((used.code, used.err.as_str()), (Some(1), said));
    sub.interrupt()?;
    sub.end()?;
    let gone = bus.run(&["consumers", "remove", "box", "--yes"])?.ok()?;
    assert_eq!(gone, "box removed, with 0 messages\n");
    let missing = bus.run(&["consumers", "remove", "box", "--yes"])?;
    assert_eq!(missing.code, Some(1), "{missing:?}");
    Ok(())
}

#[test]
fn a_store_is_checked_and_exported_while_no_daemon_runs() -> Result<()> {
    let mut bus = Bus::start()?;
    let absent = bus.administer(&["store", "check"])?;
    assert_eq!(absent.code, Some(66), "{absent:?}");
    consumer(&bus)?;
    bus.run(&["pub", "t", "{\"n\":1}"])?.ok()?;
    let running = bus.administer(&["store", "check"])?;
    assert_eq!(running.code, Some(69), "{running:?}");
    let id = bus.id();
    assert!(running.err.contains(&format!("(process {id})\n")), "{running:?}");
    assert!(running.err.ends_with(&format!("kill {id}\n")), "{running:?}");
    bus.kill()?;
    let checked = bus.administer(&["store", "check"])?.ok()?;
    assert!(checked.ends_with("all is well\n"), "{checked}");
    assert_eq!(bus.administer(&["store", "check", "--json"])?.json()?[0]["well"], true);
    let records = bus.administer(&["store", "export"])?.json()?;
    let message = records.iter().find(|record| record["record"] == "message");
    assert_eq!(message.context("no message")?["payload"]["n"], 1);
    assert!(records.iter().any(|record| record["name"] == "box"), "{records:?}");
    Ok(())
}
