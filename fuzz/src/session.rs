//! A bus on which three clients say anything, in both framings, and a fourth and fifth mind their
//! own business.
//!
//! The input is a sequence of steps (`session/step.rs`): raw bytes and whole operations, reading
//! much, little or not at all, time, lost connections, messages from outside. The first byte
//! decides what is held against it:
//!
//! - *small limits* (`guarded`): quotas hold after every step; what is sent can be read; answers
//!   come once and in order; and of the two others, one of whom publishes what the other subscribed
//!   to, each gets exactly what is due, after every step. At the end nothing is left of anybody;
//! - *large limits* (`compared`): the same steps once more with what is said cut into other pieces
//!   come out the same. Where queues are full, what is lost does depend on how runs are cut.
//!
//! Deliberately absent: the daemon's stop, after which nothing is promised that could be compared.

mod step;

use crate::heard::Heard;
use crate::input::{Input, pieces};
use crate::peer::{Bus, Peer};
use kith_core::Limits;
use kith_wire::binary::{MAGIC, decode, split};
use kith_wire::{Operation, Request, json};
use std::collections::BTreeMap;
use step::Step;

/// Clients that say anything.
const CLIENTS: usize = 3;
/// Steps of one input.
const STEPS: usize = 80;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = input.byte();
    let steps = step::steps(input, STEPS);
    if setup & 1 == 0 {
        guarded(setup, &steps, hash(bytes));
    } else {
        let whole = compared(setup, &steps, None);
        assert_eq!(compared(setup, &steps, Some(setup)), whole, "the cuts can be heard");
    }
}

/// Limits that an input reaches.
fn small() -> Limits {
    Limits {
        payload_bytes_max: 1 << 10,
        queue_bytes_max: 0,
        waiting_bytes_total_max: 32 << 10,
        queue_messages_max: 20,
        subscriptions_max: 5,
        subscriptions_total_max: 12,
        requests_max: 3,
        retained_messages_max: 6,
        retained_bytes_max: 2 << 10,
        clients_max: CLIENTS + 2,
        descriptors_total_max: 4,
        stats_interval_ms: 10_000,
        ..Limits::default()
    }
}

/// FNV-1a: a name that an input can't hold, since it depends on all of it.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A bus and those who say anything on it.
struct Scene {
    bus: Bus,
    peers: Vec<Peer>,
    /// What each of them heard on its connection.
    heard: Vec<Vec<Heard>>,
    /// Of each, whether it says what it is asked to say in binary frames.
    is_binary: [bool; CLIENTS],
    /// Where the request that was heard last wants its reply.
    reply_to: Option<String>,
}

impl Scene {
    fn new(limits: Limits, setup: u8) -> Self {
        let is_binary = std::array::from_fn(|at| setup >> (1 + at) & 1 == 1);
        let bus = Bus::new(limits);
        Self { bus, peers: Vec::new(), heard: Vec::new(), is_binary, reply_to: None }
    }

    fn join(&mut self) {
        for _ in 0..CLIENTS {
            self.peers.push(Peer::join(&mut self.bus));
            self.heard.push(Vec::new());
        }
    }

    /// Takes a step; what is said is cut into pieces that follow from `seed`.
    fn take(&mut self, step: &Step<'_>, seed: Option<u8>) {
        match step {
            Step::Say(who, bytes) => self.say(*who, bytes, seed),
            Step::Ask(who, kind, detail) => {
                let request = step::request(*kind, *detail);
                self.ask(*who, &request, seed);
            }
            Step::Reply(who) => {
                if let Some(topic) = self.reply_to.clone() {
                    self.ask(*who, &step::reply(&topic), seed);
                }
            }
            Step::Read(who, bytes) => {
                let heard = self.peers[*who].read(&mut self.bus, *bytes);
                self.note(*who, heard);
                self.peers[*who].say(&mut self.bus, &[]);
            }
            Step::ReadAll(who) => self.read_all(*who),
            Step::Pass(ms) => self.bus.pass(*ms),
            Step::Cut(who) => self.replace(*who),
            Step::Inbound(kind, detail) => {
                let inbound = step::inbound(*kind, *detail);
                // Refused are reserved topics and what is to be kept.
                let _ = self.bus.broker.deliver_inbound(self.bus.now, &inbound);
            }
        }
    }

    fn say(&mut self, who: usize, bytes: &[u8], seed: Option<u8>) {
        let pieces = seed.map_or_else(|| vec![bytes], |seed| pieces(bytes, seed));
        for piece in pieces {
            self.peers[who].say(&mut self.bus, piece);
        }
    }

