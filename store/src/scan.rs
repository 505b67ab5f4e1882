//! Reading in pages: what is asked for, and what comes back.
//!
//! A store may hold more than fits into memory beside everything else, so whoever reads says how
//! much at once. What is damaged comes back too, named and without its value: whether the rest is
//! of use without it is for the caller to say.

use crate::limits::{PAGE_BYTES_MAX, PAGE_RECORDS_MAX};

/// Which records, and how many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The first key.
    pub from: Vec<u8>,
    /// The first key that is no longer meant; `None` is all up to the end.
    pub to: Option<Vec<u8>>,
    /// How many records, damaged ones included.
    pub records_max: usize,
    /// How many bytes of keys and values. One record comes in any case, if there is one.
    pub bytes_max: usize,
}

impl Scan {
    /// Everything, a page at a time.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            from: Vec::new(),
            to: None,
            records_max: PAGE_RECORDS_MAX,
            bytes_max: PAGE_BYTES_MAX,
        }
    }

    /// The keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { from: prefix.to_vec(), to: end_of(prefix), ..Self::all() }
    }

    /// The same range from where `page` ends; `None` after the last one.
    #[must_use]
    pub fn after(&self, page: &Page) -> Option<Self> {
        page.next.as_ref().map(|next| Self { from: next.clone(), ..self.clone() })
    }
}

/// The first key after all that begin with `prefix`; `None` if there is none such.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let at = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix.get(..=at)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}

/// Some records in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Those that are whole.
    pub records: Vec<Record>,
    /// Those that are not.
    pub damaged: Vec<Damage>,
    /// Where to go on; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// A record that is as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The commit that wrote it.
    pub sequence: u64,
}

/// A record that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its key, as far as that can be trusted.
    pub key: Vec<u8>,
    /// What is wrong with it.
    pub text: String,
}
