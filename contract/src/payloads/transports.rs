//! `transports.*`: how devices find and reach each other.
//!
//! A NodeInfo is one device's own record, signed by it: bytes that nobody but the daemon needs to
//! read. What stands beside it here is a hint, to sort by.

use super::{COUNT, ENDPOINT, ENDPOINTS, KEY, Key, NODE_INFO, TAG, TEXT, TIME, Tag};
use crate::kind::Kind;
use crate::limits::MTU_BYTES_MIN;
use crate::payload::{payload, words};
use crate::value::Bytes;

const MTU: Kind = Kind::Number { min: MTU_BYTES_MIN as i64, max: u32::MAX as i64 };

words! {
    /// What a NodeInfo is wanted of.
    pub enum Wanted {
        /// One device, by its sign key.
        Device = "device",
        /// All devices of a person, by their identity key.
        Person = "person",
    }

    /// Where a NodeInfo was found.
    pub enum Provenance {
        /// On this network, by discovery.
        Lan = "lan",
        /// In a public directory.
        Directory = "directory",
        /// At a relay.
        Relay = "relay",
        /// From the device itself, when a link came up.
        Link = "link",
        /// From another device, on behalf of this one.
        Peer = "peer",
        /// In an invite.
        Invite = "invite",
        /// A person or a program brought it.
        Hand = "hand",
    }

    /// How bytes get to the device.
    pub enum Path {
        /// From this machine to that one.
        Direct = "direct",
        /// By way of others.
        Relayed = "relayed",
    }

    /// What it costs to use a link.
    pub enum Cost {
        /// Nothing that counts: a local network, a line without a meter.
        Free = "free",
        /// There is an allowance: a mobile network.
        Metered = "metered",
        /// Each message costs money or much time: SMS, LoRa.
        Dear = "dear",
    }

    /// Why a link is down.
    pub enum Ending {
        /// This side has closed it.
        Closed = "closed",
        /// The other side has closed it.
        ClosedByPeer = "closed-by-peer",
        /// Nothing was heard for too long, or the network is gone.
        Lost = "lost",
        /// Another link to this device has taken its place.
        Replaced = "replaced",
        /// The other side is not who it should be, or speaks another version.
        Refused = "refused",
    }
}

payload! {
    /// Where a transport can be reached.
    pub struct Endpoint {
        /// The transport that says so: its own name.
        speaker transport: String = Kind::Name,
        /// Addresses as this transport reads them, for instance `192.0.2.7:4711`; the best one
        /// first. An empty list says that it can't be reached.
        required endpoints: Vec<String> = ENDPOINTS,
        /// The public key (Ed25519) that it shows in TLS, if it has one. The daemon certifies it
        /// in our NodeInfo.
        optional tls_key: Option<Key> = KEY,
    }

    /// Our own NodeInfo.
    pub struct MyNodeInfo {
        /// The sign key of this device (Ed25519).
        required device: Key = KEY,
        /// The record's number; the highest holds.
        required seq: u64 = COUNT,
        /// The signed NodeInfo, to be passed on as it is.
        required record: Bytes = NODE_INFO,
        /// The SHA-256 of our card, so that who has another one asks.
        optional card_hash: Option<Key> = KEY,
    }

    /// A NodeInfo is wanted.
    pub struct RequestNodeInfo {
        /// Of what.
        required wanted: Wanted = Wanted::KIND,
        /// The device's sign key or the person's identity key (Ed25519).
        required key: Key = KEY,
    }

    /// A NodeInfo was found.
    pub struct NodeInfo {
        /// The signed NodeInfo, as it was found.
        required record: Bytes = NODE_INFO,
        /// Where it was found.
        required provenance: Provenance = Provenance::KIND,
        /// The service that found it, if it was one. A hint: anyone may say so.
        optional found_by: Option<String> = Kind::Name,
        /// The address from which it came, where there is one.
        optional source: Option<String> = ENDPOINT,
    }

    /// Reach a device.
    pub struct Dial {
        /// The sign key of the device (Ed25519); null for whoever answers at these addresses.
        nullable device: Option<Key> = KEY,
        /// Its addresses that are known so far; the best one first.
        required endpoints: Vec<String> = ENDPOINTS,
        /// The key (Ed25519) that it has to show in TLS, certified by its NodeInfo.
        optional tls_key: Option<Key> = KEY,
    }

    /// A link is up.
    pub struct Connection {
        /// The transport that has it: its own name.
        speaker transport: String = Kind::Name,
        /// The sign key of the device at the other end (Ed25519).
        required device: Key = KEY,
        /// The transport's number for this link, not used again until it ends.
        required link: u64 = COUNT,
        /// The address at the other end, where there is one.
        optional endpoint: Option<String> = ENDPOINT,
        /// Round-trip time in microseconds, once it is known.
        optional rtt_us: Option<u64> = COUNT,
        /// The most bytes that it carries at once. What is larger is cut by the daemon.
        required mtu_bytes: u32 = MTU,
        /// What it costs to use it.
        required cost: Cost = Cost::KIND,
        /// How the bytes get there.
        required path: Path = Path::KIND,
        /// The signed NodeInfo that the device has shown, on a link that has proved its TLS key.
        /// Letters without their seal are for such links alone.
        optional record: Option<Bytes> = NODE_INFO,
        /// The SHA-256 of the card that the device has, so that whoever has another one asks.
        optional card_hash: Option<Key> = KEY,
    }

    /// A link is down.
    pub struct Disconnected {
        /// The transport that had it: its own name.
        speaker transport: String = Kind::Name,
        /// The sign key of the device at the other end (Ed25519).
        required device: Key = KEY,
        /// The transport's number for this link.
        required link: u64 = COUNT,
        /// Why.
        required reason: Ending = Ending::KIND,
        /// More about that, for people.
        optional text: Option<String> = TEXT,
    }

    /// Close the links to a device.
    pub struct HangUp {
        /// The sign key of the device (Ed25519).
        required device: Key = KEY,
        /// Whether it is refused when it comes again, until it is dialled.
        required refuse: bool = Kind::Flag,
    }

    /// How this device is recognised on a network today.
    pub struct Beacon {
        /// What those who know the discovery secret recognise; it changes daily and says nothing to
        /// others. Null while nobody is to recognise this device.
        nullable tag: Option<Tag> = TAG,
        /// Until when it holds, in ms since the Unix epoch.
        required until: u64 = TIME,
    }

    /// Some device was seen on a network.
    pub struct Sighting {
        /// The service that has seen it: its own name.
        speaker discovery: String = Kind::Name,
        /// The tag that it shows.
        required tag: Tag = TAG,
        /// Where it can be reached; the best address first.
        required endpoints: Vec<String> = ENDPOINTS,
    }
}
