//! The store over a backend in memory: what comes back, what is found out, and what is refused.

use std::error::Error;
use std::ops::ControlFlow;

use crate::format::{seal, unseal};
use crate::limits::{KEY_BYTES_MAX, PAGE_RECORDS_MAX};
use crate::migration::Step;
use crate::{Backend, Batch, Failure, Memory, OpenError, Page, Scan, Store};

type Outcome = Result<(), Box<dyn Error>>;

fn store() -> Result<Store<Memory>, OpenError> {
    Store::open(Memory::new())
}

fn batch(pairs: &[(&str, &str)]) -> Batch {
    let mut batch = Batch::new();
    pairs.iter().for_each(|(key, value)| batch.put(*key, *value));
    batch
}

fn pairs(page: &Page) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    page.records.iter().map(|record| (text(&record.key), text(&record.value))).collect()
}

#[test]
fn what_was_committed_is_read_again_in_the_order_of_its_keys() -> Outcome {
    let mut store = store()?;
    let mut first = batch(&[("b", "2"), ("a", "1"), ("c", "3")]);
    first.put("b", "4");
    first.delete("c");
    first.delete("never");
    assert_eq!((first.len(), first.bytes(), first.is_empty()), (6, 14, false));
    assert_eq!(store.commit(&[first, batch(&[("ab", "")])])?.sequence(), 1);

    let mut disk = Store::open(store.into_backend())?;
    assert_eq!(disk.head(), 1);
    let page = disk.scan(&Scan::all())?;
    let expected = [("a", "1"), ("ab", ""), ("b", "4")];
    assert_eq!(pairs(&page), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(page.records.iter().all(|record| record.sequence == 1), "{page:?}");
    assert_eq!((page.damaged.len(), page.next), (0, None));
    assert_eq!(disk.commit(&[])?.sequence(), 2);
    assert_eq!(disk.backend_mut().commits(), 3, "one for each commit, and one to make the head");
    Ok(())
}

#[test]
fn later_batches_win_and_appended_ones_come_last() -> Outcome {
    let mut store = store()?;
    let mut one = batch(&[("a", "1")]);
    one.append(&batch(&[("a", "2"), ("b", "2")]));
    assert_eq!((one.len(), one.bytes()), (3, 6));
    store.commit(&[one, batch(&[("b", "3")])])?;
    let read = pairs(&store.scan(&Scan::all())?);
    assert_eq!(read, [("a".into(), "2".into()), ("b".into(), "3".into())]);
    Ok(())
}

#[test]
fn a_scan_stays_in_its_range_and_goes_on_where_it_stopped() -> Outcome {
    let mut store = store()?;
    let keys: Vec<_> = (0..50).map(|number| format!("m{number:02}")).collect();
    let mut all = batch(&[("l", "before"), ("n", "behind"), ("m", "x")]);
    keys.iter().for_each(|key| all.put(key.as_str(), "12345"));
    store.commit(&[all])?;

    for (records_max, bytes_max) in [(7, usize::MAX), (usize::MAX, 20), (0, 0), (1, 9), (51, 999)] {
        let mut scan = Scan { records_max, bytes_max, ..Scan::prefix(b"m") };
        let mut found = Vec::new();
        loop {
            let page = store.scan(&scan)?;
            assert!(!page.records.is_empty() && page.records.len() <= records_max.max(1));
            found.extend(page.records.iter().map(|record| record.key.clone()));
            let Some(next) = scan.after(&page) else { break };
            scan = next;
        }
        assert_eq!(found.len(), 51, "{records_max} records, {bytes_max} bytes");
        assert!(found.is_sorted(), "{found:?}");
    }
    let none = Scan { from: b"m9".to_vec(), to: Some(b"m".to_vec()), ..Scan::all() };
    assert_eq!(store.scan(&none)?, Page::default());
    let own = Scan { to: Some(b"a".to_vec()), ..Scan::all() };
    assert_eq!(store.scan(&own)?, Page::default(), "the store's own records are not shown");
    assert_eq!(Scan::prefix(&[b'a', 0xFF]).to, Some(b"b".to_vec()));
    assert_eq!(Scan::prefix(&[0xFF, 0xFF]).to, None);
    assert_eq!(Scan::all().records_max, PAGE_RECORDS_MAX);
    Ok(())
}

#[test]
fn a_failed_commit_changes_nothing_and_its_sequence_is_not_used_again() -> Outcome {
    let mut store = store()?;
    store.commit(&[batch(&[("a", "1")])])?;
    let failure = Failure::Full { text: "no room".to_owned() };
    store.backend_mut().fail(Some(failure.clone()));
    assert_eq!(store.commit(&[batch(&[("a", "2")])]), Err(failure));
    assert_eq!(pairs(&store.scan(&Scan::all())?), [("a".into(), "1".into())]);
    store.backend_mut().fail(None);
    assert_eq!(store.commit(&[batch(&[("a", "3")])])?.sequence(), 3);
    assert_eq!(Store::open(store.into_backend())?.head(), 3);
    Ok(())
}

#[test]
fn keys_that_are_not_a_callers_are_refused_and_nothing_of_the_batch_goes_in() -> Outcome {
    let mut store = store()?;
    let long = vec![b'k'; KEY_BYTES_MAX + 1];
    for key in [&b""[..], b"\0head", b"A", b"0", b"\xFF", &long] {
        let mut mixed = batch(&[("a", "1")]);
        mixed.put(key, "x");
        let refused = store.commit(&[mixed]);
        assert!(matches!(refused, Err(Failure::Refused { .. })), "{key:?}: {refused:?}");
    }
    store.commit(&[batch(&[(str::from_utf8(&long[1..])?, "longest")])])?;
    assert_eq!(store.scan(&Scan::all())?.records.len(), 1);
    Ok(())
}

#[test]
fn every_changed_byte_of_a_record_is_found_out() -> Outcome {
    let mut sealed = Vec::new();
    seal(b"key", 5, b"value", &mut sealed);
    assert_eq!(unseal(b"key", &sealed, 5)?, (5, &b"value"[..]));
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            assert!(unseal(b"key", &changed, u64::MAX).is_err(), "byte {at}, bit {bit}");
        }
        assert!(unseal(b"key", &sealed[..at], 5).is_err(), "cut at {at}");
    }
    assert!(unseal(b"kez", &sealed, 5).is_err(), "under another key");
    assert!(unseal(b"key", &sealed, 4).is_err(), "of a commit that is not there");
    sealed.push(0);
    assert!(unseal(b"key", &sealed, 5).is_err(), "with a byte more");
    Ok(())
}

