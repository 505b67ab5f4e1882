//! Looking through a store that nobody has open, and mending what can be mended.
//!
//! Without `repair` nothing is put aside or written into the store. With it, the store is opened
//! as the daemon would open it, which puts aside what is damaged.

use std::path::{Path, PathBuf};

use kith_store::{Failure, Store};

use crate::opening::open_in;
use crate::place::{Place, Quarantine};
use crate::verify::verify;
use crate::{CheckError, Kind, OpenError};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The store's directory.
    pub path: PathBuf,
    /// Records that are whole.
    pub records: u64,
    /// Bytes of their keys and values, seals included.
    pub bytes: u64,
    /// The sequence of the last commit; absent if it can't be read.
    pub head: Option<u64>,
    /// Records that are damaged.
    pub damaged: u64,
    /// Everything that is wrong, a line each. Empty for a store that is whole.
    pub faults: Vec<String>,
    /// What was put aside: with `repair` only.
    pub repaired: Option<Quarantine>,
}

/// Checks the store of this kind in a directory. `progress` gets the number of records read so far.
///
/// # Errors
/// [`CheckError`]. Damage is none: the [`Report`] says it.
pub fn check(
    directory: &Path,
    kind: Kind,
    repair: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, CheckError> {
    if !directory.exists() {
        return Err(CheckError::None { path: directory.to_owned() });
    }
    let place = Place::take(directory, kind)?;
    if !place.path().exists() {
        return Err(CheckError::None { path: place.path() });
    }
    let mut report = look_through(&place, progress)?;
    if repair && !report.faults.is_empty() {
        let (store, opened) = open_in(&place, true)?;
        store.into_backend().close();
        report.repaired = opened.quarantined;
    }
    Ok(report)
}

fn look_through(place: &Place, progress: &mut dyn FnMut(u64)) -> Result<Report, CheckError> {
    let mut report = Report {
        path: place.path(),
        records: 0,
        bytes: 0,
        head: None,
        damaged: 0,
        faults: Vec::new(),
        repaired: None,
    };
    if let Err(error) = read(place, &mut report, progress) {
        match error {
            OpenError::Failure(Failure::Damaged { text }) => report.faults.push(text),
            error => return Err(error.into()),
        }
    }
    Ok(report)
}

fn read(
    place: &Place,
    report: &mut Report,
    progress: &mut dyn FnMut(u64),
) -> Result<(), OpenError> {
    let mut engine = place.kind().open(&place.path())?;
    match engine.inspect(true) {
        Err(Failure::Damaged { text }) => report.faults.push(text),
        other => other?,
    }
    let mut store = Store::look(engine)?;
    let head = store.head();
    report.head = Some(head);
    let verified = verify(store.backend_mut(), head, progress)?;
    (report.records, report.bytes) = (verified.records, verified.bytes);
    report.damaged = verified.n_damaged;
    for lone in &verified.damaged {
        report.faults.push(format!("record {}: {}", lone.key.escape_ascii(), lone.text));
    }
    if verified.is_beyond_mending() {
        let more = verified.n_damaged - verified.damaged.len() as u64;
        report.faults.push(format!("and {more} more records"));
    }
    Ok(())
}
