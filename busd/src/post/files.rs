//! What the post keeps in the daemon's state: the directory `people`.
//!
//! - `identity.key`: the person's key, or the word that another device has it;
//! - `store/`: everything else;
//! - `place`: the machine and the directory in which this was made. A copy of the state, restored
//!   from a backup or taken to another machine, finds other ones: then it makes keys of its own for
//!   the device, and the ratchets that the original still uses are left alone.
//!
//! A snapshot of a whole machine that is set back can't be told from the original.

use crate::directory::{DirectoryError, Make, Standard, prepare};
use crate::saved::Saved;
use data_encoding::HEXLOWER;
use kith_post::{KeyFile, Loaded};
use kith_store::{Failure, Scan};
use kith_store_disk::{Disk, Kind, OpenError};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY: &str = "identity.key";
const PLACE: &str = "place";
/// What stands in the key's file where another device has the key.
const ELSEWHERE: &str = "elsewhere";
const LOCKED: &str = "locked ";

/// Why there is no post.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum PostError {
    /// Its directory can't be made.
    #[error("people: {0}")]
    Directory(String),
    /// Its store can't be opened.
    #[error("people: {0}")]
    Open(#[from] OpenError),
    /// Its store can't be read.
    #[error("people: {0}")]
    Read(#[from] Failure),
    /// A file can't be read.
    #[error("people: {0}")]
    Io(#[from] io::Error),
    /// The key's file is not one.
    #[error("people: {} is not a key: put the file back from a copy, or take it away and restore \
             the key with `kith recover`", .0.display())]
    Key(PathBuf),
}

impl From<DirectoryError> for PostError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error.to_string())
    }
}

/// What is there at the start.
pub(super) struct Loading {
    pub(super) loaded: Loaded,
    pub(super) disk: Option<Disk>,
    pub(super) device_name: String,
}

/// The directory.
#[derive(Clone, Debug)]
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn new(state: &Path) -> Self {
        Self { directory: state.join("people") }
    }

    /// Reads what is there.
    pub(super) fn load(&self) -> Result<Loading, PostError> {
        let device_name = host_name();
        let key = self.key()?;
        if !self.directory.join("store").exists() {
            let loaded = Loaded { key, ..Loaded::default() };
            return Ok(Loading { loaded, disk: None, device_name });
        }
        let is_copy = self.is_copy()?;
        let disk = self.open()?;
        let mut records = Vec::new();
        let mut scan = Some(Scan::prefix(b""));
        while let Some(next) = scan {
            let page = disk.scan_now(next.clone())?;
            scan = next.after(&page);
            records.extend(page.records.into_iter().map(|record| (record.key, record.value)));
        }
        if is_copy {
            tracing::warn!(
                "this state is a copy: the device gets keys of its own, and is to be taken into \
                 your card (`kith devices add`)"
            );
        }
        let loaded = Loaded { key, records, is_copy };
        Ok(Loading { loaded, disk: Some(disk), device_name })
    }

    /// Opens the store, or makes it.
    pub(super) fn open(&self) -> Result<Disk, PostError> {
        let folder = self.directory.join("store");
        prepare(&folder, Make::All, Standard::Own)?;
        let (disk, opened) = Disk::open(&folder, Kind::Sqlite)?;
        if let Some(quarantine) = &opened.quarantined {
            tracing::error!("{quarantine}");
        }
        self.keep_place()?;
        Ok(disk)
    }

    /// Whether what is here was made elsewhere.
    fn is_copy(&self) -> io::Result<bool> {
        match fs::read_to_string(self.directory.join(PLACE)) {
            Ok(made) => Ok(made.trim_end() != self.place()?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn keep_place(&self) -> io::Result<()> {
        Saved::new(&self.directory, PLACE).store(&format!("{}\n", self.place()?))
    }

    fn place(&self) -> io::Result<String> {
        let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let folder = fs::metadata(&self.directory)?;
        Ok(format!("{} {} {}", machine.trim(), folder.dev(), folder.ino()))
    }

    fn key(&self) -> Result<Option<KeyFile>, PostError> {
        let path = self.directory.join(KEY);
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let text = text.trim_end();
        if text == ELSEWHERE {
            return Ok(Some(KeyFile::Elsewhere));
        }
        let hex = |digits: &str| HEXLOWER.decode(digits.as_bytes()).ok();
        let key = match text.strip_prefix(LOCKED) {
            Some(digits) => hex(digits).map(KeyFile::Locked),
            None => hex(text)
                .and_then(|bytes| <[u8; 32]>::try_from(Zeroizing::new(bytes).as_slice()).ok())
                .map(|seed| KeyFile::Open(Zeroizing::new(seed))),
        };
        key.map(Some).ok_or(PostError::Key(path))
    }

    /// Writes the person's key to its file, which only the user can read.
    pub(super) fn keep_key(&self, key: &KeyFile) -> Result<(), PostError> {
        prepare(&self.directory, Make::All, Standard::Own)?;
        let text = Zeroizing::new(match key {
            KeyFile::Elsewhere => ELSEWHERE.to_owned(),
            KeyFile::Locked(bytes) => format!("{LOCKED}{}", HEXLOWER.encode(bytes)),
            KeyFile::Open(seed) => HEXLOWER.encode(seed.as_slice()),
        });
        Ok(Saved::new(&self.directory, KEY).store(&format!("{}\n", text.as_str()))?)
    }
}

/// What this machine is called, which is what the device is called if the user says nothing.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(|c| !c.is_control()).take(32).collect();
    if name.is_empty() { "device".to_owned() } else { name }
}
