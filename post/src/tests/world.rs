//! A world of posts.
//!
//! Each node is a post with a store in memory. Its announcements are carried as transports would:
//! a dial makes a link where there is none, an envelope arrives at once or waits while the network
//! is held. Time is handed in and goes on by itself only between steps, so that everything is the
//! same each time, but for what the ratchets draw.

use crate::{Inbound, Input, KeyFile, Loaded, Now, Outgoing, Output, Post, Setup};
use kith_contract::transports::{Connection, Cost, Disconnected, Ending, Endpoint, Path};
use kith_contract::{
    BEACON, DELIVERY_UPDATE, DIAL, HANG_UP, MY_NODE_INFO, PEOPLE_CHANGED, Payload, SEND, Topic,
    delivery, envelope, people, transports,
};
use kith_store::{Failure, Memory, Scan, Store};
use kith_wire::{Headers, MessageId, Priority, Refusal, Until};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// When a test begins: a moment in 2023.
const BEGINNING_MS: u64 = 1_700_000_000_000;

/// A node, by its place.
pub(super) type At = usize;

pub(super) struct Node {
    pub(super) post: Option<Post>,
    store: Store<Memory>,
    key: Option<KeyFile>,
    pub(super) inbox: Vec<Inbound>,
    pub(super) requests: VecDeque<(u64, Inbound)>,
    pub(super) answers: BTreeMap<u64, Result<String, Refusal>>,
    pub(super) sent: BTreeMap<u64, Result<(), Refusal>>,
    pub(super) replies: BTreeMap<u64, Result<Inbound, Refusal>>,
    pub(super) updates: Vec<delivery::Update>,
    pub(super) changes: Vec<people::Changed>,
    pub(super) beacon: Option<transports::Beacon>,
    record: Option<transports::MyNodeInfo>,
    /// Whether what is delivered is taken by the bus at once.
    pub(super) takes: bool,
    pub(super) seed: u64,
    next: u64,
}

/// Letters on their way.
struct Letter {
    from: At,
    to: At,
    bytes: Vec<u8>,
    link: u64,
}

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    links: BTreeMap<(At, At), u64>,
    next_link: u64,
    letters: VecDeque<Letter>,
    /// Whether letters are held back.
    pub(super) is_held: bool,
    /// Every letter that was carried.
    pub(super) carried: Vec<Vec<u8>>,
    pub(super) now: Now,
}

impl World {
    /// So many devices, each a person of its own.
    pub(super) fn new(count: usize) -> Self {
        let now = Now { monotonic_ms: 1_000, unix_ms: BEGINNING_MS };
        let (nodes, links, letters, carried) = Default::default();
        let mut world = Self { nodes, links, next_link: 0, letters, is_held: false, carried, now };
        for at in 0..count {
            world.nodes.push(Node::new(at as u64));
            world.start(at, false);
            world.ask(at, "people.me", "null").unwrap();
        }
        world
    }

