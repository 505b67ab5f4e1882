//! The broker: the owner of everything local.
//!
//! Operations come in from a [`crate::Session`], one batch of a connection at a time; what they
//! cause is queued in the outboxes of the clients concerned, and each of those is announced once,
//! by [`Output::Flush`]. So a subscriber is written to once for each batch that was read, however
//! many messages were in it.
//!
//! Every operation is answered for itself. None can fail half-way: quotas are looked at first.
//!
//! - `client.rs`: what is known of a connection;
//! - `operations.rs`: hello, subscriptions, wills, and the way of an operation to its part;
//! - `publish.rs`: from a publication to those who want it; `sealed.rs`: one in a descriptor;
//! - `requests.rs`, `request.rs`: request and reply;
//! - `retained.rs`, `remembered.rs`, `will.rs`: kept values, repeated publishes, wills;
//! - `standing.rs`: what a connection may do; `contract.rs`: reserved topics;
//! - `post.rs`, `elsewhere.rs`, `inbound.rs`: what is for people and devices, and from them;
//! - `asked.rs`: what the shell is told and asked, about services;
//! - `durable.rs`, `consumers.rs`, `kept_lists.rs`: what is stored, for whom, and what is said of
//!   it;
//! - `announce.rs`: the topics of the daemon itself; `lists.rs`: its lists, page by page.

mod announce;
mod asked;
mod client;
mod consumers;
mod contract;
mod durable;
mod elsewhere;
mod inbound;
mod kept_lists;
mod lists;
mod operations;
mod post;
mod publish;
mod remembered;
mod request;
mod requests;
mod retained;
mod sealed;
mod standing;
mod will;

pub use announce::{Stats, Totals};
pub use asked::{ASKED, Notice};
pub(crate) use client::{Client, Leaving};
pub use client::{ClientId, Framing, Usage};
pub use inbound::Inbound;
pub use post::{Outgoing, PEOPLE_ASKED, PostAsk};
pub use sealed::Staged;
pub(crate) use sealed::{claimed, no_descriptor};
pub use standing::Allowed;
pub(crate) use will::Will;

use crate::clock::Now;
use crate::durable::Durable;
use crate::identifiers::Identifiers;
use crate::index::{Index, Matches};
use crate::limits::{Limits, OPERATION_WORK, PARTS_FROM, TIMEOUTS_PER_TURN_MAX};
use crate::post::Post;
use crate::queues::Queues;
use kith_wire::{Code, Event, Refusal, RequestNumber, Scope};
pub(crate) use remembered::Publisher;
use remembered::Remembered;
use requests::{Requests, Waiting};
use retained::Retained;
use standing::Tokens;
use std::collections::{BTreeMap, VecDeque};
pub(crate) use will::Kept;

/// The broker. See the crate's documentation for the loop around it.
#[derive(Debug)]
pub struct Broker {
    queues: Queues,
    index: Index,
    matched: Matched,
    identifiers: Identifiers,
    retained: Retained,
    requests: Requests,
    remembered: Remembered,
    tokens: Tokens,
    durable: Durable,
    post: Post,
    /// Bytes of messages on their way to the store.
    unstored_bytes: usize,
    /// What the shell has to be told.
    notices: VecDeque<Notice>,
    /// Whether it has not been told yet that there is something.
    has_notice: bool,
    /// Whether the shell is asked what only it knows.
    asks_shell: bool,
    next_serial: u64,
    /// The daemon's own parts.
    parts: Vec<ClientId>,
    /// The places of all other clients, in the order in which they came.
    order: BTreeMap<u64, u32>,
    /// When `bus.stats` is published next, while somebody subscribes to it.
    stats_due_ms: Option<u64>,
    shutting_down: bool,
    /// How much has been done: a count of targets, of kept values and rows of lists that were
    /// looked at, and of operations.
    work: u64,
}

/// What the broker wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send what [`Broker::stage`] gives; then, if [`Broker::is_closing`] and all is sent, close.
    Flush(ClientId),
    /// There is something in [`Broker::poll_notice`].
    Notice,
    /// There is something in [`Broker::poll_store`].
    Store,
    /// There is something in [`Broker::poll_post`].
    Post,
    /// For the log: this client's queue is full, and messages for it are being dropped.
    Overflown(ClientId),
}

