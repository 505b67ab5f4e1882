//! Invites: links that bring two devices together which know nothing of each other.
//!
//! A friend's invite says who gives it and where to knock; with a device's invite, a new device
//! shows itself to the one that will put it into the card. Both have a secret, and whoever knocks
//! proves that they have it without sending it. The device signs the invite, so that nobody can
//! change where it leads; that the device is the person's is seen from the card, which comes
//! with the answer.
//!
//! An invite is a secret itself: who reads it may use it. So it expires, has a number of uses, and
//! neither its secret nor its link is ever printed by `Debug`.

use std::ops::Deref;

use data_encoding::BASE64URL_NOPAD;
use hmac::Mac;

use crate::cbor::{Reader, Writer};
use crate::ids::{BoxId, DeviceId, PersonId};
use crate::keys::DeviceKeys;
use crate::limits::{
    ENDPOINT_BYTES_MAX, ENDPOINTS_BYTES_MAX, ENDPOINTS_MAX, INVITE_BYTES_MAX, INVITE_USES_MAX,
    NAME_BYTES_MAX, NODE_RELAYS_MAX, NUMBER_MAX, RELAY_BYTES_MAX,
};
use crate::record::{
    Fault, RecordError, VERSION, begin, check_addresses, check_name, check_number, joined, split,
};
use crate::secret::{InviteSecret, code};
use crate::sign::{Domain, verify};

/// The number of an invite.
pub type InviteId = [u8; 16];
/// A proof that somebody has the secret of an invite.
pub type JoinProof = [u8; 32];

const LINK: &str = "kith://join/";
const JOIN: &[u8] = b"kith/1 join\0";

/// What an invite is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteKind {
    /// Whoever joins becomes a friend of the person.
    Friend {
        /// The person who invites.
        identity: PersonId,
    },
    /// A new device shows this; whoever joins takes it into their card.
    Device {
        /// The Curve25519 key of its ratchet account.
        ratchet_key: [u8; 32],
        /// What it would like to be called.
        name: String,
    },
}

/// What an invite says, before the device has signed it and put its own keys in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteDraft {
    /// What it is for.
    pub kind: InviteKind,
    /// The key (Ed25519) that the device shows in TLS, if it does.
    pub tls_key: Option<[u8; 32]>,
    /// Where the device can be reached; the best address first.
    pub endpoints: Vec<String>,
    /// Relays that keep letters for it.
    pub relays: Vec<String>,
    /// The invite's number: random.
    pub id: InviteId,
    /// What is to be proved: random.
    pub secret: InviteSecret,
    /// Until when it may be used, in ms since the Unix epoch.
    pub expires: u64,
    /// How many devices may use it.
    pub uses: u64,
}

impl InviteDraft {
    /// The invite of the device with `keys`, signed by it.
    ///
    /// # Errors
    ///
    /// If a limit is broken.
    pub fn sign(&self, keys: &DeviceKeys) -> Result<Invite, RecordError> {
        let (device, box_id) = (keys.sign_id(), keys.box_id());
        let mut invite = Invite { device, box_id, draft: self.clone(), bytes: Vec::new() };
        invite.keeps_limits()?;
        let body = invite.body();
        invite.bytes = joined(&keys.sign(Domain::Invite, &body), &body, INVITE_BYTES_MAX)?;
        Ok(invite)
    }
}

/// Why a text is no invite that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It begins with something else.
    #[error("an invite begins with `{LINK}`")]
    Form,
    /// It is cut, or a character was changed.
    #[error("the link is damaged: a part is missing or changed")]
    Damaged,
    /// What is in it is no invite.
    #[error("what is in the link is no invite: {0}")]
    Record(#[from] RecordError),
}

/// It is too late for an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invite has expired")]
pub struct InviteExpired;

/// An invite: right in every way that it can be by itself. Further fields are those of
/// [`InviteDraft`], to be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    device: DeviceId,
    box_id: BoxId,
    draft: InviteDraft,
    bytes: Vec<u8>,
}

