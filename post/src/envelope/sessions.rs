//! Olm sessions between this device and others, for each lane on its own.
//!
//! Which of several sessions is used to send stands in `choice.rs`.
//!
//! **What is kept.** Whatever changes a session names its record; [`Sessions::take_changes`] gives
//! them to be written. What holds then:
//! - Bytes of [`Sessions::encrypt`] may leave only once its changes are on the disk. After a crash
//!   before that, the session is where it was, and the next message is encrypted with the key that
//!   the lost one had: two messages under one key, of which nobody but us has ever seen the first.
//!   Were bytes to leave before, both would be out, and the second would be refused as a copy.
//! - What [`Sessions::decrypt`] gave may be acknowledged only once its changes are on the disk, in
//!   one transaction with the message. After a crash before that, the same bytes open again.
//! - If a commit fails, the very same changes are to be committed before any later ones; or all is
//!   loaded anew from what the disk has. What has left by then can be opened in both cases.
//! - The lane `realtime` is kept in memory only, but for which first messages were opened. After a
//!   restart its messages fail to open, and the peer is asked to renew it.
//!
//! **What fails changes nothing**: no session, no record, and not what comes next.
//!
//! On the wire a message is one byte and vodozemac's own: `0x00` and a pre-key message, or `0x01`,
//! the first 8 bytes of the session's id, and a normal message. Behind the plaintext and encrypted
//! with it stand, in a pre-key message, 16 bytes of the session's id; and always the number of the
//! choice in 4 bytes and, in one byte, the lane, and 4 if the session is a renewal. So a message
//! can't be moved to another lane, and no key in a pre-key message can be exchanged for one that
//! comes to the same (there are several for each in Curve25519, and with them a copy would look
//! like something new). What is not encoded the shortest way is refused: vodozemac's MAC covers
//! what it would have written itself, not what came.

use super::account::Account;
use super::choice::LaneSessions;
use super::failure::{DecryptError, EncryptError};
use super::lane::Lane;
use super::openings::Openings;
use super::record::Record;
use super::session::{CONFIG, Held, Tag, session_id, tag_of};
use super::{Change, RecordError};
use crate::limits::DEVICES_MAX;
use kith_people::DeviceId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{Message, OlmMessage, PreKeyMessage};
use zeroize::{Zeroize, Zeroizing};

const FIRST: u8 = 0;
const NORMAL: u8 = 1;
/// Set in the byte behind the plaintext, beside the number of the lane.
const RENEWAL: u8 = 4;
/// Of the session's id, behind the plaintext of a pre-key message.
const ID_BYTES: usize = 16;
/// All that stands there at most.
const TRAILER_BYTES: usize = ID_BYTES + 4 + 1;

/// The public keys of a device with which a message is encrypted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerKeys {
    /// The ratchet key on its card.
    pub curve: [u8; 32],
    /// The prekey of its NodeInfo, as long as that is valid.
    pub prekey: Option<[u8; 32]>,
}

/// What a message held.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// What was encrypted.
    pub plaintext: Vec<u8>,
    /// Whether the message opened a session.
    pub is_new_session: bool,
}

/// Shows no content.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_new = self.is_new_session;
        f.debug_struct("Opened").field("is_new_session", &is_new).finish_non_exhaustive()
    }
}

/// All sessions of this device.
#[derive(Default)]
pub struct Sessions {
    devices: BTreeMap<DeviceId, Device>,
    changed: BTreeSet<Record>,
}

#[derive(Default)]
struct Device {
    lanes: BTreeMap<Lane, LaneSessions>,
    openings: Openings,
}

