//! What every backend has to do, tried on all of them: in memory, on SQLite and on sled.
//!
//! The last test is the strictest: some hundred commits that a number decides, compared after each
//! with a map, over closing and opening again.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use kith_store::{Backend, Each, Failure, Memory};
use tempfile::TempDir;

use crate::Kind;

/// A place where a backend can be opened again and again.
enum Place {
    Memory(Arc<Mutex<Memory>>),
    Disk(Kind, TempDir),
}

struct Shared(Arc<Mutex<Memory>>);

impl Backend for Shared {
    fn commit(
        &mut self,
        changes: &mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>,
    ) -> Result<(), Failure> {
        self.0.lock().unwrap().commit(changes)
    }

    fn scan(&mut self, from: &[u8], to: Option<&[u8]>, each: &mut Each<'_>) -> Result<(), Failure> {
        self.0.lock().unwrap().scan(from, to, each)
    }
}

impl Place {
    fn all() -> anyhow::Result<Vec<Self>> {
        let mut places = vec![Self::Memory(Arc::default())];
        for kind in super::kinds() {
            let place = TempDir::new()?;
            drop(kind.create(place.path())?);
            places.push(Self::Disk(kind, place));
        }
        Ok(places)
    }

    fn open(&self) -> anyhow::Result<Box<dyn Backend>> {
        Ok(match self {
            Self::Memory(memory) => Box::new(Shared(memory.clone())),
            Self::Disk(kind, place) => kind.open(place.path())?,
        })
    }
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn scan(backend: &mut dyn Backend, from: &[u8], to: Option<&[u8]>, n_max: usize) -> Entries {
    let mut found = Vec::new();
    let read = backend.scan(from, to, &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        if found.len() < n_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    read.expect("nothing is in the way");
    found
}

fn put(backend: &mut dyn Backend, changes: &[(&[u8], Option<&[u8]>)]) {
    backend.commit(&mut changes.iter().copied()).expect("nothing is in the way");
}

#[test]
fn changes_are_made_in_order_and_read_in_the_order_of_keys() -> anyhow::Result<()> {
    for place in Place::all()? {
        let mut backend = place.open()?;
        assert_eq!(scan(&mut *backend, b"", None, 9), []);
        put(&mut *backend, &[]);
        put(&mut *backend, &[(b"b", Some(b"1")), (b"b", Some(b"2")), (b"a", Some(b""))]);
        put(&mut *backend, &[(b"c", Some(b"3")), (b"c", None), (b"never", None)]);
        put(&mut *backend, &[(b"\0", Some(b"\0\xFF")), (b"\xFF\xFF", Some(b"end"))]);
        let expected = [
            (b"\0".to_vec(), b"\0\xFF".to_vec()),
            (b"a".to_vec(), Vec::new()),
            (b"b".to_vec(), b"2".to_vec()),
            (b"\xFF\xFF".to_vec(), b"end".to_vec()),
        ];
        assert_eq!(scan(&mut *backend, b"", None, 9), expected);
        drop(backend);
        assert_eq!(scan(&mut *place.open()?, b"", None, 9), expected);
    }
    Ok(())
}

#[test]
fn a_scan_keeps_to_its_bounds_and_stops_when_told() -> anyhow::Result<()> {
    for place in Place::all()? {
        let mut backend = place.open()?;
        let keys: Vec<_> = (0..40_u8).map(|number| vec![b'k', number]).collect();
        let changes: Vec<_> = keys.iter().map(|key| (key.as_slice(), Some(&b"v"[..]))).collect();
        put(&mut *backend, &changes);
        let first = |found: Entries| {
            (found.len(), found.first().map(|(key, _)| key[1]).unwrap_or_default())
        };
        let backend = &mut *backend;
        assert_eq!(first(scan(backend, b"k\x05", Some(b"k\x09"), 99)), (4, 5));
        assert_eq!(first(scan(backend, b"k\x05", None, 3)), (3, 5));
        assert_eq!(first(scan(backend, b"k", Some(b"k\0"), 99)), (0, 0));
        assert_eq!(first(scan(backend, b"k\x09", Some(b"k\x05"), 99)), (0, 0));
        assert_eq!(first(scan(backend, b"", Some(b"l"), 99)), (40, 0));
        assert_eq!(first(scan(backend, b"l", None, 99)), (0, 0));
    }
    Ok(())
}

#[test]
fn large_values_come_back_as_they_were() -> anyhow::Result<()> {
    for place in Place::all()? {
        let mut backend = place.open()?;
        let large: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        put(&mut *backend, &[(b"x", Some(b"small")), (b"y", Some(&large)), (b"z", Some(b"z"))]);
        drop(backend);
        let mut backend = place.open()?;
        assert!(scan(&mut *backend, b"y", Some(b"z"), 9)[0].1 == large);
        put(&mut *backend, &[(b"y", None)]);
        assert_eq!(scan(&mut *backend, b"", None, 9).len(), 2);
    }
    Ok(())
}

#[test]
fn whatever_is_done_it_is_a_map() -> anyhow::Result<()> {
    for place in Place::all()? {
        let mut model = BTreeMap::new();
        let mut backend = place.open()?;
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for round in 0..200 {
            let mut changes = Vec::new();
            for _ in 0..next(20) {
                let key = format!("k{}", next(200)).into_bytes();
                let size = usize::try_from(next(1500))?;
                let value = (next(3) > 0).then(|| vec![u8::try_from(next(256)).unwrap(); size]);
                changes.push((key, value));
            }
            let slices: Vec<_> =
                changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
            put(&mut *backend, &slices);
            for (key, value) in changes {
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
            if round % 40 == 39 {
                drop(backend);
                backend = place.open()?;
            }
            let read = scan(&mut *backend, b"", None, usize::MAX);
            assert!(read.iter().map(|(key, value)| (key, value)).eq(&model), "round {round}");
        }
    }
    Ok(())
}
