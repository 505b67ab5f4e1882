//! `kith grants`, and the key without which nothing is granted.

use crate::bus::Bus;
use anyhow::Result;

#[test]
fn a_right_is_granted_shown_and_taken_back() -> Result<()> {
    let bus = Bus::start()?;
    assert_eq!(bus.run(&["grants"])?.ok()?, "nothing is granted to any program\n");
    let app = "flatpak:org.example.App";
    let said = bus.administer(&["grants", "add", app, "reserved"])?.ok()?;
    assert!(said.starts_with("flatpak:org.example.App has the right `reserved` until "), "{said}");
    assert!(said.ends_with(" (59m)\n") || said.ends_with(" (1h)\n"), "{said}");
    let said = bus.administer(&["grants", "add", app, "administer", "--until-revoked"])?.ok()?;
    assert!(said.ends_with("until it is revoked\n"), "{said}");
    let granted = bus.run(&["grants", "--json"])?.json()?;
    assert_eq!(granted.len(), 2);
    let length = granted[0]["until"].as_u64().zip(granted[0]["added_at"].as_u64());
    assert_eq!(length.map(|(until, added_at)| until - added_at), Some(3_600_000));
    assert!(bus.run(&["grants"])?.ok()?.contains("  flatpak:org.example.App  administer  "));

    let said = bus.administer(&["grants", "revoke", app, "reserved"])?.ok()?;
    assert_eq!(said, "flatpak:org.example.App has the right `reserved` no more\n");
    assert_eq!(bus.administer(&["grants", "revoke", app, "--json"])?.json()?.len(), 1);
    let nothing = bus.administer(&["grants", "revoke", app])?;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert_eq!(bus.run(&["grants", "--json"])?.ok()?, "");
    Ok(())
}

#[test]
fn nobody_is_granted_anything_who_is_nobody() -> Result<()> {
    let bus = Bus::start()?;
    for (arguments, said) in [
        (&["grants", "add", "somebody", "reserved"][..], "is nobody"),
        (&["grants", "add", "sandbox", "reserved", "--for", "1000d"], "a year"),
    ] {
        let ended = bus.administer(arguments)?;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains(said), "{ended:?}");
    }
    Ok(())
}

#[test]
fn without_the_key_the_way_to_it_is_told() -> Result<()> {
    let bus = Bus::start()?;
    let empty = bus.folder().join("empty");
    let empty = empty.display().to_string();
    let add = ["grants", "add", "sandbox", "reserved", "--state", &empty];
    let missing = bus.run(&add)?;
    assert_eq!(missing.code, Some(66), "{missing:?}");
    let begin = format!("kith: can't read the administration key {empty}/administration.key: ");
    assert!(missing.err.starts_with(&begin), "{missing:?}");
    assert!(missing.err.contains("--state DIR, or --config FILE"), "{missing:?}");

    std::fs::create_dir(bus.folder().join("empty"))?;
    std::fs::write(bus.folder().join("empty/administration.key"), "0".repeat(32))?;
    let wrong = bus.run(&add)?;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.err.contains("/administration.key is not this daemon's key: "), "{wrong:?}");
    assert_eq!(bus.run(&["grants", "--json"])?.ok()?, "");
    Ok(())
}
