//! Where the daemon's socket is.
//!
//! The choice is a function of the values given to it, so that it can be tested without touching
//! the environment, which all threads of a process share; [`socket_path`] is the one place where
//! the library reads it.
//!
//! Deliberately absent: a fallback such as `/tmp`, where other users could listen in our place.

use crate::ConnectError;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The daemon's socket, as the environment says: `$KITH_SOCKET`, else
/// `$XDG_RUNTIME_DIR/kith/bus.sock`.
///
/// # Errors
/// [`ConnectError::NoPath`], if neither is set.
pub fn socket_path() -> Result<PathBuf, ConnectError> {
    let variable = |name| std::env::var_os(name);
    let path = socket_path_from(variable("KITH_SOCKET"), variable("XDG_RUNTIME_DIR"));
    path.ok_or(ConnectError::NoPath)
}

/// The daemon's socket, for these values of `$KITH_SOCKET` and `$XDG_RUNTIME_DIR`.
///
/// Empty values count as not set, and so does a run-time directory that is not absolute
/// ([XDG Base Directory Specification](https://specifications.freedesktop.org/basedir/latest/)).
///
/// ```
/// use kith_client::socket_path_from;
///
/// let path = socket_path_from(None, Some("/run/user/1000".into()));
/// assert_eq!(path, Some("/run/user/1000/kith/bus.sock".into()));
/// ```
#[must_use]
pub fn socket_path_from(
    socket: Option<OsString>,
    runtime_dir: Option<OsString>,
) -> Option<PathBuf> {
    let is_set = |value: &OsString| value.as_os_str() != OsStr::new("");
    if let Some(socket) = socket.filter(is_set) {
        return Some(socket.into());
    }
    let directory = runtime_dir.map(PathBuf::from).filter(|path| path.is_absolute())?;
    Some(directory.join(Path::new("kith/bus.sock")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_of_its_own_comes_first() {
        let path = socket_path_from(Some("/a.sock".into()), Some("/run/user/1".into()));
        assert_eq!(path, Some("/a.sock".into()));
        let path = socket_path_from(Some("here.sock".into()), None);
        assert_eq!(path, Some("here.sock".into()), "a relative one is taken as it is");
    }

    #[test]
    fn the_runtime_directory_comes_next() {
        for socket in [None, Some("".into())] {
            let path = socket_path_from(socket, Some("/run/user/1".into()));
            assert_eq!(path, Some("/run/user/1/kith/bus.sock".into()));
        }
    }

    #[test]
    fn without_either_there_is_none() {
        assert_eq!(socket_path_from(None, None), None);
        assert_eq!(socket_path_from(Some("".into()), Some("".into())), None);
        assert_eq!(socket_path_from(None, Some("run".into())), None);
    }
}
