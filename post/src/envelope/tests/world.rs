//! Two devices, and what is on its way between them.

use crate::envelope::{Account, Change, DecryptError, Lane, Opened, PeerKeys, Sessions};
use kith_people::DeviceId;
use std::collections::BTreeMap;

/// One device with its memory and its disk.
pub(super) struct End {
    pub(super) id: DeviceId,
    pub(super) account: Account,
    pub(super) sessions: Sessions,
    pub(super) disk: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl End {
    pub(super) fn new(number: u8) -> Self {
        let (account, sessions) = (Account::new(), Sessions::new());
        Self { id: DeviceId::new([number; 32]), account, sessions, disk: BTreeMap::new() }
    }

    pub(super) fn keys(&self) -> PeerKeys {
        PeerKeys { curve: self.account.curve_key(), prekey: Some(self.account.prekey()) }
    }

    pub(super) fn send(&mut self, to: &Self, text: &str) -> Vec<u8> {
        let (id, keys) = (to.id, to.keys());
        let sent = self.sessions.encrypt(&self.account, id, Lane::Normal, &keys, text.as_bytes());
        self.commit();
        sent.unwrap()
    }

    pub(super) fn hear(&mut self, from: &Self, bytes: &[u8]) -> Result<Opened, DecryptError> {
        let curve = from.account.curve_key();
        let opened = self.sessions.decrypt(&mut self.account, from.id, Lane::Normal, &curve, bytes);
        self.commit();
        opened
    }

    /// Hears it, and says whether the text was this.
    pub(super) fn hears(&mut self, from: &Self, bytes: &[u8], text: &str) -> bool {
        self.hear(from, bytes).unwrap().plaintext == text.as_bytes()
    }

    pub(super) fn commit(&mut self) {
        for Change { key, value } in self.sessions.take_changes() {
            match value {
                Some(value) => drop(self.disk.insert(key, value.to_vec())),
                None => drop(self.disk.remove(&key)),
            }
        }
    }

    /// Begins anew with what is on the disk.
    pub(super) fn restart(&mut self) {
        self.account = Account::from_bytes(&self.account.to_bytes()).unwrap();
        self.sessions = Sessions::new();
        for (key, value) in &self.disk {
            self.sessions.load(key, value).unwrap();
        }
    }

    /// Keys of the sessions on the disk.
    pub(super) fn session_keys(&self) -> Vec<&Vec<u8>> {
        self.disk.keys().filter(|key| key.first() == Some(&b's')).collect()
    }
}

/// Two devices, of which the first leads.
pub(super) fn pair() -> (End, End) {
    let (mut a, mut b) = (End::new(1), End::new(2));
    if b.account.curve_key() < a.account.curve_key() {
        std::mem::swap(&mut a.account, &mut b.account);
    }
    (a, b)
}

/// Both, with a session that each has heard the other on.
pub(super) fn acquainted() -> (End, End) {
    let (mut a, mut b) = pair();
    let hello = a.send(&b, "hello");
    assert!(b.hears(&a, &hello, "hello"));
    let answer = b.send(&a, "answer");
    assert!(a.hears(&b, &answer, "answer"));
    (a, b)
}

/// The session that a normal message names; none for a first one.
pub(super) fn tag_of(bytes: &[u8]) -> Option<[u8; 8]> {
    let (kind, rest) = bytes.split_first().unwrap();
    (*kind == 1).then(|| *rest.first_chunk().unwrap())
}
