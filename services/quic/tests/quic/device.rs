//! A device: a bus with the service on it, and what the daemon says on it.

use kith_people::{DeviceKeys, NodeInfo, NodeInfoDraft, PersonId, Prekey};
use kith_plugins_api::contract::envelope::{Failed, Lane, Received, Send, Sent};
use kith_plugins_api::contract::transports::{Connection, Dial, Disconnected, MyNodeInfo};
use kith_plugins_api::contract::{
    CONNECTION, DIAL, DISCONNECTED, ENDPOINT, FAILED, Key, MY_NODE_INFO, RECEIVED, SEND, SENT,
    Topic,
};
use kith_plugins_api::testkit::{Running, TestBus};
use kith_plugins_api::{MessageId, TypedInbox};
use kith_service_quic::Quic;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// Some years after the tests begin.
pub(crate) const LATER_MS: u64 = 1_800_000_000_000;

type Inbox<T> = TypedInbox<T, Topic<T>>;

/// A device.
pub(crate) struct Device {
    pub(crate) bus: TestBus,
    pub(crate) service: Running,
    pub(crate) keys: DeviceKeys,
    pub(crate) tls_key: Key,
    pub(crate) endpoints: Vec<String>,
    pub(crate) up: Inbox<Connection>,
    pub(crate) down: Inbox<Disconnected>,
    pub(crate) sent: Inbox<Sent>,
    pub(crate) failed: Inbox<Failed>,
    pub(crate) received: Inbox<Received>,
    letters: u8,
}

impl Device {
    /// Starts the service; the daemon has said nothing yet.
    pub(crate) async fn start(bus: TestBus, seed: u8) -> Self {
        let mut endpoints = bus.subscribe_to(ENDPOINT).await.unwrap();
        let up = bus.subscribe_to(CONNECTION).await.unwrap();
        let down = bus.subscribe_to(DISCONNECTED).await.unwrap();
        let sent = bus.subscribe_to(SENT).await.unwrap();
        let failed = bus.subscribe_to(FAILED).await.unwrap();
        let received = bus.subscribe_to(RECEIVED).await.unwrap();
        let service = bus.start_with(Quic, settings()).await;
        let endpoint = endpoints.next().await.unwrap().value;
        let keys = DeviceKeys::from_seeds([seed; 32], [seed + 100; 32]);
        let (tls_key, endpoints) = (endpoint.tls_key.unwrap(), endpoint.endpoints);
        let letters = 0;
        Self { bus, service, keys, tls_key, endpoints, up, down, sent, failed, received, letters }
    }

    /// Starts it, and has the daemon certify its key.
    pub(crate) async fn ready(bus: TestBus, seed: u8) -> Self {
        let device = Self::start(bus, seed).await;
        device.certify(device.tls_key, 1).await;
        device
    }

    pub(crate) fn id(&self) -> Key {
        *self.keys.sign_id().as_bytes()
    }

    /// A record of this device with this key.
    pub(crate) fn record(&self, tls_key: Key, seq: u64) -> NodeInfo {
        record(&self.keys, tls_key, seq, LATER_MS)
    }

    /// The daemon says our NodeInfo, with this key in it.
    pub(crate) async fn certify(&self, tls_key: Key, seq: u64) {
        let record = self.record(tls_key, seq).bytes().to_vec().into();
        let card_hash = Some([7; 32]);
        let mine = MyNodeInfo { device: self.id(), seq, record, card_hash };
        self.bus.as_daemon(MY_NODE_INFO, &mine).await;
    }

    pub(crate) async fn dial(&self, other: &Self) {
        let (device, tls_key) = (Some(other.id()), Some(other.tls_key));
        self.dial_as(device, tls_key, &other.endpoints).await;
    }

    pub(crate) async fn dial_as(
        &self,
        device: Option<Key>,
        tls_key: Option<Key>,
        endpoints: &[String],
    ) {
        let dial = Dial { device, endpoints: endpoints.to_vec(), tls_key };
        self.bus.as_daemon(DIAL, &dial).await;
    }

    /// The links that have come up since the last time, without those that have gone.
    pub(crate) async fn live_links(&mut self) -> Vec<u64> {
        let quiet = Duration::from_millis(100);
        let mut links = Vec::new();
        while let Ok(Some(up)) = timeout(quiet, self.up.next()).await {
            links.push(up.link);
        }
        while let Ok(Some(down)) = timeout(quiet, self.down.next()).await {
            links.retain(|link| *link != down.link);
        }
        links
    }

    /// Has a letter carried; its envelope is returned.
    pub(crate) async fn send(&mut self, to: Key, letter: &[u8], lane: Lane) -> MessageId {
        self.letters += 1;
        let now = self.bus.now().unix_ms();
        let envelope = MessageId::from_parts(now, &[self.letters; 10]);
        let send = Send {
            envelope,
            device: to,
            letter: letter.to_vec().into(),
            lane,
            // The clock of the test runs on while the kernel is waited for.
            expires_at: now + 1_000_000_000,
            relays: None,
            delete_hash: None,
        };
        self.bus.as_daemon((SEND, "quic"), &send).await;
        envelope
    }
}

pub(crate) fn settings() -> serde_json::Value {
    json!({"listen": ["127.0.0.1:0"], "loopback": true})
}

/// A record of the device with these keys.
pub(crate) fn record(keys: &DeviceKeys, tls_key: Key, seq: u64, expires: u64) -> NodeInfo {
    let draft = NodeInfoDraft {
        identity: PersonId::new([1; 32]),
        tls_key: Some(tls_key),
        seq,
        endpoints: Vec::new(),
        relays: Vec::new(),
        expires,
        prekey: Prekey::signed(keys, [2; 32], expires),
    };
    draft.sign(keys).unwrap()
}

/// Two devices, on a bus each, whose keys are certified.
pub(crate) async fn two(bus: TestBus) -> (Device, Device) {
    let other = bus.another().await;
    (Device::ready(bus, 1).await, Device::ready(other, 2).await)
}
