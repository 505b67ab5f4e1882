//! People and devices by the real program: daemons that have never heard of each other become
//! friends, or devices of one person, and write to each other over real links.

use crate::bus::{Bus, Ended};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

/// `quic` between daemons of this machine alone.
const LOOPBACK: &str = "[services.quic.settings]\nlisten = ['127.0.0.1:0']\nloopback = true\n";

/// A daemon that others can reach, on a device of this name; its person's may be missing.
fn bus_of(name: &str, device: &str) -> Result<Bus> {
    let bus = Bus::with_files(&[("kith.toml", LOOPBACK)])?;
    let mut names = vec!["init", "--services", "quic", "--device-name", device];
    if !name.is_empty() {
        names.extend(["--name", name]);
    }
    let said = bus.administer(&names)?.ok()?;
    ensure!(said.starts_with("quic is running\ndid:key:z6Mk"), "{said}");
    bus.wait_until("it can be reached", |bus| {
        Ok(one(bus, &["id", "--json"])?.pointer("/endpoints/0").is_some())
    })?;
    Ok(bus)
}

/// What a command answers, one JSON object.
fn one(bus: &Bus, arguments: &[&str]) -> Result<Value> {
    bus.run(arguments)?.json()?.into_iter().next().context("no answer")
}

/// As the one who administers, with this on standard input.
fn administer_with(bus: &Bus, arguments: &[&str], input: &str) -> Result<Ended> {
    let mut command = bus.command(arguments);
    command.arg("--state").arg(bus.folder().join("state"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // One that refuses its arguments doesn't read.
    let _ = child.stdin.take().context("no stdin")?.write_all(input.as_bytes());
    Ended::new(child.wait_with_output()?)
}

/// A link of that daemon's, as a script gets it.
fn link(bus: &Bus, arguments: &[&str]) -> Result<String> {
    let ended = bus.administer(&[&["invite"], arguments].concat())?;
    ensure!(ended.code == Some(0) && ended.out.starts_with("kith://join/"), "{ended:?}");
    ensure!(ended.err.contains("It is a secret"), "{ended:?}");
    Ok(ended.out)
}

/// Ada and Bob, who are friends.
fn friends() -> Result<(Bus, Bus)> {
    let (ada, bob) = (bus_of("Ada", "desk")?, bus_of("Bob", "lap")?);
    let link = link(&ada, &["--as", "bob", "--expires", "10m"])?;
    let said = administer_with(&bob, &["join", "--as", "ada"], &link)?.ok()?;
    let first = "ada, who calls themself Ada is your friend now, and you are theirs: did:key:z6Mk";
    ensure!(said.starts_with(first), "{said}");
    Ok((ada, bob))
}

#[test]
fn friends_meet_by_a_link_and_write_to_each_other() -> Result<()> {
    let (ada, bob) = friends()?;
    let (hers, his) = (one(&ada, &["friends", "list", "bob", "--json"])?, bob.run(&["friends"])?);
    assert_eq!((&hers["relation"], &hers["name"]), (&"friend".into(), &"Bob".into()));
    assert!(his.ok()?.contains("\n  ada   Ada "), "he has her too");
    let theirs = one(&bob, &["friends", "list", "ada", "--json"])?;
    assert_eq!(hers["safety_number"], theirs["safety_number"]);

    // What one says is delivered there, on the disk, before the command ends.
    let mut hearing = bob.subscribe(&["sub", "friends.chess.>", "--count", "1", "--json"])?;
    let told = ["pub", "--to", "bob", "--until", "delivered", "--json", "chess.move", "\"e4\""];
    assert_eq!(one(&ada, &told)?["state"], "delivered");
    let out = hearing.child.stdout.take().context("no stdout")?;
    let line = BufReader::new(out).lines().next().context("nothing came")??;
    let heard: Value = serde_json::from_str(&line)?;
    assert_eq!((&heard["scope"], &heard["petname"]), (&"friends".into(), &"ada".into()));
    assert_eq!(heard["payload"], "e4");
    assert_eq!(hearing.end()?.code, Some(0));

    // A question goes there and comes back.
    let answering = bob.subscribe(&["reply", "friends.clock", "\"noon\"", "--count", "1"])?;
    assert_eq!(ada.run(&["req", "--to", "bob", "clock"])?.ok()?, "\"noon\"\n");
    assert_eq!(answering.end()?.code, Some(0));
    assert_eq!(ada.run(&["req", "--to", "bob", "clock"])?.code, Some(68));

    let status = ada.run(&["status"])?.ok()?;
    assert!(status.contains("\n  bob     …") && status.contains("  quic  127.0.0.1:"), "{status}");
    Ok(())
}

#[test]
fn what_can_not_be_delivered_has_codes_of_its_own() -> Result<()> {
    let (ada, mut bob) = friends()?;
    for to in ["eve", "bob/phone"] {
        let ended = ada.run(&["pub", "--to", to, "a", "1"])?;
        assert_eq!(ended.code, Some(67), "{ended:?}");
        assert!(ended.err.contains("see `kith friends"), "{ended:?}");
        assert_eq!(ada.run(&["req", "--to", to, "a"])?.code, Some(67));
    }
    assert_eq!(ada.run(&["friends", "list", "eve"])?.code, Some(67));
    assert_eq!(ada.run(&["pub", "--until", "delivered", "a", "1"])?.code, Some(64));
    assert_eq!(ada.run(&["pub", "--until", "stored", "--timeout", "1s", "a", "1"])?.code, Some(64));

    bob.kill()?;
    let wait = ["pub", "--to", "bob", "--until", "delivered", "--timeout", "200ms"];
    let ended = ada.run(&[&wait[..], &["mail.new", "1"]].concat())?;
    assert_eq!(ended.code, Some(76), "{ended:?}");
    assert!(ended.err.contains("it stays on its way until it expires"), "{ended:?}");
    let ended = ada.run(&[&wait[..6], &["10s", "--expire", "300ms", "mail.new", "2"]].concat())?;
    assert_eq!(ended.code, Some(76), "{ended:?}");
    assert!(ended.err.contains("it was not delivered in time"), "{ended:?}");
    Ok(())
}

#[test]
fn a_link_is_used_as_it_was_meant_or_not_at_all() -> Result<()> {
    let (ada, bob) = (bus_of("Ada", "desk")?, bus_of("Bob", "lap")?);
    let friend = link(&ada, &[])?;
    // On the command line everybody could read it.
    let openly = bob.administer(&["join", friend.trim()])?;
    assert_eq!(openly.code, Some(64), "{openly:?}");
    assert!(openly.err.contains("can be read by every program"), "{openly:?}");
    for wrong in ["", "https://example.org", &friend[..60]] {
        let ended = administer_with(&bob, &["join"], wrong)?;
        assert_eq!(ended.code, Some(65), "{ended:?}");
    }
    let ended = administer_with(&bob, &["join", "--device"], &friend)?;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // Somebody else's device is not taken in because a link says so.
    let device = link(&bob, &["--device"])?;
    let ended = administer_with(&ada, &["join"], &device)?;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("makes the device `lap`"), "{ended:?}");
    assert!(ada.run(&["friends"])?.ok()?.starts_with("there are no friends here yet"));
    assert_eq!(ada.run(&["devices", "--json"])?.json()?.len(), 1);
    Ok(())
}

#[test]
fn what_the_user_says_of_friends_holds() -> Result<()> {
    let (ada, _bob) = friends()?;
    let ended = ada.administer(&["friends", "verify", "bob"])?;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    ada.administer(&["friends", "verify", "bob", "--yes"])?.ok()?;
    let said = ada.administer(&["friends", "rename", "bob", "robert"])?.ok()?;
    assert_eq!(said, "called robert from now on\n");
    let row = one(&ada, &["friends", "list", "robert", "--json"])?;
    assert_eq!((&row["verified"], &row["petname"]), (&true.into(), &"robert".into()));
    assert_eq!(ada.administer(&["friends", "reject", "robert"])?.code, Some(64));
    let said = ada.administer(&["friends", "reject", "robert", "--yes"])?.ok()?;
    assert_eq!(said, "robert is rejected\n");
    assert_eq!(ada.run(&["pub", "--to", "robert", "a", "1"])?.code, Some(67));
    ada.administer(&["friends", "remove", "robert", "--yes"])?.ok()?;
    let none = "there are no friends here yet";
    assert!(ada.run(&["friends"])?.ok()?.starts_with(none));
    let identity = row["identity"].as_str().context("no identity")?;
    ada.administer(&["friends", "add", identity, "--as", "bob", "--at", "127.0.0.1:9"])?.ok()?;
    let added = one(&ada, &["friends", "list", "bob", "--json"])?;
    assert_eq!((&added["relation"], &added["verified"]), (&"friend".into(), &false.into()));
    Ok(())
}

#[test]
fn a_device_is_taken_in_written_to_and_taken_out() -> Result<()> {
    let (desk, phone) = (bus_of("Ada", "desk")?, bus_of("", "phone")?);
    let link = link(&phone, &["--device"])?;
    let said = administer_with(&desk, &["join", "--device"], &link)?.ok()?;
    assert_eq!(said, "phone is one of your devices now: kith devices\n");
    let identity = desk.run(&["id"])?.ok()?;
    phone.wait_until("it is hers", |phone| Ok(phone.run(&["id"])?.ok()? == identity))?;
    let hearing = phone.subscribe(&["sub", "self.note", "--count", "1", "--raw"])?;
    let told = ["pub", "--to", "self/phone", "--until", "delivered", "note", "7"];
    desk.run(&told)?.ok()?;
    assert_eq!(hearing.end()?.out, "7\n");

    // Her key is on the first one.
    let ended = phone.administer(&["devices", "remove", "desk", "--yes"])?;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("takes the identity key"), "{ended:?}");
    assert_eq!(desk.administer(&["devices", "remove", "car", "--yes"])?.code, Some(67));
    assert_eq!(desk.administer(&["devices", "remove", "phone"])?.code, Some(64));
    let said = desk.administer(&["devices", "remove", "phone", "--yes"])?.ok()?;
    assert_eq!(said, "phone is none of your devices any more\n");
    let left = desk.run(&["devices", "--json"])?.json()?;
    assert_eq!((left.len(), &left[0]["name"]), (1, &"desk".into()));
    assert_eq!(desk.run(&["pub", "--to", "self", "note", "8"])?.code, Some(67));
    Ok(())
}

