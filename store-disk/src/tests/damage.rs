//! What opening and checking do with files that are not as they were left.

use std::fs;
use std::path::Path;

use kith_store::{Backend, head_entry};
use tempfile::TempDir;

use super::{batch, commit, kinds, owned, records};
use crate::place::Place;
use crate::{Disk, Kind, OpenError, check};

const FILE: &str = "sqlite/records.sqlite";

/// A closed store with a few records.
fn closed(kind: Kind) -> anyhow::Result<TempDir> {
    let place = TempDir::new()?;
    let (disk, _) = Disk::open(place.path(), kind)?;
    for number in 0..200 {
        let value = format!("value {number:03} ").repeat(20);
        commit(&disk, batch(&[(&format!("m{number:03}"), &value)]))?;
    }
    Ok(place)
}

/// Changes the byte in the middle of the first place where `text` stands.
fn change(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut bytes = fs::read(path)?;
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes());
    bytes[at.unwrap() + text.len() / 2] ^= 1;
    fs::write(path, bytes)?;
    Ok(())
}

#[test]
fn a_lone_damaged_record_is_put_aside_and_the_others_stay() -> anyhow::Result<()> {
    let place = closed(Kind::Sqlite)?;
    change(&place.path().join(FILE), "value 007")?;
    change(&place.path().join(FILE), "value 100")?;

    let report = check(place.path(), Kind::Sqlite, false, &mut |_| {})?;
    assert_eq!((report.records, report.damaged, report.faults.len()), (198, 2, 2), "{report:?}");
    assert!(report.faults[0].contains("m007"), "{report:?}");
    assert_eq!((report.head, report.repaired), (Some(200), None));

    let (disk, opened) = Disk::open(place.path(), Kind::Sqlite)?;
    let quarantine = opened.quarantined.unwrap();
    assert_eq!((quarantine.saved, opened.records), (198, 198), "{quarantine}");
    let kept = fs::read_to_string(&quarantine.path)?;
    assert!(kept.starts_with("6d303037\t01") && kept.lines().count() == 2, "{kept}");
    assert!(quarantine.to_string().contains("2 of its records"), "{quarantine}");
    assert_eq!(records(&disk)?.len(), 198);
    drop(disk);
    assert_eq!(check(place.path(), Kind::Sqlite, false, &mut |_| {})?.faults, [""; 0]);
    Ok(())
}

#[test]
fn files_that_cannot_be_used_are_kept_and_what_can_be_read_is_saved() -> anyhow::Result<()> {
    let place = closed(Kind::Sqlite)?;
    let path = place.path().join(FILE);
    let mut bytes = fs::read(&path)?;
    // A page in the middle, which holds some of the records.
    let at = bytes.len() / 2 / 4096 * 4096;
    bytes[at..at + 4096].fill(0xAA);
    fs::write(&path, &bytes)?;

    let report = check(place.path(), Kind::Sqlite, false, &mut |_| {})?;
    assert!(!report.faults.is_empty());
    assert!(fs::read(&path)? == bytes, "looking changes nothing");

    let (disk, opened) = Disk::open(place.path(), Kind::Sqlite)?;
    let quarantine = opened.quarantined.unwrap();
    assert!(quarantine.saved > 100 && quarantine.saved < 200, "{quarantine}");
    assert_eq!(opened.records, quarantine.saved);
    assert!(fs::read(quarantine.path.join("records.sqlite"))? == bytes, "kept as it was");
    for (key, value) in records(&disk)? {
        assert!(value.starts_with(&format!("value {} ", &key[1..])), "{key}: {value}");
    }
    assert_eq!(commit(&disk, batch(&[("z", "goes on")]))?.sequence(), 201);
    Ok(())
}

#[test]
fn a_store_that_is_empty_or_gone_is_no_new_one() -> anyhow::Result<()> {
    for kind in kinds() {
        let place = closed(kind)?;
        for entry in fs::read_dir(place.path().join(kind.name()))? {
            let path = entry?.path();
            if path.is_file() {
                fs::write(path, b"")?;
            }
        }
        let (disk, opened) = Disk::open(place.path(), kind)?;
        assert!(!opened.is_new);
        let quarantine = opened.quarantined.unwrap();
        assert_eq!((quarantine.saved, quarantine.path.is_dir()), (0, true), "{quarantine}");
        assert_eq!(records(&disk)?, []);
    }
    Ok(())
}

#[test]
fn a_check_can_repair() -> anyhow::Result<()> {
    let place = closed(Kind::Sqlite)?;
    change(&place.path().join(FILE), "value 150")?;
    let mut steps = Vec::new();
    let report = check(place.path(), Kind::Sqlite, true, &mut |n| steps.push(n))?;
    assert_eq!(report.repaired.unwrap().saved, 199);
    assert_eq!(steps.last(), Some(&199));
    let report = check(place.path(), Kind::Sqlite, true, &mut |_| {})?;
    assert_eq!((report.faults.len(), report.records, report.repaired), (0, 199, None));
    Ok(())
}

#[test]
fn a_crash_between_the_two_renames_is_gone_on_with() -> anyhow::Result<()> {
    for kind in kinds() {
        let place = closed(kind)?;
        let at = |name: &str| place.path().join(format!("{}{name}", kind.name()));
        fs::rename(at(""), at(".ready"))?;
        fs::create_dir(at(".new"))?;
        fs::write(at(".new").join("half"), b"")?;
        let (disk, opened) = Disk::open(place.path(), kind)?;
        assert_eq!((opened.records, opened.is_new), (200, false));
        drop(disk);

        // Before them, the finished new one is thrown away and made again.
        fs::create_dir(at(".ready"))?;
        let (_disk, opened) = Disk::open(place.path(), kind)?;
        assert_eq!(opened.records, 200);
        assert!(!at(".ready").exists() && !at(".new").exists());
    }
    Ok(())
}

#[test]
fn a_newer_store_is_refused_and_left_alone() -> anyhow::Result<()> {
    for kind in kinds() {
        let place = closed(kind)?;
        let taken = Place::take(place.path(), kind)?;
        let (key, _) = head_entry(0);
        let mut sealed = Vec::new();
        sealed.extend(b"\x01\x33\x29\x6A\x3B");
        sealed.extend(200_u64.to_le_bytes());
        sealed.extend(9_u32.to_le_bytes());
        let mut engine = kind.open(&taken.path())?;
        engine.commit(&mut [(key.as_slice(), Some(sealed.as_slice()))].into_iter())?;
        drop((engine, taken));
        let refused = Disk::open(place.path(), kind).map(|_| ());
        assert!(matches!(refused, Err(OpenError::Newer { .. })), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("version 9"));
        assert_eq!(fs::read_dir(place.path())?.count(), 2, "nothing was put aside");
    }
    Ok(())
}

#[test]
fn a_log_that_was_left_behind_is_read() -> anyhow::Result<()> {
    let place = TempDir::new()?;
    let (disk, _) = Disk::open(place.path(), Kind::Sqlite)?;
    commit(&disk, batch(&[("a", "1")]))?;
    let copy = TempDir::new()?;
    fs::create_dir(copy.path().join("sqlite"))?;
    for name in ["records.sqlite", "records.sqlite-wal"] {
        fs::copy(place.path().join("sqlite").join(name), copy.path().join("sqlite").join(name))?;
    }
    let (copied, opened) = Disk::open(copy.path(), Kind::Sqlite)?;
    assert_eq!((records(&copied)?, opened.quarantined), (owned(&[("a", "1")]), None));
    Ok(())
}
