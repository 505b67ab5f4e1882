//! The store: seals what goes in, checks what comes out, and alone says that something is stored.
//!
//! Beside the callers' records there is one of the store's own, the *head*, under a key that no
//! caller can name. It holds the version of what is stored, and carries the sequence of the last
//! commit in its seal; every commit rewrites it. So a record of a commit that isn't there any
//! more, which a torn file may leave behind, is told by its sequence.
//!
//! A commit that fails uses up its sequence all the same: should the engine find later that it has
//! it after all, no other commit has the same number.

use std::ops::ControlFlow;

use thiserror::Error;

use crate::format::{SEAL_BYTES, seal, unseal};
use crate::limits::{KEY_BYTES_MAX, SEALED_KEPT_BYTES_MAX, VALUE_BYTES_MAX};
use crate::migration::{CURRENT, STEPS, Step};
use crate::{Backend, Batch, Damage, Failure, Page, Record, Scan};

/// The head's key. Callers' keys begin with a letter.
const HEAD: &[u8] = b"\0head";
/// All of the callers' keys are at or behind this one.
const CALLERS: &[u8] = b"a";

/// Says that a commit is on the disk. Only [`Store::commit`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    sequence: u64,
}

impl Receipt {
    /// The commit's place in the order of all commits of this store, counted from 1.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// Why a store could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// It could not be read, or its head could not be written.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// A newer version of Kith has written it.
    #[error(
        "the store is of version {found}, and this daemon knows up to {known}: \
         start the version of Kith that wrote it, or move the store away to begin anew"
    )]
    Newer {
        /// The store's version.
        found: u32,
        /// The latest one that this code knows.
        known: u32,
    },
    /// There are records and no head, or one that can't be read.
    #[error("the store's head is damaged: {text}")]
    Head {
        /// What is wrong with it.
        text: String,
    },
}

/// Sealed records in a backend.
#[derive(Debug)]
pub struct Store<B> {
    backend: B,
    sequence: u64,
    /// What the head holds, or will with the next commit.
    version: u32,
    /// Used anew by each commit: the sealed values one after the other.
    sealed: Vec<u8>,
}

impl<B: Backend> Store<B> {
    /// Opens what is there, takes it to the current version, or makes an empty store.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing has been changed but by the steps before the one that failed.
    pub fn open(backend: B) -> Result<Self, OpenError> {
        Self::open_as(backend, CURRENT, STEPS)
    }

