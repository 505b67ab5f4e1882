//! Tests of more than one file: people that are made of small numbers, and what they sign.

mod books;
mod circles;
mod document;
mod invites;
mod records;
mod vectors;

use crate::{
    Card, CardDevice, CardDraft, DeviceKeys, NodeInfo, NodeInfoDraft, PersonId, PersonKey, Prekey,
};

/// The moment at which tests happen, in ms since the Unix epoch.
pub(crate) const NOW: u64 = 1_763_800_000_000;

pub(crate) fn person(number: u8) -> PersonKey {
    PersonKey::from_seed([number; 32])
}

pub(crate) fn device(number: u8) -> DeviceKeys {
    DeviceKeys::from_seeds([number; 32], [number ^ 0x80; 32])
}

/// The entry of device `number`, as signed for `identity`.
pub(crate) fn entry(number: u8, identity: PersonId) -> CardDevice {
    CardDevice::signed(&device(number), identity, [number ^ 0x40; 32], "laptop", NOW, true)
}

/// A draft of person `number`'s card with these devices.
pub(crate) fn draft(number: u8, version: u64, devices: &[u8]) -> CardDraft {
    let identity = person(number).id();
    CardDraft {
        identity,
        version,
        created: NOW,
        name: "Ada".to_owned(),
        devices: devices.iter().map(|number| entry(*number, identity)).collect(),
        relays: Vec::new(),
        flags: 0,
        extensions: Vec::new(),
    }
}

pub(crate) fn card(number: u8, version: u64, devices: &[u8]) -> Card {
    draft(number, version, devices).sign(&person(number)).unwrap()
}

pub(crate) fn node_draft(owner: u8, number: u8, seq: u64) -> NodeInfoDraft {
    NodeInfoDraft {
        identity: person(owner).id(),
        tls_key: Some([number ^ 0x20; 32]),
        seq,
        endpoints: vec!["192.0.2.7:4711".to_owned()],
        relays: Vec::new(),
        expires: NOW + 3_600_000,
        prekey: Prekey::signed(&device(number), [number ^ 0x10; 32], NOW + 2_592_000_000),
    }
}

pub(crate) fn node_info(owner: u8, number: u8, seq: u64) -> NodeInfo {
    node_draft(owner, number, seq).sign(&device(number)).unwrap()
}
