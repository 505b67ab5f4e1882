//! Getting the socket: from systemd, or by making it, and never at another daemon's expense.
//!
//! A socket file outlives the process that made it, and it looks the same whether somebody listens
//! or not. Deleting it unseen, as many daemons do, takes the bus away from every program that
//! connects from then on, while the old daemon goes on without knowing. So, in this order:
//!
//! 1. A socket that systemd passes is taken as it is, and is systemd's to remove.
//! 2. The directory is made, or judged (see `directory.rs`).
//! 3. The lock file beside the socket (`bus.sock.lock`) is taken, and held to the end: two daemons
//!    that start together can't both go on.
//! 4. What is at the path stays, unless it is a socket on which nobody listens.
//! 5. The new socket has mode 0600 before it has a name, so there is no moment at which another
//!    user could connect.
//!
//! At the end the file is removed only if it is still the one that was made. That is compared by
//! device and inode, and while the listener is open: the kernel may give the inode of a closed one
//! to another file.
//!
//! Deliberately absent: abstract sockets, which have no owner and no mode.

use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt as _;
use interprocess::os::unix::uds_local_socket::Listener;
use listenfd::ListenFd;
use rustix::io::Errno;
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{UnixListener, UnixStream};

use crate::directory::{DirectoryError, Make, Standard, prepare};
use crate::exit_code;
use crate::lock_file::{Holder, LockError, LockFile};

/// The name of our own directory, which nobody else has business in.
const OWN_DIRECTORY: &str = "kith";

/// A socket on which connections are taken from now on: programs that connect wait until
/// [`Listening::start`].
#[derive(Debug)]
pub(crate) struct Listening {
    /// Dropped first, so while the listener is open. None where the socket is systemd's.
    file: Option<SocketFile>,
    listener: StdListener,
}

/// The same, in a runtime.
#[derive(Debug)]
pub(crate) struct Accepting {
    /// Dropped first, so while the listener is open.
    _file: Option<SocketFile>,
    listener: UnixListener,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("the socket: {0}")]
    Directory(#[from] DirectoryError),
    #[error(
        "another daemon serves {} ({}): use that one, stop it, or give this one a socket of its \
         own with {option}",
        path.display(),
        Holder(*holder)
    )]
    Held { path: PathBuf, holder: Option<u32>, option: &'static str },
    #[error(
        "another daemon serves {}: use that one, stop it, or give this one a socket of its own \
         with {option}",
        path.display()
    )]
    Live { path: PathBuf, option: &'static str },
    #[error("the socket: {0}")]
    Lock(LockError),
    #[error(
        "there is {what} at {}, where the socket should be: move it away, or choose another place \
         with {option}",
        path.display()
    )]
    Kind { path: PathBuf, what: &'static str, option: &'static str },
    #[error("can't find out who serves {}: {source}", path.display())]
    Probe { path: PathBuf, source: io::Error },
    #[error("can't remove {}, on which nobody listens: {source}", path.display())]
    Remove { path: PathBuf, source: io::Error },
    #[error("can't make the socket {}: {source}", path.display())]
    Bind { path: PathBuf, source: io::Error },
    #[error(
        "systemd passed {0} sockets, and this daemon takes one: leave one `ListenStream=` in the \
         socket unit"
    )]
    PassedCount(usize),
    #[error(
        "what systemd passed is not a Unix stream socket that listens ({0}): the socket unit needs \
         one `ListenStream=` with a path"
    )]
    Passed(io::Error),
}

impl ListenError {
    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Directory(error) => error.exit_code(),
            Self::Held { .. } | Self::Live { .. } => exit_code::UNAVAILABLE,
            Self::Lock(_) => exit_code::INPUT_OUTPUT,
            Self::Probe { .. } | Self::Remove { .. } | Self::Bind { .. } => exit_code::SYSTEM,
            Self::Kind { .. } | Self::PassedCount(_) | Self::Passed(_) => exit_code::CONFIGURATION,
        }
    }
}

/// Listens on the socket that systemd passed, else makes one at `path`.
///
/// Has to be called before this process starts threads: taking what systemd passed changes the
/// environment.
pub(crate) fn listen(path: &Path) -> Result<Listening, ListenError> {
    match passed(ListenFd::from_env())? {
        Some(listener) => Ok(Listening { file: None, listener }),
        None => make(path),
    }
}

impl Listening {
    /// Whether the socket is systemd's.
    pub(crate) fn is_passed(&self) -> bool {
        self.file.is_none()
    }

