//! The circle: whom the user trusts, whom they refuse, and what they call them.
//!
//! Each of the user's devices that may edit it has one, signs it as a whole, and sends it to the
//! others. Two of them merge entry by entry: the later one holds, of two of one moment the one that
//! rejects. So devices may change it at once and apart, meet in any order, and end up with the
//! same; an old circle that somebody replays changes nothing. Who is taken out leaves an entry
//! behind, or the next merge would bring them back.
//!
//! Devices apart may give one petname to two people. Then neither has it, and both have it with a
//! piece of their id behind it, on every device the same: a message must not go to the wrong one.
//!
//! Whether a device may sign a circle is for `book.rs` to say, and so is what time it is.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::cbor::{Reader, Writer};
use crate::ids::{DeviceId, PersonId};
use crate::keys::DeviceKeys;
use crate::limits::{CIRCLE_BYTES_MAX, CIRCLE_ENTRIES_MAX, NUMBER_MAX};
use crate::petname::Petname;
use crate::record::{Fault, RecordError, VERSION, begin, joined, split};
use crate::secret::TagSecret;
use crate::sign::{Domain, verify};

/// How the user stands to somebody. The order is that in which one wins over another of the same
/// moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// They were in the circle and are strangers again.
    Removed,
    /// Their devices' messages come from `friends`.
    Friend,
    /// Nothing of theirs is opened.
    Rejected,
}

impl Relation {
    const ALL: [Self; 3] = [Self::Removed, Self::Friend, Self::Rejected];

    fn number(self) -> u64 {
        match self {
            Self::Removed => 0,
            Self::Friend => 1,
            Self::Rejected => 2,
        }
    }
}

/// What the circle says of one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CircleEntry {
    /// When it was changed last, in ms since the Unix epoch.
    pub at: u64,
    /// How the user stands to them.
    pub relation: Relation,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// What the user calls them.
    pub petname: Option<Petname>,
    /// By which their devices are recognised on a network, if they have told.
    pub tag_secret: Option<TagSecret>,
}

/// Why the circle does not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CircleError {
    /// Somebody else has the petname.
    #[error("{0} has this petname already")]
    PetnameTaken(PersonId),
    /// There are too many entries.
    #[error("the circle has {CIRCLE_ENTRIES_MAX} entries, those of people taken out included")]
    Full,
    /// Nobody is in their own circle.
    #[error("this is you")]
    Own,
    /// It is the circle of another person.
    #[error("this is the circle of another person")]
    OtherPerson,
}

/// A circle, as it is worked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    identity: PersonId,
    version: u64,
    /// The person's own secret, and since when.
    tag_secret: Option<(u64, TagSecret)>,
    entries: BTreeMap<PersonId, CircleEntry>,
    /// Made from the entries.
    names: BTreeMap<Petname, PersonId>,
    called: BTreeMap<PersonId, Petname>,
}

impl Circle {
    /// The empty circle of a person.
    #[must_use]
    pub fn new(identity: PersonId) -> Self {
        let (entries, names, called) = Default::default();
        Self { identity, version: 0, tag_secret: None, entries, names, called }
    }

    /// Whose circle it is.
    #[must_use]
    pub fn identity(&self) -> PersonId {
        self.identity
    }

    /// When it was changed last, in ms since the Unix epoch.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The secret by which the person's own devices are recognised.
    #[must_use]
    pub fn tag_secret(&self) -> Option<&TagSecret> {
        self.tag_secret.as_ref().map(|(_, secret)| secret)
    }

    /// Everybody in it, those taken out included.
    pub fn entries(&self) -> impl Iterator<Item = (PersonId, &CircleEntry)> {
        self.entries.iter().map(|(person, entry)| (*person, entry))
    }

    /// What it says of a person.
    #[must_use]
    pub fn entry(&self, person: &PersonId) -> Option<&CircleEntry> {
        self.entries.get(person)
    }

    /// How the user stands to a person; `Removed` if there is nothing.
    #[must_use]
    pub fn relation(&self, person: &PersonId) -> Relation {
        self.entries.get(person).map_or(Relation::Removed, |entry| entry.relation)
    }

    /// What a person is called now.
    #[must_use]
    pub fn petname(&self, person: &PersonId) -> Option<&Petname> {
        self.called.get(person)
    }

    /// Who is called `petname` now.
    #[must_use]
    pub fn person(&self, petname: &str) -> Option<PersonId> {
        self.names.get(petname).copied()
    }

