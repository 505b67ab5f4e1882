//! What has come before: copies are known, memory is bounded, and the disk knows it too.

use super::samples::{id, party};
use crate::envelope::{Change, Lane, RecordError, Remembered, Seen};
use crate::limits::SEEN_IDS_MAX;
use kith_wire::MessageId;
use std::collections::BTreeMap;

const LANE: Lane = Lane::Normal;

fn numbered(number: u64) -> MessageId {
    MessageId::from_parts(number, &[0; 10])
}

fn commit(seen: &mut Seen, disk: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for Change { key, value } in seen.take_changes() {
        match value {
            Some(value) => drop(disk.insert(key, value.to_vec())),
            None => drop(disk.remove(&key)),
        }
    }
}

fn loaded(disk: &BTreeMap<Vec<u8>, Vec<u8>>) -> Seen {
    let mut seen = Seen::new();
    disk.iter().for_each(|(key, value)| seen.load(key, value).unwrap());
    seen
}

#[test]
fn a_copy_is_known_until_it_can_no_longer_arrive() {
    let (mut seen, mut disk) = (Seen::new(), BTreeMap::new());
    assert!(!seen.is_copy(party(1), LANE, &id(1)));
    assert_eq!(seen.remember(party(1), LANE, id(1), 100), Remembered::New);
    assert_eq!(seen.remember(party(1), LANE, id(1), 100), Remembered::Copy);
    // One sender's ids say nothing of another's.
    assert_eq!(seen.remember(party(2), LANE, id(1), 100), Remembered::New);
    assert_eq!(seen.remember(party(1), Lane::Realtime, id(1), 100), Remembered::New);
    commit(&mut seen, &mut disk);
    assert_eq!((disk.len(), seen.count()), (2, 3));
    let mut seen = loaded(&disk);
    assert!(seen.is_copy(party(1), LANE, &id(1)));
    assert_eq!((seen.expire(99), seen.expire(100), seen.count()), (0, 2, 0));
    commit(&mut seen, &mut disk);
    assert!(disk.is_empty());
}

#[test]
fn at_the_bound_the_oldest_are_refused_and_nothing_comes_twice() {
    let (mut seen, mut disk) = (Seen::new(), BTreeMap::new());
    let count = SEEN_IDS_MAX as u64;
    for number in 0..count {
        assert_eq!(seen.remember(party(1), LANE, numbered(2 * number), 100), Remembered::New);
    }
    assert_eq!(seen.remember(party(1), LANE, numbered(2 * count), 200), Remembered::New);
    assert_eq!(seen.count(), SEEN_IDS_MAX * 7 / 8 + 1);
    commit(&mut seen, &mut disk);
    assert_eq!(disk.len(), SEEN_IDS_MAX * 7 / 8 + 2);
    for mut seen in [seen, loaded(&disk)] {
        for number in 0..count {
            let known = seen.remember(party(1), LANE, numbered(2 * number), 100);
            let is_forgotten = number < count / 8;
            let expected = if is_forgotten { Remembered::TooOld } else { Remembered::Copy };
            assert_eq!(known, expected, "{number}");
        }
        assert_eq!(seen.remember(party(1), LANE, numbered(1), 100), Remembered::TooOld);
        let between = numbered(2 * count - 1);
        assert_eq!(seen.remember(party(1), LANE, between, 100), Remembered::New);
        // What was forgotten early is past its time as well.
        assert_eq!(seen.expire(100), SEEN_IDS_MAX * 7 / 8 + 1);
        assert_eq!(seen.remember(party(1), LANE, numbered(1), 300), Remembered::New);
    }
}

#[test]
fn a_sender_is_forgotten_whole() {
    let (mut seen, mut disk) = (Seen::new(), BTreeMap::new());
    for number in 1..5 {
        seen.remember(party(number), Lane::High, id(number), 100);
    }
    commit(&mut seen, &mut disk);
    (1..4).for_each(|number| seen.forget(party(number)));
    commit(&mut seen, &mut disk);
    assert_eq!((disk.len(), seen.count(), loaded(&disk).count()), (1, 1, 1));
}

#[test]
fn damaged_records_are_refused() {
    let (mut seen, mut disk) = (Seen::new(), BTreeMap::new());
    seen.remember(party(1), LANE, id(1), 100);
    commit(&mut seen, &mut disk);
    let (key, value) = disk.first_key_value().unwrap();
    let mut other = Seen::new();
    assert_eq!(other.load(&key[1..], value), Err(RecordError::Key));
    assert_eq!(other.load(&key[..80], value), Err(RecordError::Key));
    assert_eq!(other.load(key, &value[1..]), Err(RecordError::Value));
    assert_eq!(other.load(key, &[value.as_slice(), b"x"].concat()), Err(RecordError::Value));
    assert_eq!(other.count(), 0);
}
