//! A NodeInfo: what one device says of itself, so that others reach it and can write to it.
//!
//! It is signed by the device alone, changes often, and is passed on by anybody: directories,
//! relays, friends. So it has a bound of 996 bytes, that of one item of BEP 44. Each text in it is
//! bounded, and all endpoints together, such that what passes the limits also fits.
//!
//! The prekey is a key for first messages to a device that is asleep. It has a signature of its
//! own, since it outlives the record that brought it: an older record's prekey is kept by its
//! device for a while.
//!
//! Whether the device belongs to the person that it names is not known here: a card says that.

use std::ops::Deref;

use crate::cbor::{Reader, Writer};
use crate::ids::{BoxId, DeviceId, PersonId};
use crate::keys::DeviceKeys;
use crate::limits::{
    ENDPOINT_BYTES_MAX, ENDPOINTS_BYTES_MAX, ENDPOINTS_MAX, NODE_INFO_BYTES_MAX, NODE_RELAYS_MAX,
    NUMBER_MAX, RELAY_BYTES_MAX,
};
use crate::record::{
    Fault, RecordError, VERSION, begin, check_addresses, check_number, joined, split,
};
use crate::sign::{BadSignature, Domain, SIGNATURE_BYTES, verify};

/// A key for first messages to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prekey {
    /// The Curve25519 key.
    pub key: [u8; 32],
    /// Until when first messages may be written to it, in ms since the Unix epoch.
    pub expires: u64,
    /// The device's signature over its sign key, this key and its expiry.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Prekey {
    /// The prekey of the device with `keys`, signed by it.
    #[must_use]
    pub fn signed(keys: &DeviceKeys, key: [u8; 32], expires: u64) -> Self {
        let signature = keys.sign(Domain::Prekey, &binding(keys.sign_id(), &key, expires));
        Self { key, expires, signature }
    }

    /// Checks that it is this device's.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn verify(&self, device: DeviceId) -> Result<(), BadSignature> {
        let binding = binding(device, &self.key, self.expires);
        verify(device.as_bytes(), Domain::Prekey, &binding, &self.signature)
    }
}

/// What the device signs: its sign key, the prekey, and its expiry as 8 bytes, the highest first.
fn binding(device: DeviceId, key: &[u8; 32], expires: u64) -> Vec<u8> {
    [device.as_bytes().as_slice(), key, &expires.to_be_bytes()].concat()
}

/// What a NodeInfo says, before the device has signed it and put its own keys in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfoDraft {
    /// The person to whom the device says it belongs.
    pub identity: PersonId,
    /// The key (Ed25519) that its transports show in TLS, if one does.
    pub tls_key: Option<[u8; 32]>,
    /// The record's number; the highest holds.
    pub seq: u64,
    /// Where it can be reached directly; the best address first.
    pub endpoints: Vec<String>,
    /// Relays that keep letters for it.
    pub relays: Vec<String>,
    /// Until when the endpoints are worth trying, in ms since the Unix epoch.
    pub expires: u64,
    /// The key for first messages.
    pub prekey: Prekey,
}

impl NodeInfoDraft {
    /// The NodeInfo of the device with `keys`, signed by it.
    ///
    /// # Errors
    ///
    /// If a limit is broken, or the prekey is another device's.
    pub fn sign(&self, keys: &DeviceKeys) -> Result<NodeInfo, RecordError> {
        let mut info = NodeInfo {
            sign_id: keys.sign_id(),
            box_id: keys.box_id(),
            draft: self.clone(),
            bytes: Vec::new(),
        };
        info.check()?;
        let body = info.body();
        info.bytes = joined(&keys.sign(Domain::NodeInfo, &body), &body, NODE_INFO_BYTES_MAX)?;
        Ok(info)
    }
}

/// As many of these endpoints, from the first on, as fit a NodeInfo; those that could not be in
/// one at all are passed over.
#[must_use]
pub fn fitting_endpoints(endpoints: &[String]) -> Vec<String> {
    let mut left = ENDPOINTS_BYTES_MAX;
    let is_one = |endpoint: &&String| {
        check_addresses("endpoints", std::slice::from_ref(*endpoint), 1, ENDPOINT_BYTES_MAX).is_ok()
    };
    let mut fits = |endpoint: &&String| {
        let rest = left.checked_sub(endpoint.len());
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let fitting = endpoints.iter().filter(is_one).filter(|endpoint| fits(endpoint));
    fitting.take(ENDPOINTS_MAX).cloned().collect()
}

/// One device's own record: right in every way that it can be by itself. Further fields are those
/// of [`NodeInfoDraft`], to be read.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeInfo {
    sign_id: DeviceId,
    box_id: BoxId,
    draft: NodeInfoDraft,
    bytes: Vec<u8>,
}