    /// Changes what it says of a person. Who has no entry begins as [`Relation::Removed`], without
    /// a name. The entry is later than the one before, whatever the clock says.
    ///
    /// # Errors
    ///
    /// If it can't be; then nothing has changed.
    pub fn update(
        &mut self,
        now_ms: u64,
        person: PersonId,
        change: impl FnOnce(&mut CircleEntry),
    ) -> Result<(), CircleError> {
        if person == self.identity {
            return Err(CircleError::Own);
        }
        let before = self.entries.get(&person);
        if before.is_none() && CIRCLE_ENTRIES_MAX <= self.entries.len() {
            return Err(CircleError::Full);
        }
        let mut entry = before.cloned().unwrap_or(CircleEntry {
            at: 0,
            relation: Relation::Removed,
            verified: false,
            petname: None,
            tag_secret: None,
        });
        change(&mut entry);
        entry.at = now_ms.max(before.map_or(0, |before| before.at + 1)).min(NUMBER_MAX);
        // Whoever has a name keeps it: rejecting one of two people of one name has to work.
        let is_kept = before.is_some_and(|before| before.name() == entry.name());
        let name = entry.name().filter(|_| !is_kept);
        let holder = name.and_then(|name| self.holder(name)).filter(|other| *other != person);
        if let Some(other) = holder {
            return Err(CircleError::PetnameTaken(other));
        }
        self.entries.insert(person, entry);
        self.changed(now_ms);
        Ok(())
    }

    /// Gives the person's own devices a secret to be recognised by.
    pub fn set_tag_secret(&mut self, now_ms: u64, secret: TagSecret) {
        let at = now_ms.max(self.tag_secret.as_ref().map_or(0, |(at, _)| at + 1)).min(NUMBER_MAX);
        self.tag_secret = Some((at, secret));
        self.changed(now_ms);
    }

    /// Takes in what another circle of the same person says. The order in which circles are merged
    /// makes no difference, nor does doing it twice. Says whose entries have changed.
    ///
    /// # Errors
    ///
    /// If it is another person's, or there would be too many entries; then nothing has changed.
    pub fn merge(&mut self, other: &Self) -> Result<Vec<PersonId>, CircleError> {
        if other.identity != self.identity {
            return Err(CircleError::OtherPerson);
        }
        let is_new = |(person, entry): &(&PersonId, &CircleEntry)| {
            self.entries.get(person).is_none_or(|own| own < *entry)
        };
        let news: Vec<_> = other.entries.iter().filter(is_new).collect();
        let n_more = news.iter().filter(|(person, _)| !self.entries.contains_key(person)).count();
        if CIRCLE_ENTRIES_MAX < self.entries.len() + n_more {
            return Err(CircleError::Full);
        }
        let changed = news.iter().map(|(person, _)| **person).collect();
        for (person, entry) in news {
            self.entries.insert(*person, entry.clone());
        }
        if self.tag_secret < other.tag_secret {
            self.tag_secret.clone_from(&other.tag_secret);
        }
        self.version = self.version.max(other.version);
        self.index();
        Ok(changed)
    }

    /// The circle, signed by one of the person's devices.
    ///
    /// # Errors
    ///
    /// If it is too large, which the limits keep it from.
    pub fn signed_by(&self, keys: &DeviceKeys) -> Result<SignedCircle, RecordError> {
        let signer = keys.sign_id();
        let body = self.body(signer);
        let bytes = joined(&keys.sign(Domain::Circle, &body), &body, CIRCLE_BYTES_MAX)?;
        Ok(SignedCircle { circle: self.clone(), signer, bytes })
    }

    /// The circle as its owner keeps it: the body of a signed one, whose signer is nobody.
    pub(crate) fn kept(&self) -> Vec<u8> {
        self.body(DeviceId::new([0; 32]))
    }

    /// Reads what was kept.
    pub(crate) fn from_kept(bytes: &[u8]) -> Result<Self, RecordError> {
        Ok(Self::read(bytes)?.0)
    }

    /// The time of the latest change in it.
    pub(crate) fn latest(&self) -> u64 {
        let entries = self.entries.values().map(|entry| entry.at);
        let secret = self.tag_secret.as_ref().map(|(at, _)| *at);
        entries.chain(secret).fold(self.version, u64::max)
    }

    fn changed(&mut self, now_ms: u64) {
        self.version = now_ms.max(self.version.saturating_add(1)).min(NUMBER_MAX);
        self.index();
    }

    /// Who was given this name, or goes by it.
    fn holder(&self, petname: &Petname) -> Option<PersonId> {
        let given = self.entries.iter().find(|(_, entry)| entry.name() == Some(petname));
        given.map(|(person, _)| *person).or_else(|| self.names.get(petname).copied())
    }

    fn index(&mut self) {
        let mut groups: BTreeMap<&Petname, Vec<PersonId>> = BTreeMap::new();
        for (person, entry) in &self.entries {
            if let Some(petname) = entry.name() {
                groups.entry(petname).or_default().push(*person);
            }
        }
        let mut names = BTreeMap::new();
        for (petname, people) in &groups {
            for person in people {
                let is_free =
                    |name: &Petname| !groups.contains_key(name) && !names.contains_key(name);
                let name = match people.len() {
                    1 => (*petname).clone(),
                    // An id has 48 characters behind `did:key:`, so all of them do in the end.
                    _ => (4..=48)
                        .map(|n_chars| petname.told_apart(*person, n_chars))
                        .find(is_free)
                        .unwrap_or_else(|| petname.told_apart(*person, 48)),
                };
                names.insert(name, *person);
            }
        }
        self.called = names.iter().map(|(name, person)| (*person, name.clone())).collect();
        self.names = names;
    }

