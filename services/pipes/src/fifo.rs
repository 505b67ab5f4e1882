//! The two named pipes: making and opening them.
//!
//! Ours to read is opened for writing as well, so that it does not end whenever the other end is
//! away. Ours to write can only be opened while somebody has it open for reading: that is how it is
//! seen that the other end is there.

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::Errno;
use std::io;
use std::path::Path;
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

/// Opens a pipe for reading, and makes it if it isn't there.
///
/// # Errors
/// If that can't be, for instance because it is a file of another kind.
pub(crate) fn to_read(path: &Path) -> io::Result<Receiver> {
    make(path)?;
    OpenOptions::new().read_write(true).open_receiver(path)
}

/// Opens a pipe for writing, and makes it if it isn't there; nothing, if nobody reads it.
///
/// # Errors
/// As [`to_read`].
pub(crate) fn to_write(path: &Path) -> io::Result<Option<Sender>> {
    make(path)?;
    match OpenOptions::new().open_sender(path) {
        Ok(sender) => Ok(Some(sender)),
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn make(path: &Path) -> io::Result<()> {
    match mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
