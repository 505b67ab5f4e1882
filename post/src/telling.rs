//! What devices tell each other of people: cards, the circle, and how to be recognised.
//!
//! A card is believed by its signature, whoever shows it. The circle is taken from the user's own
//! devices that may edit it, friends' cards from own devices, and a tag secret from the friend
//! whose it is.

use crate::counts::Cause;
use crate::envelope::{Body, Party};
use crate::limits::INTERNAL_WAITING_MAX;
use crate::outbox::Errand;
use crate::post::Post;
use kith_contract::people::{Change, Changed};
use kith_people::{
    Card, CardRefusal, DeviceId, PersonId, Relation, SignedCircle, Standing, TagSecret,
};

/// What the post says to the same device or friend: the circle, and how to recognise us.
const CIRCLE_TOPIC: &str = "circle";
const TAG_TOPIC: &str = "tag";
const CARDS_TOPIC: &str = "card";

const NODE_TOPIC: &str = "node";

impl Post {
    /// Asks for a card where the other side has another than is known here.
    pub(crate) fn compare_cards(
        &mut self,
        device: DeviceId,
        person: Option<PersonId>,
        hash: Option<[u8; 32]>,
    ) {
        let known = person.and_then(|person| self.people.card(person)).map(Card::hash);
        // Of strangers too: what goes to `public` is sealed for them.
        if person.is_none() || hash.is_none() || known != hash {
            self.carry_own(device, Body::WantCard);
        }
    }

    /// Shows a device our card.
    pub(crate) fn show_card(&mut self, device: DeviceId) {
        let Some(me) = &self.me else { return };
        let card = me.card.bytes().to_vec();
        let Some(info) = &me.node_info else { return };
        let node_info = info.bytes().to_vec();
        self.carry_own(device, Body::Card { card, node_info });
    }

    /// A device shows a card: mostly its own person's.
    pub(crate) fn introduced(&mut self, device: DeviceId, card: &[u8], node_info: &[u8]) {
        let before = self.people.standing_of(device);
        if !self.take_card(card) {
            return self.refuse(Cause::FalseRecord);
        }
        if self.take_node_info(node_info).is_none() {
            self.refuse(Cause::FalseRecord);
        }
        self.take_in_waiting(device);
        self.ready.insert(device);
        // Not for each card that somebody shows again.
        if before != self.people.standing_of(device) {
            self.tell_own(device);
        }
    }

    /// Takes a card in. Whether it is right, or known already.
    pub(crate) fn take_card(&mut self, bytes: &[u8]) -> bool {
        let Ok(card) = Card::parse(bytes) else { return false };
        let person = card.identity;
        let now_ms = self.now.monotonic_ms;
        let adopts = self.me.as_ref().is_some_and(|me| {
            me.adopting.is_some_and(|(adopter, until)| adopter == person && now_ms < until)
                && card.device(&me.device()).is_some()
        });
        if adopts {
            return self.adopt(card);
        }
        let news = match self.people.accept_card(self.now.unix_ms, card) {
            Ok(news) if !news.is_new => return true,
            Ok(news) => news,
            Err(refusal) => {
                if matches!(refusal, CardRefusal::Forked(_)) {
                    let text = Some(refusal.to_string());
                    self.tell_changed(Change::Frozen, person, None, text);
                }
                return false;
            }
        };
        if let (Some(me), Some(card)) = (&mut self.me, self.people.card(person))
            && me.person == person
        {
            me.card = card.clone();
            self.say_node_info();
        }
        for device in &news.rekeyed {
            self.sessions.forget(*device);
        }
        for device in &news.removed {
            self.drop_device(*device);
            self.tell_changed(Change::DeviceRemoved, person, Some(*device), None);
        }
        // Of strangers nothing is said, and nobody is dialled for them.
        if self.is_me(person) || self.people.is_friend(person) {
            for device in &news.added {
                self.tell_changed(Change::DeviceAdded, person, Some(*device), None);
                self.dial(*device);
            }
        }
        true
    }

    /// Nothing more goes to a device, nor comes from it.
    pub(crate) fn drop_device(&mut self, device: DeviceId) {
        self.outbox.forget(device);
        self.sessions.forget(device);
        if self.links.best(device).is_some() {
            self.hang_up(device);
        }
    }

    pub(crate) fn tell_changed(
        &mut self,
        change: Change,
        person: PersonId,
        device: Option<DeviceId>,
        text: Option<String>,
    ) {
        let changed = Changed {
            change,
            person: *person.as_bytes(),
            device: device.map(|device| *device.as_bytes()),
            petname: self.people.petname(person).map(str::to_owned),
            text,
        };
        self.changed(&changed);
    }

