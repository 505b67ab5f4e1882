//! Whether a store has all that was answered, whole commits only, and goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;

use kith_store::Scan;
use kith_store_disk::{Disk, Kind, Opened};
use kith_tests::workload::{NUMBER, changes, contents};

/// How the text begins if part of an answered commit is missing, and nothing says so.
pub(crate) const LOST: &str = "lost of answered commit";
/// If it is of a commit that nobody was told of.
pub(crate) const TORN: &str = "torn, not answered commit";

/// What a store holds, or what is wrong with it.
pub(crate) fn read(disk: &Disk) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let mut found = BTreeMap::new();
    let mut scan = Scan::all();
    loop {
        let page = disk.scan_now(scan.clone()).map_err(|failure| failure.to_string())?;
        if let Some(damage) = page.damaged.first() {
            return Err(format!("record {}: {}", damage.key.escape_ascii(), damage.text));
        }
        let next = scan.after(&page);
        found.extend(page.records.into_iter().map(|record| (record.key, record.value)));
        match next {
            Some(next) => scan = next,
            None => return Ok(found),
        }
    }
}

/// The number of the commit up to which a store has everything of the workload, and nothing later.
/// Commits up to `answered` have to be there whatever happened.
pub(crate) fn commits(disk: &Disk, seed: u64, answered: u64) -> Result<u64, String> {
    let found = read(disk)?;
    let number = found.get(NUMBER).map_or(Ok(0), |text| {
        str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or("no number")
    })?;
    let expected = contents(seed, number);
    let keys = expected.keys().chain(found.keys());
    let differing = keys.filter(|key| found.get(*key) != expected.get(*key));
    let Some((last, key)) = differing.map(|key| (last_of(seed, number, key), key)).min() else {
        return Ok(number);
    };
    let shown = |value: Option<&Vec<u8>>| match value {
        Some(value) => {
            let start = value.get(..value.len().min(12)).unwrap_or_default();
            format!("\"{}\" of {} bytes", start.escape_ascii(), value.len())
        }
        None => "nothing".to_owned(),
    };
    let (has, should) = (shown(found.get(key)), shown(expected.get(key)));
    let what = if last > answered { TORN } else { LOST };
    let key = key.escape_ascii();
    Err(format!("{what} {last}: it says commit {number}, and {key} is {has} and not {should}"))
}

/// The commit that changed a key last.
fn last_of(seed: u64, number: u64, key: &[u8]) -> u64 {
    let changed = |number: &u64| changes(seed, *number).changes().any(|(one, _)| one == key);
    (1..=number).rev().find(changed).unwrap_or_default()
}

/// Opens what a crash left. All commits up to `answered` have to be in it, and no later ones than
/// `asked`; nothing may be damaged; and it has to take another commit.
pub(crate) fn check(
    directory: &Path,
    kind: Kind,
    seed: u64,
    answered: u64,
    asked: u64,
) -> Result<u64, String> {
    let (disk, opened) = open(directory, kind)?;
    if let Some(quarantine) = opened.quarantined {
        return Err(format!("after commit {answered}: {quarantine}"));
    }
    let number = commits(&disk, seed, answered)?;
    if number < answered || number > asked {
        return Err(format!("{answered} were answered of {asked}, and it has {number}"));
    }
    let (answer, committed) = mpsc::channel();
    disk.commit(changes(seed, number + 1), move |result| answer.send(result).unwrap());
    committed.recv().unwrap().map_err(|failure| failure.to_string())?;
    drop(disk);
    let again = commits(&open(directory, kind)?.0, seed, number + 1)?;
    if again == number + 1 { Ok(number) } else { Err(format!("it went on to {again}")) }
}

fn open(directory: &Path, kind: Kind) -> Result<(Disk, Opened), String> {
    Disk::open(directory, kind).map_err(|error| format!("it does not open: {error}"))
}
