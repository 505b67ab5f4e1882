//! Looking at what is in place, and putting files there: each appears whole or not at all.
//!
//! A file is written under another name beside its place, and then renamed. So a full disk or a
//! crash leaves what was there before, and a link at the place is replaced instead of followed.

use super::step::Found;
use crate::limits::INSTALLED_BYTES_MAX;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What is at a path.
pub(crate) fn look(path: &Path) -> io::Result<Found> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        // A file where a directory should be is found when something is to be written there.
        Err(error) if is_absence(&error) => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    if kind.is_symlink() {
        return Ok(Found::Link);
    }
    if kind.is_dir() {
        return Ok(Found::Folder);
    }
    if !kind.is_file() {
        return Ok(Found::Other);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(INSTALLED_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Found::File(bytes))
}

/// Puts a file in place of whatever is there, for everybody to read; `is_for_all` the folders too
/// that are made for it, whatever the mask says.
pub(crate) fn write(path: &Path, text: &str, is_for_all: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let made: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    if is_for_all {
        for folder in made {
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
    }
    // Opened and written by hand, so that no error names the temporary path.
    let mut file = tempfile::Builder::new().make_in(folder, |path| File::create_new(path))?;
    file.as_file_mut().write_all(text.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether `link` is a link that leads to `unit`.
pub(crate) fn leads_to(link: &Path, unit: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| {
        let folder = link.parent().unwrap_or_else(|| Path::new("/"));
        // `systemctl` makes them absolute; a person may write `../kith.socket`.
        target == unit || folder.join(&target) == unit || target == above(unit)
    })
}

/// Removes a file or a link.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// `../` and the name of a file.
fn above(unit: &Path) -> std::path::PathBuf {
    Path::new("..").join(unit.file_name().unwrap_or_default())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_there_is_seen_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        assert_eq!(look(&file).unwrap(), Found::Nothing);
        fs::write(&file, "text").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(look(&file).unwrap(), Found::File(b"text".to_vec()));
        assert_eq!(look(&link).unwrap(), Found::Link);
        assert_eq!(look(folder.path()).unwrap(), Found::Folder);
        assert_eq!(look(&file.join("below")).unwrap(), Found::Nothing);
        write(&link, "new", false).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"text", "what the link led to is as it was");
        assert_eq!(look(&link).unwrap(), Found::File(b"new".to_vec()));
    }

    #[test]
    fn a_file_appears_with_its_folders_and_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        write(&path, "text", false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing else is left"
        );
        assert!(write(&path.join("below"), "text", false).is_err(), "a file is no folder");
    }

    #[test]
    fn links_of_enabled_units_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let unit = folder.path().join("kith.socket");
        let wants = folder.path().join("sockets.target.wants");
        fs::create_dir(&wants).unwrap();
        let link = wants.join("kith.socket");
        assert!(!leads_to(&link, &unit));
        for (target, expected) in [
            (unit.as_path(), true),
            (Path::new("../kith.socket"), true),
            (Path::new("/usr/lib/systemd/user/kith.socket"), false),
        ] {
            symlink(target, &link).unwrap();
            assert_eq!(leads_to(&link, &unit), expected, "{target:?}");
            remove(&link).unwrap();
        }
    }
}
