//! How the post begins, with what is stored, and how this device is stored.

use crate::envelope::Account;
use crate::input::Output;
use crate::keys::{self, ACCOUNT, ADDRESSES, ENVELOPES, INVITES, MAIL, ME, SEEN, mail_number};
use crate::me::{KeyFile, Me};
use crate::people::People;
use crate::post::Post;
use kith_people::{Book, Card, DeviceKeys, PersonId, PersonKey, Standing, TagSecret};
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
        // Ratchets with strangers are not for long.
        let devices: Vec<_> = self.sessions.devices().collect();
        for device in devices {
            let standing = people.standing_of(device).map(|(_, standing)| standing);
            if !matches!(standing, Some(Standing::Own | Standing::Friend)) {
                self.sessions.drop_all(device);
            }
        }
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
    pub(crate) fn begin(
        &mut self,
        seed: [u8; 32],
        name: &str,
        device_name: &str,
    ) -> Result<(), OpenError> {
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
}
