//! What a process did to the files below a directory, event by event (`recorder.c` writes it).
//!
//! The log is read as bytes that belong to nobody else, so this is no parser for outside bytes: a
//! log that is not as the recorder writes it ends the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use tempfile::TempDir;

const HEAD_BYTES: usize = 40;

/// One effect. Files are named by inode; an inode can be used again once its file is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Create {
        inode: u64,
        path: &'a Path,
    },
    MakeDirectory {
        inode: u64,
        path: &'a Path,
    },
    Write {
        inode: u64,
        offset: usize,
        data: &'a [u8],
    },
    Truncate {
        inode: u64,
        length: usize,
    },
    /// `fsync` or `fdatasync`: of a directory it is its entries.
    Sync {
        inode: u64,
    },
    /// `sync_file_range`, which promises nothing for a loss of power: the file's length and the
    /// disk's own cache are none of its business.
    SyncRange {
        inode: u64,
    },
    Rename {
        from: &'a Path,
        to: &'a Path,
    },
    Remove {
        path: &'a Path,
    },
    Allocate {
        inode: u64,
        length: usize,
    },
    /// Something that can't be recorded was not let through.
    Refused {
        path: &'a Path,
    },
    /// The process wrote this to its standard output.
    Mark {
        text: &'a str,
    },
}

/// The recorder, compiled once for all tests. None without a compiler.
pub(crate) fn recorder() -> Option<&'static Path> {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    if !kith_tests::require("cc") {
        return None;
    }
    let (_, library) = BUILT.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let library = folder.path().join("recorder.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/recorder.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-pthread", "-o"]).arg(&library).arg(source);
        assert!(cc.status().unwrap().success(), "{cc:?}");
        (folder, library)
    });
    Some(library)
}

/// Has a program's doings below `directory` written to `log`.
pub(crate) fn record(command: &mut Command, recorder: &Path, directory: &Path, log: &Path) {
    command
        .env("LD_PRELOAD", recorder)
        .env("KITH_RECORD_DIRECTORY", fs::canonicalize(directory).unwrap())
        .env("KITH_RECORD_LOG", log);
}

/// Runs a program to its end, recorded, and returns the log's bytes.
pub(crate) fn run(command: &mut Command, recorder: &Path, directory: &Path) -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    record(command, recorder, directory, &log);
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
    fs::read(log).unwrap()
}

/// The events of a log, with the length that the log had after each. What is left of an event that
/// was being written when its process was killed is passed over.
pub(crate) fn events(mut log: &[u8]) -> Vec<(usize, Event<'_>)> {
    let whole = log.len();
    let mut found = Vec::new();
    while let Some(head) = log.get(..HEAD_BYTES) {
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let Some(event) = log.get(HEAD_BYTES..word(0) as usize) else { break };
        let (path, rest) = event.split_at(word(32) as usize);
        let (other, data) = rest.split_at(word(36) as usize);
        let path = Path::new(str::from_utf8(path).unwrap());
        let (inode, offset) = (long(8), usize::try_from(long(16)).unwrap());
        let event = match word(4) {
            1 => Event::Create { inode, path },
            2 => Event::MakeDirectory { inode, path },
            3 => Event::Write { inode, offset, data },
            4 => Event::Truncate { inode, length: offset },
            5 => Event::Sync { inode },
            6 => Event::SyncRange { inode },
            7 => Event::Rename { from: path, to: Path::new(str::from_utf8(other).unwrap()) },
            8 | 9 => Event::Remove { path },
            10 => Event::Allocate { inode, length: offset + usize::try_from(long(24)).unwrap() },
            11 => Event::Refused { path },
            12 => Event::Mark { text: str::from_utf8(data).unwrap() },
            kind => panic!("an event of kind {kind}"),
        };
        log = &log[word(0) as usize..];
        found.push((whole - log.len(), event));
    }
    found
}