    /// Says an operation in the framing in which this client began, if it did.
    fn ask(&mut self, who: usize, request: &Request<'_>, seed: Option<u8>) {
        let mut bytes = Vec::new();
        let is_binary = match self.peers[who].first_byte() {
            Some(first) => first == MAGIC[0],
            None if self.is_binary[who] => {
                bytes.extend(MAGIC);
                true
            }
            None => false,
        };
        step::write(&mut bytes, request, is_binary);
        self.say(who, &bytes, seed);
    }

    fn read_all(&mut self, who: usize) {
        let heard = self.peers[who].read_all(&mut self.bus);
        self.note(who, heard);
        if self.bus.broker.is_closing(self.peers[who].id()) {
            answers_are_in_order(self.peers[who].taken(), &self.heard[who]);
            self.replace(who);
        }
    }

    /// What a shell does with who has gone: another comes.
    fn replace(&mut self, who: usize) {
        self.bus.broker.disconnect(self.bus.now, self.peers[who].id(), "cut");
        self.peers[who] = Peer::join(&mut self.bus);
        self.heard[who].clear();
    }

    fn note(&mut self, who: usize, heard: Vec<Heard>) {
        let mut wanted = heard.iter().filter_map(|one| one.reply_to.as_ref());
        if let Some(topic) = wanted.rfind(|topic| topic.starts_with("bus.reply.")) {
            self.reply_to = Some(topic.clone());
        }
        self.heard[who].extend(heard);
    }

    /// What each uses is within what it may use.
    fn check_quotas(&self) {
        let limits = self.bus.broker.limits();
        for peer in &self.peers {
            let usage = self.bus.broker.usage(peer.id()).expect("it is there");
            assert!(usage.queued_bytes <= limits.queue_bytes_max, "{usage:?}");
            assert!(usage.queued_messages <= limits.queue_messages_max, "{usage:?}");
            assert!(usage.subscriptions <= limits.subscriptions_max, "{usage:?}");
            assert!(usage.requests <= limits.requests_max, "{usage:?}");
        }
        let stats = self.bus.broker.stats();
        assert!(stats.clients <= limits.clients_max, "{stats:?}");
        assert!(stats.subscriptions <= limits.subscriptions_total_max, "{stats:?}");
        assert!(stats.requests_waiting <= limits.requests_max * limits.clients_max, "{stats:?}");
        assert!(stats.waiting_bytes <= limits.waiting_bytes_total_max, "{stats:?}");
        assert!(stats.retained_messages <= limits.retained_messages_max, "{stats:?}");
        assert!(stats.retained_bytes <= limits.retained_bytes_max, "{stats:?}");
    }
}

/// Two clients that have nothing to do with the others, and what they expect of each other.
struct Quiet {
    friend: Peer,
    guest: Peer,
    topic: String,
    count: u64,
}

impl Quiet {
    fn new(bus: &mut Bus, setup: u8, hash: u64) -> Self {
        let (mut friend, mut guest) = (Peer::join(bus), Peer::join(bus));
        let topic = format!("quiet-{hash:016x}");
        let is_binary = setup & 16 != 0;
        let mut bytes = if is_binary { MAGIC.to_vec() } else { Vec::new() };
        step::write(&mut bytes, &step::subscribe(1, &format!("self.{topic}.*"), 0), is_binary);
        guest.say(bus, &bytes);
        let heard: Vec<_> = guest.read_all(bus).into_iter().map(|one| (one.op, one.id)).collect();
        assert_eq!(heard, [("ok".to_owned(), Some(1))]);
        friend.say(bus, &MAGIC);
        assert_eq!(friend.read_all(bus), []);
        Self { friend, guest, topic, count: 0 }
    }

    /// The friend publishes, and the guest gets that and nothing else.
    fn talk(&mut self, bus: &mut Bus) {
        self.count += 1;
        let (topic, payload) = (format!("{}.x", self.topic), self.count.to_string());
        let mut bytes = Vec::new();
        step::write(&mut bytes, &step::publish(1, &topic, &payload), true);
        self.friend.say(bus, &bytes);
        let [answer] = self.friend.read_all(bus).try_into().expect("one answer");
        assert_eq!((answer.op.as_str(), answer.id), ("ok", Some(1)), "{answer:?}");
        let [message] = self.guest.read_all(bus).try_into().expect("one message");
        let expected = Heard {
            op: "msg".to_owned(),
            sub: Some(1),
            msg_id: answer.msg_id,
            sender: Some("local".to_owned()),
            scope: Some("self".to_owned()),
            protocol: Some("ms".into()),
            topic: Some(topic),
            sent_at: Some(bus.now.unix_ms),
            payload: Some(payload),
            ..Heard::default()
        };
        assert_eq!(message, expected);
    }
}