    fn body(&self, signer: DeviceId) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(5 + usize::from(self.tag_secret.is_some())).number(0).number(VERSION);
        writer.number(1).bytes(self.identity.as_bytes());
        writer.number(2).number(self.version);
        writer.number(3).bytes(signer.as_bytes());
        if let Some((at, secret)) = &self.tag_secret {
            writer.number(4).map(2).number(0).number(*at).number(1).bytes(secret.as_bytes());
        }
        writer.number(5).list(self.entries.len());
        for (person, entry) in &self.entries {
            entry.write(*person, &mut writer);
        }
        writer.done()
    }

    fn read(body: &[u8]) -> Result<(Self, DeviceId), RecordError> {
        let mut reader = Reader::new(body);
        let mut map = begin(&mut reader)?;
        reader.required(&mut map, 1, "identity")?;
        let mut circle = Self::new(PersonId::new(reader.array()?));
        reader.required(&mut map, 2, "version")?;
        circle.version = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 3, "signer")?;
        let signer = DeviceId::new(reader.array()?);
        if reader.optional(&mut map, 4, "tag_secret")? {
            let mut inner = reader.map()?;
            reader.required(&mut inner, 0, "tag_secret at")?;
            let at = reader.number(NUMBER_MAX)?;
            reader.required(&mut inner, 1, "tag_secret secret")?;
            circle.tag_secret = Some((at, TagSecret::new(reader.array()?)));
            reader.end(&inner)?;
        }
        reader.required(&mut map, 5, "entries")?;
        for _ in 0..reader.list(CIRCLE_ENTRIES_MAX)? {
            let (person, entry) = CircleEntry::read(&mut reader)?;
            let is_in_order =
                circle.entries.last_key_value().is_none_or(|(last, _)| *last < person);
            if person == circle.identity || !is_in_order {
                return Err(RecordError::Field { field: "entries", fault: Fault::Order });
            }
            circle.entries.insert(person, entry);
        }
        reader.end(&map)?;
        reader.done()?;
        circle.index();
        Ok((circle, signer))
    }
}

impl CircleEntry {
    /// The petname, if it is in use.
    fn name(&self) -> Option<&Petname> {
        self.petname.as_ref().filter(|_| self.relation != Relation::Removed)
    }

    fn write(&self, person: PersonId, writer: &mut Writer) {
        let n_optional =
            usize::from(self.petname.is_some()) + usize::from(self.tag_secret.is_some());
        writer.map(4 + n_optional).number(0).bytes(person.as_bytes());
        writer.number(1).number(self.relation.number());
        if let Some(petname) = &self.petname {
            writer.number(2).text(petname.as_str());
        }
        writer.number(3).flag(self.verified);
        writer.number(4).number(self.at);
        if let Some(secret) = &self.tag_secret {
            writer.number(5).bytes(secret.as_bytes());
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<(PersonId, Self), RecordError> {
        let mut map = reader.map()?;
        reader.required(&mut map, 0, "person")?;
        let person = PersonId::new(reader.array()?);
        reader.required(&mut map, 1, "relation")?;
        let number = reader.number(u64::MAX)?;
        let relation = Relation::ALL.into_iter().find(|relation| relation.number() == number);
        let relation = relation.ok_or_else(|| reader.wrong(Fault::Unknown))?;
        let has_petname = reader.optional(&mut map, 2, "petname")?;
        let petname = if has_petname {
            let petname = Petname::new(reader.text()?);
            Some(petname.map_err(|_| reader.wrong(Fault::Unknown))?)
        } else {
            None
        };
        reader.required(&mut map, 3, "verified")?;
        let verified = reader.flag()?;
        reader.required(&mut map, 4, "at")?;
        let at = reader.number(NUMBER_MAX)?;
        let has_secret = reader.optional(&mut map, 5, "tag_secret")?;
        let tag_secret = if has_secret { Some(TagSecret::new(reader.array()?)) } else { None };
        reader.end(&map)?;
        Ok((person, Self { at, relation, verified, petname, tag_secret }))
    }
}

/// A circle as one of the person's devices signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCircle {
    circle: Circle,
    signer: DeviceId,
    bytes: Vec<u8>,
}

impl SignedCircle {
    /// Reads a circle, and checks that the device that it names has signed it. Whether that device
    /// may is not known here.
    ///
    /// # Errors
    ///
    /// If it is not one, breaks a limit, or the signature does not hold.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let (signature, body) = split(bytes, CIRCLE_BYTES_MAX)?;
        let (circle, signer) = Circle::read(body)?;
        if circle.body(signer) != body {
            return Err(RecordError::NotDeterministic);
        }
        verify(signer.as_bytes(), Domain::Circle, body, signature)?;
        Ok(Self { circle, signer, bytes: bytes.to_vec() })
    }

    /// The device that signed it.
    #[must_use]
    pub fn signer(&self) -> DeviceId {
        self.signer
    }

    /// The record as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Deref for SignedCircle {
    type Target = Circle;

    fn deref(&self) -> &Circle {
        &self.circle
    }
}
