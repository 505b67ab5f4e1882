//! The two directories in which the daemon puts something, and who else may reach into them.
//!
//! Whoever can write to a directory can put a socket or a key file of their own where programs
//! look for ours. So a directory is made with mode 0700, and one that is there already is judged
//! by owner and mode before anything is put into it. It is never mended: a directory with the
//! wrong mode is a sign that somebody has plans for it, and the person has to hear of it.
//!
//! The judgement is a plain function. Access control lists are not looked at: they can only be
//! given by the directory's owner, and the owner is checked.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::exit_code;

/// What is asked of a directory that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standard {
    /// It is ours, and closed to everybody else.
    Closed,
    /// It is ours, and nobody else may write to it.
    Own,
    /// What we put there, nobody else can replace: it is ours or the system's, and where others
    /// may write to it, the sticky bit keeps them from what isn't theirs (`/tmp`).
    Shared,
}

/// Which directories are made where they are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// The last of the path alone: what is above belongs to somebody else's set-up.
    Last,
    /// All of them.
    All,
}

/// Why a directory can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error("can't make the directory {}: {source}", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("can't look at the directory {}: {source}", path.display())]
    Look { path: PathBuf, source: io::Error },
    #[error("{} is not a directory: move it away, or choose another place", path.display())]
    Kind { path: PathBuf },
    #[error(
        "the directory {} belongs to user {owner}, and this is user {user}: choose another place, \
         or start the daemon as its owner",
        path.display()
    )]
    Owner { path: PathBuf, owner: u32, user: u32 },
    #[error(
        "the directory {} has mode {mode:04o}, so other users can {what}: see who did that, then \
         `chmod {wanted} '{}'`",
        path.display(),
        path.display()
    )]
    Mode { path: PathBuf, mode: u32, what: &'static str, wanted: &'static str },
}

impl DirectoryError {
    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Make { .. } | Self::Look { .. } => exit_code::SYSTEM,
            Self::Kind { .. } | Self::Owner { .. } | Self::Mode { .. } => exit_code::CONFIGURATION,
        }
    }
}

/// Makes the directory `path` with mode 0700, or sees to it that the one that is there is up to
/// `standard`.
pub(crate) fn prepare(path: &Path, make: Make, standard: Standard) -> Result<(), DirectoryError> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    if make == Make::All
        && let Some(above) = path.parent()
        && let Err(source) = builder.recursive(true).create(above)
    {
        return Err(DirectoryError::Make { path: above.to_owned(), source });
    }
    match builder.recursive(false).create(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(DirectoryError::Make { path: path.to_owned(), source });
        }
        // Also one that was made just now is looked at: a default access control list, or a file
        // system without modes, can give it others.
        _ => {}
    }
    let look = |source| DirectoryError::Look { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(look)?;
    if !found.is_dir() {
        return Err(DirectoryError::Kind { path: path.to_owned() });
    }
    let user = rustix::process::geteuid().as_raw();
    judge(path, found.uid(), found.mode() & 0o7777, user, standard)
}

/// Whether a directory with this owner and mode is up to `standard` for `user`.
fn judge(
    path: &Path,
    owner: u32,
    mode: u32,
    user: u32,
    standard: Standard,
) -> Result<(), DirectoryError> {
    let is_systems = owner == 0 && standard == Standard::Shared;
    if owner != user && !is_systems {
        return Err(DirectoryError::Owner { path: path.to_owned(), owner, user });
    }
    let is_sticky = mode & 0o1000 != 0 && standard == Standard::Shared;
    let refuse =
        |what, wanted| Err(DirectoryError::Mode { path: path.to_owned(), mode, what, wanted });
    if mode & 0o022 != 0 && !is_sticky {
        return refuse("write to it", if standard == Standard::Closed { "700" } else { "go-w" });
    }
    if mode & 0o077 != 0 && standard == Standard::Closed {
        return refuse("look into it", "700");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn is_fine(owner: u32, mode: u32, standard: Standard) -> bool {
        judge(Path::new("d"), owner, mode, 1000, standard).is_ok()
    }

    #[test]
    fn owner_and_mode_are_judged() {
        use Standard::{Closed, Own, Shared};
        // Owner, mode, and whether it is Closed, Own, Shared.
        for (owner, mode, expected) in [
            (1000, 0o700, [true, true, true]),
            (1000, 0o500, [true, true, true]),
            (1000, 0o2700, [true, true, true]),
            (1000, 0o755, [false, true, true]),
            (1000, 0o711, [false, true, true]),
            (1000, 0o775, [false, false, false]),
            (1000, 0o702, [false, false, false]),
            (1000, 0o1777, [false, false, true]),
            (0, 0o1777, [false, false, true]),
            (0, 0o755, [false, false, true]),
            (0, 0o777, [false, false, false]),
            (0, 0o700, [false, false, true]),
            (1001, 0o700, [false, false, false]),
            (1001, 0o1777, [false, false, false]),
        ] {
            let found = [Closed, Own, Shared].map(|standard| is_fine(owner, mode, standard));
            assert_eq!(found, expected, "{owner} {mode:o}");
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = |owner, mode, standard| {
            judge(Path::new("/d"), owner, mode, 1000, standard).unwrap_err().to_string()
        };
        let expected = "the directory /d has mode 0755, so other users can look into it: see who \
                        did that, then `chmod 700 '/d'`";
        assert_eq!(error(1000, 0o755, Standard::Closed), expected);
        let expected = "the directory /d has mode 0775, so other users can write to it: see who \
                        did that, then `chmod go-w '/d'`";
        assert_eq!(error(1000, 0o775, Standard::Own), expected);
        let expected = "the directory /d belongs to user 1001, and this is user 1000: choose \
                        another place, or start the daemon as its owner";
        assert_eq!(error(1001, 0o700, Standard::Own), expected);
    }

    #[test]
    fn a_missing_directory_is_made_for_its_owner_alone() {
        let base = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        let deep = base.path().join("a/b/c");
        let error = prepare(&deep, Make::Last, Standard::Closed).unwrap_err();
        assert!(matches!(error, DirectoryError::Make { .. }), "{error}");
        assert_eq!(error.exit_code(), exit_code::SYSTEM);
        prepare(&deep, Make::All, Standard::Closed).unwrap();
        assert_eq!((mode(&deep), mode(&base.path().join("a"))), (0o700, 0o700));
        prepare(&deep, Make::All, Standard::Closed).unwrap();
        prepare(&deep.join("d"), Make::Last, Standard::Closed).unwrap();
    }

    #[test]
    fn a_wrong_directory_is_refused_and_left_as_it_is() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("kith");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let error = prepare(&path, Make::Last, Standard::Closed).unwrap_err();
        assert!(matches!(error, DirectoryError::Mode { mode: 0o755, .. }), "{error}");
        assert_eq!(error.exit_code(), exit_code::CONFIGURATION);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
        prepare(&path, Make::Last, Standard::Own).unwrap();

        let file = base.path().join("file");
        fs::write(&file, "kept").unwrap();
        let error = prepare(&file, Make::Last, Standard::Own).unwrap_err();
        assert!(matches!(error, DirectoryError::Kind { .. }), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    }
}
