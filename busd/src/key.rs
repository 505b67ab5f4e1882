//! Secrets of the daemon's own making: the administration key, and the tokens of services.
//!
//! The key is in a file that only the user can read. Whoever shows it may administer the daemon:
//! that is `kith`, and whatever else may read the user's files. A sandboxed program can't, even
//! where it was given the socket, which is elsewhere.
//!
//! Deliberately absent: changing it. Who removes the file and starts the daemon again has another.

use kith_wire::Token;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::saved::Saved;

/// Its name in the state directory.
pub const FILE: &str = "administration.key";

/// Where the key is, of a daemon with this state directory.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// Reads the key of a daemon with this state directory.
///
/// # Errors
/// If the file can't be read, or is no key.
pub fn read(state: &Path) -> io::Result<Token> {
    let text = fs::read_to_string(path(state))?;
    Token::new(text.trim_end()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads the key, or makes it. One that others could read is closed to them.
///
/// # Errors
/// If it can't be read although it is there, or there is none and none can be written.
pub(crate) fn read_or_make(state: &Path) -> io::Result<Token> {
    match read(state) {
        Ok(token) => {
            close(&path(state))?;
            return Ok(token);
        }
        Err(error) if is_no_key(&error) => {}
        Err(error) => return Err(error),
    }
    let token = draw()?;
    Saved::new(state, FILE).store(&format!("{}\n", token.reveal()))?;
    Ok(token)
}

fn is_no_key(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

/// Makes a file one that only its user can read.
fn close(file: &Path) -> io::Result<()> {
    if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
        tracing::warn!(
            file = %file.display(),
            "others could read the administration key: not any more; remove it and start the \
             daemon again, if somebody may have"
        );
    }
    Ok(())
}

/// A token that nobody can guess: 128 bits of the system's randomness, in hexadecimal digits.
///
/// # Errors
/// If the system has none.
pub(crate) fn draw() -> io::Result<Token> {
    let mut bytes = [0; 16];
    let drawn = getrandom(&mut bytes, GetRandomFlags::empty())?;
    if drawn < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut text = String::new();
    for byte in bytes {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Token::new(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_nothing_else_is_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        let made = read_or_make(folder.path()).unwrap();
        assert_eq!(made.reveal().len(), 32);
        assert_eq!(read_or_make(folder.path()).unwrap(), made);
        assert_eq!(read(folder.path()).unwrap(), made);
        fs::write(path(folder.path()), "no key\n").unwrap();
        assert_ne!(read_or_make(folder.path()).unwrap(), made);
    }

    #[test]
    fn it_is_for_its_user_alone_and_not_made_anew_while_it_can_not_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let made = read_or_make(folder.path()).unwrap();
        let file = path(folder.path());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read_or_make(folder.path()).unwrap(), made);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(read_or_make(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert!(file.is_dir());
    }
}
