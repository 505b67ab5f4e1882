//! A broker with clients and a clock that only tests move.
//!
//! A client is written to only when a test asks what it heard: until then it is a subscriber that
//! does not read. What is said while a client has to wait is kept, as a socket would keep it, and
//! said when it has read.

use super::heard::{Heard, take_frames, take_lines, texts};
use super::lines;
use crate::broker::{Broker, ClientId, Framing, Output, Staged};
use crate::clock::Now;
use crate::durable::{Loaded, StoreAsk};
use crate::limits::Limits;
use crate::sealed::Handed;
use crate::session::Session;
use kith_store::{Memory, Store};
use kith_wire::binary::{MAGIC, encode};
use kith_wire::{Operation, Pattern, Publication, Request, RequestNumber, Subscribe};
use std::collections::{BTreeSet, VecDeque};

/// The time at which every bus begins.
pub(crate) const BEGIN_UNIX_MS: u64 = 1_700_000_000_000;

/// A broker, its clients and its clock.
pub(crate) struct Bus {
    pub(crate) broker: Broker,
    pub(crate) now: Now,
    clients: Vec<Client>,
    /// Who was announced by [`Output::Flush`] and has not read all since.
    announced: BTreeSet<u64>,
    overflown: Vec<u64>,
    /// The disk, if there is one.
    pub(crate) store: Option<Store<Memory>>,
    /// What the store was asked for and has not answered.
    asked: VecDeque<StoreAsk>,
    /// Whether the store answers only when a test lets it.
    pub(crate) holds: bool,
    /// How many times a client had to let others have their turn.
    pub(crate) turns: usize,
}

/// One client of a [`Bus`], by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who(usize);

struct Client {
    id: ClientId,
    session: Session,
    framing: Framing,
    /// What it said and the session did not take yet.
    unsaid: Vec<u8>,
    /// What it read and has not understood yet.
    unheard: Vec<u8>,
    /// What was handed over to it and it has not understood yet.
    handed: VecDeque<Vec<u8>>,
    /// Whether the daemon's magic has been read.
    greeted: bool,
}