    /// The path by which programs find the socket, as the kernel knows it.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.listener.local_addr().ok()?.as_pathname().map(Path::to_owned)
    }

    /// Goes on in the tokio runtime from which this is called.
    pub(crate) fn start(self) -> io::Result<Accepting> {
        self.listener.set_nonblocking(true)?;
        Ok(Accepting { _file: self.file, listener: UnixListener::from_std(self.listener)? })
    }
}

impl Accepting {
    /// Whence connections come.
    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

/// The user at the other end, as the kernel noted when it connected.
pub(crate) fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    stream.peer_cred().map(|credentials| credentials.uid())
}

/// The process at the other end, as the kernel noted when it connected; nothing where it is none
/// that this process could see.
pub(crate) fn peer_pid(stream: &UnixStream) -> Option<u32> {
    let pid = stream.peer_cred().ok()?.pid()?;
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// Lets this process open as many files as it may at all, and returns how many that is.
pub(crate) fn raise_file_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        // Nothing is lost: the bus has fewer connections.
        Err(_) => limit.current,
    };
    current.unwrap_or(u64::MAX)
}

/// The one socket that systemd passed.
fn passed(mut passed: ListenFd) -> Result<Option<StdListener>, ListenError> {
    match passed.len() {
        0 => return Ok(None),
        1 => {}
        more => return Err(ListenError::PassedCount(more)),
    }
    let listener = passed.take_unix_listener(0).map_err(ListenError::Passed)?;
    if let Some(listener) = &listener
        && !socket_acceptconn(listener).map_err(|errno| ListenError::Passed(errno.into()))?
    {
        return Err(ListenError::Passed(io::Error::other("it does not listen")));
    }
    Ok(listener)
}

/// Makes the bus's socket at `path`, whatever systemd passed.
pub(crate) fn make(path: &Path) -> Result<Listening, ListenError> {
    make_by(path, "--socket PATH")
}

/// Makes a socket at `path`; `option` is how somebody would choose another place for it.
pub(crate) fn make_by(path: &Path, option: &'static str) -> Result<Listening, ListenError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    let is_own = directory.file_name() == Some(OsStr::new(OWN_DIRECTORY));
    let standard = if is_own { Standard::Closed } else { Standard::Shared };
    prepare(directory, Make::Last, standard)?;
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = match LockFile::acquire(Path::new(&lock)) {
        Ok(lock) => lock,
        Err(LockError::Held { holder, .. }) => {
            return Err(ListenError::Held { path: path.to_owned(), holder, option });
        }
        Err(error) => return Err(ListenError::Lock(error)),
    };
    clear(path, option)?;
    let listener = bind(path).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Live { path: path.to_owned(), option },
        _ => ListenError::Bind { path: path.to_owned(), source },
    })?;
    let file = SocketFile::new(path, lock);
    let file = file.map_err(|source| ListenError::Bind { path: path.to_owned(), source })?;
    Ok(Listening { file: Some(file), listener })
}

/// Removes a socket on which nobody listens. The lock is held, so none of ours is about to.
fn clear(path: &Path, option: &'static str) -> Result<(), ListenError> {
    let refuse_kind = |what| Err(ListenError::Kind { path: path.to_owned(), what, option });
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ListenError::Probe { path: path.to_owned(), source }),
    };
    if !kind.is_socket() {
        return refuse_kind(name_kind(kind));
    }
    match probe(path) {
        // The last is a live one whose queue is full: a blocking `connect` would wait.
        Ok(()) | Err(Errno::AGAIN) => Err(ListenError::Live { path: path.to_owned(), option }),
        Err(Errno::PROTOTYPE) => refuse_kind("a socket of another type"),
        Err(Errno::CONNREFUSED) => match fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(ListenError::Remove { path: path.to_owned(), source })
            }
            _ => Ok(()),
        },
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(ListenError::Probe { path: path.to_owned(), source: errno.into() }),
    }
}

/// Connects, and hangs up at once.
fn probe(path: &Path) -> rustix::io::Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

fn bind(path: &Path) -> io::Result<StdListener> {
    let options = ListenerOptions::new()
        .name(path.to_fs_name::<GenericFilePath>()?)
        .mode(0o600)
        .reclaim_name(false);
    Ok(options.create_sync_as::<Listener>()?.into())
}

fn name_kind(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_file() {
        "a file"
    } else {
        "something else than a socket"
    }
}

/// The file of a socket that we made.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
    /// Let go of when the file is gone.
    _lock: LockFile,
}

impl SocketFile {
    fn new(path: &Path, lock: LockFile) -> io::Result<Self> {
        let identity = identity(&fs::symlink_metadata(path)?);
        Ok(Self { path: path.to_owned(), identity, _lock: lock })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |found: Metadata| identity(&found) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            // There is nobody left to tell, and the next daemon clears it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests;
