//! Saving what can be read of a damaged store into a new one.
//!
//! The damaged files are not touched: an engine that opens them may change them, so it gets a copy.
//! Only records whose seal is whole are taken over, as they are, with their sequences. Once the
//! new store is complete and on the disk it takes the old one's place (`place.rs`).

use std::ops::ControlFlow;

use kith_store::{Backend, Failure, head_entry, inspect};

use crate::files::{copy_directory, remove_directory, sync_tree};
use crate::limits::SAVED_AT_ONCE_BYTES_MAX;
use crate::place::{Place, Quarantine};
use crate::{OpenError, failure};

/// Records on their way into the new store.
struct Saving<'a> {
    target: &'a mut dyn Backend,
    waiting: Vec<(Vec<u8>, Vec<u8>)>,
    waiting_bytes: usize,
    head: Option<u64>,
    newest: u64,
    saved: u64,
    refused: u64,
}

impl Saving<'_> {
    fn take(&mut self, key: &[u8], sealed: &[u8]) -> Result<(), Failure> {
        let Ok(sequence) = inspect(key, sealed, self.head.unwrap_or(u64::MAX)) else {
            self.refused += 1;
            return Ok(());
        };
        if key == head_entry(0).0 {
            self.head = Some(sequence);
        } else {
            self.saved += 1;
            self.newest = self.newest.max(sequence);
        }
        self.waiting_bytes += key.len() + sealed.len();
        self.waiting.push((key.to_vec(), sealed.to_vec()));
        if self.waiting_bytes >= SAVED_AT_ONCE_BYTES_MAX { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Failure> {
        let entries = self.waiting.iter();
        let mut changes = entries.map(|(key, sealed)| (key.as_slice(), Some(sealed.as_slice())));
        self.target.commit(&mut changes)?;
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }
}

/// Puts a store that can't be used aside, with a new one in its place.
pub(crate) fn salvage(place: &Place, reason: &str) -> Result<Quarantine, OpenError> {
    let directory = place.directory();
    let wrong = |error| OpenError::Failure(failure::from_io(directory, &error));
    let mut target = place.kind().create(&place.begin_new().map_err(wrong)?)?;
    let mut saving = Saving {
        target: &mut *target,
        waiting: Vec::new(),
        waiting_bytes: 0,
        head: None,
        newest: 0,
        saved: 0,
        refused: 0,
    };
    copy_directory(&place.path(), &place.reading_path()).map_err(wrong)?;
    if let Ok(mut source) = place.kind().open(&place.reading_path()) {
        let mut result = Ok(());
        source.rescue(&mut |key, sealed| {
            result = saving.take(key, sealed);
            if result.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        result?;
    }
    if saving.head.is_none() {
        // Later records must not be of an earlier commit.
        let (key, sealed) = head_entry(saving.newest);
        saving.waiting.push((key, sealed));
    }
    saving.write()?;
    let (saved, lost) = (saving.saved, in_words(&saving));
    target.close();
    sync_tree(&place.new_path()).map_err(wrong)?;
    remove_directory(&place.reading_path()).map_err(wrong)?;
    let path = place.replace().map_err(wrong)?;
    let next = "see what is missing where it came from and send it again; keep the damaged files \
                until you are sure that nothing else is needed of them, and look whether the disk \
                is sound (smartctl, journalctl -k)";
    Ok(Quarantine { path, reason: reason.to_owned(), saved, lost, next: next.to_owned() })
}

fn in_words(saving: &Saving<'_>) -> String {
    let refused = match saving.refused {
        0 => String::new(),
        n => format!("{n} records whose checksums are wrong, and "),
    };
    let head = match saving.head {
        Some(head) => format!("the last commit was {head}"),
        None => "which commit was the last is lost too".to_owned(),
    };
    format!("{refused}whatever else could not be read, which nobody can count ({head})")
}
