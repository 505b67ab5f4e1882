//! The handle: order, groups, answers, and who may open what.

use std::sync::{Arc, Barrier, mpsc};

use kith_store::{Batch, Failure, Scan};
use tempfile::TempDir;

use super::{batch, commit, kinds, owned, records};
use crate::limits::{GROUP_BATCHES_MAX, WAITING_BYTES_MAX};
use crate::{CheckError, Disk, Kind, OpenError, check};

/// Has the store's thread wait in an answer, so that more gathers until somebody is at the gate.
fn hold(disk: &Disk) -> Arc<Barrier> {
    let gate = Arc::new(Barrier::new(2));
    let opened = gate.clone();
    disk.commit(Batch::new(), move |_| {
        opened.wait();
        opened.wait();
    });
    gate.wait();
    gate
}

#[test]
fn what_was_answered_is_there_again() -> anyhow::Result<()> {
    for kind in kinds() {
        let place = TempDir::new()?;
        let (disk, opened) = Disk::open(place.path(), kind)?;
        assert!(opened.is_new && opened.quarantined.is_none(), "{opened:?}");
        assert_eq!(commit(&disk, batch(&[("a", "1"), ("b", "2")]))?.sequence(), 1);
        assert_eq!(commit(&disk, batch(&[("b", "3")]))?.sequence(), 2);
        let facts = disk.facts();
        assert_eq!((facts.commits, facts.batches, facts.bytes), (2, 2, 6), "{facts:?}");
        assert!(facts.last_commit_us > 0 && facts.longest_commit_us >= facts.last_commit_us);
        assert_eq!((facts.waiting_batches, facts.waiting_bytes), (0, 0));
        drop(disk);

        let (disk, opened) = Disk::open(place.path(), kind)?;
        assert_eq!((opened.is_new, opened.records, disk.kind()), (false, 2, kind));
        assert_eq!(records(&disk)?, owned(&[("a", "1"), ("b", "3")]));
        assert_eq!(commit(&disk, Batch::new())?.sequence(), 3);
    }
    Ok(())
}

#[test]
fn whatever_waits_goes_into_one_commit_and_a_scan_sees_what_came_before() -> anyhow::Result<()> {
    for kind in kinds() {
        let place = TempDir::new()?;
        let (disk, _) = Disk::open(place.path(), kind)?;
        let gate = hold(&disk);
        let (answer, answered) = mpsc::channel();
        for number in 0..100 {
            let answer = answer.clone();
            let key = format!("m{number:03}");
            disk.commit(batch(&[(&key, "x")]), move |result| {
                answer.send((number, result.map(|receipt| receipt.sequence()))).unwrap();
            });
        }
        let scanned = answer.clone();
        disk.scan(Scan::prefix(b"m"), move |page| {
            let n_seen = page.map(|page| page.records.len() as u64);
            scanned.send((1000, n_seen)).unwrap();
        });
        disk.commit(batch(&[("n", "later")]), move |result| {
            answer.send((1001, result.map(|receipt| receipt.sequence()))).unwrap();
        });
        gate.wait();
        let answers: Vec<_> = answered.iter().collect();
        let expected = (0..100).map(|number| (number, Ok(2)));
        assert!(answers.iter().cloned().eq(expected.chain([(1000, Ok(100)), (1001, Ok(3))])));
        assert_eq!(disk.facts().commits, 3);
    }
    Ok(())
}

#[test]
fn a_batch_that_nobody_can_store_fails_alone() -> anyhow::Result<()> {
    let place = TempDir::new()?;
    let (disk, _) = Disk::open(place.path(), Kind::Sqlite)?;
    let gate = hold(&disk);
    let (answer, answered) = mpsc::channel();
    for key in ["a", "NOT", "c"] {
        let answer = answer.clone();
        disk.commit(batch(&[(key, "")]), move |result| answer.send(result.is_ok()).unwrap());
    }
    drop(answer);
    gate.wait();
    assert_eq!(answered.iter().collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(records(&disk)?, owned(&[("a", ""), ("c", "")]));
    let facts = disk.facts();
    assert_eq!((facts.failed_batches, facts.failing), (1, None));
    Ok(())
}

#[test]
fn what_waits_is_bounded_and_dropping_the_handle_does_it_first() -> anyhow::Result<()> {
    let place = TempDir::new()?;
    let (disk, _) = Disk::open(place.path(), Kind::Sqlite)?;
    let gate = hold(&disk);
    let (answer, answered) = mpsc::channel();
    let mut large = Batch::new();
    large.put("large", vec![0; WAITING_BYTES_MAX / 2 + 1]);
    for _ in 0..2 {
        let answer = answer.clone();
        disk.commit(large.clone(), move |result| answer.send(result.map(|_| ())).unwrap());
    }
    drop(large);
    for number in 0..GROUP_BATCHES_MAX + 5 {
        let answer = answer.clone();
        let small = batch(&[(&format!("s{number}"), "")]);
        disk.commit(small, move |result| answer.send(result.map(|_| ())).unwrap());
    }
    drop(answer);
    gate.wait();
    drop(disk);
    let answers: Vec<_> = answered.iter().collect();
    assert_eq!(answers.len(), GROUP_BATCHES_MAX + 7);
    assert_eq!(answers[0], Ok(()));
    assert!(matches!(answers[1], Err(Failure::InputOutput { .. })), "{:?}", answers[1]);
    assert!(answers[2..].iter().all(Result::is_ok));
    let (_disk, opened) = Disk::open(place.path(), Kind::Sqlite)?;
    assert_eq!(opened.records, GROUP_BATCHES_MAX as u64 + 6);
    Ok(())
}

#[test]
fn one_process_at_a_time_has_it_open() -> anyhow::Result<()> {
    for kind in kinds() {
        let place = TempDir::new()?;
        let (disk, _) = Disk::open(place.path(), kind)?;
        let busy = Disk::open(place.path(), kind).map(|_| ());
        assert_eq!(busy, Err(OpenError::Busy { path: place.path().to_owned() }));
        let busy = check(place.path(), kind, true, &mut |_| {});
        assert!(matches!(busy, Err(CheckError::Open(OpenError::Busy { .. }))), "{busy:?}");
        drop(disk);
        assert_eq!(check(place.path(), kind, true, &mut |_| {})?.faults, [""; 0]);
    }
    Ok(())
}

#[test]
fn engines_have_names_and_an_absent_one_says_so() -> anyhow::Result<()> {
    assert_eq!(Kind::from_name("sqlite"), Some(Kind::Sqlite));
    assert_eq!(Kind::from_name("sled"), Some(Kind::Sled));
    assert_eq!(Kind::from_name("none"), None);
    let place = TempDir::new()?;
    let none = check(place.path(), Kind::Sqlite, false, &mut |_| {});
    assert_eq!(none, Err(CheckError::None { path: place.path().join("sqlite") }));
    if !Kind::Sled.is_built_in() {
        let absent = Disk::open(place.path(), Kind::Sled).map(|_| ());
        assert_eq!(absent, Err(OpenError::NotBuiltIn { kind: Kind::Sled }));
    }
    Ok(())
}