    /// Tells a friend's device how to recognise ours, and our own devices all that we know.
    pub(crate) fn tell_own(&mut self, device: DeviceId) {
        let Some((person, standing)) = self.people.standing_of(device) else { return };
        if INTERNAL_WAITING_MAX <= self.outbox.count(device) {
            // It takes nothing in, and comes again and again.
            return;
        }
        let Some(me) = &self.me else { return };
        let to = vec![(person, device, false)];
        if standing == Standing::Own {
            if self.people.may_edit_circle(&me.device())
                && let Ok(signed) = self.people.circle().signed_by(&me.keys)
            {
                self.put_internal(CIRCLE_TOPIC, signed.bytes().to_vec(), to.clone());
            }
            for friend in self.people.friends() {
                if let Some(card) = self.people.card(friend) {
                    let card = card.bytes().to_vec();
                    self.put_internal(CARDS_TOPIC, card, to.clone());
                }
            }
        } else if standing == Standing::Friend
            && let Some(secret) = self.people.circle().tag_secret()
        {
            let secret = secret.as_bytes().to_vec();
            self.put_internal(TAG_TOPIC, secret, to);
        }
        if matches!(standing, Standing::Own | Standing::Friend) {
            self.tell_nodes(device, person, standing);
        }
    }

    /// Tells a device where others are that it may want to reach: an own one where all are, a
    /// friend's where ours are.
    fn tell_nodes(&mut self, device: DeviceId, person: PersonId, standing: Standing) {
        let Some(me) = &self.me else { return };
        let (own, this) = (me.person, me.device());
        let mut people = vec![own];
        if standing == Standing::Own {
            people.extend(self.people.friends());
        }
        let devices = people.into_iter().flat_map(|one| self.people.devices(one));
        let others = devices.filter(|other| *other != this && *other != device);
        let records: Vec<_> = others
            .filter_map(|other| Some(self.people.node_info(other)?.bytes().to_vec()))
            .collect();
        for record in records {
            self.put_internal(NODE_TOPIC, record, vec![(person, device, false)]);
        }
    }

    /// A device that we know says where another is.
    fn node_came(&mut self, record: &[u8]) -> bool {
        let Some(info) = self.take_node_info(record) else { return true };
        if self.wanted_devices().contains(&info.sign_id()) {
            self.dial(info.sign_id());
        }
        true
    }

    fn put_internal(&mut self, topic: &str, payload: Vec<u8>, to: Vec<(PersonId, DeviceId, bool)>) {
        let message = self.internal(topic, payload);
        // Should there be no room now, it is said again with the next link.
        let _ = self.put_out(None, message, Errand::Internal, to);
    }

    /// The circle or a card has changed: our own devices are told.
    pub(crate) fn tell_all_own(&mut self) {
        let Some(me) = &self.me else { return };
        let person = me.person;
        let linked: Vec<_> = self.links.devices().collect();
        for device in linked {
            if self.people.person_of(device) == Some(person) {
                self.tell_own(device);
            }
        }
    }

    /// What another device of ours, or of a friend's, says to this one.
    pub(crate) fn internal_came(
        &mut self,
        from: Party,
        standing: Standing,
        topic: &str,
        payload: &[u8],
    ) {
        let is_right = match (topic, standing) {
            (CIRCLE_TOPIC, Standing::Own) => self.circle_came(payload),
            (CARDS_TOPIC, Standing::Own) => self.take_card(payload),
            // What is not believed is an old one: it comes again with each link.
            (NODE_TOPIC, Standing::Own | Standing::Friend) => self.node_came(payload),
            (TAG_TOPIC, Standing::Friend) => match <[u8; 32]>::try_from(payload) {
                Ok(secret) => self.tag_secret_came(from.person, TagSecret::new(secret)),
                Err(_) => false,
            },
            _ => false,
        };
        if !is_right {
            self.refuse(Cause::Malformed);
        }
    }

    fn tag_secret_came(&mut self, person: PersonId, secret: TagSecret) -> bool {
        let now_ms = self.now.unix_ms;
        let known = self.people.circle().entry(&person);
        if known.is_some_and(|entry| entry.tag_secret.as_ref() == Some(&secret)) {
            return true;
        }
        let changed =
            self.people.update_circle(now_ms, person, |entry| entry.tag_secret = Some(secret));
        changed.is_ok()
    }

    /// Another device of ours has changed the circle.
    fn circle_came(&mut self, payload: &[u8]) -> bool {
        let Ok(signed) = SignedCircle::parse(payload) else { return false };
        let Ok(changed) = self.people.accept_circle(self.now.unix_ms, &signed) else {
            return false;
        };
        for news in changed {
            self.apply_relation(news.person);
            let change = match news.after.relation {
                Relation::Friend => Change::Befriended,
                Relation::Rejected => Change::Rejected,
                Relation::Removed => Change::Removed,
            };
            self.tell_changed(change, news.person, None, None);
        }
        self.say_beacon();
        true
    }
}
