//! A file that one process at a time holds, and that names its holder.
//!
//! The lock is `flock(2)`: the kernel lets go of it when the holder ends, however it ends, so a
//! file that is lying around means nothing and none is ever stale. The process id in it is for
//! people. The file is never deleted: a process that opened the old one and a process that makes
//! a new one would both believe that they hold the lock.
//!
//! Deliberately absent: waiting. Whoever comes second is told so at once.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use crate::limits::PROCESS_ID_BYTES_MAX;

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct LockFile {
    /// Closing it lets go of the lock.
    _file: File,
}

/// Why the lock is not held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// By this process, as far as the file says.
    #[error("{} is held by {}", path.display(), Holder(*holder))]
    Held { path: PathBuf, holder: Option<u32> },
    #[error("can't open the lock file {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("can't lock {}: {source}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("can't write the process id to {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The process that holds a lock, as a sentence has it.
pub(crate) struct Holder(pub(crate) Option<u32>);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(process) => write!(f, "process {process}"),
            None => f.write_str("a process that has not said which"),
        }
    }
}

impl LockFile {
    /// Takes the lock of the file at `path`, which is made if it is not there, mode 0600.
    pub(crate) fn acquire(path: &Path) -> Result<Self, LockError> {
        // Not through a link: in a shared directory somebody else may have put one there.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = match rustix::fs::open(path, flags, mode) {
            Ok(file) => File::from(file),
            Err(errno) => {
                return Err(LockError::Open { path: path.to_owned(), source: errno.into() });
            }
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let holder = holder(&mut file);
                return Err(LockError::Held { path: path.to_owned(), holder });
            }
            Err(errno) => {
                return Err(LockError::Lock { path: path.to_owned(), source: errno.into() });
            }
        }
        match name_holder(&mut file) {
            Ok(()) => Ok(Self { _file: file }),
            Err(source) => Err(LockError::Write { path: path.to_owned(), source }),
        }
    }
}

fn name_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Who holds the lock. Between taking it and writing this, nobody can say.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PROCESS_ID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn one_holds_the_lock_and_the_next_is_told_who() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = LockFile::acquire(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let text = LockFile::acquire(&path).unwrap_err().to_string();
        let process = std::process::id();
        assert_eq!(text, format!("{} is held by process {process}", path.display()));
        drop(held);
        LockFile::acquire(&path).unwrap();
    }

    #[test]
    fn what_an_earlier_holder_left_means_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        fs::write(&path, "4000000000000000000000000\nmore\n").unwrap();
        let held = LockFile::acquire(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        for (text, who) in [("", None), ("x", None), ("12\n", Some(12)), ("\u{1b}", None)] {
            fs::write(&path, text).unwrap();
            let error = LockFile::acquire(&path).unwrap_err();
            assert!(matches!(error, LockError::Held { holder, .. } if holder == who), "{text:?}");
        }
        drop(held);
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        fs::write(&target, "kept").unwrap();
        let path = directory.path().join("lock");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(LockFile::acquire(&path), Err(LockError::Open { .. })));
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }
}
