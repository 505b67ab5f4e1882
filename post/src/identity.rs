//! How this device gets, names, locks and restores an identity, and signs its person's card.

use crate::asked::{Init, Passphrase, Words};
use crate::input::Output;
use crate::me::KeyFile;
use crate::people::People;
use crate::post::Post;
use kith_contract::people::Change;
use kith_people::{
    Card, CardDraft, DeviceId, LockCost, PersonId, PersonKey, Relation, TagSecret, lock, recovered,
    recovery_words, unlock,
};
use kith_wire::{Code, Refusal};
use zeroize::Zeroizing;

impl Post {
    /// Sees to it that this device has an identity.
    pub(crate) fn identity(&mut self) -> Result<(), Refusal> {
        if self.me.is_some() {
            return Ok(());
        }
        let seed = self.new_seed();
        let device_name = self.setup.device_name.clone();
        self.begin(seed, "", &device_name)
            .map_err(|error| Refusal::new(Code::NotAvailable, error.to_string()))
    }

    /// The person's key, if it is here and unlocked.
    pub(crate) fn person_key(&self) -> Result<&PersonKey, Refusal> {
        let me = self.me.as_ref();
        me.and_then(|me| me.key.as_ref()).ok_or_else(|| {
            let text = match me.map(|me| &me.file) {
                Some(KeyFile::Locked(_)) => "the identity key is locked: `kith unlock`",
                _ => "this takes the identity key, which is on the device that you began with",
            };
            Refusal::new(Code::NotAvailable, text)
        })
    }

