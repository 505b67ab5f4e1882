//! Small files in the state directory that are replaced as a whole: what was granted and enabled.
//!
//! A new text is written beside the old one, to the disk, and then takes its place; so whatever
//! happens, one of the two is there. A file that can't be understood is put aside under another
//! name and said to be: what it granted is not granted any more, and nothing is lost. One that
//! can't even be read is left as it is: nothing is stored over what nobody has seen.

use rustix::fs::{Mode, OFlags, fsync, open};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::limits::SAVED_BYTES_MAX;

/// A file that is replaced as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    path: PathBuf,
    /// Why it could not be read.
    unread: Cell<Option<io::ErrorKind>>,
}

impl Saved {
    /// The file of this name in the state directory.
    pub(crate) fn new(state: &Path, name: &str) -> Self {
        Self { path: state.join(name), unread: Cell::new(None) }
    }

    /// Reads it with `parse`; what there is by default, if there is none. If it can't be
    /// understood it is put aside.
    pub(crate) fn load<T: Default, E: std::fmt::Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        let file = self.path.display();
        self.unread.set(None);
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return T::default(),
            // Not UTF-8.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.put_aside(&error);
                return T::default();
            }
            Err(error) => {
                self.unread.set(Some(error.kind()));
                tracing::error!(%file, %error, "can't be read: nothing in it holds, it stays");
                return T::default();
            }
        };
        parse(&text).unwrap_or_else(|error| {
            self.put_aside(&error);
            T::default()
        })
    }

    fn put_aside(&self, error: &impl std::fmt::Display) {
        let aside = self.path.with_extension("damaged");
        let is_aside = fs::rename(&self.path, &aside).is_ok();
        let (file, aside) = (self.path.display(), aside.display());
        tracing::error!(
            %file, %error, is_aside, %aside,
            "can't be understood: nothing in it holds; it is kept aside"
        );
    }

    /// Puts a new text in its place, on the disk.
    ///
    /// # Errors
    /// If that can't be done, or if the old one could not be read; then that is still there.
    pub(crate) fn store(&self, text: &str) -> io::Result<()> {
        if let Some(kind) = self.unread.get() {
            let file = self.path.display();
            let text = format!(
                "{file} could not be read ({kind}), and nothing is written over it: make it \
                 readable, or move it away, and start the daemon again"
            );
            return Err(io::Error::new(kind, text));
        }
        let beside = self.path.with_extension("new");
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        fsync(open(folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?)?;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(SAVED_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn parse(text: &str) -> Result<String, &'static str> {
        if text == "bad" { Err("bad") } else { Ok(text.to_owned()) }
    }

    #[test]
    fn it_is_what_was_stored_last_and_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::new(folder.path(), "things.toml");
        assert_eq!(saved.load(parse), "");
        saved.store("one").unwrap();
        saved.store("two").unwrap();
        assert_eq!(saved.load(parse), "two");
        let mode = fs::metadata(folder.path().join("things.toml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_can_not_be_understood_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::new(folder.path(), "things.toml");
        saved.store("bad").unwrap();
        assert_eq!(saved.load(parse), "");
        assert_eq!(fs::read_to_string(folder.path().join("things.damaged")).unwrap(), "bad");
        assert_eq!(saved.load(parse), "");
    }

    #[test]
    fn what_can_not_be_read_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::new(folder.path(), "things.toml");
        // It can be opened, by whomever, and not read.
        let file = folder.path().join("things.toml");
        fs::create_dir(&file).unwrap();
        assert_eq!(saved.load(parse), "");
        let refused = saved.store("new").unwrap_err().to_string();
        assert!(refused.contains("things.toml could not be read ("), "{refused}");
        assert!(file.is_dir());
        // It is read again some time.
        fs::remove_dir(&file).unwrap();
        fs::write(&file, "old").unwrap();
        assert_eq!(saved.load(parse), "old");
        saved.store("new").unwrap();
        // What is no text is damaged, and put aside.
        fs::write(&file, b"\xff").unwrap();
        assert_eq!(saved.load(parse), "");
        assert_eq!(fs::read(folder.path().join("things.damaged")).unwrap(), b"\xff");
        saved.store("newer").unwrap();
    }

    #[test]
    fn where_nothing_can_be_written_the_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::new(folder.path(), "things.toml");
        saved.store("old").unwrap();
        fs::create_dir(folder.path().join("things.new")).unwrap();
        assert!(saved.store("new").is_err());
        assert_eq!(saved.load(parse), "old");
    }
}
