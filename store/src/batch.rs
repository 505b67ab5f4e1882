//! Changes that go into the store together or not at all.
//!
//! A list and no map: the order in which changes were asked for is the order in which they are
//! made, and a later change of the same key wins. Nothing is checked here; [`Store::commit`]
//! refuses keys that are not a caller's.
//!
//! [`Store::commit`]: crate::Store::commit

/// An ordered list of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// All keys and values, one after the other: a batch goes from one thread to another, and two
    /// pieces of memory for each change would be more work than to write them.
    data: Vec<u8>,
    changes: Vec<Change>,
}

/// Where a change's parts end in the data; it begins where the one before ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    key_end: usize,
    /// `None` deletes.
    value_end: Option<usize>,
}

impl Batch {
    /// Without changes.
    #[must_use]
    pub const fn new() -> Self {
        Self { data: Vec::new(), changes: Vec::new() }
    }

    /// Sets the value of `key`, which begins with a letter from a to z.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.push(key.as_ref(), Some(value.as_ref()));
    }

    /// Takes `key` out, if it is there.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.push(key.as_ref(), None);
    }

    /// Adds the changes of another, after its own.
    pub fn append(&mut self, other: &Self) {
        other.changes().for_each(|(key, value)| self.push(key, value));
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.changes.len()
    }

    /// Bytes of the keys and values.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The changes in order; `None` deletes.
    pub fn changes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut start = 0;
        self.changes.iter().map(move |Change { key_end, value_end }| {
            let part = |from: usize, to: usize| self.data.get(from..to).unwrap_or_default();
            let key = part(start, *key_end);
            start = value_end.unwrap_or(*key_end);
            (key, value_end.map(|end| part(*key_end, end)))
        })
    }

    fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.data.extend_from_slice(key);
        let key_end = self.data.len();
        self.data.extend_from_slice(value.unwrap_or_default());
        self.changes.push(Change { key_end, value_end: value.map(|_| self.data.len()) });
    }
}
