//! What clients do, drawn from a seed.
//!
//! Few names, numbers and topics, so that steps meet: a subscription is ended that is there, a kept
//! value replaced, a request answered. A step names a client by its place, whoever sits there, so
//! any of the steps can be left out and the others still mean something: that is what makes a list
//! that fails short.

use super::bad;
use super::deliver::wants;
use crate::broker::Framing;
use crate::limits::Limits;
use crate::tests::own_id;
use kith_wire::{
    Destination, Headers, Operation, Options, Pattern, Priority, Protocol, Publication,
    RequestNumber, Scope, Subscribe, Topic, Until,
};

/// How many clients there are at a time.
pub(super) const PLACES: usize = 6;

const TOPICS: [&str; 6] = ["a", "a.b", "a.b.c", "x.y", "x", "a.x"];
const PATTERNS: [&str; 22] = [
    "*/*.a.>",
    "*.*.b",
    "self.a",
    "self.a.b",
    "self.a.*",
    "self.a.>",
    "self.>",
    "self.*.b",
    "self.*.*.c",
    "*.x.y",
    "*.>",
    "bt/self.*",
    "bt/*.x",
    "*/self.a.b",
    "*/*.>",
    "friends.>",
    "public.a",
    "self.bus.>",
    "self.bus.lag",
    "self.bus.stats",
    "self.bus.client",
    "self.a.b.c.d.e.f.g.h.*",
];

/// How many bytes a client takes at a time: of a small queue and of a large one a part.
const READS: [usize; 9] = [0, 1, 30, 300, 3_000, 12_000, 20_000, 100_000, 180_000];

/// Chance, from a seed. SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn number(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).unwrap()
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// One step.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Connect(usize, Framing),
    /// A connection that begins with something else.
    ConnectBadly(bool),
    /// Something is said; perhaps its first bytes come earlier.
    Say(usize, Saying, Option<usize>),
    /// The client takes so many bytes, or none.
    Read(usize, usize),
    ReadAll(usize),
    Cut(usize),
    /// The daemon ends it.
    Close(usize),
    /// Time passes; what is due is done in time, or late.
    Pass(u64, bool),
    /// The wall clock is set.
    Clock(i64),
    Inbound(Scope, Publishing),
    ShutDown,
}

/// What a client says. Number 0 is none.
#[derive(Clone, Debug)]
pub(super) enum Saying {
    Hello(u32, Option<u32>, Option<u8>),
    Sub(Subscribing),
    Unsub(u32, u32),
    Publish(u32, Publishing),
    /// So many plain messages at once.
    Run(Publishing, u32),
    Ask(u32, Publishing, u32),
    /// A reply to one of the last requests.
    Reply(u32, Publishing, usize),
    Will(u32, Publishing),
    Unwill(u32),
    Ping(u32),
    /// More pings than there is room for answers.
    Pings(usize),
    Bye(u32),
    Bad(usize, usize),
}

/// A subscription that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Subscribing {
    pub(super) number: u32,
    pub(super) pattern: &'static str,
    pub(super) group: Option<String>,
    pub(super) retained: bool,
    pub(super) monitor: bool,
}

/// A publication.
#[derive(Clone, Debug)]
pub(super) struct Publishing {
    /// Makes its payload unlike all others.
    pub(super) serial: u32,
    pub(super) topic: &'static str,
    pub(super) protocol: &'static str,
    pub(super) bytes: usize,
    pub(super) id: Option<u32>,
    pub(super) expires_in_ms: Option<u64>,
    pub(super) retain: bool,
    pub(super) removes: bool,
    pub(super) reply_to: bool,
    pub(super) elsewhere: bool,
    pub(super) priority: Priority,
    pub(super) headers: usize,
    /// What it says instead.
    pub(super) text: Option<String>,
}

impl Publishing {
    pub(super) fn plain(self) -> Self {
        Self {
            id: None,
            expires_in_ms: None,
            retain: false,
            reply_to: false,
            elsewhere: false,
            priority: Priority::Normal,
            headers: 0,
            text: None,
            ..self
        }
    }

    pub(super) fn publication(&self) -> Publication<'static> {
        let serial = self.serial;
        let filling = self.bytes.saturating_sub(40);
        let payload = match (self.retain && self.removes, self.protocol) {
            (true, _) => Vec::new(),
            _ if let Some(text) = &self.text => text.as_bytes().to_vec(),
            // White space, escapes and letters of several bytes, which must stay as they are.
            (_, "ms") if serial.is_multiple_of(3) => {
                format!("{{ \"n\": {serial},\"\\u0061\\/\" :\"é{}\"}}", "y".repeat(filling))
                    .into_bytes()
            }
            (_, "ms") => format!("[{serial},\"{}\"]", "x".repeat(filling)).into_bytes(),
            _ => [&serial.to_le_bytes()[..], b"\n\r\0\xff", &vec![b'z'; filling]].concat(),
        };
        let mut headers = Headers::new();
        for at in 0..self.headers {
            headers.insert(&format!("key-{at}"), "a \"value\"").unwrap();
        }
        let to = match self.elsewhere {
            true => Destination::Elsewhere("friends".to_owned()),
            false => Destination::Local,
        };
        Publication {
            topic: Topic::new(self.topic.to_owned()).unwrap(),
            protocol: Protocol::new(self.protocol.to_owned()).unwrap(),
            payload: payload.into(),
            options: Options {
                message_id: self.id.map(own_id),
                to,
                expire_after_ms: self.expires_in_ms,
                retain: self.retain,
                reply_to: self.reply_to.then(|| Topic::new("an.answer").unwrap()),
                priority: self.priority,
                headers,
                until: Until::Accepted,
                realtime: self.reply_to && !self.retain,
                echo: false,
            },
        }
    }
}

