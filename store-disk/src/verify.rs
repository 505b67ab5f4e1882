//! Reading every record of a store once: how many are whole, and which are not.
//!
//! Of those that aren't, the bytes are kept as they are, so that they can be put aside and somebody
//! can look at them.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use kith_store::{Backend, Failure, inspect};

use crate::files::sync_parent;
use crate::limits::{LONE_BYTES_MAX, LONE_RECORDS_MAX};

/// How often somebody who waits hears of it.
const PROGRESS_RECORDS: u64 = 4096;

/// What is in a store.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Whole ones, the head not counted.
    pub(crate) records: u64,
    /// Bytes of their keys and sealed values.
    pub(crate) bytes: u64,
    /// All that are damaged.
    pub(crate) n_damaged: u64,
    /// The first of them.
    pub(crate) damaged: Vec<Lone>,
}

/// A record that is damaged, as it is.
#[derive(Debug)]
pub(crate) struct Lone {
    pub(crate) key: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) text: String,
}

impl Verified {
    /// Whether there are too many to take them out one by one.
    pub(crate) fn is_beyond_mending(&self) -> bool {
        self.n_damaged > self.damaged.len() as u64
    }
}

/// Reads all of a store whose last commit was `head`.
pub(crate) fn verify(
    backend: &mut dyn Backend,
    head: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, Failure> {
    let mut found = Verified::default();
    let mut lone_bytes = 0_usize;
    backend.scan(b"", None, &mut |key, sealed| {
        match inspect(key, sealed, head) {
            Ok(_) => {
                found.records += 1;
                found.bytes += (key.len() + sealed.len()) as u64;
            }
            Err(text) => {
                found.n_damaged += 1;
                lone_bytes += key.len() + sealed.len();
                if found.damaged.len() < LONE_RECORDS_MAX && lone_bytes <= LONE_BYTES_MAX {
                    let (key, sealed) = (key.to_vec(), sealed.to_vec());
                    found.damaged.push(Lone { key, sealed, text });
                }
            }
        }
        if found.records.is_multiple_of(PROGRESS_RECORDS) {
            progress(found.records);
        }
        ControlFlow::Continue(())
    })?;
    // The head has a seal too, and is no record of anybody's.
    found.records = found.records.saturating_sub(1);
    progress(found.records);
    Ok(found)
}

/// Writes damaged records to a file of their own: key and sealed value in hexadecimal, and why.
pub(crate) fn write_aside(path: &Path, lone: &[Lone]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for Lone { key, sealed, text } in lone {
        writeln!(file, "{}\t{}\t{text}", hexadecimal(key), hexadecimal(sealed))?;
    }
    file.sync_all()?;
    sync_parent(path)
}

/// Takes damaged records out of a store.
pub(crate) fn take_out(backend: &mut dyn Backend, lone: &[Lone]) -> Result<(), Failure> {
    backend.commit(&mut lone.iter().map(|lone| (lone.key.as_slice(), None)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
