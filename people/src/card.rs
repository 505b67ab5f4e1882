//! A card: which devices a person has, signed by the person's identity key.
//!
//! Each device in it has signed too, that it belongs to this person with these keys: else somebody
//! could list another's keys as a device of theirs, and what comes from there would count as from
//! them. A card is read whole or not at all, with every signature checked; whoever holds a
//! [`Card`] holds one that is right. Its bytes are kept as they came, and passed on as those.
//!
//! Whether a card is newer than another, and what it takes away, is decided in `book.rs`: a card
//! by itself can't know.

use std::ops::Deref;

use sha2::{Digest, Sha256};

use crate::cbor::{Reader, Writer};
use crate::ids::{BoxId, DeviceId, PersonId};
use crate::keys::{DeviceKeys, PersonKey};
use crate::limits::{
    CARD_BYTES_MAX, CARD_RELAYS_MAX, DEVICES_MAX, EXTENSIONS_BYTES_MAX, NAME_BYTES_MAX, NUMBER_MAX,
    RELAY_BYTES_MAX,
};
use crate::record::{
    Fault, RecordError, VERSION, begin, check_addresses, check_name, check_number, joined, split,
};
use crate::sign::{BadSignature, Domain, SIGNATURE_BYTES, verify};

/// A device of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardDevice {
    /// Its sign key, by which it is known.
    pub sign_id: DeviceId,
    /// Where letters for it go.
    pub box_id: BoxId,
    /// The Curve25519 key of its ratchet account.
    pub ratchet_key: [u8; 32],
    /// What the person calls it.
    pub name: String,
    /// Since when it belongs to the person, in ms since the Unix epoch.
    pub added: u64,
    /// Whether it may change the circle: friends, rejected, petnames.
    pub may_edit_circle: bool,
    /// Its own signature over the identity and its three keys.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl CardDevice {
    /// The entry of the device with `keys`, signed by it.
    #[must_use]
    pub fn signed(
        keys: &DeviceKeys,
        identity: PersonId,
        ratchet_key: [u8; 32],
        name: &str,
        added: u64,
        may_edit_circle: bool,
    ) -> Self {
        let mut device = Self {
            sign_id: keys.sign_id(),
            box_id: keys.box_id(),
            ratchet_key,
            name: name.to_owned(),
            added,
            may_edit_circle,
            signature: [0; SIGNATURE_BYTES],
        };
        device.signature = keys.sign(Domain::CardDevice, &device.binding(identity));
        device
    }

    /// Checks that the device has signed that it belongs to this person.
    ///
    /// # Errors
    ///
    /// If it has not.
    pub fn verify(&self, identity: PersonId) -> Result<(), BadSignature> {
        let binding = self.binding(identity);
        verify(self.sign_id.as_bytes(), Domain::CardDevice, &binding, &self.signature)
    }

    /// What the device signs: the identity and the three keys, of 32 bytes each.
    fn binding(&self, identity: PersonId) -> Vec<u8> {
        [
            identity.as_bytes().as_slice(),
            self.sign_id.as_bytes(),
            self.box_id.as_bytes(),
            &self.ratchet_key,
        ]
        .concat()
    }

    /// The entry by itself, for a device that hands it to the person who takes it into their card.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.done()
    }

    /// Reads an entry that a device has made for this person, and checks its signature.
    ///
    /// # Errors
    ///
    /// If it is none, or the device has signed for somebody else.
    pub fn parse(bytes: &[u8], identity: PersonId) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let entry = Self::read(&mut reader)?;
        reader.done()?;
        check_name("device name", &entry.name, NAME_BYTES_MAX)?;
        entry.verify(identity)?;
        Ok(entry)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.map(7).number(0).bytes(self.sign_id.as_bytes());
        writer.number(1).bytes(self.box_id.as_bytes());
        writer.number(2).bytes(&self.ratchet_key);
        writer.number(3).text(&self.name);
        writer.number(4).number(self.added);
        writer.number(5).flag(self.may_edit_circle);
        writer.number(6).bytes(&self.signature);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let mut map = reader.map()?;
        reader.required(&mut map, 0, "device sign_id")?;
        let sign_id = DeviceId::new(reader.array()?);
        reader.required(&mut map, 1, "device box_id")?;
        let box_id = BoxId::new(reader.array()?);
        reader.required(&mut map, 2, "device ratchet_key")?;
        let ratchet_key = reader.array()?;
        reader.required(&mut map, 3, "device name")?;
        let name = reader.text()?.to_owned();
        reader.required(&mut map, 4, "device added")?;
        let added = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 5, "device may_edit_circle")?;
        let may_edit_circle = reader.flag()?;
        reader.required(&mut map, 6, "device signature")?;
        let signature = reader.array()?;
        reader.end(&map)?;
        Ok(Self { sign_id, box_id, ratchet_key, name, added, may_edit_circle, signature })
    }
}

/// What a card says, before the person has signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardDraft {
    /// The person.
    pub identity: PersonId,
    /// When it was signed, in ms since the Unix epoch; the highest holds.
    pub version: u64,
    /// When the person's first card was signed, in ms since the Unix epoch.
    pub created: u64,
    /// What the person calls themselves: a hint, which anyone may choose.
    pub name: String,
    /// The person's devices, at least one.
    pub devices: Vec<CardDevice>,
    /// Relays that keep letters for the person.
    pub relays: Vec<String>,
    /// Yes-or-no properties; none has a meaning yet.
    pub flags: u64,
    /// What later versions add: bytes that are kept and not read.
    pub extensions: Vec<u8>,
}

