//! Anything that clients may do, drawn at random: the steps of a walk, and a bus that takes them.
//!
//! Few names, topics and numbers, so that steps meet: a subscription is ended that is there, a kept
//! value replaced, a request answered. Some of the clients read rarely.

use super::bus::{Bus, Who, subscribe};
use super::heard::Heard;
use super::{kept, own_id, publication, publish, with};
use crate::broker::{Framing, Inbound};
use crate::limits::Limits;
use kith_wire::{Operation, Priority, Protocol, Publication, RequestNumber, Scope, Topic};
use proptest::prelude::*;

/// How many clients a walk has at a time.
pub(crate) const CLIENTS: usize = 4;

const TOPICS: [&str; 5] = ["a", "a.b", "a.b.c", "x.y", "x"];
const PATTERNS: [&str; 11] = [
    "self.a",
    "self.a.*",
    "self.a.>",
    "self.>",
    "*.x.y",
    "bt/self.*",
    "*/self.a.b",
    "*/*.>",
    "friends.>",
    "self.bus.>",
    "public.a",
];

/// One step. Clients are named by their place.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say(usize, Saying),
    Reply(usize),
    Read(usize, usize),
    ReadAll(usize),
    Pass(u64),
    Cut(usize),
    Inbound(usize, Publishing),
}

/// An operation. The number is that of its answer, 0 for none.
#[derive(Clone, Debug)]
pub(crate) enum Saying {
    Hello(u8),
    Sub { number: u32, pattern: usize, group: Option<bool>, retained: bool },
    Unsub(u32, u32),
    Publish(u32, Publishing),
    Run(Publishing, usize),
    Ask { number: u32, what: Publishing, timeout_ms: u32 },
    Will(Publishing),
    Unwill,
    Bye,
    Ping(u32),
    Garbage(usize),
}

/// A publication.
#[derive(Clone, Debug)]
pub(crate) struct Publishing {
    topic: usize,
    blob: bool,
    bytes: usize,
    id: Option<u32>,
    expires_in_ms: Option<u64>,
    retain: bool,
    priority: Priority,
    headers: bool,
}

fn publishing() -> impl Strategy<Value = Publishing> {
    let bytes = prop_oneof![4 => 3..100_usize, 1 => 2_000..4_000_usize];
    let priority = prop_oneof![
        4 => Just(Priority::Normal),
        1 => Just(Priority::High),
        1 => Just(Priority::Bulk),
    ];
    (
        0..TOPICS.len(),
        prop::bool::weighted(0.2),
        bytes,
        prop::option::weighted(0.15, 0..20_u32),
        prop::option::weighted(0.1, 1..200_u64),
        prop::bool::weighted(0.15),
        priority,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(topic, blob, bytes, id, expires_in_ms, retain, priority, headers)| {
            Publishing { topic, blob, bytes, id, expires_in_ms, retain, priority, headers }
        })
}

fn plain() -> impl Strategy<Value = Publishing> {
    publishing().prop_map(|one| Publishing {
        id: None,
        expires_in_ms: None,
        retain: false,
        priority: Priority::Normal,
        headers: false,
        ..one
    })
}

pub(crate) fn saying() -> impl Strategy<Value = Saying> {
    let sub =
        (1..8_u32, 0..PATTERNS.len(), prop::option::weighted(0.3, any::<bool>()), any::<bool>());
    prop_oneof![
        1 => (0..3_u8).prop_map(Saying::Hello),
        8 => sub.prop_map(|(number, pattern, group, retained)| {
            Saying::Sub { number, pattern, group, retained }
        }),
        3 => (0..3_u32, 1..8_u32).prop_map(|(number, sub)| Saying::Unsub(number, sub)),
        10 => (0..3_u32, publishing()).prop_map(|(number, what)| Saying::Publish(number, what)),
        5 => (plain(), 1..40_usize).prop_map(|(what, count)| Saying::Run(what, count)),
        4 => (1..4_u32, publishing(), 1..100_u32).prop_map(|(number, what, timeout_ms)| {
            Saying::Ask { number, what: Publishing { retain: false, ..what }, timeout_ms }
        }),
        1 => publishing().prop_map(Saying::Will),
        1 => Just(Saying::Unwill),
        1 => Just(Saying::Bye),
        2 => (0..4_u32).prop_map(Saying::Ping),
        1 => (1..40_usize).prop_map(Saying::Garbage),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let who = || 0..CLIENTS;
    prop_oneof![
        12 => (who(), saying()).prop_map(|(who, saying)| Step::Say(who, saying)),
        2 => who().prop_map(Step::Reply),
        3 => (who(), 1..5_000_usize).prop_map(|(who, bytes)| Step::Read(who, bytes)),
        3 => who().prop_map(Step::ReadAll),
        1 => (0..120_u64).prop_map(Step::Pass),
        1 => who().prop_map(Step::Cut),
        1 => (0..3_usize, publishing()).prop_map(|(scope, what)| Step::Inbound(scope, what)),
    ]
}

/// Small limits that a walk reaches.
pub(crate) fn limits() -> Limits {
    Limits {
        descriptors_total_max: 2,
        payload_bytes_max: 4 << 10,
        queue_bytes_max: 0,
        waiting_bytes_total_max: 0,
        queue_messages_max: 60,
        subscriptions_max: 5,
        subscriptions_total_max: 12,
        requests_max: 3,
        retained_messages_max: 6,
        retained_bytes_max: 12 << 10,
        clients_max: CLIENTS,
        stats_interval_ms: 100,
        ..Limits::default()
    }
}

impl Publishing {
    pub(crate) fn publication(&self) -> Publication<'static> {
        let payload = format!("\"{}\"", "x".repeat(self.bytes - 2));
        let empty = self.retain && self.bytes.is_multiple_of(5);
        let payload = if empty { "" } else { &payload };
        let mut publication = match self.retain {
            true => kept(TOPICS[self.topic], payload),
            false => publication(TOPICS[self.topic], payload),
        };
        if self.blob {
            publication.protocol = Protocol::BT;
        }
        publication.options.message_id = self.id.map(own_id);
        publication.options.expire_after_ms = self.expires_in_ms;
        publication.options.priority = self.priority;
        if self.headers {
            publication.options.headers.insert("key", "value").unwrap();
        }
        publication
    }
}