impl Sessions {
    /// Without any.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Encrypts for a device, in a new session if there is none.
    ///
    /// # Errors
    /// If there is no session and none can be opened.
    pub fn encrypt(
        &mut self,
        account: &Account,
        device: DeviceId,
        lane: Lane,
        peer: &PeerKeys,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, EncryptError> {
        if !self.devices.contains_key(&device) && DEVICES_MAX <= self.devices.len() {
            return Err(EncryptError::TooManyDevices);
        }
        let known = self.devices.get_mut(&device).and_then(|device| device.lanes.get_mut(&lane));
        if let Some(held) = known.and_then(|sessions| sessions.current(&peer.curve)) {
            let bytes = written(held, lane, plaintext)?;
            self.changed.insert(Record::Session(device, lane, held.tag));
            return Ok(bytes);
        }
        let prekey = peer.prekey.ok_or(EncryptError::NoPrekey)?;
        let session = account
            .olm()
            .create_outbound_session(CONFIG, key(&peer.curve), key(&prekey))
            .map_err(|_| EncryptError::WeakKey)?;
        let sessions = self.devices.entry(device).or_default().lanes.entry(lane).or_default();
        let mut held = Held {
            tag: tag_of(&session_id(&session.session_keys())),
            session,
            curve: peer.curve,
            rank: sessions.next_rank(),
            heard: 0,
            is_closed: false,
            is_renewal: !sessions.is_empty(),
        };
        let bytes = written(&mut held, lane, plaintext)?;
        let mut changed = Vec::new();
        sessions.add(held, &mut changed);
        self.note(device, lane, &changed);
        Ok(bytes)
    }

    /// Decrypts what came from a device with this ratchet key.
    ///
    /// # Errors
    /// If it can't be opened; then nothing has changed.
    pub fn decrypt(
        &mut self,
        account: &mut Account,
        device: DeviceId,
        lane: Lane,
        curve: &[u8; 32],
        bytes: &[u8],
    ) -> Result<Opened, DecryptError> {
        let leads = account.curve_key() < *curve;
        match bytes.split_first() {
            Some((&FIRST, bytes)) => {
                let message =
                    PreKeyMessage::from_bytes(bytes).map_err(|_| DecryptError::Malformed)?;
                if message.to_bytes() != bytes {
                    return Err(DecryptError::Malformed);
                }
                if message.identity_key() != key(curve) {
                    return Err(DecryptError::OtherDevice);
                }
                let tag = tag_of(&session_id(&message.session_keys()));
                let known = self.devices.get(&device).and_then(|known| known.lanes.get(&lane));
                if known.is_some_and(|sessions| sessions.get(tag).is_some()) {
                    let message = OlmMessage::PreKey(message);
                    self.decrypt_held(leads, device, lane, curve, tag, &message)
                } else {
                    self.open(account, leads, device, lane, curve, message)
                }
            }
            Some((&NORMAL, bytes)) => {
                let (tag, bytes) = bytes.split_first_chunk().ok_or(DecryptError::Malformed)?;
                let message = Message::from_bytes(bytes).map_err(|_| DecryptError::Malformed)?;
                if message.to_bytes() != bytes {
                    return Err(DecryptError::Malformed);
                }
                let message = OlmMessage::Normal(message);
                self.decrypt_held(leads, device, lane, curve, *tag, &message)
            }
            _ => Err(DecryptError::Malformed),
        }
    }

    /// Has the next message to this device in this lane open a new session, since the peer said
    /// that it can't open ours. What comes on the old ones is still opened.
    pub fn renew(&mut self, device: DeviceId, lane: Lane) {
        let known = self.devices.get_mut(&device).and_then(|device| device.lanes.get_mut(&lane));
        let mut changed = Vec::new();
        if let Some(sessions) = known {
            sessions.close(&mut changed);
        }
        self.note(device, lane, &changed);
    }

    /// Forgets the sessions with a device, which was revoked or whose person was removed. Its first
    /// messages stay known for as long as they could open something.
    pub fn forget(&mut self, device: DeviceId) {
        let Some(held) = self.devices.get_mut(&device) else { return };
        for (lane, sessions) in std::mem::take(&mut held.lanes) {
            let tags = sessions.tags().map(|tag| Record::Session(device, lane, tag));
            self.changed.extend(tags);
        }
        if held.openings.is_empty() {
            self.devices.remove(&device);
        }
    }

    /// Forgets everything of a device, its first messages too: of a stranger, to make room for
    /// another. What is repeated then opens a session once more, which for strangers does no harm.
    pub fn drop_all(&mut self, device: DeviceId) {
        self.forget(device);
        if self.devices.remove(&device).is_some() {
            self.changed.insert(Record::Openings(device));
        }
    }

    /// Forgets first messages whose prekey the account has no more.
    pub fn prekeys_changed(&mut self, account: &Account) {
        for (device, held) in &mut self.devices {
            if held.openings.prune(account) {
                self.changed.insert(Record::Openings(*device));
            }
        }
        self.devices.retain(|_, held| !held.openings.is_empty() || !held.lanes.is_empty());
    }

    /// Whether there is a session on which something can be sent without a prekey.
    #[must_use]
    pub fn can_send(&self, device: DeviceId, lane: Lane, curve: &[u8; 32]) -> bool {
        let held = self.devices.get(&device).and_then(|device| device.lanes.get(&lane));
        held.is_some_and(|sessions| sessions.can_send(curve))
    }

    /// The devices of which anything is held.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.devices.keys().copied()
    }