impl Bus {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with_seed(limits, 7)
    }

    pub(crate) fn with_seed(limits: Limits, seed: u64) -> Self {
        Self {
            broker: Broker::new(limits, seed),
            now: Now { monotonic_ms: 1_000, unix_ms: BEGIN_UNIX_MS },
            clients: Vec::new(),
            announced: BTreeSet::new(),
            overflown: Vec::new(),
            store: None,
            asked: VecDeque::new(),
            holds: false,
            turns: 0,
        }
    }

    /// The same with what is on a disk.
    pub(crate) fn on(limits: Limits, disk: Memory) -> Self {
        let mut bus = Self::new(limits);
        let mut store = Store::open(disk).unwrap();
        let loaded = Loaded::read(&mut |scan| store.scan(&scan), bus.broker.limits()).unwrap();
        bus.broker.attach_store(bus.now, "memory", loaded);
        bus.store = Some(store);
        bus
    }

    /// Has everything happen that is due, at the store too unless it is held.
    pub(crate) fn settle(&mut self) {
        self.collect_outputs();
    }

    /// Has the store answer all that it was asked for.
    pub(crate) fn answer_store(&mut self) {
        while !self.asked.is_empty() {
            self.answer_one();
        }
    }

    /// Has the store answer the first of what it was asked for.
    pub(crate) fn answer_one(&mut self) {
        if let (Some(ask), Some(store)) = (self.asked.pop_front(), &mut self.store) {
            match ask {
                StoreAsk::Commit { ticket, batch } => {
                    let answer = store.commit(&[batch]);
                    self.broker.committed(self.now, ticket, answer);
                }
                StoreAsk::Scan { ticket, scan } => {
                    let answer = store.scan(&scan);
                    self.broker.scanned(self.now, ticket, answer);
                }
            }
            self.collect_outputs();
        }
    }

    /// A client that speaks JSON lines.
    pub(crate) fn json(&mut self) -> Who {
        self.join(Framing::JsonLines)
    }

    /// A client that speaks binary frames.
    pub(crate) fn binary(&mut self) -> Who {
        self.join(Framing::Binary)
    }

    pub(crate) fn join(&mut self, framing: Framing) -> Who {
        let who = self.raw(framing);
        if framing == Framing::Binary {
            self.feed(who, &MAGIC);
        }
        who
    }

    /// A client that has said nothing yet and expects to be answered in this framing.
    pub(crate) fn raw(&mut self, framing: Framing) -> Who {
        let id = self.broker.connect(self.now).unwrap();
        let session = Session::new(id);
        let greeted = framing == Framing::JsonLines;
        let (unsaid, unheard, handed) = (Vec::new(), Vec::new(), VecDeque::new());
        self.clients.push(Client { id, session, framing, unsaid, unheard, handed, greeted });
        Who(self.clients.len() - 1)
    }

    pub(crate) fn id(&self, who: Who) -> ClientId {
        self.clients[who.0].id
    }

    pub(crate) fn framing(&self, who: Who) -> Framing {
        self.clients[who.0].framing
    }

    /// Feeds bytes. Returns how many of all that were said wait to be taken.
    pub(crate) fn feed(&mut self, who: Who, bytes: &[u8]) -> usize {
        let client = &mut self.clients[who.0];
        client.unsaid.extend_from_slice(bytes);
        loop {
            let fed = client.session.feed(&mut self.broker, self.now, &client.unsaid);
            assert!(fed.consumed <= client.unsaid.len());
            client.unsaid.drain(..fed.consumed);
            if !fed.unfinished {
                client.session.hold_unclaimed(&mut self.broker);
                return client.unsaid.len();
            }
            self.turns += 1;
            assert!(fed.consumed > 0, "a turn without any work");
        }
    }

    /// Says no more: what was said and not taken is all there will be.
    pub(crate) fn finish(&mut self, who: Who) {
        let client = &mut self.clients[who.0];
        client.session.end(&mut self.broker, &client.unsaid);
    }

    /// Hands over what came in a descriptor.
    pub(crate) fn hand_over(&mut self, who: Who, handed: Handed) {
        self.clients[who.0].session.hand_over(handed);
    }

    /// Feeds one line.
    pub(crate) fn line(&mut self, who: Who, line: &str) {
        self.feed(who, format!("{line}\n").as_bytes());
    }

    /// Says an operation; number 0 is none.
    pub(crate) fn say(&mut self, who: Who, number: u32, operation: Operation<'_>) {
        let bytes = self.encode(who, number, operation);
        self.feed(who, &bytes);
    }

    /// The bytes of an operation in this client's framing.
    pub(crate) fn encode(&self, who: Who, number: u32, operation: Operation<'_>) -> Vec<u8> {
        encoded(self.framing(who), number, operation)
    }

    /// Publishes without options and without an answer.
    pub(crate) fn publish(&mut self, who: Who, topic: &str, payload: &str) {
        self.say(who, 0, Operation::Publish(super::publication(topic, payload)));
    }

    /// Subscribes, under the number by which deliveries will name it.
    pub(crate) fn sub(&mut self, who: Who, number: u32, pattern: &str) {
        self.say(who, number, subscribe(number, pattern, None, false));
    }

    /// Subscribes, and hears the answer.
    pub(crate) fn subscribed(&mut self, who: Who, number: u32, pattern: &str) {
        self.sub(who, number, pattern);
        assert_eq!(self.hears(who), [format!("ok {number}")], "{pattern}");
    }

    /// Subscribes as a member of a group, and hears the answer.
    pub(crate) fn joined(&mut self, who: Who, number: u32, pattern: &str, group: &str) {
        self.joined_later(who, number, pattern, group);
        assert_eq!(self.hears(who), [format!("ok {number}")], "{pattern}");
    }

    /// Subscribes as a member of a group, without hearing anything yet.
    pub(crate) fn joined_later(&mut self, who: Who, number: u32, pattern: &str, group: &str) {
        self.say(who, number, subscribe(number, pattern, Some(group), false));
    }

    /// Subscribes to look on.
    pub(crate) fn monitors(&mut self, who: Who, number: u32, pattern: &str) {
        let Operation::Subscribe(asked) = subscribe(number, pattern, None, false) else { return };
        self.say(who, number, Operation::Subscribe(Subscribe { monitor: true, ..asked }));
        assert_eq!(self.hears(who), [format!("ok {number}")], "{pattern}");
    }

    /// Subscribes, kept values first.
    pub(crate) fn sub_retained(&mut self, who: Who, number: u32, pattern: &str) {
        self.say(who, number, subscribe(number, pattern, None, true));
    }

    pub(crate) fn unsub(&mut self, who: Who, number: u32, subscription: u32) {
        let subscription = RequestNumber::new(subscription).unwrap();
        self.say(who, number, Operation::Unsubscribe(subscription));
    }

    /// Asks a request.
    pub(crate) fn ask(&mut self, who: Who, number: u32, topic: &str, timeout_ms: u32) {
        let publication = super::publication(topic, "\"?\"");
        self.ask_with(who, number, publication, timeout_ms);
    }

    pub(crate) fn ask_with(
        &mut self,
        who: Who,
        number: u32,
        publication: Publication<'_>,
        timeout_ms: u32,
    ) {
        let request_number = RequestNumber::new(number).unwrap();
        let operation = Operation::Request { number: request_number, publication, timeout_ms };
        self.say(who, number, operation);
    }

    /// Has a client read all that waits for it, and say what it had to keep back until then.
    pub(crate) fn hear(&mut self, who: Who) -> Vec<Heard> {
        let mut heard = Vec::new();
        loop {
            let more = self.hear_some(who, usize::MAX);
            heard.extend(more);
            let before = self.clients[who.0].unsaid.len();
            if !self.broker.has_output(self.id(who)) && self.feed(who, &[]) == before {
                assert!(self.clients[who.0].unheard.is_empty(), "half an answer");
                return heard;
            }
        }
    }

    /// What a client hears, in words.
    pub(crate) fn hears(&mut self, who: Who) -> Vec<String> {
        texts(&self.hear(who))
    }

    /// Has a client read at most so many bytes.
    pub(crate) fn hear_some(&mut self, who: Who, bytes: usize) -> Vec<Heard> {
        self.collect_outputs();
        let id = self.id(who);
        let mut left = bytes;
        while left > 0 && self.broker.has_output(id) {
            let is_announced = self.announced.contains(&id.serial());
            assert!(is_announced, "has something to send and was not announced: {who:?}");
            let (mut sent, mut payloads) = (0, 0);
            for Staged { bytes: slice, payload } in self.broker.stage_sealed(self.now, id) {
                if let Some(payload) = payload {
                    let mut read = Vec::new();
                    assert!(payload.read_into(&mut read));
                    self.clients[who.0].handed.push_back(read);
                    payloads += 1;
                }
                let part = slice.len().min(left - sent);
                self.clients[who.0].unheard.extend_from_slice(&slice[..part]);
                sent += part;
            }
            // A shell that has nothing to write does not write.
            if sent > 0 {
                self.broker.wrote_sealed(self.now, id, sent, payloads);
            }
            left -= sent;
            self.collect_outputs();
        }
        if !self.broker.has_output(id) {
            self.announced.remove(&id.serial());
        }
        self.understand(who)
    }

    /// Ends a connection without goodbye.
    pub(crate) fn cut(&mut self, who: Who) {
        self.broker.disconnect(self.now, self.id(who), "cut");
    }

    /// Lets time pass. Whatever is due is done when it is due.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now.monotonic_ms + ms;
        while let Some(due) = self.broker.poll_timeout().filter(|due| *due <= until) {
            let step = due.saturating_sub(self.now.monotonic_ms);
            self.step(step);
            self.broker.handle_timeout(self.now);
        }
        self.step(until - self.now.monotonic_ms);
    }

    /// Whose queue was reported full since the last time this was asked.
    pub(crate) fn overflown(&mut self) -> Vec<u64> {
        self.collect_outputs();
        std::mem::take(&mut self.overflown)
    }

    fn step(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.unix_ms += ms;
    }

    fn collect_outputs(&mut self) {
        loop {
            let Some(output) = self.broker.poll_output() else {
                if self.asked.is_empty() || self.holds {
                    return;
                }
                self.answer_store();
                continue;
            };
            match output {
                Output::Flush(id) => {
                    self.announced.insert(id.serial());
                }
                Output::Overflown(id) => self.overflown.push(id.serial()),
                // Tests ask for both themselves.
                Output::Notice | Output::Post => {}
                Output::Store => {
                    while let Some(ask) = self.broker.poll_store(self.now) {
                        self.asked.push_back(ask);
                    }
                }
            }
        }
    }

    fn understand(&mut self, who: Who) -> Vec<Heard> {
        let client = &mut self.clients[who.0];
        if !client.greeted && client.unheard.len() >= MAGIC.len() {
            assert_eq!(client.unheard.drain(..MAGIC.len()).collect::<Vec<_>>(), MAGIC);
            client.greeted = true;
        }
        match client.framing {
            _ if !client.greeted => Vec::new(),
            Framing::JsonLines => take_lines(&mut client.unheard),
            Framing::Binary => take_frames(&mut client.unheard, &mut client.handed),
        }
    }
}

/// The bytes of an operation; number 0 is none.
pub(crate) fn encoded(framing: Framing, number: u32, operation: Operation<'_>) -> Vec<u8> {
    let request = Request { number: RequestNumber::new(number), operation };
    match framing {
        Framing::JsonLines => lines::line(&request),
        Framing::Binary => {
            let mut bytes = Vec::new();
            encode::request(&mut bytes, &request);
            bytes
        }
    }
}

/// The operation that subscribes.
pub(crate) fn subscribe(
    number: u32,
    pattern: &str,
    group: Option<&str>,
    retained: bool,
) -> Operation<'static> {
    Operation::Subscribe(Subscribe {
        number: RequestNumber::new(number).unwrap(),
        pattern: Pattern::new(pattern.to_owned()).unwrap(),
        group: group.map(|group| group.to_owned().into()),
        retained,
        monitor: false,
        durable: None,
        since: None,
    })
}
