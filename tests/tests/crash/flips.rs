//! Every byte of a small store changed, and its files cut at every length.
//!
//! Whatever was done to the files, opening has to end in one of two ways: the store holds the
//! first so many commits, whole and as they were; or it says that something was damaged, keeps
//! what was, and holds no value that nobody wrote. It never panics, hangs or fails to open.
//!
//! `KITH_CRASH_BYTES=all` changes every byte; otherwise some hundred of each file, at distances
//! that meet every part of a page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kith_store_disk::{Disk, Kind};
use kith_tests::workload::changes;
use tempfile::TempDir;

use super::checking::{commits, read};

const SEED: u64 = 11;
const COMMITS: u64 = 8;
/// Changes of one file in the short form.
const TRIES: usize = 40;
const PATIENCE: Duration = Duration::from_secs(60);

/// A small store's files: as a process left them that closed it, or that was killed.
fn small(kind: Kind, is_closed: bool) -> TempDir {
    let place = TempDir::new().unwrap();
    let (disk, _) = Disk::open(place.path(), kind).unwrap();
    for number in 1..=COMMITS {
        let (answer, answered) = mpsc::channel();
        disk.commit(changes(SEED, number), move |result| answer.send(result).unwrap());
        answered.recv().unwrap().unwrap();
    }
    if is_closed {
        drop(disk);
        return place;
    }
    let copy = TempDir::new().unwrap();
    copy_directory(place.path(), copy.path());
    copy
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The files below a directory, by their paths in it, with their bytes.
fn files(directory: &Path, inside: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory.join(inside)).unwrap() {
        let path = inside.join(entry.unwrap().file_name());
        if directory.join(&path).is_dir() {
            files(directory, &path, found);
        } else {
            found.push((path.clone(), fs::read(directory.join(path)).unwrap()));
        }
    }
}

/// How openings ended.
#[derive(Debug, Default)]
struct Ends {
    /// Everything was there.
    whole: usize,
    /// The first so many commits were.
    prefix: usize,
    /// It said what was damaged.
    said: usize,
}

/// Opens what was done to the files, on a thread that is given up when it hangs.
fn open(place: &Path, kind: Kind, changed: &Path) -> Result<Option<u64>, String> {
    let (answer, answered) = mpsc::channel();
    let (path, changed) = (place.to_owned(), changed.to_owned());
    let opening = thread::spawn(move || answer.send(look(&path, kind, &changed)));
    match answered.recv_timeout(PATIENCE) {
        Ok(found) => {
            let _ = opening.join();
            found
        }
        Err(mpsc::RecvTimeoutError::Timeout) => Err("it hangs".to_owned()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err("it panicked".to_owned()),
    }
}

/// Up to which commit a store holds everything; none if it says that something was damaged.
fn look(place: &Path, kind: Kind, changed: &Path) -> Result<Option<u64>, String> {
    let bytes = fs::read(changed).map_err(|error| error.to_string())?;
    let (disk, opened) = Disk::open(place, kind).map_err(|error| format!("{error}"))?;
    let Some(quarantine) = opened.quarantined else {
        let number = commits(&disk, SEED, 0)?;
        return Ok(Some(number));
    };
    if quarantine.path.is_dir() {
        let kept = fs::read(quarantine.path.join(
            changed.strip_prefix(place.join(kind.name())).map_err(|error| error.to_string())?,
        ));
        if kept.ok() != Some(bytes) {
            return Err("the damaged file was not kept as it was".to_owned());
        }
    }
    let written: BTreeSet<_> = (1..=COMMITS)
        .flat_map(|number| {
            let changes = changes(SEED, number);
            let pairs =
                changes.changes().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)));
            pairs.collect::<Vec<_>>()
        })
        .collect();
    let strange = read(&disk)?
        .into_iter()
        .find(|(key, value)| !written.contains(&(key.clone(), Some(value.clone()))));
    match strange {
        Some((key, _)) => Err(format!("nobody wrote what {} holds", key.escape_ascii())),
        None => Ok(None),
    }
}

fn positions(length: usize) -> impl Iterator<Item = usize> {
    let is_all = std::env::var("KITH_CRASH_BYTES").is_ok_and(|bytes| bytes == "all");
    // An odd step comes to every place in a page sooner or later.
    let step = if is_all { 1 } else { (length / TRIES) | 1 };
    (0..length).step_by(step)
}

fn damage(kind: Kind, is_closed: bool) -> Vec<String> {
    let original = small(kind, is_closed);
    let mut all = Vec::new();
    files(original.path(), Path::new(kind.name()), &mut all);
    let mut failures = Vec::new();
    for (name, bytes) in &all {
        let flips = positions(bytes.len()).map(|at| {
            let mut changed = bytes.clone();
            changed[at] ^= if at % 2 == 0 { 0xFF } else { 1 << (at % 8) };
            (format!("byte {at} changed"), changed)
        });
        let cuts = positions(bytes.len()).map(|at| (format!("cut at {at}"), bytes[..at].to_vec()));
        let mut ends = Ends::default();
        for (what, changed) in flips.chain(cuts) {
            let place = TempDir::new().unwrap();
            copy_directory(original.path(), place.path());
            fs::write(place.path().join(name), changed).unwrap();
            match open(place.path(), kind, &place.path().join(name)) {
                Ok(Some(COMMITS)) => ends.whole += 1,
                Ok(Some(_)) => ends.prefix += 1,
                Ok(None) => ends.said += 1,
                Err(text) => failures.push(format!("{}: {what}: {text}", name.display())),
            }
        }
        println!("{} of {} bytes: {ends:?}", name.display(), bytes.len());
    }
    failures
}

fn is_told(kind: Kind) {
    for is_closed in [true, false] {
        let failures = damage(kind, is_closed);
        assert!(failures.is_empty(), "{} failures: {failures:#?}", failures.len());
    }
}

#[test]
fn sqlite_tells_every_damage() {
    is_told(Kind::Sqlite);
}

#[test]
fn sled_tells_every_damage() {
    is_told(Kind::Sled);
}
