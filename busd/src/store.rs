//! The store while no daemon runs on it: verified, repaired, and printed record by record.
//!
//! Both hold the lock of the state directory meanwhile, so that no daemon starts on files that
//! are being looked at, and say who has it if a daemon has. Without `repair` nothing is changed but
//! what opening a store changes: what a crash has left half done is finished.
//!
//! A store that is damaged is not exported. Whoever wants what is left of it repairs it first,
//! which keeps the damaged files, and sees on the way what is missing; an export that is silently
//! short would be taken for the whole.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kith_core::export_record;
use kith_store::{Failure, Scan};
use kith_store_disk::{CheckError, Disk, Kind, OpenError};
pub use kith_store_disk::{Quarantine, Report};

use crate::configuration::StoreKind;
use crate::keeper;
use crate::lock_file::{Holder, LockError, LockFile};
use crate::state::lock_path;

/// Why a store was neither checked nor exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// The configuration says so.
    #[error("nothing is stored here: the configuration says store = \"none\"")]
    NoStore,
    /// There never was a daemon there.
    #[error("there is no store in {}", path.display())]
    Absent {
        /// The state directory.
        path: PathBuf,
    },
    /// A daemon has it.
    #[error("a daemon runs on the state in {} ({})", path.display(), Holder(*holder))]
    Running {
        /// The state directory.
        path: PathBuf,
        /// Its process, if that is known.
        holder: Option<u32>,
    },
    /// The lock can't be had for another reason.
    #[error("{text}")]
    Lock {
        /// Which.
        text: String,
    },
    /// It can't be opened or read.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// It can't be read to its end.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// There is damage, so an export would be short.
    #[error("the store is damaged ({faults} faults), so this would be short: {first}")]
    Damaged {
        /// How many.
        faults: usize,
        /// What is wrong.
        first: String,
    },
}

impl From<OpenError> for OfflineError {
    fn from(error: OpenError) -> Self {
        Self::Check(error.into())
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What is with the files and the seals of the records.
    pub report: Report,
    /// Records that are whole, and mean nothing to this version: a daemon leaves them out.
    pub unreadable: u64,
}

impl Checked {
    /// Whether there is nothing to complain of, or not any more.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let Report { faults, repaired, .. } = &self.report;
        self.unreadable == 0 && (faults.is_empty() || repaired.is_some())
    }
}

