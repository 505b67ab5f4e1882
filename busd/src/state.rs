//! The directory for what has to survive, held by one daemon at a time.
//!
//! Two daemons on one state would each undo what the other has stored, wherever their sockets are.
//! So the directory is locked before anything in it is read, and until the process ends.

use std::path::{Path, PathBuf};

use crate::directory::{DirectoryError, Make, Standard, prepare};
use crate::exit_code;
use crate::lock_file::{Holder, LockError, LockFile};

/// The state directory, locked until this is dropped.
#[derive(Debug)]
pub(crate) struct StateLock {
    _lock: LockFile,
}

/// Why the state can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("the state: {0}")]
    Directory(#[from] DirectoryError),
    #[error(
        "another daemon has its state in {} ({}): stop that one, or give this one a directory of \
         its own with --state DIR",
        path.display(),
        Holder(*holder)
    )]
    Held { path: PathBuf, holder: Option<u32> },
    #[error("the state: {0}")]
    Lock(LockError),
}

/// The file that whoever uses the state directory holds.
pub(crate) fn lock_path(state: &Path) -> PathBuf {
    state.join("lock")
}

impl StateLock {
    /// Makes the directory `path` if it is not there, and locks it.
    pub(crate) fn acquire(path: &Path) -> Result<Self, StateError> {
        prepare(path, Make::All, Standard::Own)?;
        match LockFile::acquire(&lock_path(path)) {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(LockError::Held { holder, .. }) => {
                Err(StateError::Held { path: path.to_owned(), holder })
            }
            Err(error) => Err(StateError::Lock(error)),
        }
    }
}

impl StateError {
    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Directory(error) => error.exit_code(),
            Self::Held { .. } => exit_code::UNAVAILABLE,
            Self::Lock(_) => exit_code::INPUT_OUTPUT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn one_daemon_has_the_state() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("state/kith");
        let held = StateLock::acquire(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        let error = StateLock::acquire(&path).unwrap_err();
        let expected = format!(
            "another daemon has its state in {} (process {}): stop that one, or give this one a \
             directory of its own with --state DIR",
            path.display(),
            std::process::id()
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.exit_code(), exit_code::UNAVAILABLE);
        drop(held);
        StateLock::acquire(&path).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let base = tempfile::tempdir().unwrap();
        for (mode, is_fine) in [(0o700, true), (0o755, true), (0o775, false), (0o1777, false)] {
            fs::set_permissions(base.path(), fs::Permissions::from_mode(mode)).unwrap();
            let found = StateLock::acquire(base.path());
            assert_eq!(found.is_ok(), is_fine, "{mode:o}");
            if let Err(error) = found {
                assert_eq!(error.exit_code(), exit_code::CONFIGURATION);
            }
        }
    }

    #[test]
    fn what_is_in_the_way_is_said() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        let error = StateLock::acquire(&file).unwrap_err();
        assert!(error.to_string().contains("is not a directory"), "{error}");
        let error = StateLock::acquire(&file.join("below")).unwrap_err();
        assert_eq!(error.exit_code(), exit_code::SYSTEM);
        fs::create_dir(base.path().join("lock")).unwrap();
        let error = StateLock::acquire(base.path()).unwrap_err();
        assert!(error.to_string().contains("can't open the lock file"), "{error}");
        assert_eq!(error.exit_code(), exit_code::INPUT_OUTPUT);
    }
}