impl Invite {
    /// Reads an invite, and checks its signature.
    ///
    /// # Errors
    ///
    /// If it is not one, breaks a limit, or the signature does not hold.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let (signature, body) = split(bytes, INVITE_BYTES_MAX)?;
        let mut invite = Self::read(body)?;
        if invite.body() != body {
            return Err(RecordError::NotDeterministic);
        }
        verify(invite.device.as_bytes(), Domain::Invite, body, signature)?;
        invite.keeps_limits()?;
        invite.bytes = bytes.to_vec();
        Ok(invite)
    }

    /// The invite as a link: `kith://join/` and its bytes in base64url (RFC 4648, section 5).
    #[must_use]
    pub fn to_link(&self) -> String {
        format!("{LINK}{}", BASE64URL_NOPAD.encode(&self.bytes))
    }

    /// Reads a link. Spaces around it are as nothing.
    ///
    /// # Errors
    ///
    /// If it is none, is damaged, or what is in it is no invite.
    pub fn from_link(link: &str) -> Result<Self, LinkError> {
        let text = link.trim().strip_prefix(LINK).ok_or(LinkError::Form)?;
        if INVITE_BYTES_MAX * 2 < text.len() {
            return Err(RecordError::TooLarge { max: INVITE_BYTES_MAX }.into());
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| LinkError::Damaged)?;
        Ok(Self::parse(&bytes)?)
    }

    /// Checks that it may still be used.
    ///
    /// # Errors
    ///
    /// If it has expired.
    pub fn check(&self, now_ms: u64) -> Result<(), InviteExpired> {
        if now_ms < self.draft.expires { Ok(()) } else { Err(InviteExpired) }
    }

    /// The device that gave it out.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Where letters for that device go.
    #[must_use]
    pub fn box_id(&self) -> BoxId {
        self.box_id
    }

    /// The person who invites, if it is a friend's.
    #[must_use]
    pub fn identity(&self) -> Option<PersonId> {
        match self.draft.kind {
            InviteKind::Friend { identity } => Some(identity),
            InviteKind::Device { .. } => None,
        }
    }

    /// The record as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The proof by which `joiner` uses it: HMAC-SHA256 under the secret over `kith/1 join`, a zero
    /// byte, the invite's number, the sign key of the device that joins, and that of the device
    /// that gave the invite out. It is of use to nobody else, and with no other invite.
    #[must_use]
    pub fn proof(&self, joiner: DeviceId) -> JoinProof {
        self.code(joiner).finalize().into_bytes().into()
    }

    /// Whether `proof` is that of `joiner`; takes the same time whatever is wrong with it.
    #[must_use]
    pub fn is_proved(&self, joiner: DeviceId, proof: &JoinProof) -> bool {
        self.code(joiner).verify_slice(proof).is_ok()
    }

    fn code(&self, joiner: DeviceId) -> hmac::Hmac<sha2::Sha256> {
        let parts = [JOIN, &self.draft.id, joiner.as_bytes(), self.device.as_bytes()];
        code(self.draft.secret.as_bytes(), &parts)
    }

    fn keeps_limits(&self) -> Result<(), RecordError> {
        check_addresses("endpoints", &self.endpoints, ENDPOINTS_MAX, ENDPOINT_BYTES_MAX)?;
        let wrong = |field, fault| Err(RecordError::Field { field, fault });
        if ENDPOINTS_BYTES_MAX < self.endpoints.iter().map(String::len).sum() {
            return wrong("endpoints", Fault::TooLong { max: ENDPOINTS_BYTES_MAX });
        }
        check_addresses("relays", &self.relays, NODE_RELAYS_MAX, RELAY_BYTES_MAX)?;
        check_number("expires", self.expires)?;
        let uses_max = match &self.kind {
            InviteKind::Friend { .. } => INVITE_USES_MAX,
            InviteKind::Device { name, .. } => {
                check_name("name", name, NAME_BYTES_MAX)?;
                1
            }
        };
        match self.uses {
            0 => wrong("uses", Fault::Missing),
            uses if uses <= uses_max => Ok(()),
            _ => wrong("uses", Fault::TooLarge { max: uses_max }),
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(11 + usize::from(self.tls_key.is_some())).number(0).number(VERSION);
        match &self.kind {
            InviteKind::Friend { identity } => {
                writer.number(1).number(0).number(2).bytes(identity.as_bytes());
            }
            InviteKind::Device { .. } => {
                writer.number(1).number(1);
            }
        }
        writer.number(3).bytes(self.device.as_bytes());
        writer.number(4).bytes(self.box_id.as_bytes());
        if let Some(key) = &self.tls_key {
            writer.number(5).bytes(key);
        }
        writer.number(6).texts(&self.endpoints);
        writer.number(7).texts(&self.relays);
        writer.number(8).bytes(&self.id);
        writer.number(9).bytes(self.secret.as_bytes());
        writer.number(10).number(self.expires);
        writer.number(11).number(self.uses);
        if let InviteKind::Device { ratchet_key, name } = &self.kind {
            writer.number(12).map(2).number(0).bytes(ratchet_key).number(1).text(name);
        }
        writer.done()
    }

    fn read(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(body);
        let mut map = begin(&mut reader)?;
        reader.required(&mut map, 1, "kind")?;
        let friend = match reader.number(u64::MAX)? {
            0 => {
                reader.required(&mut map, 2, "identity")?;
                Some(PersonId::new(reader.array()?))
            }
            1 => None,
            _ => return Err(reader.wrong(Fault::Unknown)),
        };
        reader.required(&mut map, 3, "device")?;
        let device = DeviceId::new(reader.array()?);
        reader.required(&mut map, 4, "box_id")?;
        let box_id = BoxId::new(reader.array()?);
        let has_tls_key = reader.optional(&mut map, 5, "tls_key")?;
        let tls_key = if has_tls_key { Some(reader.array()?) } else { None };
        reader.required(&mut map, 6, "endpoints")?;
        let endpoints = reader.texts(ENDPOINTS_MAX)?;
        reader.required(&mut map, 7, "relays")?;
        let relays = reader.texts(NODE_RELAYS_MAX)?;
        reader.required(&mut map, 8, "id")?;
        let id = reader.array()?;
        reader.required(&mut map, 9, "secret")?;
        let secret = InviteSecret::new(reader.array()?);
        reader.required(&mut map, 10, "expires")?;
        let expires = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 11, "uses")?;
        let uses = reader.number(INVITE_USES_MAX)?;
        let kind = match friend {
            Some(identity) => InviteKind::Friend { identity },
            None => {
                reader.required(&mut map, 12, "new device")?;
                let mut inner = reader.map()?;
                reader.required(&mut inner, 0, "ratchet_key")?;
                let ratchet_key = reader.array()?;
                reader.required(&mut inner, 1, "name")?;
                let name = reader.text()?.to_owned();
                reader.end(&inner)?;
                InviteKind::Device { ratchet_key, name }
            }
        };
        reader.end(&map)?;
        reader.done()?;
        let draft = InviteDraft { kind, tls_key, endpoints, relays, id, secret, expires, uses };
        Ok(Self { device, box_id, draft, bytes: Vec::new() })
    }
}

impl Deref for Invite {
    type Target = InviteDraft;

    fn deref(&self) -> &InviteDraft {
        &self.draft
    }
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { device, box_id, draft, .. } = self;
        f.debug_struct("Invite")
            .field("device", device)
            .field("box_id", box_id)
            .field("draft", draft)
            .finish()
    }
}