    /// The records that have changed since the last time, each as it is now.
    #[must_use]
    pub fn take_changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        let is_kept = |record: &Record| !matches!(record, Record::Session(_, Lane::Realtime, _));
        changed.into_iter().filter(is_kept).map(|record| self.change(record)).collect()
    }

    /// Takes in a record, at the start.
    ///
    /// # Errors
    /// If it is not one of these.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), RecordError> {
        let record = Record::from_key(key).ok_or(RecordError::Key)?;
        let (Record::Session(device, ..) | Record::Openings(device)) = record;
        if !self.devices.contains_key(&device) && DEVICES_MAX <= self.devices.len() {
            return Err(RecordError::TooMany);
        }
        match record {
            Record::Openings(_) => {
                let openings = Openings::from_bytes(value)?;
                self.devices.entry(device).or_default().openings = openings;
            }
            Record::Session(_, lane, tag) => {
                let held = Held::from_bytes(value)?;
                if held.tag != tag {
                    return Err(RecordError::Value);
                }
                let sessions =
                    self.devices.entry(device).or_default().lanes.entry(lane).or_default();
                if !sessions.load(held) {
                    return Err(RecordError::TooMany);
                }
            }
        }
        Ok(())
    }

    fn change(&self, record: Record) -> Change {
        let value = match record {
            Record::Openings(device) => self
                .devices
                .get(&device)
                .filter(|held| !held.openings.is_empty())
                .map(|held| Zeroizing::new(held.openings.to_bytes())),
            Record::Session(device, lane, tag) => {
                let sessions = self.devices.get(&device).and_then(|held| held.lanes.get(&lane));
                sessions.and_then(|sessions| sessions.get(tag)).map(Held::to_bytes)
            }
        };
        Change { key: record.key(), value }
    }

    fn note(&mut self, device: DeviceId, lane: Lane, changed: &[Tag]) {
        self.changed.extend(changed.iter().map(|tag| Record::Session(device, lane, *tag)));
    }

    /// Decrypts in a session that is there.
    fn decrypt_held(
        &mut self,
        leads: bool,
        device: DeviceId,
        lane: Lane,
        curve: &[u8; 32],
        tag: Tag,
        message: &OlmMessage,
    ) -> Result<Opened, DecryptError> {
        let known = self.devices.get_mut(&device).and_then(|known| known.lanes.get_mut(&lane));
        let sessions = known.ok_or(DecryptError::UnknownSession)?;
        let held = sessions.get_mut(tag, curve).ok_or(DecryptError::UnknownSession)?;
        let (session, mut plaintext) = held.decrypt(message)?;
        let trailer = read_trailer(&mut plaintext, lane, message)?;
        held.session = session;
        if !leads {
            sessions.follow(tag, trailer.choice);
        }
        self.changed.insert(Record::Session(device, lane, tag));
        Ok(Opened { plaintext, is_new_session: false })
    }

    /// Opens a session with the peer's first message.
    fn open(
        &mut self,
        account: &mut Account,
        leads: bool,
        device: DeviceId,
        lane: Lane,
        curve: &[u8; 32],
        message: PreKeyMessage,
    ) -> Result<Opened, DecryptError> {
        let id = session_id(&message.session_keys());
        match self.devices.get(&device) {
            Some(known) if known.openings.has(&id) => return Err(DecryptError::Repeated),
            Some(known) if known.openings.is_full() => return Err(DecryptError::TooManySessions),
            None if DEVICES_MAX <= self.devices.len() => return Err(DecryptError::TooManyDevices),
            _ => {}
        }
        let inbound = account.olm_mut().create_inbound_session(CONFIG, key(curve), &message)?;
        let prekey = message.one_time_key();
        let mut plaintext = inbound.plaintext;
        let trailer = read_trailer(&mut plaintext, lane, &OlmMessage::PreKey(message))?;

        let known = self.devices.entry(device).or_default();
        known.openings.add(&id, prekey.as_bytes());
        self.changed.insert(Record::Openings(device));
        let sessions = known.lanes.entry(lane).or_default();
        let held = Held {
            tag: tag_of(&id),
            session: inbound.session,
            curve: *curve,
            rank: sessions.next_rank(),
            heard: trailer.choice,
            is_closed: false,
            is_renewal: trailer.is_renewal,
        };
        let mut changed = Vec::new();
        sessions.take_up(held, leads, &mut changed);
        self.note(device, lane, &changed);
        Ok(Opened { plaintext, is_new_session: true })
    }
}

