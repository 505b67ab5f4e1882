//! Finding devices, and what is done when a link to one comes up.
//!
//! Transports say where they listen, and this device signs that. Where others are comes from their
//! own signed records, from the tag that they show on a network, from an invite, or from the user.
//! None of it is believed but by a signature; at worst a dial goes to somebody else, who can't show
//! the right key.
//!
//! When a link comes up, each side sees which card the other has of itself, and asks for a newer
//! one; the user's own devices and friends are told what they may know.

use crate::counts::Cause;
use crate::input::Output;
use crate::keys::ADDRESSES;
use crate::limits::{DIAL_AGAIN_MS, NODE_INFO_MS};
use crate::links::BARE_TRANSPORT;
use crate::me::{Me, Reachable};
use crate::post::Post;
use kith_contract::transports::{
    Beacon, Connection, Dial, Disconnected, Endpoint, HangUp, MyNodeInfo, NodeInfo as Found,
    RequestNodeInfo, Sighting, Wanted,
};
use kith_contract::{
    BEACON, Bytes, DIAL, ENDPOINT, HANG_UP, MY_NODE_INFO, Payload, REQUEST_NODE_INFO, Topic,
};
use kith_people::{DeviceId, NodeInfo, PersonId, Standing, day_of, end_of_day, tag};

impl Post {
    fn announce<T: Payload>(&mut self, topic: Topic<T>, payload: &T) {
        let (topic, payload) = (topic.name().to_owned(), topic.cbor(payload));
        self.outputs.push_back(Output::Announce { topic, payload });
    }

    /// A transport says where it listens. It may have started anew: it is told everything.
    pub(crate) fn endpoint(&mut self, endpoint: Endpoint) {
        if self.identity().is_err() {
            return;
        }
        let Endpoint { transport, endpoints, tls_key } = endpoint;
        let Some(me) = &mut self.me else { return };
        let said = Reachable { endpoints, tls_key };
        me.reachable.insert(transport, said);
        self.say_node_info();
        self.dial_all();
    }

    /// A service has started: it has heard nothing yet, not even what others say of themselves.
    pub(crate) fn started(&mut self) {
        let Some(me) = &self.me else { return };
        let said: Vec<_> = me
            .reachable
            .iter()
            .map(|(transport, one)| Endpoint {
                transport: transport.clone(),
                endpoints: one.endpoints.clone(),
                tls_key: one.tls_key,
            })
            .collect();
        for endpoint in said {
            self.announce(ENDPOINT, &endpoint);
        }
        self.say_node_info();
        self.say_beacon();
    }

    /// Says who this device is and where, signed.
    pub(crate) fn say_node_info(&mut self) {
        let now_ms = self.now.unix_ms;
        let Some(me) = &mut self.me else { return };
        if me.renew_prekey(now_ms) {
            self.sessions.prekeys_changed(&me.account);
            self.keep_me();
        }
        let Some(me) = &mut self.me else { return };
        let hash = me.card.hash();
        let before = me.node_info.as_ref().map(|info| info.seq);
        let Ok(info) = me.renew_node_info(now_ms) else { return };
        let is_new = before.is_some_and(|before| before != info.seq);
        let said = MyNodeInfo {
            device: *info.sign_id().as_bytes(),
            seq: info.seq,
            record: Bytes(info.bytes().to_vec()),
            card_hash: Some(hash),
        };
        self.announce(MY_NODE_INFO, &said);
        self.node_info_due_ms = Some(self.now.monotonic_ms.saturating_add(NODE_INFO_MS));
        if is_new {
            // Who has a link has seen the one before.
            for device in self.linked_and_known() {
                self.show_card(device);
            }
        }
    }

    /// Our own devices and those of friends, with a link.
    pub(crate) fn linked_and_known(&self) -> Vec<DeviceId> {
        let is_known = |device: &DeviceId| {
            let person = self.people.person_of(*device);
            person.is_some_and(|person| self.is_me(person) || self.people.is_friend(person))
        };
        self.links.devices().filter(is_known).collect()
    }

    /// Says what to show on a network today.
    pub(crate) fn say_beacon(&mut self) {
        let Some(me) = &self.me else { return };
        let now_ms = self.now.unix_ms;
        let secret = self.people.circle().tag_secret();
        let tag = secret.map(|secret| tag(secret, day_of(now_ms), me.device()));
        let until = end_of_day(now_ms);
        self.beacon_until_ms = Some(until);
        self.announce(BEACON, &Beacon { tag, until });
    }

