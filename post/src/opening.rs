//! How the post begins, with what is stored, and how this device gets and keeps its identity.

use crate::asked::{Init, Passphrase, Words};
use crate::envelope::Account;
use crate::input::Output;
use crate::keys::{self, ACCOUNT, ADDRESSES, ENVELOPES, INVITES, MAIL, ME, SEEN, mail_number};
use crate::me::{KeyFile, Me};
use crate::people::People;
use crate::post::Post;
use kith_contract::people::Change;
use kith_people::{
    Book, Card, CardDraft, DeviceId, DeviceKeys, LockCost, PersonId, PersonKey, Relation,
    TagSecret, lock, recovered, recovery_words, unlock,
};
use kith_wire::{Code, Refusal};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What the post is told at the start.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// What this device is called if the user says nothing.
    pub device_name: String,
}

/// What is there at the start.
#[derive(Default)]
pub struct Loaded {
    /// The file of the person's key, if there is one.
    pub key: Option<KeyFile>,
    /// The records of the store.
    pub records: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether all this is a copy of another device's, which may still be used.
    pub is_copy: bool,
}

/// Why the post does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A record can't be read.
    #[error("what is stored of people can't be read: {0}")]
    Record(String),
    /// This device belongs to a person whose card is not there.
    #[error("the card of the person whose device this is, is not stored: restore the directory")]
    NoCard,
    /// A key can't be made.
    #[error("no identity can be made: {0}")]
    Identity(String),
}

/// This device, as it is stored.
struct Stored {
    keys: DeviceKeys,
    prekey_made_ms: u64,
    person: PersonId,
    device_name: String,
}

impl Stored {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (keys, rest) = bytes.split_first_chunk::<64>()?;
        let (made, rest) = rest.split_first_chunk::<8>()?;
        let (person, name) = rest.split_first_chunk::<32>()?;
        Some(Self {
            keys: DeviceKeys::from_bytes(keys),
            prekey_made_ms: u64::from_be_bytes(*made),
            person: PersonId::new(*person),
            device_name: String::from_utf8(name.to_vec()).ok()?,
        })
    }
}

impl Stored {
    fn into_me(self, file: KeyFile, account: Account, card: Card) -> Me {
        let open = if let KeyFile::Open(seed) = &file { Some(**seed) } else { None };
        let key = open.map(PersonKey::from_seed).filter(|key| key.id() == self.person);
        Me {
            person: self.person,
            key,
            file,
            keys: self.keys,
            account,
            card,
            device_name: self.device_name,
            reachable: BTreeMap::new(),
            node_info: None,
            prekey_made_ms: self.prekey_made_ms,
            adopting: None,
        }
    }
}

impl Post {
    /// Takes in what is stored.
    pub(crate) fn load(&mut self, loaded: Loaded) -> Result<(), OpenError> {
        let Loaded { key, records, is_copy } = loaded;
        let records: BTreeMap<_, _> = records.into_iter().collect();
        let stored = records.get(ME).map(|value| {
            Stored::read(value).ok_or_else(|| OpenError::Record("the device".to_owned()))
        });
        let Some(stored) = stored.transpose()? else {
            return match key {
                Some(KeyFile::Open(seed)) => {
                    let device_name = self.setup.device_name.clone();
                    self.begin(*seed, "", &device_name)
                }
                _ => Ok(()),
            };
        };
        let bad = |error: &dyn std::fmt::Display| OpenError::Record(error.to_string());
        let book = keys::book(stored.person);
        let of_book = records.iter().filter_map(|(key, value)| {
            Some((key.strip_prefix(book.as_slice())?, value.as_slice()))
        });
        let known = Book::load(stored.person, of_book).map_err(|error| bad(&error))?;
        let mut people = People::from(known);
        for (key, value) in &records {
            if let Some(person) = key.strip_prefix(ADDRESSES) {
                let person = <[u8; 32]>::try_from(person).map_err(|error| bad(&error))?;
                let text = String::from_utf8_lossy(value);
                let addresses = text.lines().map(str::to_owned).collect();
                people.set_addresses(PersonId::new(person), addresses);
            } else if let Some(own) = key.strip_prefix(INVITES) {
                self.joining.book.load(own, value).map_err(|error| bad(&error))?;
            } else if let Some(own) = key.strip_prefix(SEEN).filter(|_| !is_copy) {
                self.seen.load(own, value).map_err(|error| bad(&error))?;
            } else if let Some(own) = key.strip_prefix(ENVELOPES).filter(|_| !is_copy) {
                self.sessions.load(own, value).map_err(|error| bad(&error))?;
            }
        }
        let card = people.own_card().cloned().ok_or(OpenError::NoCard)?;
        self.people = people;
        let account = records.get(ACCOUNT).map(|bytes| Account::from_bytes(bytes));
        let (keys, account) = if is_copy {
            (DeviceKeys::from_seeds(self.new_seed(), self.new_seed()), Account::new())
        } else {
            let account = account.ok_or_else(|| bad(&"the account is not there"))?;
            (stored.keys, account.map_err(|error| bad(&error))?)
        };
        let stored = Stored { keys, ..stored };
        self.me = Some(stored.into_me(key.unwrap_or(KeyFile::Elsewhere), account, card));
        if is_copy {
            self.keep_me();
        }
        for (key, value) in &records {
            if let Some(mail) = mail_number(key) {
                self.deliver_again(mail, value);
            }
        }
        debug_assert!(MAIL.ends_with(b"/"), "numbers follow");
        self.started();
        Ok(())
    }

    /// Makes a person of this device's own.
    fn begin(&mut self, seed: [u8; 32], name: &str, device_name: &str) -> Result<(), OpenError> {
        let seeds = [seed, self.new_seed(), self.new_seed()];
        let me = Me::new(self.now.unix_ms, seeds, name, device_name)
            .map_err(|error| OpenError::Identity(error.to_string()))?;
        let (person, card) = (me.person, me.card.clone());
        let file = me.file.clone();
        self.people = People::of(person);
        self.me = Some(me);
        let secret = TagSecret::new(self.new_seed());
        self.people.set_tag_secret(self.now.unix_ms, secret);
        let accepted = self.people.accept_card(self.now.unix_ms, card);
        accepted.map_err(|error| OpenError::Identity(error.to_string()))?;
        self.keep_me();
        self.outputs.push_back(Output::KeepKey(file));
        self.started();
        Ok(())
    }

    /// Stores this device.
    pub(crate) fn keep_me(&mut self) {
        let Some(me) = &self.me else { return };
        let keys = me.keys.to_bytes();
        let made = me.prekey_made_ms.to_be_bytes();
        let parts: [&[u8]; 4] =
            [keys.as_slice(), &made, me.person.as_bytes(), me.device_name.as_bytes()];
        self.gate.put(ME, Zeroizing::new(parts.concat()).as_slice());
        self.gate.put(ACCOUNT, me.account.to_bytes().as_slice());
    }

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
        let Some(me) = &mut self.me else { return false };
        me.person = person;
        me.key = None;
        me.file = KeyFile::Elsewhere;
        me.adopting = None;
        me.card = card.clone();
        me.node_info = None;
        self.people = People::of(person);
        self.outputs.push_back(Output::KeepKey(KeyFile::Elsewhere));
        let is_taken = self.people.accept_card(self.now.unix_ms, card).is_ok();
        self.keep_me();
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
        is_taken
    }
}
