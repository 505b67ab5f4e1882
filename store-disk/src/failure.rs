//! What stands in the way of a commit, told apart: no room, no permission, a failing disk, damage.
//!
//! Engines report many things as "input/output error". What a person needs to know is whether to
//! free space, to mend a mount or to replace a disk, so in that case a small file is written
//! beside the store's, and the answer to that is taken.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use kith_store::Failure;

const PROBE: &str = "probe";
const PROBE_BYTES: usize = 64 << 10;

/// No room.
pub(crate) fn full(directory: &Path, what: &str) -> Failure {
    let text = format!(
        "no room on the disk of {} ({what}): free some space there; nothing has to be restarted",
        directory.display()
    );
    Failure::Full { text }
}

/// No writing.
pub(crate) fn read_only(directory: &Path, what: &str) -> Failure {
    let text = format!(
        "{} can't be written to ({what}): mount its disk for writing, or mend its permissions; \
         nothing has to be restarted",
        directory.display()
    );
    Failure::ReadOnly { text }
}

/// A disk that fails.
pub(crate) fn input_output(directory: &Path, what: &str) -> Failure {
    let text = format!(
        "the disk of {} fails ({what}): the kernel's log says more (journalctl -k); the next \
         message is tried again",
        directory.display()
    );
    Failure::InputOutput { text }
}

/// Files that are not what was written.
pub(crate) fn damaged(directory: &Path, what: &str) -> Failure {
    let text = format!(
        "the files in {} are damaged ({what}): restart the daemon, which keeps them, saves what \
         can be read of them and says what was lost",
        directory.display()
    );
    Failure::Damaged { text }
}

/// By what the system says.
pub(crate) fn from_io(directory: &Path, error: &io::Error) -> Failure {
    let what = error.to_string();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full(directory, &what),
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => read_only(directory, &what),
        _ => input_output(directory, &what),
    }
}

/// By what the system says to a file of our own, after an engine has reported `what`.
pub(crate) fn probe(directory: &Path, what: &str) -> Failure {
    match write_probe(&directory.join(PROBE)) {
        Err(error) => from_io(directory, &error),
        Ok(()) => input_output(directory, what),
    }
}

fn write_probe(path: &Path) -> io::Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(&[0; PROBE_BYTES]).and_then(|()| file.sync_all()));
    let removed = fs::remove_file(path);
    written.and(removed)
}