    /// Starts a node with what it has stored.
    pub(super) fn start(&mut self, at: At, is_copy: bool) {
        let now = self.now;
        let node = &mut self.nodes[at];
        let page = node.store.scan(&Scan::prefix(b"")).unwrap();
        let records = page.records.into_iter().map(|record| (record.key, record.value)).collect();
        let loaded = Loaded { key: node.key.clone(), records, is_copy };
        node.seed += 1000;
        let mut state = node.seed;
        let entropy = move |bytes: &mut [u8]| {
            for byte in bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                *byte = (state >> 56) as u8;
            }
        };
        let setup = Setup { device_name: format!("device-{at}") };
        node.post = Some(Post::open(now, setup, loaded, Box::new(entropy)).unwrap());
        let endpoint = Endpoint {
            transport: "quic".to_owned(),
            endpoints: vec![format!("192.0.2.{at}:1")],
            tls_key: Some([byte(at); 32]),
        };
        self.tell(at, Input::Endpoint(endpoint));
    }

    /// Ends a node as `kill -9` would.
    pub(super) fn kill(&mut self, at: At) {
        self.nodes[at].post = None;
        let links: Vec<_> =
            self.links.keys().copied().filter(|(a, b)| *a == at || *b == at).collect();
        for (a, b) in links {
            self.unlink(a, b);
        }
        self.letters.retain(|letter| letter.from != at && letter.to != at);
    }

    pub(super) fn tell(&mut self, at: At, input: Input) {
        let now = self.now;
        if let Some(post) = &mut self.nodes[at].post {
            post.handle(now, input);
        }
        self.settle();
    }

    /// Goes on until nothing happens any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut is_quiet = true;
            for at in 0..self.nodes.len() {
                while let Some(output) = self.poll(at) {
                    is_quiet = false;
                    self.perform(at, output);
                }
            }
            while !self.is_held {
                let Some(letter) = self.letters.pop_front() else { break };
                is_quiet = false;
                self.arrive(letter);
            }
            if is_quiet {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    fn poll(&mut self, at: At) -> Option<Output> {
        let now = self.now;
        self.nodes[at].post.as_mut()?.poll_output(now)
    }

    /// Lets time go by.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.unix_ms += ms;
        self.settle();
    }

    fn perform(&mut self, at: At, output: Output) {
        let node = &mut self.nodes[at];
        match output {
            Output::Announce { topic, payload } => self.announced(at, &topic, &payload),
            Output::Deliver { mail, inbound, .. } => {
                if node.takes {
                    node.inbox.push(inbound);
                    self.tell_quietly(at, Input::Handed { mail });
                }
            }
            Output::DeliverRequest { request, inbound, .. } => {
                node.requests.push_back((request, inbound));
            }
            Output::Took { .. } => {}
            Output::Answer { ticket, result, .. } => drop(node.sent.insert(ticket, result)),
            Output::AnswerRequest { ticket, result } => drop(node.replies.insert(ticket, result)),
            Output::Answered { ticket, result } => drop(node.answers.insert(ticket, result)),
            Output::Commit { ticket, batch } => {
                let result = node.store.commit(&[batch]);
                self.tell_quietly(at, Input::Committed { ticket, result });
            }
            Output::KeepKey(key) => node.key = Some(key),
        }
    }

    fn tell_quietly(&mut self, at: At, input: Input) {
        let now = self.now;
        if let Some(post) = &mut self.nodes[at].post {
            post.handle(now, input);
        }
    }

    fn announced(&mut self, at: At, topic: &str, payload: &[u8]) {
        fn read<T: Payload>(topic: Topic<T>, name: &str, payload: &[u8]) -> Option<T> {
            (topic.name() == name).then(|| topic.read("kith", payload).unwrap())
        }
        if topic == SEND.of("quic") {
            self.sent(at, SEND.read("kith", payload).unwrap());
        } else if let Some(said) = read(MY_NODE_INFO, topic, payload) {
            self.nodes[at].record = Some(said);
        } else if let Some(dial) = read(DIAL, topic, payload) {
            let place = dial.endpoints.iter().find_map(|endpoint| {
                endpoint.strip_prefix("192.0.2.")?.strip_suffix(":1")?.parse::<At>().ok()
            });
            if let Some(to) = place.filter(|to| *to < self.nodes.len()) {
                self.link(at, to);
            }
        } else if let Some(hang_up) = read(HANG_UP, topic, payload) {
            let other = (0..self.nodes.len()).find(|other| self.device(*other) == hang_up.device);
            if let Some(other) = other {
                self.unlink(at, other);
            }
        } else if let Some(update) = read(DELIVERY_UPDATE, topic, payload) {
            self.nodes[at].updates.push(update);
        } else if let Some(changed) = read(PEOPLE_CHANGED, topic, payload) {
            self.nodes[at].changes.push(changed);
        } else if let Some(beacon) = read(BEACON, topic, payload) {
            self.nodes[at].beacon = Some(beacon);
        }
    }

    fn sent(&mut self, at: At, send: envelope::Send) {
        let to = (0..self.nodes.len()).find(|other| self.device(*other) == send.device);
        let link = to.and_then(|to| self.links.get(&pair(at, to)).copied());
        let (Some(to), Some(link)) = (to, link) else {
            let failed = envelope::Failed {
                transport: "quic".to_owned(),
                envelope: send.envelope,
                reason: envelope::Failure::Unreachable,
                retry: true,
                text: None,
            };
            return self.tell_quietly(at, Input::Failed(failed));
        };
        let bytes = send.letter.0;
        self.carried.push(bytes.clone());
        self.letters.push_back(Letter { from: at, to, bytes, link });
        let sent =
            envelope::Sent { transport: "quic".to_owned(), envelope: send.envelope, link: None };
        self.tell_quietly(at, Input::Sent(sent));
    }

    fn arrive(&mut self, letter: Letter) {
        let device = self.device(letter.from);
        let received = received(letter.bytes, device, letter.link);
        self.tell_quietly(letter.to, Input::Received(received));
    }

    /// Hands letters in the order that is wanted, those that were held.
    pub(super) fn release(&mut self) {
        self.is_held = false;
        self.settle();
    }

    /// Loses what is held.
    pub(super) fn lose(&mut self) {
        self.letters.clear();
    }

    /// Makes a link, if there is none and both are on.
    pub(super) fn link(&mut self, a: At, b: At) {
        let is_on = |at: At| self.nodes[at].post.is_some() && self.nodes[at].record.is_some();
        if a == b || self.links.contains_key(&pair(a, b)) || !is_on(a) || !is_on(b) {
            return;
        }
        self.next_link += 1;
        self.links.insert(pair(a, b), self.next_link);
        for (one, other) in [(a, b), (b, a)] {
            let said = self.nodes[other].record.clone().unwrap();
            let connection = Connection {
                transport: "quic".to_owned(),
                device: said.device,
                link: self.next_link,
                endpoint: None,
                rtt_us: None,
                mtu_bytes: 1 << 20,
                cost: Cost::Free,
                path: Path::Direct,
                record: Some(said.record),
                card_hash: said.card_hash,
            };
            self.tell_quietly(one, Input::Connection(connection));
        }
    }

    pub(super) fn unlink(&mut self, a: At, b: At) {
        let Some(link) = self.links.remove(&pair(a, b)) else { return };
        self.letters.retain(|letter| letter.link != link);
        for (one, other) in [(a, b), (b, a)] {
            let ended = Disconnected {
                transport: "quic".to_owned(),
                device: self.device(other),
                link,
                reason: Ending::Lost,
                text: None,
            };
            self.tell_quietly(one, Input::Disconnected(ended));
        }
    }

    pub(super) fn is_linked(&self, a: At, b: At) -> bool {
        self.links.contains_key(&pair(a, b))
    }

    pub(super) fn link_number(&self, a: At, b: At) -> u64 {
        self.links[&pair(a, b)]
    }

    pub(super) fn device(&self, at: At) -> [u8; 32] {
        self.nodes[at].record.as_ref().map_or([0; 32], |record| record.device)
    }

    /// Asks a node, as an administrator, and goes on until it answers or nothing happens.
    pub(super) fn ask(&mut self, at: At, topic: &str, payload: &str) -> Result<Value, Refusal> {
        let ticket = self.nodes[at].ticket();
        let (topic, payload) = (topic.to_owned(), payload.as_bytes().to_vec());
        let asked = Input::Asked { ticket, topic, payload, is_administrator: true };
        self.tell(at, asked);
        if !self.nodes[at].answers.contains_key(&ticket) {
            self.pass(60_000);
        }
        let answer = self.nodes[at].answers.remove(&ticket).expect("an answer");
        answer.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// Makes two nodes friends, who call each other by these names.
    pub(super) fn befriend(&mut self, a: At, b: At, names: (&str, &str)) {
        let invite = format!(r#"{{"petname": "{}"}}"#, names.1);
        let link = self.ask(a, "people.invite", &invite).unwrap()["link"].clone();
        let join = format!(r#"{{"link": {link}, "petname": "{}"}}"#, names.0);
        self.ask(b, "people.join", &join).unwrap();
    }

    /// Makes `new` a device of the person of `owner`.
    pub(super) fn adopt(&mut self, owner: At, new: At) {
        let link = self.ask(new, "people.invite", r#"{"kind": "device"}"#).unwrap()["link"].clone();
        self.ask(owner, "people.join", &format!(r#"{{"link": {link}}}"#)).unwrap();
    }

    /// Publishes, and goes on until nothing happens. The ticket and the id.
    pub(super) fn publish(
        &mut self,
        at: At,
        to: &str,
        topic: &str,
        text: &str,
    ) -> (u64, MessageId) {
        self.publish_with(at, to, topic, text, |_| {})
    }

    pub(super) fn publish_with(
        &mut self,
        at: At,
        to: &str,
        topic: &str,
        text: &str,
        with: impl FnOnce(&mut Outgoing),
    ) -> (u64, MessageId) {
        let ticket = self.nodes[at].ticket();
        let message = self.message(at, to, topic, text, with);
        let id = message.id;
        self.tell(at, Input::Send { ticket, message, is_repeated: false });
        (ticket, id)
    }

    pub(super) fn message(
        &mut self,
        at: At,
        to: &str,
        topic: &str,
        text: &str,
        with: impl FnOnce(&mut Outgoing),
    ) -> Outgoing {
        let number = self.nodes[at].ticket();
        let mut random = [byte(at); 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let mut message = Outgoing {
            id: MessageId::from_parts(self.now.unix_ms, &random),
            to: to.to_owned(),
            topic: topic.to_owned(),
            protocol: "ms".to_owned(),
            payload: serde_json::to_vec(text).unwrap(),
            headers: Headers::new(),
            expire_after_ms: None,
            priority: Priority::Normal,
            realtime: false,
            echo: false,
            until: Until::Accepted,
        };
        with(&mut message);
        message
    }

    /// What has arrived at a node: sender's petname, scope, topic and text.
    pub(super) fn take_inbox(&mut self, at: At) -> Vec<String> {
        let inbox = std::mem::take(&mut self.nodes[at].inbox);
        let shown = |inbound: Inbound| {
            let text: Value = serde_json::from_slice(&inbound.payload).unwrap();
            let from = inbound.petname.as_deref().unwrap_or("-");
            format!("{from} {}.{} {text}", inbound.scope.name(), inbound.topic)
        };
        inbox.into_iter().map(shown).collect()
    }

    /// How often something was refused at a node under a cause.
    pub(super) fn refused(&mut self, at: At, cause: crate::Cause) -> u64 {
        let status = self.ask(at, "people.status", "null").unwrap();
        status["refused"][cause.name()].as_u64().unwrap_or(0)
    }

    /// Has a node's disk fail, or work again.
    pub(super) fn fail_disk(&mut self, at: At, failing: Option<Failure>) {
        let node = &mut self.nodes[at];
        let memory = std::mem::replace(&mut node.store, Store::open(Memory::new()).unwrap());
        let mut memory = memory.into_backend();
        memory.fail(failing);
        node.store = Store::look(memory).unwrap();
    }
}

impl Node {
    fn new(seed: u64) -> Self {
        Self {
            post: None,
            store: Store::open(Memory::new()).unwrap(),
            key: None,
            inbox: Vec::new(),
            requests: VecDeque::new(),
            answers: BTreeMap::new(),
            sent: BTreeMap::new(),
            replies: BTreeMap::new(),
            updates: Vec::new(),
            changes: Vec::new(),
            beacon: None,
            record: None,
            takes: true,
            seed: seed + 1,
            next: 0,
        }
    }

    pub(super) fn ticket(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Bytes that came by a link of `quic`.
pub(super) fn received(bytes: Vec<u8>, device: [u8; 32], link: u64) -> envelope::Received {
    envelope::Received {
        transport: "quic".to_owned(),
        letter: bytes.into(),
        device: Some(device),
        link: Some(link),
        relay: None,
    }
}

fn pair(a: At, b: At) -> (At, At) {
    (a.min(b), a.max(b))
}

fn byte(at: At) -> u8 {
    u8::try_from(at).expect("few nodes")
}