fn guarded(setup: u8, steps: &[Step<'_>], hash: u64) {
    let mut scene = Scene::new(small(), setup);
    let mut quiet = Quiet::new(&mut scene.bus, setup, hash);
    scene.join();
    for step in steps {
        scene.take(step, None);
        scene.check_quotas();
        quiet.talk(&mut scene.bus);
    }
    for who in 0..CLIENTS {
        scene.read_all(who);
        answers_are_in_order(scene.peers[who].taken(), &scene.heard[who]);
    }
    let Scene { mut bus, peers, .. } = scene;
    for peer in peers.iter().chain([&quiet.friend, &quiet.guest]) {
        bus.broker.disconnect(bus.now, peer.id(), "end");
    }
    let stats = bus.broker.stats();
    assert_eq!((stats.clients, stats.subscriptions, stats.requests_waiting), (0, 0, 0));
    assert_eq!((stats.queued_messages, stats.queued_bytes), (0, 0));
    // The counters were due once more if somebody had asked for them.
    bus.pass(small().stats_interval_ms);
    assert_eq!(bus.broker.poll_timeout(), None, "something is due");
}

/// What each client heard: by the connection and by subscription, since the order between two
/// subscriptions depends on how runs are cut.
type Streams = BTreeMap<(usize, Option<u32>), Vec<Heard>>;

fn compared(setup: u8, steps: &[Step<'_>], seed: Option<u8>) -> Vec<Streams> {
    let limits = Limits { payload_bytes_max: 1 << 10, ..Limits::default() };
    let mut scene = Scene::new(limits, setup);
    scene.join();
    let mut all = Vec::new();
    for step in steps {
        // Where somebody stops in the middle of a message depends on its bytes, and so on runs.
        match step {
            Step::Read(who, _) => scene.take(&Step::ReadAll(*who), None),
            step => scene.take(step, seed),
        }
        if let Step::Cut(_) | Step::Read(..) | Step::ReadAll(_) = step {
            all.push(streams(&mut scene));
        }
    }
    (0..CLIENTS).for_each(|who| scene.read_all(who));
    all.push(streams(&mut scene));
    all
}

fn streams(scene: &mut Scene) -> Streams {
    let mut streams = Streams::new();
    for (who, heard) in scene.heard.iter().enumerate() {
        for one in heard {
            let mut one = one.clone();
            if one.is_of_daemon() {
                one.payload = None;
            }
            streams.entry((who, one.sub)).or_default().push(one);
        }
    }
    streams
}

/// Each operation with a number is answered once, and in the order of the operations; but for
/// requests, whose answers come when there are some.
fn answers_are_in_order(taken: &[u8], heard: &[Heard]) {
    let Some(asked) = numbers_of(taken) else { return };
    let answers = heard.iter().filter(|one| one.op == "ok" || one.op == "err");
    let answered: Vec<_> = answers.filter_map(|one| one.id).collect();
    assert_eq!(answered, asked);
}

/// The numbers under which answers are wanted, in order; nothing if there are requests.
fn numbers_of(taken: &[u8]) -> Option<Vec<u32>> {
    let max = small().payload_bytes_max;
    let mut numbers = Vec::new();
    let mut note = |number: Option<u32>, request: Option<&Request<'_>>| {
        numbers.extend(number.filter(|number| *number != 0));
        !matches!(request, Some(Request { operation: Operation::Request { .. }, .. }))
    };
    if let Some(mut rest) = taken.strip_prefix(&MAGIC) {
        while let Ok(Some(frame)) = split(rest, usize::MAX) {
            if frame.bytes.len() > 4 + kith_wire::limits::frame_bytes_max(max) {
                break;
            }
            let request = decode::request(frame, max).ok();
            if frame.kind == 5 || !note(Some(frame.number), request.as_ref()) {
                return None;
            }
            rest = &rest[frame.bytes.len()..];
        }
    } else if taken.starts_with(b"{") {
        let end = taken.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in taken[..end].split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let (number, request) = match json::decode::request(line, max) {
                _ if line.is_empty() => continue,
                Ok(request) => (request.number, Some(request)),
                Err(refused) => (refused.number, None),
            };
            if !note(number.map(|number| number.get()), request.as_ref()) {
                return None;
            }
        }
    }
    Some(numbers)
}