impl NodeInfo {
    /// Reads a NodeInfo, and checks both of its signatures.
    ///
    /// # Errors
    ///
    /// If it is not one, breaks a limit, or a signature does not hold.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let (signature, body) = split(bytes, NODE_INFO_BYTES_MAX)?;
        let mut info = Self::read(body)?;
        if info.body() != body {
            return Err(RecordError::NotDeterministic);
        }
        verify(info.sign_id.as_bytes(), Domain::NodeInfo, body, signature)?;
        info.check()?;
        info.bytes = bytes.to_vec();
        Ok(info)
    }

    /// The device.
    #[must_use]
    pub fn sign_id(&self) -> DeviceId {
        self.sign_id
    }

    /// Where letters for it go.
    #[must_use]
    pub fn box_id(&self) -> BoxId {
        self.box_id
    }

    /// The record as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn check(&self) -> Result<(), RecordError> {
        check_number("seq", self.seq)?;
        check_number("expires", self.expires)?;
        check_number("prekey expires", self.prekey.expires)?;
        check_addresses("endpoints", &self.endpoints, ENDPOINTS_MAX, ENDPOINT_BYTES_MAX)?;
        if ENDPOINTS_BYTES_MAX < self.endpoints.iter().map(String::len).sum() {
            let fault = Fault::TooLong { max: ENDPOINTS_BYTES_MAX };
            return Err(RecordError::Field { field: "endpoints", fault });
        }
        check_addresses("relays", &self.relays, NODE_RELAYS_MAX, RELAY_BYTES_MAX)?;
        let of_prekey = |_| RecordError::DeviceSignature(self.sign_id);
        self.prekey.verify(self.sign_id).map_err(of_prekey)
    }

    fn body(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(9 + usize::from(self.tls_key.is_some())).number(0).number(VERSION);
        writer.number(1).bytes(self.sign_id.as_bytes());
        writer.number(2).bytes(self.box_id.as_bytes());
        writer.number(3).bytes(self.identity.as_bytes());
        if let Some(key) = &self.tls_key {
            writer.number(4).bytes(key);
        }
        writer.number(5).number(self.seq);
        writer.number(6).texts(&self.endpoints);
        writer.number(7).texts(&self.relays);
        writer.number(8).number(self.expires);
        writer.number(9).map(3).number(0).bytes(&self.prekey.key);
        writer.number(1).number(self.prekey.expires);
        writer.number(2).bytes(&self.prekey.signature);
        writer.done()
    }

    fn read(body: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(body);
        let mut map = begin(&mut reader)?;
        reader.required(&mut map, 1, "sign_id")?;
        let sign_id = DeviceId::new(reader.array()?);
        reader.required(&mut map, 2, "box_id")?;
        let box_id = BoxId::new(reader.array()?);
        reader.required(&mut map, 3, "identity")?;
        let identity = PersonId::new(reader.array()?);
        let has_tls_key = reader.optional(&mut map, 4, "tls_key")?;
        let tls_key = if has_tls_key { Some(reader.array()?) } else { None };
        reader.required(&mut map, 5, "seq")?;
        let seq = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 6, "endpoints")?;
        let endpoints = reader.texts(ENDPOINTS_MAX)?;
        reader.required(&mut map, 7, "relays")?;
        let relays = reader.texts(NODE_RELAYS_MAX)?;
        reader.required(&mut map, 8, "expires")?;
        let expires = reader.number(NUMBER_MAX)?;
        reader.required(&mut map, 9, "prekey")?;
        let mut inner = reader.map()?;
        reader.required(&mut inner, 0, "prekey key")?;
        let key = reader.array()?;
        reader.required(&mut inner, 1, "prekey expires")?;
        let until = reader.number(NUMBER_MAX)?;
        reader.required(&mut inner, 2, "prekey signature")?;
        let signature = reader.array()?;
        reader.end(&inner)?;
        reader.end(&map)?;
        reader.done()?;
        let prekey = Prekey { key, expires: until, signature };
        let draft = NodeInfoDraft { identity, tls_key, seq, endpoints, relays, expires, prekey };
        Ok(Self { sign_id, box_id, draft, bytes: Vec::new() })
    }
}

impl Deref for NodeInfo {
    type Target = NodeInfoDraft;

    fn deref(&self) -> &NodeInfoDraft {
        &self.draft
    }
}

impl std::fmt::Debug for NodeInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sign_id, box_id, draft, .. } = self;
        f.debug_struct("NodeInfo")
            .field("sign_id", sign_id)
            .field("box_id", box_id)
            .field("draft", draft)
            .finish()
    }
}
