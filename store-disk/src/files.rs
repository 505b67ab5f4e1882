//! Directories: made, copied, renamed and removed so that the disk has it when we go on.
//!
//! A name is an entry in a directory, and reaches the disk when the directory is synced, whatever
//! happened to the file. So everything here that changes names ends with such a sync.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::limits::TREE_DEPTH_MAX;

/// Puts the names in a directory on the disk.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Puts the entry of `path` in its own directory on the disk.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes a directory for the user alone.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    sync_parent(path)
}

/// Renames within a directory.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Removes a directory with all that is in it, if it is there.
pub(crate) fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Copies the files of a directory into a new one. What can't be read of a file is left out.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    make_directory(to)?;
    walk(from, TREE_DEPTH_MAX, &mut |path, is_directory| {
        let Ok(inside) = path.strip_prefix(from) else { return Ok(()) };
        if is_directory {
            return make_directory(&to.join(inside));
        }
        let mut copy =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(to.join(inside))?;
        match io::copy(&mut File::open(path)?, &mut copy) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Ok(())
            }
            copied => copied.map(|_| ()),
        }
    })
}

/// Syncs every file below a directory, and the directories. What an engine removes meanwhile is
/// passed over.
pub(crate) fn sync_tree(directory: &Path) -> io::Result<()> {
    walk(directory, TREE_DEPTH_MAX, &mut |path, _| match sync_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced,
    })?;
    sync_directory(directory)
}

/// Calls `each` for what is below a directory, outer before inner; true is for a directory.
fn walk(
    directory: &Path,
    depth: usize,
    each: &mut dyn FnMut(&Path, bool) -> io::Result<()>,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            each(&entry.path(), true)?;
            walk(&entry.path(), depth - 1, each)?;
        } else if kind.is_file() {
            each(&entry.path(), false)?;
        }
    }
    Ok(())
}
