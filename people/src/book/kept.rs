//! The book as records: what has changed since it was written last, and reading all of it again.
//!
//! Cards and NodeInfos are kept as the bytes they came in, and read with all their checks: what
//! lies on a disk for years is looked at again for the price of some signatures. Whatever is
//! damaged is an error and not passed over, for a record that is missing could make a stranger of
//! somebody rejected.

use crate::card::Card;
use crate::cbor::{Reader, Writer};
use crate::change::{Change, LoadError};
use crate::circle::Circle;
use crate::ids::{DeviceId, PersonId};
use crate::limits::{NUMBER_MAX, REVOKED_MAX};
use crate::node_info::NodeInfo;
use crate::record::{RecordError, begin};

use super::{Book, Fork, Known};

const FORM: u64 = 1;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Circle,
    Card(PersonId),
    Person(PersonId),
    Node(PersonId, DeviceId),
}

impl Key {
    fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Circle => vec![b'o'],
            Self::Card(person) => [b"c", person.as_bytes().as_slice()].concat(),
            Self::Person(person) => [b"p", person.as_bytes().as_slice()].concat(),
            Self::Node(person, device) => {
                [b"n", person.as_bytes().as_slice(), device.as_bytes()].concat()
            }
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        if *kind == b'o' {
            return rest.is_empty().then_some(Self::Circle);
        }
        let (person, rest) = rest.split_first_chunk::<32>()?;
        let person = PersonId::new(*person);
        match kind {
            b'c' if rest.is_empty() => Some(Self::Card(person)),
            b'p' if rest.is_empty() => Some(Self::Person(person)),
            b'n' => Some(Self::Node(person, DeviceId::new(rest.try_into().ok()?))),
            _ => None,
        }
    }
}

impl Book {
    /// What has changed since it was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        let change = |key: Key| Change { key: key.to_bytes(), value: self.value(key) };
        changed.into_iter().map(change).collect()
    }

    /// Whether a record of the store is one of the book's.
    #[must_use]
    pub fn is_record(key: &[u8]) -> bool {
        Key::read(key).is_some()
    }

    /// The book of a person, from all records that were kept of it.
    ///
    /// # Errors
    ///
    /// If one is damaged, or does not lie where it should.
    pub fn load<'a>(
        own: PersonId,
        records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, LoadError> {
        let mut book = Self::new(own);
        for (key, value) in records {
            let at = Key::read(key).ok_or_else(|| LoadError::new(key, "no key of the book"))?;
            let is_in_place = book.put(at, value).map_err(|error| LoadError::new(key, error))?;
            if !is_in_place {
                return Err(LoadError::new(key, "it is about somebody else"));
            }
        }
        Ok(book)
    }

    fn value(&self, key: Key) -> Option<Vec<u8>> {
        match key {
            Key::Circle => Some(self.circle.kept()),
            Key::Card(person) => self.card(&person).map(|card| card.bytes().to_vec()),
            Key::Person(person) => self.person(&person).map(Known::kept),
            Key::Node(person, device) => {
                self.node(&person, &device).map(|info| info.bytes().to_vec())
            }
        }
    }

    fn put(&mut self, key: Key, value: &[u8]) -> Result<bool, RecordError> {
        match key {
            Key::Circle => {
                let circle = Circle::from_kept(value)?;
                let is_own = circle.identity() == self.own();
                self.circle = circle;
                Ok(is_own)
            }
            Key::Card(person) => {
                let card = Card::parse(value)?;
                let is_theirs = card.identity == person;
                self.people.entry(person).or_default().card = Some(card);
                Ok(is_theirs)
            }
            Key::Person(person) => {
                self.people.entry(person).or_default().read(value)?;
                Ok(true)
            }
            Key::Node(person, device) => {
                let info = NodeInfo::parse(value)?;
                let is_theirs = (info.identity, info.sign_id()) == (person, device);
                self.people.entry(person).or_default().nodes.insert(device, info);
                Ok(is_theirs)
            }
        }
    }
}

impl Known {
    /// What is in no record of its own.
    fn kept(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(4 + usize::from(self.fork.is_some())).number(0).number(FORM);
        writer.number(1).number(self.version);
        writer.number(2).number(self.heard);
        writer.number(3).list(self.revoked.len());
        self.revoked.iter().for_each(|device| {
            writer.bytes(device.as_bytes());
        });
        if let Some(fork) = &self.fork {
            writer.number(4).map(3).number(0).number(fork.version);
            writer.number(1).bytes(&fork.first).number(2).bytes(&fork.second);
        }
        writer.done()
    }

    fn read(&mut self, value: &[u8]) -> Result<(), RecordError> {
        let mut reader = Reader::new(value);
        let mut map = begin(&mut reader)?;
        reader.required(&mut map, 1, "version")?;
        self.version = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 2, "heard")?;
        self.heard = reader.number(u64::MAX)?;
        reader.required(&mut map, 3, "revoked")?;
        for _ in 0..reader.list(REVOKED_MAX)? {
            self.revoked.insert(DeviceId::new(reader.array()?));
        }
        if reader.optional(&mut map, 4, "fork")? {
            let mut inner = reader.map()?;
            reader.required(&mut inner, 0, "fork version")?;
            let version = reader.number(NUMBER_MAX)?;
            reader.required(&mut inner, 1, "fork first")?;
            let first = reader.array()?;
            reader.required(&mut inner, 2, "fork second")?;
            let second = reader.array()?;
            reader.end(&inner)?;
            self.fork = Some(Fork { version, first, second });
        }
        reader.end(&map)?;
        reader.done()
    }
}