impl Saying {
    /// The operation, where it is one, and the number of its answer.
    pub(super) fn operation(&self) -> Option<(u32, Operation<'static>)> {
        let number = |number: u32| RequestNumber::new(number).unwrap();
        Some(match self {
            Self::Hello(answer, name, client) => {
                let name = name.map(|name| format!("client {name}"));
                let client = client.map(|client| [client; 16]);
                (*answer, Operation::Hello { name, client, descriptors: false, token: None })
            }
            Self::Sub(asked) => {
                let subscribe = Subscribe {
                    number: number(asked.number),
                    pattern: Pattern::new(asked.pattern).unwrap(),
                    group: asked.group.clone().map(Into::into),
                    retained: asked.retained,
                    monitor: asked.monitor,
                    durable: None,
                    since: None,
                };
                (asked.number, Operation::Subscribe(subscribe))
            }
            Self::Unsub(answer, sub) => (*answer, Operation::Unsubscribe(number(*sub))),
            Self::Publish(answer, what) => (*answer, Operation::Publish(what.publication())),
            Self::Ask(answer, what, timeout_ms) => {
                let (number, timeout_ms) = (number(*answer), *timeout_ms);
                let publication = what.publication();
                (*answer, Operation::Request { number, publication, timeout_ms })
            }
            Self::Will(answer, what) => (*answer, Operation::Will(what.publication())),
            Self::Unwill(answer) => (*answer, Operation::Unwill),
            Self::Ping(answer) => (*answer, Operation::Ping),
            Self::Bye(answer) => (*answer, Operation::Bye),
            Self::Reply(..) | Self::Run(..) | Self::Pings(_) | Self::Bad(..) => return None,
        })
    }
}

/// The steps of a seed, and the limits under which they are taken.
pub(super) struct Drawing {
    chance: Chance,
    serial: u32,
    pub(super) limits: Limits,
}

