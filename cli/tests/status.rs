//! `kith status`: the daemon, its counters, its clients, for a person and for a program.

use crate::bus::{Bus, Line};
use anyhow::Result;

#[test]
fn the_daemon_is_shown() -> Result<()> {
    let bus = Bus::start()?;
    let mut ann = Line::connect(&bus)?;
    ann.ask(r#"{"op":"hello","id":1,"name":"ann"}"#)?;
    ann.ask(r#"{"op":"sub","id":2,"pattern":"self.t"}"#)?;
    let text = bus.run(&["status"])?.ok()?;
    assert!(text.starts_with("Kith 0.1.0, process "), "{text}");
    assert!(text.contains(&format!("\n{}\n", bus.socket().display())), "{text}");
    let ann = text.lines().find(|line| line.contains(" ann ")).unwrap_or_default();
    assert!(ann.contains(" json "), "{text}");
    assert!(text.contains(" kith status "), "{text}");

    let status = bus.run(&["status", "--json"])?.json()?.remove(0);
    assert_eq!(status["socket"], bus.socket().display().to_string());
    assert_eq!(status["ready"]["version"], "0.1.0");
    assert_eq!(status["stats"]["clients"], 2);
    assert!(status["people"]["me"].is_null(), "who only looks makes nobody: {status}");
    let identity = bus.run(&["id"])?.ok()?;
    let text = bus.run(&["status"])?.ok()?;
    assert!(text.contains(identity.trim()), "{identity} in {text}");
    let names: Vec<_> = status["clients"].as_array().into_iter().flatten().collect();
    assert!(names.iter().any(|client| client["name"] == "ann"), "{status}");
    Ok(())
}

#[test]
fn a_client_that_lags_is_marked() -> Result<()> {
    let bus = Bus::start()?;
    let mut slow = Line::connect(&bus)?;
    slow.ask(r#"{"op":"hello","id":1,"name":"slow"}"#)?;
    slow.ask(r#"{"op":"sub","id":2,"pattern":"self.t"}"#)?;
    let mut line = Line::connect(&bus)?;
    let padding = "x".repeat(8 << 20);
    for _ in 0..5 {
        line.send(&format!(r#"{{"op":"pub","topic":"t","payload":"{padding}"}}"#))?;
    }
    line.ask(r#"{"op":"ping","id":1}"#)?;
    let text = bus.run(&["status"])?.ok()?;
    let row = text.lines().find(|line| line.contains(" slow ")).unwrap_or_default();
    assert!(row.ends_with("  lagging"), "{text}");
    Ok(())
}

#[test]
fn a_client_that_has_said_nothing_is_listed() -> Result<()> {
    let bus = Bus::start()?;
    let _silent = Line::connect(&bus)?;
    let text = bus.run(&["status"])?.ok()?;
    let row = text.lines().find(|line| line.contains(" -  ")).unwrap_or_default();
    assert!(row.contains(" -       "), "{text}");
    Ok(())
}

#[test]
fn more_clients_than_one_answer_holds_are_all_listed() -> Result<()> {
    let bus = Bus::start()?;
    let clients = (0..1_100).map(|_| Line::connect(&bus)).collect::<Result<Vec<_>>>()?;
    let status = bus.run(&["status", "--json"])?.json()?.remove(0);
    assert_eq!(status["clients"].as_array().map(Vec::len), Some(clients.len() + 1));
    Ok(())
}