    pub(crate) fn beacon_due_ms(&self) -> Option<u64> {
        let left_ms = self.beacon_until_ms?.saturating_sub(self.now.unix_ms);
        Some(self.now.monotonic_ms.saturating_add(left_ms))
    }

    pub(crate) fn beacon_if_due(&mut self) {
        if self.beacon_until_ms.is_some_and(|until| until <= self.now.unix_ms) {
            self.say_beacon();
        }
    }

    /// A device was seen on a network. It is dialled if it is one of ours or of a friend's.
    pub(crate) fn sighted(&mut self, sighting: &Sighting) {
        let own = self.me.as_ref().map(Me::device);
        let whose = self.people.tags(self.now.unix_ms).find(|(tag, ..)| *tag == sighting.tag);
        let Some((.., device)) = whose.filter(|(.., device)| Some(*device) != own) else { return };
        if self.links.best(device).is_none() {
            self.dial_at(Some(device), sighting.endpoints.clone());
        }
    }

    /// Dials every device that is to be reached, as far as it is known where.
    pub(crate) fn dial_all(&mut self) {
        for device in self.wanted_devices() {
            self.dial(device);
        }
        for (person, addresses) in self.people.addresses() {
            let is_reached = self.people.card(person).is_some_and(|card| {
                card.devices.iter().any(|device| self.links.best(device.sign_id).is_some())
            });
            if !is_reached {
                self.dial_at(None, addresses);
            }
        }
    }

    /// The user's other devices, and those of friends.
    pub(crate) fn wanted_devices(&self) -> Vec<DeviceId> {
        let Some(me) = &self.me else { return Vec::new() };
        let people = self.people.friends().into_iter().chain([me.person]);
        let devices = people.flat_map(|person| self.people.devices(person));
        devices.filter(|device| *device != me.device()).collect()
    }

    /// Dials a device at its own addresses, if it has said any.
    pub(crate) fn dial(&mut self, device: DeviceId) {
        if self.links.best(device).is_some() {
            return;
        }
        let endpoints = self.people.node_info(device).map(|info| info.endpoints.clone());
        self.dialled.insert(device, self.now.monotonic_ms);
        if let Some(endpoints) = endpoints.filter(|endpoints| !endpoints.is_empty()) {
            self.dial_at(Some(device), endpoints);
        }
    }

    pub(crate) fn dial_at(&mut self, device: Option<DeviceId>, endpoints: Vec<String>) {
        let tls_key = device.and_then(|device| self.people.node_info(device)?.tls_key);
        self.dial_by_key(device, endpoints, tls_key);
    }

    pub(crate) fn dial_by_key(
        &mut self,
        device: Option<DeviceId>,
        endpoints: Vec<String>,
        tls_key: Option<[u8; 32]>,
    ) {
        let device = device.map(|device| *device.as_bytes());
        self.announce(DIAL, &Dial { device, endpoints, tls_key });
    }

    /// Something waits for a device that has no link.
    pub(crate) fn want(&mut self, device: DeviceId) {
        let now_ms = self.now.monotonic_ms;
        let last = self.dialled.get(&device);
        if last.is_none_or(|last| DIAL_AGAIN_MS <= now_ms.saturating_sub(*last)) {
            self.dial(device);
            self.want_node_info(device);
        }
    }

    /// When to dial again for what waits, on the monotonic clock.
    pub(crate) fn dial_due_ms(&self) -> Option<u64> {
        let waits = self.outbox.devices().filter(|device| self.links.best(*device).is_none());
        let due = |device| {
            let last = self.dialled.get(&device).copied().unwrap_or_default();
            last.saturating_add(DIAL_AGAIN_MS)
        };
        waits.map(due).min()
    }

    pub(crate) fn dial_if_due(&mut self) {
        if self.dial_due_ms().is_some_and(|due| due <= self.now.monotonic_ms) {
            let waits: Vec<_> = self.outbox.devices().collect();
            for device in waits {
                if self.links.best(device).is_none() {
                    self.want(device);
                }
            }
        }
    }