/// The last lookup, kept because the next publish is often on the same topic.
#[derive(Debug, Default)]
struct Matched {
    scope: Option<Scope>,
    protocol: String,
    topic: String,
    version: u64,
    matches: Matches,
    /// How many of those that get it for themselves read JSON lines.
    lines: usize,
    /// Whose turn it is in groups. Counts up from message to message of one topic, and begins
    /// anywhere with each lookup: if it counted over all topics, two of them that are published in
    /// turn would each meet the same members again and again.
    turn: u64,
}

impl Broker {
    /// A broker without clients. All its chance comes from `seed`.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            queues: Queues::new(limits.sane()),
            index: Index::new(seed),
            matched: Matched::default(),
            identifiers: Identifiers::new(seed),
            retained: Retained::default(),
            requests: Requests::default(),
            remembered: Remembered::default(),
            tokens: Tokens::default(),
            durable: Durable::default(),
            post: Post::default(),
            unstored_bytes: 0,
            notices: VecDeque::new(),
            has_notice: false,
            asks_shell: false,
            next_serial: 0,
            parts: Vec::new(),
            order: BTreeMap::new(),
            stats_due_ms: None,
            shutting_down: false,
            work: 0,
        }
    }

    /// The limits it keeps.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.queues.limits
    }

    /// Keeps other limits from now on. Whoever has more than they allow keeps what it has, and only
    /// gets no more of it: nobody is closed, and nothing that waits or is kept is dropped.
    pub fn set_limits(&mut self, now: Now, limits: Limits) {
        self.queues.limits = limits.sane();
        if self.stats_due_ms.take().is_some() {
            self.arm_stats(now);
        }
    }

    /// Takes in a connection.
    ///
    /// # Errors
    /// If there are as many as there may be, or the broker is shutting down.
    pub fn connect(&mut self, now: Now) -> Result<ClientId, Refusal> {
        self.connect_by(now, None)
    }

    /// Takes in a connection that came by a door with this name, which stands where others have the
    /// name of their framing.
    ///
    /// # Errors
    /// As [`Broker::connect`].
    pub fn connect_by(
        &mut self,
        now: Now,
        door: Option<&'static str>,
    ) -> Result<ClientId, Refusal> {
        if self.shutting_down {
            return Err(Refusal::fatal(Code::ShuttingDown, "the daemon is shutting down"));
        }
        let clients_max = self.queues.limits.clients_max;
        if clients_max <= self.clients_of_others() {
            self.count_refused_connection();
            let text = format!("the bus has {clients_max} connections, as many as it may");
            return Err(Refusal::fatal(Code::QuotaClients, text));
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let id = self.take_in(serial, door);
        self.order.insert(serial, id.place);
        self.remembered.attach(Publisher::new(id, None));
        if let Some(event) = self.client_event(id, "connected", None) {
            self.announce(now, "bus.client", event);
        }
        Ok(id)
    }

    /// Takes in a part of the daemon itself. It is no program: it stands in no list, counts for no
    /// quota of the bus, and nobody is told of it.
    pub fn connect_part(&mut self, door: &'static str) -> ClientId {
        let id = self.take_in(PARTS_FROM + self.parts.len() as u64, Some(door));
        self.parts.push(id);
        self.remembered.attach(Publisher::new(id, None));
        id
    }

    fn take_in(&mut self, serial: u64, door: Option<&'static str>) -> ClientId {
        let vacant = self.queues.clients.vacant_entry();
        let place = u32::try_from(vacant.key()).unwrap_or(u32::MAX);
        let id = ClientId { place, serial };
        vacant.insert(Client::new(id, door));
        id
    }

    /// How many connections there are that are no part of the daemon.
    fn clients_of_others(&self) -> usize {
        self.order.len()
    }

    /// How many subscriptions, but for those of the daemon's own parts.
    fn subscriptions_of_others(&self) -> usize {
        let parts = self.parts.iter().filter_map(|id| self.client(*id));
        self.index.len() - parts.map(|part| part.subscriptions.len()).sum::<usize>()
    }

    /// What those count.
    fn subscriptions_weight_of_others(&self) -> usize {
        let parts = self.parts.iter().filter_map(|id| self.client(*id));
        self.index.weight() - parts.map(|part| part.subscriptions_weight).sum::<usize>()
    }

    /// Takes note that a connection was not let in.
    pub fn count_refused_connection(&mut self) {
        self.queues.totals.refused += 1;
        self.queues.totals.refused_connections += 1;
    }

    /// Ends a connection; its will is published, unless it said goodbye. `reason` is for
    /// `bus.client`.
    pub fn disconnect(&mut self, now: Now, id: ClientId, reason: &str) {
        let said_goodbye = self.client(id).is_some_and(|client| client.said_goodbye);
        let cut_off = self.cut_off(id).map(|code| format!("cut off: {code}"));
        let reason = if said_goodbye { "said goodbye" } else { reason };
        let reason = cut_off.as_deref().unwrap_or(reason);
        let event = self.client_event(id, "disconnected", Some(reason));
        self.announce_lags(now);
        self.release(id);
        if self.client(id).is_none() {
            return;
        }
        let usage = self.usage(id);
        self.queues.give_back(id);
        let Some(client) = self.queues.clients.try_remove(id.place as usize) else { return };
        if let Some(service) = client.standing.service.filter(|one| !one.rights.is_daemon()) {
            let service = service.rights.name().to_owned();
            let usage = usage.unwrap_or_default();
            self.tell(Notice::Left { service, client: id, usage });
        }
        self.order.remove(&id.serial);
        self.retained.disown(id);
        if let Some(event) = event {
            self.announce(now, "bus.client", event);
        }
        let publisher = Publisher::new(id, client.identity);
        if let Some(will) = client.will {
            self.publish_will(now, publisher, &will);
        }
        self.remembered.detach(publisher);
        if self.queues.clients.is_empty() {
            self.queues.buffers.trim();
        }
    }

    /// Sets how a client is spoken to; a new one is spoken to in JSON lines.
    pub(crate) fn set_framing(&mut self, id: ClientId, framing: Framing) {
        if let Some(client) = self.queues.get(id) {
            client.framing = framing;
            client.has_begun = true;
        }
    }

    /// Whether a client should not be read from now: too many answers wait for it, or it is
    /// closing.
    #[must_use]
    pub fn is_choked(&self, id: ClientId) -> bool {
        let share_bytes = self.queues.share_bytes();
        self.client(id).is_none_or(|client| {
            client.closing || client.outbox.is_choked(share_bytes) || self.waits_for_store(client)
        })
    }

    /// Whether a client is to be closed once all is sent.
    #[must_use]
    pub fn is_closing(&self, id: ClientId) -> bool {
        self.client(id).is_none_or(|client| client.closing)
    }

    /// Why a client was cut off, if it said something after which nothing can be understood.
    #[must_use]
    pub fn cut_off(&self, id: ClientId) -> Option<Code> {
        self.client(id).and_then(|client| client.cut_off)
    }

    /// How much has been done since the start: what a session measures its turn by.
    pub(crate) fn work(&self) -> u64 {
        self.work
    }

    /// Takes note that an operation was read: to do so is work, whatever comes of it.
    pub(crate) fn count_operation(&mut self) {
        self.work += OPERATION_WORK;
    }

    /// Whether something waits to be sent to a client.
    #[must_use]
    pub fn has_output(&self, id: ClientId) -> bool {
        self.client(id).is_some_and(|client| !client.outbox.is_empty())
    }

    /// What a client uses, if it is there.
    #[must_use]
    pub fn usage(&self, id: ClientId) -> Option<Usage> {
        self.client(id).map(Client::usage)
    }

    /// The name that a client gave itself.
    #[must_use]
    pub fn name(&self, id: ClientId) -> Option<&str> {
        self.client(id).and_then(|client| client.name.as_deref())
    }

    /// Takes note of which process is at the other end, for whoever asks `bus.clients`.
    pub fn set_pid(&mut self, id: ClientId, pid: u32) {
        if let Some(client) = self.queues.get(id) {
            client.pid = Some(pid);
        }
    }

    /// What is to be done. Ask until there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(id) = self.queues.overflown.pop() {
            return Some(Output::Overflown(id));
        }
        if std::mem::take(&mut self.has_notice) {
            return Some(Output::Notice);
        }
        if let Some(id) = self.queues.next_flush() {
            return Some(Output::Flush(id));
        }
        // After that: nobody waits while the store or the post is woken.
        let store = self.durable.has_asks().then_some(Output::Store);
        store.or_else(|| self.post.take_news().then_some(Output::Post))
    }

    /// The bytes to send to a client next, in order. Not all that waits: ask again after
    /// [`Broker::wrote`].
    pub fn stage(&mut self, now: Now, id: ClientId) -> impl Iterator<Item = &[u8]> {
        self.put_in_order(now, id);
        self.client(id).into_iter().flat_map(|client| client.outbox.staged())
    }

    fn put_in_order(&mut self, now: Now, id: ClientId) {
        if self.queues.stage(id, now.unix_ms) {
            // What expired has made room, perhaps all there is, and then nothing will be written.
            self.queues.tell_if_drained(id);
            self.announce_lags(now);
            self.queues.stage(id, now.unix_ms);
        }
    }

    /// Takes note that so many of the staged bytes were sent.
    pub fn wrote(&mut self, now: Now, id: ClientId, bytes: usize) {
        self.wrote_sealed(now, id, bytes, 0);
    }

    /// The same, and of so many payloads that they have been handed over.
    pub fn wrote_sealed(&mut self, now: Now, id: ClientId, bytes: usize, payloads: usize) {
        self.queues.wrote(id, bytes, payloads);
        self.queues.tell_if_drained(id);
        self.announce_lags(now);
        self.pump_client(id);
    }

    /// When [`Broker::handle_timeout`] wants to be called, on the monotonic clock.
    pub fn poll_timeout(&mut self) -> Option<u64> {
        [self.requests.next_deadline(), self.stats_due_ms, self.store_due_ms()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due, or the first of it: then [`Broker::poll_timeout`] says that more is.
    pub fn handle_timeout(&mut self, now: Now) {
        for _ in 0..TIMEOUTS_PER_TURN_MAX {
            let Some((_, waiting)) = self.requests.take_expired(now.monotonic_ms) else { break };
            self.end_request(waiting, &Refusal::new(Code::Timeout, "no reply came in time"));
        }
        if self.stats_due_ms.is_some_and(|due| due <= now.monotonic_ms) {
            self.announce_stats(now);
        }
        self.handle_store_timeout(now);
    }

    /// Forgets what waits for a client that can't be sent anything any more.
    pub fn discard_output(&mut self, id: ClientId) {
        self.queues.discard(id);
    }

    /// Tells everybody that the daemon stops, and takes nothing more from anyone. What waits for a
    /// client is still sent to it. Wills are not published: nobody would be there to hear them.
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
        self.stats_due_ms = None;
        // What was gathered goes to the store now: there is no later.
        self.durable.is_urgent |= self.durable.store.is_some();
        let text = "the daemon is shutting down; what was to be sent may be on its way";
        self.end_post(&Refusal::new(Code::ShuttingDown, text));
        let clients: Vec<ClientId> = self.queues.clients.iter().map(|(_, one)| one.id).collect();
        for id in clients {
            match self.queues.get(id) {
                Some(client) if client.unstored_answers > 0 => {
                    client.leaving = Some(Leaving::ShuttingDown);
                }
                _ => self.say_goodbye(id),
            }
            self.queues.set_will(id, None);
        }
    }

    /// Tells a client that the daemon stops, and has it closed.
    fn say_goodbye(&mut self, id: ClientId) {
        if !self.is_closing(id) {
            let text = "the daemon is shutting down";
            self.close(id);
            self.queues.answer(id, &Event::Bye { code: Some(Code::ShuttingDown), text });
        }
    }

    /// Answers that something failed. `offset`: where the line or frame began in the stream.
    pub(crate) fn refuse(
        &mut self,
        id: ClientId,
        number: Option<RequestNumber>,
        refusal: &Refusal,
        offset: Option<u64>,
    ) {
        self.queues.totals.refused += 1;
        let at = match (refusal.at, offset) {
            (Some(at), Some(offset)) => Some(offset.saturating_add(at as u64)),
            (None, offset) => offset,
            (Some(_), None) => None,
        };
        let Refusal { code, text, fatal, .. } = refusal;
        if let Some(client) = self.queues.get(id)
            && let Some(count) = client.standing.count(*code)
        {
            self.tell(Notice::Refused { client: id, code: *code, text: text.clone(), count });
        }
        if *fatal {
            self.close(id);
            self.queues.totals.cut_off += 1;
            if let Some(client) = self.queues.get(id) {
                client.cut_off = Some(*code);
                if client.standing.service.is_some() {
                    self.tell(Notice::CutOff { client: id, code: *code });
                }
            }
        }
        let event = Event::Err { number, code: Some(*code), text, at, fatal: *fatal };
        self.queues.answer(id, &event);
    }

    /// How many bytes to read for a client at most, so that what has to be kept of them is no more
    /// than its share of the memory that is free.
    #[must_use]
    pub fn read_bytes_max(&self) -> usize {
        self.queues.share_bytes()
    }

    /// Takes note of how many bytes the shell keeps for a client that are not done with. If they
    /// are the beginning of a frame or line, and more than the client's share of the memory that is
    /// free, it is refused and closed; what waits for its turn is kept.
    pub fn hold_unfinished(&mut self, id: ClientId, bytes: usize, waits_for_turn: bool) {
        let fits = self.queues.hold_unfinished(id, bytes);
        if !fits && !waits_for_turn && !self.is_closing(id) {
            let text = format!(
                "the first {bytes} bytes of a line or frame are more than this connection's share \
                 of the memory that is free (`waiting_bytes_total_max`)"
            );
            self.refuse(id, None, &Refusal::fatal(Code::QuotaMemory, text), None);
        }
    }

    /// Says goodbye to a client, and has it closed once all is sent.
    pub fn dismiss(&mut self, id: ClientId, code: Code, text: &str) {
        if !self.is_closing(id) {
            self.queues.set_will(id, None);
            self.close(id);
            self.queues.answer(id, &Event::Bye { code: Some(code), text });
        }
    }

    /// Has a client closed once all is sent.
    pub fn close(&mut self, id: ClientId) {
        if self.is_closing(id) {
            return;
        }
        // New messages could keep it open for ever, so none come any more.
        self.release(id);
        self.queues.finish_subscriptions(id);
        if let Some(client) = self.queues.get(id) {
            client.closing = true;
        }
        self.queues.flush_later(id);
    }

    /// Ends the subscriptions and requests of a client.
    fn release(&mut self, id: ClientId) {
        self.leave_consumers(id);
        let Some(client) = self.queues.get(id) else { return };
        let subscriptions = std::mem::take(&mut client.subscriptions);
        client.subscriptions_weight = 0;
        let requests = std::mem::take(&mut client.requests);
        for key in subscriptions.values() {
            self.index.remove(*key);
        }
        self.index.trim(subscriptions.len());
        let mut elsewhere = 0;
        for token in requests.values() {
            if let Some(Waiting::Elsewhere { bytes, .. }) = self.requests.take(*token) {
                self.post.release(Some(id), bytes);
                elsewhere += 1;
            }
        }
        self.leave_post(id, elsewhere);
    }

    /// Says something to a client outside the framing, e.g. the magic.
    pub(crate) fn say_raw(&mut self, id: ClientId, bytes: &[u8]) {
        self.queues.answer_raw(id, bytes);
    }

    fn client(&self, id: ClientId) -> Option<&Client> {
        self.queues.clients.get(id.place as usize).filter(|client| client.id == id)
    }
}

#[cfg(test)]
mod tests;