impl CardDraft {
    /// The card, signed.
    ///
    /// # Errors
    ///
    /// If the draft is not of the person whose key this is, or breaks a limit, or a device has not
    /// signed that it belongs to the person.
    pub fn sign(&self, key: &PersonKey) -> Result<Card, RecordError> {
        if key.id() != self.identity {
            return Err(RecordError::OtherKey);
        }
        self.check()?;
        let body = self.body();
        let bytes = joined(&key.sign(Domain::Card, &body), &body, CARD_BYTES_MAX)?;
        Ok(Card { draft: self.clone(), bytes })
    }

    fn check(&self) -> Result<(), RecordError> {
        check_number("version", self.version)?;
        check_number("created", self.created)?;
        check_name("name", &self.name, NAME_BYTES_MAX)?;
        if self.devices.is_empty() {
            return Err(RecordError::LastDevice);
        }
        let wrong = |field, fault| Err(RecordError::Field { field, fault });
        if DEVICES_MAX < self.devices.len() {
            return wrong("devices", Fault::TooMany { max: DEVICES_MAX });
        }
        check_addresses("relays", &self.relays, CARD_RELAYS_MAX, RELAY_BYTES_MAX)?;
        check_number("flags", self.flags)?;
        if EXTENSIONS_BYTES_MAX < self.extensions.len() {
            return wrong("extensions", Fault::TooLong { max: EXTENSIONS_BYTES_MAX });
        }
        for (at, device) in self.devices.iter().enumerate() {
            check_name("device name", &device.name, NAME_BYTES_MAX)?;
            check_number("device added", device.added)?;
            let is_same = |other: &CardDevice| {
                other.sign_id == device.sign_id
                    || other.box_id == device.box_id
                    || other.ratchet_key == device.ratchet_key
            };
            if self.devices.iter().take(at).any(is_same) {
                return Err(RecordError::DeviceTwice(device.sign_id));
            }
            device
                .verify(self.identity)
                .map_err(|_| RecordError::DeviceSignature(device.sign_id))?;
        }
        Ok(())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(9).number(0).number(VERSION);
        writer.number(1).bytes(self.identity.as_bytes());
        writer.number(2).number(self.version);
        writer.number(3).number(self.created);
        writer.number(4).text(&self.name);
        writer.number(5).list(self.devices.len());
        self.devices.iter().for_each(|device| device.write(&mut writer));
        writer.number(6).texts(&self.relays);
        writer.number(7).number(self.flags);
        writer.number(8).bytes(&self.extensions);
        writer.done()
    }

    fn read(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(body);
        let mut map = begin(&mut reader)?;
        reader.required(&mut map, 1, "identity")?;
        let identity = PersonId::new(reader.array()?);
        reader.required(&mut map, 2, "version")?;
        let version = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 3, "created")?;
        let created = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 4, "name")?;
        let name = reader.text()?.to_owned();
        reader.required(&mut map, 5, "devices")?;
        let n_devices = reader.list(DEVICES_MAX)?;
        let devices =
            (0..n_devices).map(|_| CardDevice::read(&mut reader)).collect::<Result<_, _>>()?;
        reader.required(&mut map, 6, "relays")?;
        let relays = reader.texts(CARD_RELAYS_MAX)?;
        reader.required(&mut map, 7, "flags")?;
        let flags = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 8, "extensions")?;
        let extensions = reader.bytes(EXTENSIONS_BYTES_MAX)?.to_vec();
        reader.end(&map)?;
        reader.done()?;
        Ok(Self { identity, version, created, name, devices, relays, flags, extensions })
    }
}

/// A person's card: right in every way that a card can be by itself. Its fields are those of
/// [`CardDraft`], to be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    draft: CardDraft,
    bytes: Vec<u8>,
}

impl Card {
    /// Reads a card, and checks every signature in it.
    ///
    /// # Errors
    ///
    /// If it is not one, breaks a limit, or a signature does not hold.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let (signature, body) = split(bytes, CARD_BYTES_MAX)?;
        let draft = CardDraft::read(body)?;
        if draft.body() != body {
            return Err(RecordError::NotDeterministic);
        }
        verify(draft.identity.as_bytes(), Domain::Card, body, signature)?;
        draft.check()?;
        Ok(Self { draft, bytes: bytes.to_vec() })
    }

    /// The card as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of its bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// The device with this sign key.
    #[must_use]
    pub fn device(&self, device: &DeviceId) -> Option<&CardDevice> {
        self.draft.devices.iter().find(|one| one.sign_id == *device)
    }

    /// The next card, with a further device, or another entry of a device that is there.
    #[must_use]
    pub fn with_device(&self, now_ms: u64, device: CardDevice) -> CardDraft {
        let mut draft = self.next(now_ms);
        match draft.devices.iter_mut().find(|one| one.sign_id == device.sign_id) {
            Some(old) => *old = device,
            None => draft.devices.push(device),
        }
        draft
    }

    /// The next card, without a device.
    ///
    /// # Errors
    ///
    /// If it is not there, or is the last one.
    pub fn without_device(&self, now_ms: u64, device: &DeviceId) -> Result<CardDraft, RecordError> {
        if self.device(device).is_none() {
            return Err(RecordError::NoSuchDevice(*device));
        }
        let mut draft = self.next(now_ms);
        draft.devices.retain(|one| one.sign_id != *device);
        if draft.devices.is_empty() { Err(RecordError::LastDevice) } else { Ok(draft) }
    }

    /// The next card, to be changed in other ways: its version is above this one's, whatever the
    /// clock says.
    #[must_use]
    pub fn next(&self, now_ms: u64) -> CardDraft {
        let version = now_ms.max(self.draft.version.saturating_add(1));
        CardDraft { version, ..self.draft.clone() }
    }
}

impl Deref for Card {
    type Target = CardDraft;

    fn deref(&self) -> &CardDraft {
        &self.draft
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.draft.fmt(f)
    }
}
