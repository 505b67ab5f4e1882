//! `kith tap`: everything that passes, the daemon's own messages among it.

use crate::bus::Bus;
use anyhow::Result;

#[test]
fn a_program_gets_every_message_and_when_it_came() -> Result<()> {
    let bus = Bus::start()?;
    let tap = bus.subscribe(&["tap", "*/self.t.>", "--json", "--count", "2"])?;
    bus.run(&["pub", "t.a", "{\"x\": 1}"])?.ok()?;
    bus.run(&["pub", "t.b", "abc", "--protocol", "x"])?.ok()?;
    let printed = tap.end()?.json()?;
    assert_eq!(printed[0]["topic"], "t.a");
    assert_eq!((&printed[0]["bytes"], &printed[1]["bytes"]), (&8.into(), &3.into()));
    for message in printed {
        assert!(message["received_at"].as_u64() >= message["sent_at"].as_u64(), "{message}");
    }
    Ok(())
}

#[test]
fn a_person_gets_rows_of_everything() -> Result<()> {
    let bus = Bus::start()?;
    let tap = bus.subscribe(&["tap", "--count", "40", "--timeout", "60s"])?;
    let lines: String = (0..40).map(|n| format!("{n}\n")).collect();
    bus.run_with(&["pub", "t.n", "--lines"], lines.as_bytes())?.ok()?;
    let printed = tap.end()?.ok()?;
    assert!(printed.contains(" self    local    ms        1 B"), "{printed}");
    assert!(printed.contains(" bus.client "), "{printed}");
    assert!(
        printed.lines().any(|line| line.ends_with(" 7") && line.contains(" t.n ")),
        "{printed}"
    );
    assert!(!printed.contains("TOPIC"), "the heading is for terminals: {printed}");
    Ok(())
}
