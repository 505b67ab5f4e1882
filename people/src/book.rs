//! Everybody who is known, and what is believed of them.
//!
//! The book takes in cards, NodeInfos and circles that are right by themselves, and decides whether
//! they are right beside what is known: versions only go up, two cards of one version freeze the
//! person, a device that a newer card left out is revoked for good. From these, and from nothing
//! that a message says, comes the standing of whoever sent it.
//!
//! Of those in the circle everything is kept. Of strangers, of whom there may be any number, the
//! one heard of longest ago is forgotten to make room, with all that is known of them.
//!
//! The own person is in the book like others: their card too only gets newer, and freezes. What the
//! book says can be kept (`take_changes`, `load`, in `book/kept.rs`); the circle is kept as it is
//! worked with, without a signature, since it is our own.

mod kept;
mod news;

pub use news::{
    CardNews, CardRefusal, CircleNews, CircleRefusal, Fork, NodeNews, NodeRefusal, Standing,
};

use std::collections::{BTreeMap, BTreeSet};

use crate::card::{Card, CardDevice};
use crate::circle::{Circle, CircleEntry, CircleError, Relation, SignedCircle};
use crate::ids::{DeviceId, PersonId};
use crate::limits::{AHEAD_MS, NODE_INFOS_MAX, REVOKED_MAX, STRANGERS_MAX};
use crate::node_info::NodeInfo;
use crate::secret::TagSecret;
use crate::tag::{Tag, tags_around};
use kept::Key;

/// What is known of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    card: Option<Card>,
    /// No card of a version up to this one is taken.
    version: u64,
    fork: Option<Fork>,
    revoked: BTreeSet<DeviceId>,
    nodes: BTreeMap<DeviceId, NodeInfo>,
    /// When something new was last heard of them, in ms since the Unix epoch.
    heard: u64,
}

impl Known {
    /// Their card, unless none is known.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// The two cards of one version, if there were two.
    #[must_use]
    pub fn fork(&self) -> Option<&Fork> {
        self.fork.as_ref()
    }

    /// The devices that a card left out, which don't come back.
    #[must_use]
    pub fn revoked(&self) -> &BTreeSet<DeviceId> {
        &self.revoked
    }

    /// The NodeInfos of their devices.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values()
    }

    /// The NodeInfo of a device.
    #[must_use]
    pub fn node(&self, device: &DeviceId) -> Option<&NodeInfo> {
        self.nodes.get(device)
    }

    /// The devices to which messages for the person go: those of the card that are not revoked.
    /// None while the person is frozen.
    pub fn devices(&self) -> impl Iterator<Item = &CardDevice> {
        let card = self.card.as_ref().filter(|_| self.fork.is_none());
        let devices = card.into_iter().flat_map(|card| card.devices.iter());
        devices.filter(|device| !self.revoked.contains(&device.sign_id))
    }

    /// Whether a card is newer than what is known.
    fn weigh(&self, card: &Card) -> Result<Age, CardRefusal> {
        if self.fork.is_some() {
            return Err(CardRefusal::Frozen);
        }
        match &self.card {
            Some(have) if have.bytes() == card.bytes() => Ok(Age::Same),
            Some(have) if have.version == card.version => Err(CardRefusal::Forked(Fork {
                version: card.version,
                first: have.hash(),
                second: card.hash(),
            })),
            _ if card.version <= self.version => Err(CardRefusal::Old { have: self.version }),
            _ => Ok(Age::Newer),
        }
    }

    /// Whether a NodeInfo is of a device of theirs, as far as is known.
    fn objection(&self, info: &NodeInfo) -> Option<NodeRefusal> {
        if self.fork.is_some() {
            return Some(NodeRefusal::Frozen);
        }
        if self.revoked.contains(&info.sign_id()) {
            return Some(NodeRefusal::Revoked);
        }
        let card = self.card.as_ref()?;
        match card.device(&info.sign_id()) {
            None => Some(NodeRefusal::NotTheirs),
            Some(device) if device.box_id != info.box_id() => Some(NodeRefusal::OtherBox),
            Some(_) => None,
        }
    }
}

/// How a card compares with the one that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Same,
    Newer,
}

/// Everybody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    circle: Circle,
    people: BTreeMap<PersonId, Known>,
    changed: BTreeSet<Key>,
}