impl Drawing {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        // One in eight has large payloads and queues: more than is put in order at once.
        let large = chance.once_in(8);
        let payload_bytes_max = if large { 70_000 } else { chance.one_of(&[200, 4_000]) };
        let mut limits = Limits {
            payload_bytes_max,
            queue_bytes_max: if large { 300_000 } else { 0 },
            queue_messages_max: chance.one_of(&[2, 5, 20, 60, 1 << 20]),
            subscriptions_max: chance.one_of(&[4, 7, 30]),
            subscriptions_total_max: chance.one_of(&[14, 100]),
            requests_max: chance.one_of(&[2, 5]),
            retained_messages_max: chance.one_of(&[3, 6, 100]),
            retained_bytes_max: chance.one_of(&[2_000, 12_000, 1 << 20]),
            clients_max: PLACES - chance.below(2),
            ..Limits::default()
        };
        limits.stats_interval_ms = 100;
        Self { chance, serial: 0, limits: limits.sane() }
    }

    pub(super) fn step(&mut self) -> Step {
        let place = self.chance.below(PLACES);
        match self.chance.below(1000) {
            0..=9 => Step::Connect(place, self.chance.one_of(&crate::tests::FRAMINGS)),
            10..=11 => Step::ConnectBadly(self.chance.once_in(2)),
            12..=19 => Step::Cut(place),
            20..=21 => Step::Close(place),
            22..=71 => {
                let ms = self.chance.one_of(&[0, 1, 7, 30, 100, 250]);
                let late = self.chance.once_in(3);
                match self.chance.once_in(40) {
                    true => Step::Pass(600_000, true),
                    false => Step::Pass(ms, late),
                }
            }
            72..=74 => Step::Clock(self.chance.one_of(&[-5_000, -50, 40, 5_000])),
            75..=94 => {
                let scope = self.chance.one_of(&[Scope::Friends, Scope::Public, Scope::Own]);
                Step::Inbound(scope, self.publishing())
            }
            95 if self.chance.once_in(4) => Step::ShutDown,
            95..=239 => Step::ReadAll(place),
            240..=359 => Step::Read(place, self.chance.one_of(&READS)),
            _ => {
                let saying = self.saying(place);
                let early = self.chance.once_in(8).then(|| self.chance.below(200));
                Step::Say(place, saying, early)
            }
        }
    }

    fn saying(&mut self, place: usize) -> Saying {
        let answer = self.chance.number(4);
        match self.chance.below(100) {
            0..=2 => {
                let name = self.chance.once_in(2).then(|| self.chance.number(3));
                let client = self.chance.once_in(2).then(|| self.chance.one_of(&[0, 1, 2]));
                Saying::Hello(answer, name, client)
            }
            3..=24 => Saying::Sub(self.subscribing(place)),
            25..=31 => Saying::Unsub(answer, 1 + self.chance.number(9)),
            32..=58 => Saying::Publish(answer, self.publishing()),
            59..=72 => {
                let what = self.publishing().plain();
                let room = 15_000 / (what.bytes + 60);
                let count = 1 + self.chance.below(room.clamp(1, 40));
                self.serial += 40;
                Saying::Run(what, u32::try_from(count).unwrap())
            }
            73..=80 => {
                let (topic, text) = match self.chance.below(12) {
                    0 => ("bus.stats", None),
                    1 => ("bus.clients", Some(self.asking_clients())),
                    2 | 3 => ("bus.subscriptions", Some(self.asking_subscriptions())),
                    4 => ("bus.nothing", None),
                    _ => (self.chance.one_of(&TOPICS), None),
                };
                let what =
                    Publishing { topic, text, retain: false, reply_to: false, ..self.publishing() };
                let timeout_ms = self.chance.one_of(&[1, 20, 150, 2_000]);
                Saying::Ask(1 + self.chance.number(5), what, timeout_ms)
            }
            81..=87 => Saying::Reply(answer, self.publishing(), self.chance.below(4)),
            88..=90 => Saying::Will(answer, self.publishing()),
            91 => Saying::Unwill(answer),
            92..=95 => Saying::Ping(answer),
            96 if self.chance.once_in(40) => Saying::Pings(20_000),
            96 => Saying::Bye(answer),
            _ => {
                let times = if self.chance.once_in(20) { 64 } else { 1 };
                Saying::Bad(self.chance.below(bad::COUNT), times)
            }
        }
    }

    fn asking_clients(&mut self) -> String {
        let (after, limit) = (self.chance.below(8), self.chance.below(4));
        match self.chance.below(6) {
            0 => "null".to_owned(),
            1 => format!(r#"{{"limit":{limit}}}"#),
            2 => format!(r#"{{"after":{after},"limit":{limit}}}"#),
            3 => format!(r#"{{"after":[{after},1]}}"#),
            _ => format!(r#"{{"after":{after}}}"#),
        }
    }

    fn asking_subscriptions(&mut self) -> String {
        let (client, limit) = (self.chance.below(8), self.chance.below(9));
        let after = format!("[{},{}]", self.chance.below(8), self.chance.below(10));
        match self.chance.below(7) {
            0 => "{}".to_owned(),
            1 => format!(r#"{{"client":{client},"limit":{limit}}}"#),
            2 => format!(r#"{{"after":{after},"limit":{limit}}}"#),
            3 => format!(r#"{{"client":{client},"after":{after}}}"#),
            4 => format!(r#"{{"after":{client}}}"#),
            5 => after,
            _ => format!(r#"{{"after":{after}}}"#),
        }
    }

    fn subscribing(&mut self, place: usize) -> Subscribing {
        let grouped = self.chance.once_in(3);
        let (number, pattern) = (1 + self.chance.number(9), self.chance.one_of(&PATTERNS));
        let mut group = self.chance.one_of(&["g", "h"]).to_owned();
        // Which member of a group lost a message that told of lag can't be seen from outside, but
        // decides what is told of next; so nobody shares these.
        if wants(pattern, "ms", "self", "bus.lag") {
            group = format!("only-{place}-{number}");
        }
        Subscribing {
            number,
            pattern,
            group: grouped.then_some(group),
            retained: self.chance.once_in(3),
            monitor: !grouped && self.chance.once_in(8),
        }
    }

    fn publishing(&mut self) -> Publishing {
        self.serial += 1;
        let largest = self.limits.payload_bytes_max;
        let bytes = match self.chance.below(12) {
            0 => largest,
            1..=3 => largest.min(2_000 + self.chance.below(largest)),
            _ => self.chance.below(150),
        };
        let reserved = self.chance.once_in(40);
        Publishing {
            serial: self.serial,
            topic: if reserved { "bus.client" } else { self.chance.one_of(&TOPICS) },
            protocol: self.chance.one_of(&["ms", "ms", "ms", "bt", "other"]),
            bytes: bytes.max(41),
            id: self.chance.once_in(6).then(|| self.chance.number(12)),
            expires_in_ms: self.chance.once_in(6).then(|| self.chance.one_of(&[1, 20, 200])),
            retain: self.chance.once_in(6),
            removes: self.chance.once_in(4),
            reply_to: self.chance.once_in(10),
            elsewhere: self.chance.once_in(50),
            priority: self.chance.one_of(&[
                Priority::High,
                Priority::Normal,
                Priority::Normal,
                Priority::Normal,
                Priority::Bulk,
            ]),
            headers: if self.chance.once_in(10) { 1 + self.chance.below(3) } else { 0 },
            text: None,
        }
    }
}