/// Shows no secrets.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("devices", &self.devices.len()).finish_non_exhaustive()
    }
}

fn key(bytes: &[u8; 32]) -> Curve25519PublicKey {
    Curve25519PublicKey::from_bytes(*bytes)
}

/// Encrypts, as it goes over the wire.
fn written(held: &mut Held, lane: Lane, plaintext: &[u8]) -> Result<Vec<u8>, EncryptError> {
    let mut content = Zeroizing::new(Vec::with_capacity(plaintext.len() + TRAILER_BYTES));
    content.extend(plaintext);
    if held.is_unanswered() {
        content.extend(session_id(&held.session.session_keys()).iter().take(ID_BYTES));
    }
    content.extend(held.rank.to_be_bytes());
    content.push(lane.number() | if held.is_renewal { RENEWAL } else { 0 });
    let message = held.session.encrypt(&*content).map_err(|_| EncryptError::WeakKey)?;
    let (head, message) = match message {
        OlmMessage::PreKey(message) => (vec![FIRST], message.to_bytes()),
        OlmMessage::Normal(message) => ([&[NORMAL], &held.tag[..]].concat(), message.to_bytes()),
    };
    Ok([head, message].concat())
}

/// What stands behind a plaintext.
struct Trailer {
    choice: u32,
    is_renewal: bool,
}

/// Takes off what stands behind the plaintext. Nothing is left of it where that is wrong.
fn read_trailer(
    plaintext: &mut Vec<u8>,
    lane: Lane,
    message: &OlmMessage,
) -> Result<Trailer, DecryptError> {
    let read = trailer_of(plaintext, lane, message);
    match read {
        Ok((_, length)) => plaintext.truncate(length),
        Err(_) => plaintext.zeroize(),
    }
    read.map(|(trailer, _)| trailer)
}

/// The trailer, and how long what stands before it is.
fn trailer_of(
    plaintext: &[u8],
    lane: Lane,
    message: &OlmMessage,
) -> Result<(Trailer, usize), DecryptError> {
    let (flags, rest) = plaintext.split_last().ok_or(DecryptError::Malformed)?;
    let (rest, choice) = rest.split_last_chunk().ok_or(DecryptError::Malformed)?;
    if flags & !RENEWAL != lane.number() {
        return Err(DecryptError::OtherLane);
    }
    let trailer = Trailer { choice: u32::from_be_bytes(*choice), is_renewal: flags & RENEWAL != 0 };
    let OlmMessage::PreKey(message) = message else { return Ok((trailer, rest.len())) };
    let id = session_id(&message.session_keys());
    let (rest, named) = rest.split_last_chunk::<ID_BYTES>().ok_or(DecryptError::Malformed)?;
    if id.starts_with(named) { Ok((trailer, rest.len())) } else { Err(DecryptError::NotAuthentic) }
}
