//! What a directory lies on: the name of its file system, and whether that is a disk at all.

use anyhow::{Context, bail};
use std::fs;
use std::path::Path;

/// File systems that are memory: a sync there is no work.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];

/// A file system that outlives the power.
pub(crate) struct Disk {
    /// As `mount(8)` calls it.
    pub(crate) name: String,
}

impl Disk {
    pub(crate) fn of(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let name = file_system(&mounts, &path).context("no mount point for it is known")?;
        if IN_MEMORY.contains(&name) {
            bail!("{} is on {name}, in memory: give --store-dir on a disk", directory.display());
        }
        Ok(Self { name: name.to_owned() })
    }
}

/// The type of the file system whose mount point is the nearest above `path`
/// (proc_pid_mountinfo(5)); the last of those that are mounted over each other.
fn file_system<'text>(mounts: &'text str, path: &Path) -> Option<&'text str> {
    let of_line = |line: &'text str| {
        let (before, behind) = line.split_once(" - ")?;
        let point = Path::new(before.split(' ').nth(4)?);
        let depth = point.components().count();
        path.starts_with(point).then_some((depth, behind.split(' ').next()?))
    };
    mounts.lines().filter_map(of_line).max_by_key(|(depth, _)| *depth).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_point_counts() {
        let mounts = "1 0 8:1 / / rw shared:1 - ext4 /dev/a rw\n\
                      2 1 0:2 / /run rw - tmpfs tmpfs rw\n\
                      3 1 8:2 /sub /home/me rw shared:2 master:1 - btrfs /dev/b rw\n";
        let of = |path: &str| file_system(mounts, Path::new(path));
        assert_eq!(of("/tmp/x"), Some("ext4"));
        assert_eq!(of("/run"), Some("tmpfs"));
        assert_eq!(of("/running"), Some("ext4"));
        assert_eq!(of("/home/me/state"), Some("btrfs"));
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn what_is_in_memory_is_no_disk() {
        assert!(Disk::of(Path::new("/nonexistent")).is_err());
        if let Err(error) = Disk::of(Path::new("/dev/shm")) {
            assert!(error.to_string().contains("--store-dir") || !Path::new("/dev/shm").exists());
        }
    }
}
