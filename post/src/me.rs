//! This device, and whose it is.
//!
//! The device's keys and its ratchet account are here and nowhere else. The person's key is here
//! too where this is the device on which it was made; others are linked, and have none.
//!
//! A device has an identity from the first moment that somebody asks for one: it is then a person
//! of its own, with a card that lists this device alone. Linked to another person it drops that.

use crate::envelope::{Account, Party};
use crate::limits::{ENDPOINTS_HOLD_MS, PREKEY_HOLD_MS, PREKEY_RENEW_MS};
use kith_people::{
    Card, CardDevice, CardDraft, DeviceId, DeviceKeys, NodeInfo, NodeInfoDraft, PersonId,
    PersonKey, Prekey, RecordError, Seed, fitting_endpoints,
};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The file of the person's key, as it is on the disk.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyFile {
    /// The key itself.
    Open(Zeroizing<Seed>),
    /// The key under a passphrase.
    Locked(Vec<u8>),
    /// None: another device has it.
    Elsewhere,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open(…)",
            Self::Locked(_) => "Locked(…)",
            Self::Elsewhere => "Elsewhere",
        })
    }
}

/// What a transport says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reachable {
    pub(crate) endpoints: Vec<String>,
    pub(crate) tls_key: Option<[u8; 32]>,
}

/// This device, and whose it is.
pub(crate) struct Me {
    pub(crate) person: PersonId,
    /// The person's key, where it is here and unlocked.
    pub(crate) key: Option<PersonKey>,
    pub(crate) file: KeyFile,
    pub(crate) keys: DeviceKeys,
    pub(crate) account: Account,
    pub(crate) card: Card,
    pub(crate) device_name: String,
    pub(crate) reachable: BTreeMap<String, Reachable>,
    pub(crate) node_info: Option<NodeInfo>,
    /// When the prekey was made, in ms since the Unix epoch.
    pub(crate) prekey_made_ms: u64,
    /// Who is about to take this device into their card, and until when they may, on the monotonic
    /// clock.
    pub(crate) adopting: Option<(PersonId, u64)>,
}

impl Me {
    /// A person of its own.
    pub(crate) fn new(
        now_ms: u64,
        [person, sign, letters]: [Seed; 3],
        name: &str,
        device_name: &str,
    ) -> Result<Self, RecordError> {
        let key = PersonKey::from_seed(person);
        let keys = DeviceKeys::from_seeds(sign, letters);
        let account = Account::new();
        let device =
            CardDevice::signed(&keys, key.id(), account.curve_key(), device_name, now_ms, true);
        let draft = CardDraft {
            identity: key.id(),
            version: now_ms,
            created: now_ms,
            name: name.to_owned(),
            devices: vec![device],
            relays: Vec::new(),
            flags: 0,
            extensions: Vec::new(),
        };
        let card = draft.sign(&key)?;
        Ok(Self {
            person: key.id(),
            file: KeyFile::Open(key.seed()),
            key: Some(key),
            keys,
            account,
            card,
            device_name: device_name.to_owned(),
            reachable: BTreeMap::new(),
            node_info: None,
            prekey_made_ms: now_ms,
            adopting: None,
        })
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.keys.sign_id()
    }

    pub(crate) fn party(&self) -> Party {
        Party { person: self.person, device: self.device() }
    }

    /// Whether this device is one of the person's, as their card has it.
    pub(crate) fn is_listed(&self) -> bool {
        self.card.device(&self.device()).is_some()
    }

    /// This device as an entry of a card.
    pub(crate) fn entry(&self, identity: PersonId, now_ms: u64) -> CardDevice {
        let ratchet_key = self.account.curve_key();
        let name = &self.device_name;
        CardDevice::signed(&self.keys, identity, ratchet_key, name, now_ms, true)
    }

    /// All addresses of this device, those of every transport.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let all: Vec<_> =
            self.reachable.values().flat_map(|one| one.endpoints.iter().cloned()).collect();
        fitting_endpoints(&all)
    }

    pub(crate) fn tls_key(&self) -> Option<[u8; 32]> {
        self.reachable.values().find_map(|one| one.tls_key)
    }

    /// Makes a new prekey, if the one that is there has had its time. Whether it did.
    pub(crate) fn renew_prekey(&mut self, now_ms: u64) -> bool {
        let is_over = self.prekey_made_ms.saturating_add(PREKEY_RENEW_MS) <= now_ms;
        if is_over {
            self.account.rotate_prekey();
            self.prekey_made_ms = now_ms;
        }
        is_over
    }

    /// Signs our NodeInfo, if the last one says something else or is half over.
    pub(crate) fn renew_node_info(&mut self, now_ms: u64) -> Result<&NodeInfo, RecordError> {
        let endpoints = self.endpoints();
        let (person, tls_key) = (self.person, self.tls_key());
        let last_seq = self.node_info.as_ref().map_or(0, |info| info.seq);
        let is_right = |info: &NodeInfo| {
            info.identity == person
                && info.tls_key == tls_key
                && info.endpoints == endpoints
                && self.account.has_prekey(&info.prekey.key)
                && now_ms.saturating_add(ENDPOINTS_HOLD_MS / 2) < info.expires
        };
        let node_info = match self.node_info.take().filter(is_right) {
            Some(info) => info,
            None => {
                let prekey_expires = self.prekey_made_ms.saturating_add(PREKEY_HOLD_MS);
                NodeInfoDraft {
                    identity: person,
                    tls_key,
                    seq: now_ms.max(last_seq.saturating_add(1)),
                    endpoints,
                    relays: Vec::new(),
                    expires: now_ms.saturating_add(ENDPOINTS_HOLD_MS),
                    prekey: Prekey::signed(&self.keys, self.account.prekey(), prekey_expires),
                }
                .sign(&self.keys)?
            }
        };
        Ok(self.node_info.insert(node_info))
    }
}