    pub(crate) fn want_node_info(&mut self, device: DeviceId) {
        let key = *device.as_bytes();
        self.announce(REQUEST_NODE_INFO, &RequestNodeInfo { wanted: Wanted::Device, key });
    }

    /// A NodeInfo was found somewhere.
    pub(crate) fn found(&mut self, found: &Found) {
        if self.me.is_some() && self.take_node_info(found.record.as_ref()).is_none() {
            self.refuse(Cause::FalseRecord);
        }
    }

    /// Takes a NodeInfo in, if it is right. The one that is known then.
    pub(crate) fn take_node_info(&mut self, record: &[u8]) -> Option<NodeInfo> {
        let info = NodeInfo::parse(record).ok()?;
        let device = info.sign_id();
        self.people.accept_node_info(self.now.unix_ms, info.clone()).ok()?;
        if self.outbox.has_next(device) {
            // Perhaps its prekey is what was missing.
            self.ready.insert(device);
        }
        Some(info)
    }

    /// A link is up, or its figures have changed.
    pub(crate) fn connection(&mut self, connection: &Connection) {
        if self.me.is_none() {
            return;
        }
        let device = DeviceId::new(connection.device);
        let record = connection.record.as_ref().map(|record| NodeInfo::parse(record.as_ref()));
        let info = match record {
            Some(Ok(info)) if info.sign_id() == device => Some(info),
            Some(_) => {
                self.refuse(Cause::FalseRecord);
                None
            }
            None => None,
        };
        if let Some(info) = &info {
            // It may not be of use before its card is known; then it is shown again.
            let _ = self.take_node_info(info.bytes());
        }
        if self.is_unwanted(device) {
            self.hang_up(device);
            return;
        }
        let may_carry_bare = connection.transport == BARE_TRANSPORT
            && info.as_ref().is_some_and(|info| info.tls_key.is_some());
        if !self.links.up(connection, may_carry_bare) {
            return;
        }
        self.outbox.begin_again(device);
        self.ready.insert(device);
        let knows_person = self.people.person_of(device);
        let person = knows_person.or_else(|| info.map(|info| info.identity));
        self.compare_cards(device, person, connection.card_hash);
        self.join_over(device);
        self.tell_own(device);
    }

    /// Whether nothing of this device is wanted at all.
    fn is_unwanted(&self, device: DeviceId) -> bool {
        let standing = self.people.standing_of(device).map(|(_, standing)| standing);
        matches!(standing, Some(Standing::Rejected | Standing::Revoked))
    }

    pub(crate) fn hang_up(&mut self, device: DeviceId) {
        let hang_up = HangUp { device: *device.as_bytes(), refuse: true };
        let (topic, payload) = (HANG_UP.name().to_owned(), HANG_UP.cbor(&hang_up));
        // Behind what was said to it before.
        self.gate.after(Output::Announce { topic, payload });
    }

    pub(crate) fn is_me(&self, person: PersonId) -> bool {
        self.me.as_ref().is_some_and(|me| me.person == person)
    }

    /// A link is down. What it carried and was not acknowledged goes by the next.
    pub(crate) fn disconnected(&mut self, ended: &Disconnected) {
        let device = DeviceId::new(ended.device);
        self.reassembly.forget(&(ended.transport.clone(), ended.link));
        if self.links.down(device, &ended.transport, ended.link) {
            self.without_link(device);
        }
    }

    /// A service is gone, and its links.
    pub(crate) fn gone(&mut self, service: &str) {
        self.flying.gone(service);
        for device in self.links.gone(service) {
            self.without_link(device);
        }
        if let Some(me) = &mut self.me
            && me.reachable.remove(service).is_some()
        {
            self.say_node_info();
        }
        self.ready.append(&mut self.blocked);
    }

    fn without_link(&mut self, device: DeviceId) {
        self.outbox.begin_again(device);
        if self.links.best(device).is_some() {
            self.ready.insert(device);
        } else {
            self.outbox.drop_realtime(device);
            if self.outbox.has_any(device) {
                self.want(device);
            }
        }
    }

    /// Keeps the addresses that the user gave for a person.
    pub(crate) fn keep_addresses(&mut self, person: PersonId, addresses: &[String]) {
        let key = [ADDRESSES, person.as_bytes().as_slice()].concat();
        self.gate.put(key, addresses.join("\n"));
        self.people.set_addresses(person, addresses.to_vec());
    }
}