#[test]
fn a_seal_is_as_documented() {
    let mut sealed = Vec::new();
    seal(b"m1", 0x0102, b"hi", &mut sealed);
    // CRC-32 of 01 02000000 0201000000000000 "m1" "hi", computed with another program.
    assert_eq!(sealed, b"\x01\xE8\xC6\xF3\x91\x02\x01\0\0\0\0\0\0hi");
}

#[test]
fn damaged_records_are_named_and_the_others_come_all_the_same() -> Outcome {
    let mut store = store()?;
    store.commit(&[batch(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")])])?;
    let entries = store.backend_mut().entries_mut();
    let other = entries[&b"a"[..]].clone();
    entries.insert(b"b".to_vec(), other);
    entries.insert(b"d".to_vec(), Vec::new());
    let page = store.scan(&Scan::all())?;
    assert_eq!(pairs(&page), [("a".into(), "1".into()), ("c".into(), "3".into())]);
    let named: Vec<_> = page.damaged.iter().map(|damage| damage.key.as_slice()).collect();
    assert_eq!(named, [b"b", b"d"]);
    Ok(())
}

#[test]
fn a_damaged_or_missing_head_is_no_empty_store() -> Outcome {
    let mut store = store()?;
    store.commit(&[batch(&[("a", "1")])])?;
    let whole = store.into_backend();
    let head = b"\0head";

    let mut missing = whole.clone();
    missing.entries_mut().remove(&head[..]);
    assert!(matches!(Store::open(missing), Err(OpenError::Head { .. })));
    let mut short = whole.clone();
    short.entries_mut().entry(head.to_vec()).and_modify(|value| value.truncate(9));
    assert!(matches!(Store::open(short), Err(OpenError::Head { .. })));

    // A head of an earlier time: what came after it is not believed.
    let mut old = whole;
    let mut sealed = Vec::new();
    seal(head, 0, &1_u32.to_le_bytes(), &mut sealed);
    old.entries_mut().insert(head.to_vec(), sealed);
    let page = Store::open(old)?.scan(&Scan::all())?;
    assert_eq!((page.records.len(), page.damaged.len()), (0, 1));
    Ok(())
}

fn shout(backend: &mut dyn Backend) -> Result<Batch, Failure> {
    let mut batch = Batch::new();
    backend.scan(b"a", None, &mut |key, sealed| {
        if let Ok((_, value)) = unseal(key, sealed, u64::MAX) {
            batch.put(key, value.to_ascii_uppercase());
        }
        ControlFlow::Continue(())
    })?;
    Ok(batch)
}

fn rename(backend: &mut dyn Backend) -> Result<Batch, Failure> {
    let mut batch = shout(backend)?;
    batch.delete("a");
    batch.put("z", "was a");
    Ok(batch)
}

#[test]
fn older_stores_are_taken_along_step_by_step_and_newer_ones_refused() -> Outcome {
    let mut store = store()?;
    store.commit(&[batch(&[("a", "x"), ("b", "y")])])?;
    let disk = store.into_backend();
    let steps = [Step { from: 1, changes: shout }, Step { from: 2, changes: rename }];

    let mut failing = disk.clone();
    failing.fail(Some(Failure::Stopped));
    let failed = Store::open_as(failing, 3, &steps).map(|store| store.head());
    assert_eq!(failed, Err(OpenError::Failure(Failure::Stopped)));

    let mut moved = Store::open_as(disk.clone(), 3, &steps)?;
    assert_eq!(
        pairs(&moved.scan(&Scan::all())?),
        [("b".into(), "Y".into()), ("z".into(), "was a".into())]
    );
    assert_eq!(moved.head(), 3, "a commit for each step");
    let moved = moved.into_backend();
    assert_eq!(Store::open_as(moved.clone(), 3, &steps)?.head(), 3, "and only once");
    let refused = Store::open(moved).map(|store| store.head());
    assert_eq!(refused, Err(OpenError::Newer { found: 3, known: 1 }));
    let gap = Store::open_as(disk, 3, &steps[1..]).map(|store| store.head());
    assert!(matches!(gap, Err(OpenError::Head { .. })));
    Ok(())
}