impl Book {
    /// The book of a person who knows nobody yet.
    #[must_use]
    pub fn new(own: PersonId) -> Self {
        Self { circle: Circle::new(own), people: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// Whose book it is.
    #[must_use]
    pub fn own(&self) -> PersonId {
        self.circle.identity()
    }

    /// The own card, once it is there.
    #[must_use]
    pub fn own_card(&self) -> Option<&Card> {
        self.card(&self.own())
    }

    /// Whom the user trusts and refuses, and what they are called.
    #[must_use]
    pub fn circle(&self) -> &Circle {
        &self.circle
    }

    /// What is known of a person.
    #[must_use]
    pub fn person(&self, person: &PersonId) -> Option<&Known> {
        self.people.get(person)
    }

    /// Everybody of whom a card or a NodeInfo is known.
    pub fn people(&self) -> impl Iterator<Item = (PersonId, &Known)> {
        self.people.iter().map(|(person, known)| (*person, known))
    }

    /// The card of a person.
    #[must_use]
    pub fn card(&self, person: &PersonId) -> Option<&Card> {
        self.people.get(person).and_then(Known::card)
    }

    /// The NodeInfo of a person's device.
    #[must_use]
    pub fn node(&self, person: &PersonId, device: &DeviceId) -> Option<&NodeInfo> {
        self.people.get(person).and_then(|known| known.node(device))
    }

    /// The people whose card lists a device that is not revoked; one, unless the device has signed
    /// for two.
    pub fn owners(&self, device: DeviceId) -> impl Iterator<Item = PersonId> {
        let has = move |known: &Known| known.devices().any(|one| one.sign_id == device);
        self.people.iter().filter(move |(_, known)| has(known)).map(|(person, _)| *person)
    }

    /// How whoever writes as this device of this person stands to us. Nothing that they say counts.
    #[must_use]
    pub fn standing(&self, person: &PersonId, device: &DeviceId) -> Standing {
        let relation = self.circle.relation(person);
        if relation == Relation::Rejected {
            return Standing::Rejected;
        }
        let Some(known) = self.people.get(person) else { return Standing::NoCard };
        if known.fork.is_some() {
            return Standing::Frozen;
        }
        if known.revoked.contains(device) {
            return Standing::Revoked;
        }
        let Some(card) = &known.card else { return Standing::NoCard };
        if card.device(device).is_none() {
            return Standing::NotTheirs;
        }
        match relation {
            _ if *person == self.own() => Standing::Own,
            Relation::Friend => Standing::Friend,
            _ => Standing::Unknown,
        }
    }

    /// Takes in a card. Who is rejected is not listened to.
    ///
    /// # Errors
    ///
    /// If it is not newer than the one that is known, too far ahead of the clock, or the person is
    /// rejected or frozen. With [`CardRefusal::Forked`] the person is frozen from now on.
    pub fn accept_card(&mut self, now_ms: u64, card: Card) -> Result<CardNews, CardRefusal> {
        let person = card.identity;
        if self.circle.relation(&person) == Relation::Rejected {
            return Err(CardRefusal::Rejected);
        }
        if now_ms.saturating_add(AHEAD_MS) < card.version {
            return Err(CardRefusal::Ahead { version: card.version });
        }
        if let Some(known) = self.people.get_mut(&person) {
            let before = known.weigh(&card);
            if let Err(CardRefusal::Forked(fork)) = before {
                known.fork = Some(fork);
                self.changed.insert(Key::Person(person));
            }
            if before? == Age::Same {
                return Ok(CardNews::none(person));
            }
        }
        let known = self.people.get(&person);
        let news = CardNews::new(known, &card);
        if REVOKED_MAX < known.map_or(0, |known| known.revoked.len()) + news.removed.len() {
            return Err(CardRefusal::TooManyRevoked);
        }
        self.make_room(person);
        let known = self.people.entry(person).or_default();
        known.revoked.extend(&news.removed);
        (known.version, known.heard) = (card.version, now_ms);
        known.card = Some(card);
        let is_gone = |info: &&NodeInfo| known.objection(info).is_some();
        let gone: Vec<_> = known.nodes.values().filter(is_gone).map(NodeInfo::sign_id).collect();
        for device in gone {
            known.nodes.remove(&device);
            self.changed.insert(Key::Node(person, device));
        }
        self.changed.extend([Key::Card(person), Key::Person(person)]);
        Ok(news)
    }

    /// Believes a frozen person again, from their next card on: the user has made sure of it. None
    /// of the two cards is kept. Says whether the person was frozen.
    pub fn thaw(&mut self, person: &PersonId) -> bool {
        let Some(known) = self.people.get_mut(person).filter(|known| known.fork.is_some()) else {
            return false;
        };
        (known.fork, known.card) = (None, None);
        self.changed.extend([Key::Card(*person), Key::Person(*person)]);
        true
    }

    /// Takes in what a device says of itself.
    ///
    /// # Errors
    ///
    /// If something newer is known, or the device is not one of that person's.
    pub fn accept_node_info(
        &mut self,
        now_ms: u64,
        info: NodeInfo,
    ) -> Result<NodeNews, NodeRefusal> {
        let (person, device) = (info.identity, info.sign_id());
        if self.circle.relation(&person) == Relation::Rejected {
            return Err(NodeRefusal::Rejected);
        }
        let known = self.people.get(&person);
        if let Some(refusal) = known.and_then(|known| known.objection(&info)) {
            return Err(refusal);
        }
        let old = known.and_then(|known| known.node(&device));
        if let Some(old) = old.filter(|old| info.seq <= old.seq) {
            let is_same = old.bytes() == info.bytes();
            return if is_same { Ok(NodeNews::default()) } else { Err(NodeRefusal::Old) };
        }
        let n_nodes = known.map_or(0, |known| known.nodes.len());
        if old.is_none() && NODE_INFOS_MAX <= n_nodes {
            return Err(NodeRefusal::TooMany);
        }
        let news = NodeNews::new(old, &info);
        self.make_room(person);
        let known = self.people.entry(person).or_default();
        known.heard = now_ms;
        known.nodes.insert(device, info);
        self.changed.extend([Key::Node(person, device), Key::Person(person)]);
        Ok(news)
    }

    /// Whether a device may change the circle: the own card says so.
    #[must_use]
    pub fn may_edit_circle(&self, device: &DeviceId) -> bool {
        let is_own = self.standing(&self.own(), device) == Standing::Own;
        let entry = self.own_card().and_then(|card| card.device(device));
        is_own && entry.is_some_and(|entry| entry.may_edit_circle)
    }

    /// Takes in the circle as another own device has it. Says who has changed.
    ///
    /// # Errors
    ///
    /// If it is another person's, the device may not edit it, something in it is too far ahead of
    /// the clock, or there is too much in it; then nothing has changed.
    pub fn accept_circle(
        &mut self,
        now_ms: u64,
        circle: &SignedCircle,
    ) -> Result<Vec<CircleNews>, CircleRefusal> {
        if circle.identity() != self.own() {
            return Err(CircleError::OtherPerson.into());
        }
        if !self.may_edit_circle(&circle.signer()) {
            return Err(CircleRefusal::MayNot);
        }
        // What is later wins, so something of the far future would win for good.
        if now_ms.saturating_add(AHEAD_MS) < circle.latest() {
            return Err(CircleRefusal::Ahead);
        }
        let before = self.circle.clone();
        let changed = self.circle.merge(circle)?;
        if before != self.circle {
            self.changed.insert(Key::Circle);
        }
        let news = |person: PersonId| {
            let after = self.circle.entry(&person)?.clone();
            Some(CircleNews { person, before: before.entry(&person).cloned(), after })
        };
        Ok(changed.into_iter().filter_map(news).collect())
    }

    /// Changes what the circle says of a person, as [`Circle::update`].
    ///
    /// # Errors
    ///
    /// If it can't be; then nothing has changed.
    pub fn update_circle(
        &mut self,
        now_ms: u64,
        person: PersonId,
        change: impl FnOnce(&mut CircleEntry),
    ) -> Result<(), CircleError> {
        self.circle.update(now_ms, person, change)?;
        self.changed.insert(Key::Circle);
        Ok(())
    }

    /// Gives the own devices a secret to be recognised by.
    pub fn set_tag_secret(&mut self, now_ms: u64, secret: TagSecret) {
        self.circle.set_tag_secret(now_ms, secret);
        self.changed.insert(Key::Circle);
    }

    /// The tags that own and friends' devices may show now, and whose each is.
    pub fn tags(&self, now_ms: u64) -> impl Iterator<Item = (Tag, PersonId, DeviceId)> {
        let devices = self.people.iter().flat_map(move |(person, known)| {
            let secret = self.tag_secret(person);
            known.devices().filter_map(move |device| Some((*person, device.sign_id, secret?)))
        });
        devices.flat_map(move |(person, device, secret)| {
            tags_around(secret, now_ms, device).map(|tag| (tag, person, device))
        })
    }

    fn tag_secret(&self, person: &PersonId) -> Option<&TagSecret> {
        if *person == self.own() {
            return self.circle.tag_secret();
        }
        let entry = self.circle.entry(person)?;
        entry.tag_secret.as_ref().filter(|_| entry.relation == Relation::Friend)
    }

    /// Forgets a stranger, if `person` would be one too many.
    fn make_room(&mut self, person: PersonId) {
        let (own, circle) = (self.own(), &self.circle);
        let is_stranger = |one: &PersonId| *one != own && circle.entry(one).is_none();
        if self.people.contains_key(&person) || !is_stranger(&person) {
            return;
        }
        let strangers = self.people.iter().filter(|(one, _)| is_stranger(one));
        let strangers: Vec<_> = strangers.map(|(one, known)| (known.heard, *one)).collect();
        let Some((_, oldest)) = strangers.iter().min().filter(|_| STRANGERS_MAX <= strangers.len())
        else {
            return;
        };
        let nodes = self.people.remove(oldest).map(|known| known.nodes).unwrap_or_default();
        self.changed.extend(nodes.into_keys().map(|device| Key::Node(*oldest, device)));
        self.changed.extend([Key::Card(*oldest), Key::Person(*oldest)]);
    }
}