    /// Signs a new card of the user's, and shows it to whoever is connected.
    pub(crate) fn sign_card(&mut self, draft: &CardDraft) -> Result<(), Refusal> {
        let card = draft.sign(self.person_key()?);
        let card = card.map_err(|error| Refusal::new(Code::BadField, error.to_string()))?;
        // Before those that it leaves out are hung up on: they see why.
        let knew = self.linked_and_known();
        if let Some(me) = &mut self.me {
            me.card = card.clone();
        }
        for device in knew {
            self.show_card(device);
        }
        if !self.take_card(card.bytes()) {
            let text = "a newer card of yours is known: is the clock of this machine right?";
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        self.tell_all_own();
        Ok(())
    }

    /// Gives names, and takes a device that was copied or recovered into the card.
    pub(crate) fn init(&mut self, init: Init) -> Result<(), Refusal> {
        let now_ms = self.now.unix_ms;
        let Some(me) = &self.me else { return Ok(()) };
        let mut draft = me.card.next(now_ms);
        let is_listed = me.is_listed();
        if init.name.is_none() && init.device_name.is_none() && is_listed {
            return Ok(());
        }
        // What can't be signed changes nothing.
        self.person_key()?;
        let Some(me) = &mut self.me else { return Ok(()) };
        if let Some(name) = init.name {
            draft.name = name;
        }
        if let Some(name) = init.device_name {
            me.device_name = name;
        }
        let entry = me.entry(me.person, now_ms);
        let device = me.device();
        match draft.devices.iter_mut().find(|one| one.sign_id == device) {
            Some(known) => known.name.clone_from(&me.device_name),
            None => draft.devices.push(entry),
        }
        self.sign_card(&draft)?;
        self.keep_me();
        Ok(())
    }

    /// Takes one of the user's devices out of the card.
    pub(crate) fn remove_device(&mut self, text: &str) -> Result<(), Refusal> {
        let Some(me) = &self.me else { return Ok(()) };
        let Some(device) = self.people.device_called(me.person, text) else {
            let text = format!("you have no device `{text}`: see `kith devices`");
            return Err(Refusal::new(Code::UnknownRecipient, text));
        };
        let draft = me.card.without_device(self.now.unix_ms, &device);
        let draft = draft.map_err(|error| Refusal::new(Code::BadField, error.to_string()))?;
        self.sign_card(&draft)?;
        self.renew_tag_secret();
        Ok(())
    }

    /// Has the user's devices recognised by another secret from now on.
    pub(crate) fn renew_tag_secret(&mut self) {
        let secret = TagSecret::new(self.new_seed());
        self.people.set_tag_secret(self.now.unix_ms, secret);
        self.say_beacon();
        let linked: Vec<_> = self.links.devices().collect();
        for device in linked {
            self.tell_own(device);
        }
    }

    /// Does what the circle now says of a person.
    pub(crate) fn apply_relation(&mut self, person: PersonId) {
        let devices = self.people.card(person).map_or_else(Vec::new, |card| {
            card.devices.iter().map(|device| device.sign_id).collect()
        });
        for device in devices {
            match self.people.circle().relation(&person) {
                Relation::Friend => {
                    self.want(device);
                    self.tell_own(device);
                }
                Relation::Rejected => self.drop_device(device),
                Relation::Removed => self.outbox.forget(device),
            }
        }
    }

    /// Who is meant: a petname, or an identity.
    pub(crate) fn whom(&self, text: &str) -> Result<PersonId, Refusal> {
        if let Some(person) = self.people.circle().person(text) {
            return Ok(person);
        }
        text.parse().map_err(|_| {
            let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
            let text = format!("nobody is called `{shown}`: see `kith friends`");
            Refusal::new(Code::UnknownRecipient, text)
        })
    }

    /// Puts the person's key under a passphrase.
    pub(crate) fn lock(&mut self, asked: &Passphrase) -> Result<String, Refusal> {
        let seed = self.person_key()?.seed();
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        (self.entropy)(&mut salt);
        (self.entropy)(&mut nonce);
        let cost = LockCost::default();
        let locked = lock(seed.as_slice(), &asked.passphrase, cost, salt, nonce)
            .map_err(|error| Refusal::new(Code::BadField, error.to_string()))?;
        let Some(me) = &mut self.me else { return Ok("null".to_owned()) };
        me.file = KeyFile::Locked(locked);
        me.key = None;
        self.outputs.push_back(Output::KeepKey(me.file.clone()));
        Ok("{\"key\":\"locked\"}".to_owned())
    }

    /// Has the person's key at hand until the daemon ends or it is locked again.
    pub(crate) fn unlock(&mut self, asked: &Passphrase) -> Result<String, Refusal> {
        let Some(me) = &mut self.me else { return Ok("null".to_owned()) };
        if let KeyFile::Locked(bytes) = &me.file {
            let seed = unlock(bytes, &asked.passphrase)
                .map_err(|error| Refusal::new(Code::NotAllowed, error.to_string()))?;
            let seed = <[u8; 32]>::try_from(seed.as_slice()).map(Zeroizing::new);
            let key = seed.ok().map(|seed| PersonKey::from_seed(*seed));
            me.key = key.filter(|key| key.id() == me.person);
        }
        self.person_key()?;
        Ok("{\"key\":\"unlocked\"}".to_owned())
    }

    /// The words that restore the person's key.
    pub(crate) fn recovery_words(&self) -> Result<String, Refusal> {
        let words = recovery_words(self.person_key()?);
        Ok(serde_json::json!({"words": words.as_str()}).to_string())
    }

    /// Restores a person's key on a device that has nobody yet.
    pub(crate) fn recover(&mut self, asked: &Words) -> Result<String, Refusal> {
        let key = recovered(&asked.words)
            .map_err(|error| Refusal::new(Code::BadField, error.to_string()))?;
        let Some(me) = &self.me else { return Ok("null".to_owned()) };
        if key.id() != me.person {
            if me.card.devices.len() > 1 || !self.people.everybody().is_empty() {
                let text = "this device has people or devices already: a key is restored on one \
                            that has none";
                return Err(Refusal::new(Code::NotAvailable, text));
            }
            let device_name = me.device_name.clone();
            self.begin(*key.seed(), "", &device_name)
                .map_err(|error| Refusal::new(Code::NotAvailable, error.to_string()))?;
            self.tell_changed(Change::Identity, key.id(), None, None);
        }
        Ok(serde_json::json!({"identity": key.id().to_string()}).to_string())
    }

    /// Another device of the person's is asked whom this one is: this device is of that person.
    pub(crate) fn adopt(&mut self, card: Card) -> bool {
        let person = card.identity;
        let mut people = People::of(person);
        if self.has_others() || people.accept_card(self.now.unix_ms, card.clone()).is_err() {
            return false;
        }
        let Some(me) = &mut self.me else { return false };
        me.person = person;
        me.key = None;
        me.file = KeyFile::Elsewhere;
        me.adopting = None;
        me.card = card;
        me.node_info = None;
        self.people = people;
        self.keep_me();
        // Only when the rest is stored: until then the old key is whose this device is.
        self.gate.after(Output::KeepKey(KeyFile::Elsewhere));
        self.say_node_info();
        self.say_beacon();
        let linked: Vec<DeviceId> = self.links.devices().collect();
        for device in linked {
            if self.people.person_of(device) == Some(person) {
                // It knows our NodeInfo as another person's.
                self.show_card(device);
                self.tell_own(device);
            }
        }
        self.tell_changed(Change::Identity, person, None, None);
        true
    }

    /// Whether this device has people, or its person other devices: then it can't become another's.
    pub(crate) fn has_others(&self) -> bool {
        let has_devices = self.me.as_ref().is_some_and(|me| me.card.devices.len() > 1);
        has_devices || !self.people.friends().is_empty()
    }
}
