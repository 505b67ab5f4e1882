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
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: usize,
}

impl Batch {
    /// Without changes.
    #[must_use]
    pub const fn new() -> Self {
        Self { changes: Vec::new(), bytes: 0 }
    }

    /// Sets the value of `key`, which begins with a letter from a to z.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.push(key.into(), Some(value.into()));
    }

    /// Takes `key` out, if it is there.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.push(key.into(), None);
    }

    /// Adds the changes of another, after its own.
    pub fn append(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.changes.extend(other.changes);
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
        self.bytes
    }

    /// The changes in order; `None` deletes.
    pub fn changes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    fn push(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let bytes = key.len().saturating_add(value.as_ref().map_or(0, Vec::len));
        self.bytes = self.bytes.saturating_add(bytes);
        self.changes.push((key, value));
    }
}