#[test]
fn a_key_is_locked_and_brought_back() -> Result<()> {
    let bus = Bus::start()?;
    let identity = bus.administer(&["init", "--name", "Ada"])?.ok()?;
    let identity = identity.lines().next().context("no identity")?;
    assert_eq!(bus.administer(&["recovery"])?.code, Some(64));
    let words = bus.administer(&["recovery", "--print"])?.ok()?;
    assert_eq!(words.split_whitespace().count(), 24);
    administer_with(&bus, &["lock"], "a passphrase\n")?.ok()?;
    let ended = bus.administer(&["init", "--name", "Eve"])?;
    assert!(ended.code == Some(1) && ended.err.contains("`kith unlock`"), "{ended:?}");
    assert_eq!(administer_with(&bus, &["unlock"], "another\n")?.code, Some(1));
    assert_eq!(administer_with(&bus, &["unlock"], "\n")?.code, Some(65));
    administer_with(&bus, &["unlock"], "a passphrase\n")?.ok()?;
    assert_eq!(one(&bus, &["id", "--json"])?["key"], "unlocked");

    let other = Bus::start()?;
    let wrong = words.replacen(' ', " abcde ", 1);
    let wrong: Vec<_> = wrong.split_whitespace().take(24).collect();
    let ended = administer_with(&other, &["recover"], &wrong.join(" "))?;
    assert_eq!(ended.code, Some(65), "{ended:?}");
    assert_eq!(ended.err, "kith: word 2, `abcde`, is none of the list\n");
    assert!(administer_with(&other, &["recover"], &words)?.ok()?.contains(identity));
    assert_eq!(other.run(&["id"])?.ok()?, format!("{identity}\n"));
    Ok(())
}