/// Verifies every record of the store in a state directory, and with `repair` takes out what is
/// damaged. `progress` is told how many records were read.
///
/// # Errors
/// [`OfflineError`]. Damage is none: the report says it.
pub fn check(
    state: &Path,
    kind: StoreKind,
    repair: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Checked, OfflineError> {
    let place = Place::take(state, kind)?;
    let report = kith_store_disk::check(&place.directory, place.kind, repair, progress)?;
    let mut unreadable = 0;
    // Files that may not be written can't be opened as a daemon does, and are verified anyway.
    if report.faults.is_empty() || report.repaired.is_some() {
        let found = place.each_record(&mut |is_read, _| {
            unreadable += u64::from(!is_read);
            ControlFlow::Continue(())
        });
        match found {
            Err(OfflineError::Check(CheckError::Open(_))) => {}
            found => found?,
        }
    }
    Ok(Checked { report, unreadable })
}

/// Hands over every record of the store in a state directory as a JSON object on a line of its own,
/// in the order of their keys, until `each` breaks.
///
/// # Errors
/// [`OfflineError`]; for a store that is damaged before anything is handed over.
pub fn export(
    state: &Path,
    kind: StoreKind,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), OfflineError> {
    let place = Place::take(state, kind)?;
    let report = kith_store_disk::check(&place.directory, place.kind, false, &mut |_| {})?;
    if let Some(first) = report.faults.first() {
        let (faults, first) = (report.faults.len(), first.clone());
        return Err(OfflineError::Damaged { faults, first });
    }
    place.each_record(&mut |_, line| each(line))
}

/// A store that no daemon has, nor gets, while this is there.
struct Place {
    directory: PathBuf,
    kind: Kind,
    _lock: LockFile,
}

impl Place {
    fn take(state: &Path, kind: StoreKind) -> Result<Self, OfflineError> {
        let kind = match kind {
            StoreKind::Sqlite => Kind::Sqlite,
            StoreKind::Sled => Kind::Sled,
            StoreKind::None => return Err(OfflineError::NoStore),
        };
        let directory = keeper::folder(state);
        if !directory.exists() {
            return Err(OfflineError::Absent { path: state.to_owned() });
        }
        let lock = LockFile::acquire(&lock_path(state)).map_err(|error| match error {
            LockError::Held { holder, .. } => {
                OfflineError::Running { path: state.to_owned(), holder }
            }
            error => OfflineError::Lock { text: error.to_string() },
        })?;
        Ok(Self { directory, kind, _lock: lock })
    }

    /// Hands over each record as a line, and whether it could be read, until `each` breaks.
    fn each_record(
        &self,
        each: &mut dyn FnMut(bool, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), OfflineError> {
        let (disk, _) = Disk::open(&self.directory, self.kind)?;
        let mut scan = Some(Scan::all());
        let mut line = Vec::new();
        while let Some(asked) = scan {
            let page = disk.scan_now(asked.clone())?;
            for record in &page.records {
                line.clear();
                let is_read = export_record(record, &mut line);
                if each(is_read, &line).is_break() {
                    return Ok(());
                }
            }
            scan = asked.after(&page);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateLock;
    use kith_store::Batch;
    use std::fs;
    use std::sync::mpsc;

    /// A state directory with a store of these records.
    fn stored(records: &[(&str, &[u8])]) -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        let directory = keeper::folder(state.path());
        fs::create_dir(&directory).unwrap();
        let (disk, _) = Disk::open(&directory, Kind::Sqlite).unwrap();
        let mut batch = Batch::new();
        for (key, value) in records {
            batch.put(*key, *value);
        }
        let (done, committed) = mpsc::channel();
        disk.commit(batch, move |outcome| done.send(outcome).unwrap());
        committed.recv().unwrap().unwrap();
        state
    }

    fn exported(state: &Path) -> Result<Vec<String>, OfflineError> {
        let mut lines = Vec::new();
        export(state, StoreKind::Sqlite, &mut |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            ControlFlow::Continue(())
        })?;
        Ok(lines)
    }

    #[test]
    fn what_is_whole_is_well_and_printed() {
        let state = stored(&[("a", &7_u64.to_le_bytes())]);
        let mut seen = 0;
        let checked = check(state.path(), StoreKind::Sqlite, false, &mut |records| seen = records);
        let checked = checked.unwrap();
        assert!(checked.is_well(), "{checked:?}");
        assert!(seen >= 1 && checked.report.records >= 1, "{checked:?}");
        let expected = "{\"record\":\"next\",\"commit\":1,\"number\":7}\n";
        assert_eq!(exported(state.path()).unwrap(), [expected]);
    }

    #[test]
    fn what_means_nothing_is_counted() {
        let state = stored(&[("m", b"?"), ("z", b"")]);
        let checked = check(state.path(), StoreKind::Sqlite, false, &mut |_| {}).unwrap();
        assert_eq!((checked.unreadable, checked.is_well()), (2, false));
        assert_eq!(exported(state.path()).unwrap().len(), 2);
    }

    #[test]
    fn damage_is_found_and_repaired() {
        // A page of zeros in the middle of the database.
        let value = [b'x'; 4000];
        let keys: Vec<String> = (100..200).map(|n| format!("z{n}")).collect();
        let records: Vec<(&str, &[u8])> =
            keys.iter().map(|key| (key.as_str(), &value[..])).collect();
        let state = stored(&records);
        let file = fs::read_dir(keeper::folder(state.path()).join("sqlite")).unwrap();
        let largest = file.flatten().max_by_key(|file| file.metadata().unwrap().len()).unwrap();
        let mut bytes = fs::read(largest.path()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4096].fill(0);
        fs::write(largest.path(), bytes).unwrap();
        let damaged = exported(state.path()).unwrap_err();
        assert!(matches!(damaged, OfflineError::Damaged { .. }), "{damaged}");
        let check = |repair| check(state.path(), StoreKind::Sqlite, repair, &mut |_| {}).unwrap();
        assert!(!check(false).report.faults.is_empty());
        let repaired = check(true).report.repaired.unwrap();
        assert!(repaired.path.exists(), "{repaired}");
        assert!(check(false).report.faults.is_empty());
        assert!(!exported(state.path()).unwrap().is_empty());
    }

    #[test]
    fn who_has_the_state_is_named() {
        let state = stored(&[]);
        let held = StateLock::acquire(state.path()).unwrap();
        let error = exported(state.path()).unwrap_err();
        let process = std::process::id();
        let place = state.path().display();
        let expected = format!("a daemon runs on the state in {place} (process {process})");
        assert_eq!(error.to_string(), expected);
        drop(held);
        exported(state.path()).unwrap();
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(exported(empty.path()), Err(OfflineError::Absent { .. })));
        let none = export(state.path(), StoreKind::None, &mut |_| ControlFlow::Break(()));
        assert!(matches!(none, Err(OfflineError::NoStore)));
    }
}
