//! Everybody who is known, as the rest of the post asks for them.
//!
//! The book (`kith-people`) decides what is believed; here are the short ways to what it says, and
//! the addresses that the user has given by hand.

use kith_people::{
    Book, BoxId, Card, Circle, DeviceId, NodeInfo, PersonId, Relation, SafetyNumber, Standing,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

/// Everybody who is known.
#[derive(Debug)]
pub(crate) struct People {
    book: Book,
    addresses: BTreeMap<PersonId, Vec<String>>,
    /// Safety numbers that were worked out: each costs milliseconds.
    safety: RefCell<BTreeMap<PersonId, String>>,
}

/// The keys of a device, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) person: PersonId,
    pub(crate) curve: [u8; 32],
    pub(crate) prekey: Option<[u8; 32]>,
}

impl Default for People {
    /// Of nobody yet.
    fn default() -> Self {
        Self::of(PersonId::new([0; 32]))
    }
}

impl People {
    /// Of a person who knows nobody yet.
    pub(crate) fn of(person: PersonId) -> Self {
        Self { book: Book::new(person), addresses: BTreeMap::new(), safety: RefCell::default() }
    }

    /// Whose a device is, or was.
    pub(crate) fn person_of(&self, device: DeviceId) -> Option<PersonId> {
        self.owner_of(device).or_else(|| {
            let mut all = self.book.people();
            all.find(|(_, known)| {
                // Frozen ones, and devices that were taken out: their standing says so.
                let is_listed = known.card().is_some_and(|card| card.device(&device).is_some());
                is_listed || known.revoked().contains(&device)
            })
            .map(|(person, _)| person)
        })
    }

    /// Whose card lists a device. One that has changed hands, as a new device does that is taken
    /// into somebody's card, is whose we know better.
    fn owner_of(&self, device: DeviceId) -> Option<PersonId> {
        let rank = |person: &PersonId| (*person != self.book.own(), !self.is_friend(*person));
        self.book.owners(device).min_by_key(rank)
    }

    pub(crate) fn standing_of(&self, device: DeviceId) -> Option<(PersonId, Standing)> {
        let person = self.person_of(device)?;
        Some((person, self.book.standing(&person, &device)))
    }

    pub(crate) fn petname(&self, person: PersonId) -> Option<&str> {
        self.book.circle().petname(&person).map(|petname| petname.as_str())
    }

    pub(crate) fn is_friend(&self, person: PersonId) -> bool {
        self.book.circle().relation(&person) == Relation::Friend
    }

    pub(crate) fn friends(&self) -> Vec<PersonId> {
        let entries = self.book.circle().entries();
        let friends = entries.filter(|(_, entry)| entry.relation == Relation::Friend);
        friends.map(|(person, _)| person).collect()
    }

    /// The devices to which messages for a person go.
    pub(crate) fn devices(&self, person: PersonId) -> Vec<DeviceId> {
        let known = self.book.person(&person);
        known.map_or_else(Vec::new, |known| known.devices().map(|one| one.sign_id).collect())
    }

    /// Everybody in the circle, and everybody of whom something is known, but for the user.
    pub(crate) fn everybody(&self) -> Vec<PersonId> {
        let own = self.book.own();
        let all: BTreeSet<_> = self.book.circle().entries().map(|(person, _)| person).collect();
        // Not who a device of somebody's was before it was theirs.
        let is_somebody = |person: &PersonId, card: Option<&Card>| {
            card.is_none_or(|card| {
                card.devices.iter().any(|one| self.owner_of(one.sign_id) == Some(*person))
            })
        };
        let known = self.book.people().filter(|(person, one)| is_somebody(person, one.card()));
        let known = known.map(|(person, _)| person);
        let all: BTreeSet<_> = known.chain(all).filter(|person| *person != own).collect();
        all.into_iter().collect()
    }

    /// The name of a device on its person's card.
    pub(crate) fn device_called(&self, person: PersonId, name: &str) -> Option<DeviceId> {
        let card = self.card(person)?;
        let is_it = |device: &&kith_people::CardDevice| {
            device.name == name || device.sign_id.to_string() == name
        };
        card.devices.iter().find(is_it).map(|device| device.sign_id)
    }

    pub(crate) fn card(&self, person: PersonId) -> Option<&Card> {
        self.book.card(&person)
    }

    /// What a device says of itself, as far as whoever lists it is known.
    pub(crate) fn node_info(&self, device: DeviceId) -> Option<&NodeInfo> {
        self.book.node(&self.person_of(device)?, &device)
    }

    /// The keys with which a device is written to.
    pub(crate) fn peer(&self, device: DeviceId, now_ms: u64) -> Option<Peer> {
        let person = self.owner_of(device)?;
        let curve = self.card(person)?.device(&device)?.ratchet_key;
        let prekey = self.book.node(&person, &device).map(|info| &info.prekey);
        let prekey = prekey.filter(|prekey| now_ms < prekey.expires).map(|prekey| prekey.key);
        Some(Peer { person, curve, prekey })
    }

    /// Where letters for a device go: its card says so, or its NodeInfo.
    pub(crate) fn box_id(&self, device: DeviceId) -> Option<BoxId> {
        let by_card = self.person_of(device).and_then(|person| self.card(person)?.device(&device));
        if let Some(device) = by_card {
            return Some(device.box_id);
        }
        let nodes = self.book.people().find_map(|(_, known)| known.node(&device));
        nodes.map(NodeInfo::box_id)
    }

    pub(crate) fn circle(&self) -> &Circle {
        self.book.circle()
    }

    pub(crate) fn addresses(&self) -> Vec<(PersonId, Vec<String>)> {
        self.addresses.iter().map(|(person, all)| (*person, all.clone())).collect()
    }

    /// What the user compares with a person.
    pub(crate) fn safety_number(&self, person: PersonId) -> String {
        let own = self.book.own();
        let mut known = self.safety.borrow_mut();
        known.entry(person).or_insert_with(|| SafetyNumber::of(own, person).to_string()).clone()
    }

    pub(crate) fn set_addresses(&mut self, person: PersonId, addresses: Vec<String>) {
        self.addresses.insert(person, addresses);
    }
}

impl From<Book> for People {
    fn from(book: Book) -> Self {
        Self { book, addresses: BTreeMap::new(), safety: RefCell::default() }
    }
}

impl Deref for People {
    type Target = Book;

    fn deref(&self) -> &Book {
        &self.book
    }
}

impl DerefMut for People {
    fn deref_mut(&mut self) -> &mut Book {
        &mut self.book
    }
}