    /// Opens what is there, of whatever version that this code knows, and changes nothing: to look
    /// at it. An empty backend has no head, and so it is damaged here.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn look(backend: B) -> Result<Self, OpenError> {
        let mut store = Self { backend, sequence: 0, version: CURRENT, sealed: Vec::new() };
        let text = "it is missing".to_owned();
        store.version = store.read_head()?.ok_or(OpenError::Head { text })?;
        if store.version > CURRENT {
            return Err(OpenError::Newer { found: store.version, known: CURRENT });
        }
        Ok(store)
    }

    pub(crate) fn open_as(backend: B, current: u32, steps: &[Step]) -> Result<Self, OpenError> {
        let mut store = Self { backend, sequence: 0, version: current, sealed: Vec::new() };
        let Some(version) = store.read_head()? else {
            store.write_head()?;
            return Ok(store);
        };
        if version > current {
            return Err(OpenError::Newer { found: version, known: current });
        }
        for version in version..current {
            let Some(step) = steps.iter().find(|step| step.from == version) else {
                let text = format!("nothing leads from its version {version} to {current}");
                return Err(OpenError::Head { text });
            };
            let changes = (step.changes)(&mut store.backend)?;
            store.version = version + 1;
            store.put_in(&[changes])?;
        }
        Ok(store)
    }

    /// Puts the batches in, in one commit of the backend's: all or nothing.
    ///
    /// # Errors
    /// The backend's [`Failure`], or [`Failure::Refused`] for a key or a value that no store takes.
    pub fn commit(&mut self, batches: &[Batch]) -> Result<Receipt, Failure> {
        batches.iter().flat_map(Batch::changes).try_for_each(|(key, value)| allow(key, value))?;
        self.put_in(batches)
    }

    /// Reads a page. Records of the store's own are not in it.
    ///
    /// # Errors
    /// The backend's [`Failure`]. A record that is damaged is no failure; the page names it.
    pub fn scan(&mut self, scan: &Scan) -> Result<Page, Failure> {
        let from = scan.from.as_slice().max(CALLERS);
        let head = self.sequence;
        let mut page = Page::default();
        let mut bytes = 0_usize;
        let to = scan.to.as_deref();
        if to.is_some_and(|to| to <= from) {
            return Ok(page);
        }
        self.backend.scan(from, to, &mut |key, sealed| {
            let n_taken = page.records.len() + page.damaged.len();
            let size = key.len() + sealed.len().saturating_sub(SEAL_BYTES);
            let is_full = n_taken >= scan.records_max || bytes + size > scan.bytes_max;
            if n_taken > 0 && is_full {
                page.next = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            bytes += size;
            let key = key.to_vec();
            match unseal(&key, sealed, head) {
                Ok((sequence, value)) => {
                    page.records.push(Record { key, value: value.to_vec(), sequence });
                }
                Err(text) => page.damaged.push(Damage { key, text }),
            }
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }

    /// The sequence of the last commit; 0 if there has been none.
    #[must_use]
    pub const fn head(&self) -> u64 {
        self.sequence
    }

    /// The backend, to look at or to have it fail.
    pub const fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Gives the backend back.
    #[must_use]
    pub fn into_backend(self) -> B {
        self.backend
    }

    /// Reads the version, and takes over the sequence. `None` in an empty store.
    fn read_head(&mut self) -> Result<Option<u32>, OpenError> {
        let mut first = None;
        self.backend.scan(b"", None, &mut |key, sealed| {
            first = Some((key.to_vec(), sealed.to_vec()));
            ControlFlow::Break(())
        })?;
        let Some((key, sealed)) = first else { return Ok(None) };
        let damaged = |text: &str| OpenError::Head { text: text.to_owned() };
        if key != HEAD {
            return Err(damaged("there are records, and it is missing"));
        }
        let (sequence, value) =
            unseal(HEAD, &sealed, u64::MAX).map_err(|text| OpenError::Head { text })?;
        let version = value.try_into().map_err(|_| damaged("it does not hold a version"))?;
        self.sequence = sequence;
        Ok(Some(u32::from_le_bytes(version)))
    }

    fn write_head(&mut self) -> Result<(), Failure> {
        self.sealed.clear();
        seal(HEAD, self.sequence, &self.version.to_le_bytes(), &mut self.sealed);
        self.backend.commit(&mut std::iter::once((HEAD, Some(self.sealed.as_slice()))))
    }

    fn put_in(&mut self, batches: &[Batch]) -> Result<Receipt, Failure> {
        self.sequence += 1;
        let version = self.version.to_le_bytes();
        self.sealed.clear();
        let mut changes = Vec::with_capacity(batches.iter().map(Batch::len).sum::<usize>() + 1);
        let mut add = |key, value: Option<&[u8]>| {
            let start = self.sealed.len();
            if let Some(value) = value {
                seal(key, self.sequence, value, &mut self.sealed);
            }
            changes.push((key, value.map(|_| start..self.sealed.len())));
        };
        batches.iter().flat_map(Batch::changes).for_each(|(key, value)| add(key, value));
        add(HEAD, Some(&version));
        let sealed = &self.sealed;
        let committed = self.backend.commit(&mut changes.iter().map(|(key, range)| {
            (*key, range.as_ref().map(|range| sealed.get(range.clone()).unwrap_or_default()))
        }));
        drop(changes);
        self.sealed.clear();
        self.sealed.shrink_to(SEALED_KEPT_BYTES_MAX);
        committed.map(|()| Receipt { sequence: self.sequence })
    }
}

/// Whether an entry of a backend's is whole, in a store whose last commit was `head`: its sequence.
/// For those who mend a store's files; everybody else scans.
///
/// # Errors
/// What is wrong with it, for people.
pub fn inspect(key: &[u8], sealed: &[u8], head: u64) -> Result<u64, String> {
    if key != HEAD && !key.first().is_some_and(u8::is_ascii_lowercase) {
        return Err("no such key is ever written".to_owned());
    }
    unseal(key, sealed, head).map(|(sequence, _)| sequence)
}

/// The entry that a store whose last commit was `sequence` has as its head. For those who put a
/// store together from the entries of a damaged one.
#[must_use]
pub fn head_entry(sequence: u64) -> (Vec<u8>, Vec<u8>) {
    let mut sealed = Vec::new();
    seal(HEAD, sequence, &CURRENT.to_le_bytes(), &mut sealed);
    (HEAD.to_vec(), sealed)
}

fn allow(key: &[u8], value: Option<&[u8]>) -> Result<(), Failure> {
    let refuse = |text| Err(Failure::Refused { text });
    if !key.first().is_some_and(u8::is_ascii_lowercase) {
        return refuse("a record's key begins with a letter from a to z".to_owned());
    }
    if key.len() > KEY_BYTES_MAX {
        return refuse(format!("a key of {} bytes, at most {KEY_BYTES_MAX}", key.len()));
    }
    let bytes = value.map_or(0, <[u8]>::len);
    if bytes > VALUE_BYTES_MAX {
        return refuse(format!("a value of {bytes} bytes, at most {VALUE_BYTES_MAX}"));
    }
    Ok(())
}