impl Saying {
    /// The bytes of it.
    pub(crate) fn bytes(&self, framing: Framing) -> Vec<u8> {
        let number = |number: u32| RequestNumber::new(number).unwrap();
        let (answer, operation) = match self {
            Self::Hello(client) => (
                0,
                Operation::Hello {
                    name: None,
                    client: Some([*client; 16]),
                    descriptors: false,
                    token: None,
                },
            ),
            Self::Sub { number, pattern, group, retained } => {
                let group = group.map(|first| if first { "g" } else { "h" });
                (*number, subscribe(*number, PATTERNS[*pattern], group, *retained))
            }
            Self::Unsub(answer, sub) => (*answer, Operation::Unsubscribe(number(*sub))),
            Self::Publish(answer, what) => (*answer, publish(what.publication())),
            Self::Run(what, count) => {
                let one = super::bus::encoded(framing, 0, publish(what.publication()));
                return one.repeat(*count);
            }
            Self::Ask { number: answer, what, timeout_ms } => {
                let (number, publication) = (number(*answer), what.publication());
                (*answer, Operation::Request { number, publication, timeout_ms: *timeout_ms })
            }
            Self::Will(what) => (0, Operation::Will(what.publication())),
            Self::Unwill => (0, Operation::Unwill),
            Self::Bye => (0, Operation::Bye),
            Self::Ping(answer) => (*answer, Operation::Ping),
            Self::Garbage(count) => {
                let one = match framing {
                    Framing::JsonLines => b"{}\n".to_vec(),
                    Framing::Binary => vec![8, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0],
                };
                return one.repeat(*count);
            }
        };
        super::bus::encoded(framing, answer, operation)
    }
}

/// A bus on its walk. Who is cut or closed comes back as a new client of the same framing.
pub(crate) struct Walk {
    pub(crate) bus: Bus,
    pub(crate) clients: Vec<Who>,
    /// Where the last request that was heard wants its reply.
    reply_to: Option<String>,
    /// All that was heard, by whom.
    pub(crate) heard: Vec<(usize, Heard)>,
}

impl Walk {
    pub(crate) fn new(framings: [Framing; CLIENTS], seed: u64) -> Self {
        let mut bus = Bus::with_seed(limits(), seed);
        let clients = framings.map(|framing| bus.join(framing)).to_vec();
        Self { bus, clients, reply_to: None, heard: Vec::new() }
    }

    pub(crate) fn take(&mut self, step: &Step) {
        match step {
            Step::Say(who, saying) => {
                let who = self.clients[*who];
                let bytes = saying.bytes(self.bus.framing(who));
                self.bus.feed(who, &bytes);
            }
            Step::Reply(who) => {
                if let Some(topic) = &self.reply_to {
                    let reply = with(topic, "\"reply\"", |_| {});
                    self.bus.say(self.clients[*who], 0, publish(reply));
                }
            }
            Step::Read(who, bytes) => {
                let heard = self.bus.hear_some(self.clients[*who], *bytes);
                self.note(*who, heard);
                self.bus.feed(self.clients[*who], &[]);
            }
            Step::ReadAll(who) => self.read_all(*who),
            Step::Pass(ms) => self.bus.pass(*ms),
            Step::Cut(who) => self.replace(*who),
            Step::Inbound(scope, what) => {
                let mut publication = what.publication();
                publication.options.reply_to = Topic::new("elsewhere").ok();
                let scope = Scope::ALL[*scope];
                let inbound = Inbound::new("did:key:z6Mk", "key", scope, publication);
                let _ = self.bus.broker.deliver_inbound(self.bus.now, &inbound);
            }
        }
    }

    pub(crate) fn read_all(&mut self, who: usize) {
        let heard = self.bus.hear(self.clients[who]);
        self.note(who, heard);
        // What a shell does.
        if self.bus.broker.is_closing(self.bus.id(self.clients[who])) {
            self.replace(who);
        }
    }

    fn replace(&mut self, who: usize) {
        let framing = self.bus.framing(self.clients[who]);
        self.bus.cut(self.clients[who]);
        self.clients[who] = self.bus.join(framing);
    }

    fn note(&mut self, who: usize, heard: Vec<Heard>) {
        for one in &heard {
            if let Heard::Message { message, .. } = one
                && let Some(topic) = &message.reply_to
                && topic.starts_with("bus.reply.")
            {
                self.reply_to = Some(topic.clone());
            }
        }
        self.heard.extend(heard.into_iter().map(|one| (who, one)));
    }
}
