//! `kith bench`: measures a daemon for a very short time, leaves nothing, and can be stopped.

use crate::bus::{Bus, Line};
use crate::thief::{self, Trick};
use anyhow::{Context, Result};
use serde_json::Value;

#[test]
fn everything_is_measured_and_everything_arrives() -> Result<()> {
    let bus = Bus::start()?;
    // Somebody else is there, and says something before.
    let mut ann = Line::connect(&bus)?;
    ann.ask(r#"{"op":"sub","id":1,"pattern":"self.>"}"#)?;
    ann.ask(r#"{"op":"unsub","id":2,"sub":1}"#)?;
    let arguments = ["bench", "--secs", "0.02", "--payload", "2,300", "--fan", "3", "--json"];
    let found = bus.run(&arguments)?.json()?.remove(0);
    assert_eq!(found["version"], "0.1.0");
    assert!(found["cores"].as_u64() >= Some(1), "{found}");
    assert_eq!(found["socket"], bus.socket().display().to_string());
    let floods: Vec<&Value> = found["throughput"].as_array().into_iter().flatten().collect();
    let shape = |one: &&Value| (one["subscribers"].as_u64(), one["payload_bytes"].as_u64());
    let shapes: Vec<_> = floods.iter().map(shape).collect();
    assert_eq!(shapes, [(1, 2), (1, 300), (3, 2)].map(|(n, bytes)| (Some(n), Some(bytes))));
    for flood in floods {
        let count = |name: &str| flood[name].as_u64().unwrap_or(u64::MAX);
        assert!(count("published") > 0 && count("deliveries_per_second") > 0, "{flood}");
        assert_eq!(count("expected"), count("published") * count("subscribers"), "{flood}");
        assert_eq!(count("received") + count("lag"), count("expected"), "{flood}");
    }
    for name in ["delivery", "request"] {
        let times = &found[name];
        assert!(times["count"].as_u64() >= Some(1), "{found}");
        assert!(times["p50_ns"].as_u64() <= times["p99_ns"].as_u64(), "{found}");
        assert!(times["p99_ns"].as_u64() <= times["max_ns"].as_u64(), "{found}");
    }
    assert_eq!((&found["missing"], &found["surplus"]), (&0.into(), &0.into()));
    // What it sent itself is not taken for somebody else's.
    assert_eq!(found["others"]["published"], 0, "{found}");
    assert_eq!(found["others"]["clients"], 1, "{found}");

    bus.wait_until("it has left", |bus| Ok(bus.stats("clients")? == 2))?;
    assert_eq!((bus.stats("subscriptions")?, bus.stats("retained_messages")?), (0, 1));
    Ok(())
}

#[test]
fn a_person_gets_a_table() -> Result<()> {
    let bus = Bus::start()?;
    let arguments = ["bench", "--secs", "0.02", "--payload", "2", "--fan", "2"];
    // Progress is for a terminal alone: here nothing is on standard error.
    let text = bus.run(&arguments)?.ok()?;
    assert!(text.starts_with("Kith 0.1.0, ") && text.contains(" 0.02 s each\n"), "{text}");
    for part in ["1 → 1 ", "1 → 2 ", "publish → delivery", "request → reply", " arrived"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    Ok(())
}

#[test]
fn it_can_be_stopped() -> Result<()> {
    let bus = Bus::start()?;
    let running = bus.spawn(&["bench", "--secs", "60"])?;
    bus.wait_until("it publishes", |bus| Ok(bus.stats("published")? > 1_000))?;
    running.interrupt()?;
    let ended = running.end()?;
    assert_eq!((ended.code, &*ended.out, &*ended.err), (Some(130), "", ""));
    bus.wait_until("it has left", |bus| Ok(bus.stats("clients")? == 1))
}

#[test]
fn a_daemon_that_goes_away_ends_it() -> Result<()> {
    let mut bus = Bus::start()?;
    let running = bus.spawn(&["bench", "--secs", "60"])?;
    bus.wait_until("it publishes", |bus| Ok(bus.stats("published")? > 1_000))?;
    bus.restart()?;
    let ended = running.end()?;
    assert_eq!((ended.code, &*ended.out), (Some(69), ""), "{ended:?}");
    Ok(())
}

#[test]
fn the_largest_payloads_come_through() -> Result<()> {
    let bus = Bus::start()?;
    let ended = bus.run(&["bench", "--secs", "0.02", "--payload", "16777216", "--fan", "1"])?;
    assert!(ended.ok()?.contains(" 16 MiB "));
    let ended = bus.run(&["bench", "--payload", "16777217"])?;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    Ok(())
}

/// `kith bench` with somebody in between who plays this trick: how many messages it missed, how
/// many it had too many, and whether it said that something is wrong.
fn tricked(trick: Trick) -> Result<(u64, u64, bool)> {
    let bus = Bus::start()?;
    let socket = thief::before(&bus.socket(), trick)?.display().to_string();
    let arguments = ["bench", "--secs", "0.02", "--payload", "2", "--fan", "1", "--json"];
    let ended = bus.run(&[&arguments[..], &["--socket", &socket]].concat())?;
    let found: Value = serde_json::from_str(&ended.out)?;
    let number = |name: &str| found.get(name).and_then(Value::as_u64).context("no number");
    let is_told = ended.code == Some(1) && ended.err.contains(" missing without a word");
    Ok((number("missing")?, number("surplus")?, is_told))
}

#[test]
fn what_is_lost_without_a_word_is_found_out() -> Result<()> {
    let (missing, surplus, is_told) = tricked(Trick::Steal)?;
    assert!(missing > 0 && surplus == 0 && is_told, "{missing} {surplus} {is_told}");
    Ok(())
}

#[test]
fn what_comes_out_of_turn_is_found_out_though_the_count_is_right() -> Result<()> {
    let (missing, surplus, is_told) = tricked(Trick::Swap)?;
    assert!(missing > 0 && missing == surplus && is_told, "{missing} {surplus} {is_told}");
    Ok(())
}

#[test]
fn what_comes_twice_is_found_out() -> Result<()> {
    let (missing, surplus, is_told) = tricked(Trick::Double)?;
    assert!(missing == 0 && surplus > 0 && is_told, "{missing} {surplus} {is_told}");
    Ok(())
}
