//! The real broker and the reference, side by side.
//!
//! Each step is done by the broker first; then the reference says what it should have done, looking
//! at all that was queued; then everything that can be asked of the broker is compared. Clients
//! read only when a step says so, as many bytes as it says.

use super::reference::Reference;
use super::said::{Meaning, Said};
use super::seen::{Arrivals, cut};
use super::steps::{PLACES, Publishing, Saying, Step};
use crate::broker::{Broker, ClientId, Framing, Inbound, Output};
use crate::clock::Now;
use crate::limits::Limits;
use crate::session::Session;
use crate::tests::bus::BEGIN_UNIX_MS;
use kith_wire::binary::MAGIC;
use kith_wire::{Code, Operation};
use std::collections::{BTreeSet, VecDeque};

/// The real broker and the reference.
pub(super) struct Twin {
    broker: Broker,
    pub(super) reference: Reference,
    now: Now,
    places: [Option<Place>; PLACES],
    /// Who was announced as having something to send, and has not read all since.
    announced: BTreeSet<u64>,
    /// Every byte that was put in order, by whom it was for.
    pub(super) transcript: u64,
}

/// A connection.
struct Place {
    id: ClientId,
    /// Out of its place while it is fed.
    session: Option<Session>,
    framing: Framing,
    /// Bytes that the session has taken.
    offset: u64,
    /// What it said while it had to wait.
    unsaid: VecDeque<Said>,
}

/// What a client that waits may still say before its next steps are left out.
const UNSAID: usize = 20;

impl Twin {
    pub(super) fn new(limits: Limits, seed: u64) -> Result<Self, String> {
        let now = Now { monotonic_ms: 1_000, unix_ms: BEGIN_UNIX_MS };
        let mut twin = Self {
            broker: Broker::new(limits.clone(), seed),
            reference: Reference::new(limits, now),
            now,
            places: [const { None }; PLACES],
            announced: BTreeSet::new(),
            transcript: 0,
        };
        twin.act(
            &[],
            |broker, now| broker.announce_ready(now, "1.2.3", 7),
            |reference, ()| reference.announce_ready("1.2.3", 7),
        )?;
        Ok(twin)
    }

    pub(super) fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Connect(place, framing) => self.connect(*place, *framing),
            Step::ConnectBadly(version) => self.connect_badly(*version),
            Step::Say(place, saying, early) => self.say(*place, saying, *early),
            Step::Read(place, bytes) => self.read(*place, *bytes),
            Step::ReadAll(place) => self.read(*place, usize::MAX),
            Step::Cut(place) => self.cut(*place, "cut"),
            Step::Close(place) => self.close(*place),
            Step::Pass(ms, late) => self.pass(*ms, *late),
            Step::Clock(ms) => {
                self.now.unix_ms = self.now.unix_ms.saturating_add_signed(*ms);
                Ok(())
            }
            Step::Inbound(scope, what) => self.inbound(*scope, what),
            Step::ShutDown => self.shut_down(),
        }
    }

    /// Has everybody read everything and leave; nothing may be left of them.
    pub(super) fn end(&mut self) -> Result<(), String> {
        for place in 0..PLACES {
            self.read(place, usize::MAX)?;
        }
        for place in 0..PLACES {
            self.cut(place, "end")?;
        }
        self.pass(self.reference.limits.stats_interval_ms, false)?;
        let (kept, bytes) = self.reference.kept_sizes();
        match (self.broker.residue(), self.broker.poll_timeout()) {
            (residue, None) if residue == kept + bytes => Ok(()),
            (residue, due) => Err(format!("{residue}, not {kept} + {bytes}, is left; due {due:?}")),
        }
    }

    /// Has the broker do something, and compares that with what the reference does. `settling` are
    /// the clients of which all that waits is sent before the next answer.
    fn act<R>(
        &mut self,
        settling: &[u64],
        real: impl FnOnce(&mut Broker, Now) -> R,
        expected: impl FnOnce(&mut Reference, R) -> Result<(), String>,
    ) -> Result<(), String> {
        self.reference.now = self.now;
        let result = real(&mut self.broker, self.now);
        self.look(settling)?;
        expected(&mut self.reference, result)?;
        self.compare()
    }

    /// Looks at what was queued.
    fn look(&mut self, settling: &[u64]) -> Result<(), String> {
        let Self { places, reference, broker, .. } = self;
        for id in places.iter().flatten().map(|place| place.id) {
            let Some(client) = reference.clients.get_mut(&id.serial()) else { continue };
            if broker.usage(id).is_none() {
                continue;
            }
            let gone = || format!("client {}: what was queued is gone", id.serial());
            let binary = client.binary == Some(true);
            let arrivals = reference.seen.clients.entry(id.serial()).or_default();
            arrivals.untold = broker.untold(id);
            let mut known = client.queue.lane_bytes();
            if settling.contains(&id.serial()) {
                let [answers, messages @ ..] = known;
                known = [answers, 0, 0, 0];
                if client.errors_in_a_row == 63 {
                    // The last of too many errors is answered before what waits is settled.
                    let behind = broker.behind(id, known).ok_or_else(gone)?;
                    let first = cut(binary, &behind[0])?.into_iter().next().ok_or_else(gone)?;
                    known[0] += first.0.bytes.len();
                    client.queue.lanes[0].push_back(first.0.clone());
                    arrivals.arrive(0, (first.0.without_bytes(), first.1), false);
                }
                known[0] += messages.iter().sum::<usize>();
            }
            let behind = broker.behind(id, known).ok_or_else(gone)?;
            for (at, bytes) in behind.iter().enumerate() {
                for one in cut(binary, bytes)? {
                    arrivals.arrive(at, one, false);
                }
            }
        }
        Ok(())
    }

    /// Compares all that can be asked of both.
    fn compare(&mut self) -> Result<(), String> {
        let mut overflown = BTreeSet::new();
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Flush(id) => _ = self.announced.insert(id.serial()),
                Output::Overflown(id) => _ = overflown.insert(id.serial()),
                Output::Notice => return Err("a notice".to_owned()),
                Output::Store => return Err("something for a store".to_owned()),
                Output::Post => return Err("something for the post".to_owned()),
            }
        }
        let untold: Vec<_> = self.places.iter().flatten().map(|place| place.id).collect();
        self.reference.absorb()?;
        let either = std::mem::take(&mut self.reference.either_overflown);
        let expected = std::mem::take(&mut self.reference.overflown);
        if overflown.symmetric_difference(&expected).any(|who| !either.contains(who)) {
            return Err(format!("overflown: {overflown:?}, not {expected:?}"));
        }
        for id in untold {
            self.compare_client(id)?;
        }
        let (due, expected) = (self.broker.poll_timeout(), self.reference.due());
        if due != expected {
            return Err(format!("due at {due:?}, not {expected:?}"));
        }
        self.reference.check_stats(&self.broker.stats())?;
        self.broker.check_counts()
    }

    fn compare_client(&self, id: ClientId) -> Result<(), String> {
        let (who, broker) = (id.serial(), &self.broker);
        let Some(client) = self.reference.clients.get(&who) else { return Ok(()) };
        let usage = broker.usage(id).ok_or_else(|| format!("client {who} is gone"))?;
        let requests = self.reference.waiting.iter().filter(|one| one.who == who).count();
        let queue = &client.queue;
        let pairs = [
            ("queued bytes", usage.queued_bytes, queue.message_bytes()),
            ("queued messages", usage.queued_messages, queue.messages()),
            ("subscriptions", usage.subscriptions, client.subscriptions.len()),
            ("requests", usage.requests, requests),
            ("published", count(usage.published), count(client.published)),
            ("published bytes", count(usage.published_bytes), count(client.published_bytes)),
            ("delivered", count(usage.delivered), count(client.delivered)),
            ("delivered bytes", count(usage.delivered_bytes), count(client.delivered_bytes)),
            ("dropped", count(usage.dropped), count(client.dropped)),
            ("closing", broker.is_closing(id).into(), client.closing.into()),
            ("waiting", broker.has_output(id).into(), (!queue.is_empty()).into()),
            ("choked", broker.is_choked(id).into(), is_choked(&self.reference, who).into()),
        ];
        if let Some((what, real, expected)) = pairs.into_iter().find(|(_, a, b)| a != b) {
            return Err(format!("client {who}: {what}: {real}, not {expected}"));
        }
        let untold = broker.untold(id);
        let missed: Vec<_> = queue
            .missed
            .iter()
            .map(|((sub, priority), one)| (*sub, *priority, one.count))
            .collect();
        if untold != missed {
            return Err(format!("client {who} missed {untold:?}, not {missed:?}"));
        }
        if !queue.is_empty() && !self.announced.contains(&who) {
            return Err(format!("client {who} has something to send and was not announced"));
        }
        match broker.name(id) == client.name.as_deref() {
            true => Ok(()),
            false => Err(format!("client {who}: name {:?}", broker.name(id))),
        }
    }

    /// A connection without a word.
    fn accept(&mut self, framing: Framing) -> Result<Option<Place>, String> {
        let mut connected = None;
        self.act(
            &[],
            |broker, now| broker.connect(now),
            |reference, result| {
                let result = result.map_err(|refusal| refusal.code);
                connected = result.as_ref().ok().copied();
                reference.connect(result.map(ClientId::serial))
            },
        )?;
        Ok(connected.map(|id| {
            let (session, unsaid) = (Some(Session::new(id)), VecDeque::new());
            Place { id, session, framing, offset: 0, unsaid }
        }))
    }

    fn connect(&mut self, place: usize, framing: Framing) -> Result<(), String> {
        if self.places[place].is_some() {
            return Ok(());
        }
        self.places[place] = self.accept(framing)?;
        let Some(one) = &mut self.places[place] else { return Ok(()) };
        if framing == Framing::JsonLines {
            return Ok(());
        }
        let who = one.id.serial();
        one.offset = MAGIC.len() as u64;
        let Some(mut session) = one.session.take() else { return Ok(()) };
        self.reference.client(who)?.binary = Some(true);
        self.act(
            &[],
            |broker, now| session.feed(broker, now, &MAGIC).consumed,
            |_, consumed| if consumed == MAGIC.len() { Ok(()) } else { Err("magic".into()) },
        )?;
        if let Some(one) = &mut self.places[place] {
            one.session = Some(session);
        }
        Ok(())
    }

    /// Who begins with something else is told so, and closed.
    fn connect_badly(&mut self, version: bool) -> Result<(), String> {
        let Some(place) = self.places.iter().position(Option::is_none) else { return Ok(()) };
        self.places[place] = self.accept(Framing::JsonLines)?;
        let Some(one) = &self.places[place] else { return Ok(()) };
        let (mut session, who) = (Session::new(one.id), one.id.serial());
        let (bytes, code, at) = match version {
            true => (*b"KTH\x09", Code::UnsupportedVersion, 3),
            false => (*b"KTx\x01", Code::BadFrame, 2),
        };
        if version {
            self.reference.client(who)?.binary = Some(true);
        }
        self.act(
            &[who],
            |broker, now| session.feed(broker, now, &bytes),
            |reference, _| reference.refuse_bad(who, None, code, at..=at, true),
        )?;
        self.read(place, usize::MAX)
    }

    fn say(&mut self, place: usize, saying: &Saying, early: Option<usize>) -> Result<(), String> {
        let framing = [Framing::JsonLines, Framing::Binary][place % 2];
        self.connect(place, framing)?;
        let Some(one) = &self.places[place] else { return Ok(()) };
        let Some((mut said, times)) = self.reference.said(one.framing, saying) else {
            return Ok(());
        };
        said.early = early;
        for _ in 1..times {
            let Some((said, _)) = self.reference.said(self.framing(place), saying) else { break };
            self.hear(place, said)?;
        }
        self.hear(place, said)
    }

    fn framing(&self, place: usize) -> Framing {
        self.places[place].as_ref().map(|one| one.framing).unwrap_or_default()
    }

    /// The session is fed something, at once or when it may be.
    fn hear(&mut self, place: usize, said: Said) -> Result<(), String> {
        let Some(one) = &mut self.places[place] else { return Ok(()) };
        if one.unsaid.len() < UNSAID {
            one.unsaid.push_back(said);
        }
        self.hear_unsaid(place)
    }

    fn hear_unsaid(&mut self, place: usize) -> Result<(), String> {
        loop {
            let Some(one) = &mut self.places[place] else { return Ok(()) };
            if self.broker.is_choked(one.id) {
                return Ok(());
            }
            let Some(said) = one.unsaid.pop_front() else { return Ok(()) };
            self.hear_now(place, &said)?;
        }
    }

    fn hear_now(&mut self, place: usize, said: &Said) -> Result<(), String> {
        let Some(one) = &mut self.places[place] else { return Ok(()) };
        let Some(mut session) = one.session.take() else { return Ok(()) };
        let (who, offset) = (one.id.serial(), one.offset);
        let client = self.reference.client(who)?;
        client.binary.get_or_insert(one.framing == Framing::Binary);
        let settles = match &said.meaning {
            Meaning::Operation(_, operation) => match operation.as_ref() {
                Operation::Bye => true,
                Operation::Unsubscribe(sub) => {
                    client.subscriptions.iter().any(|one| one.number == sub.get())
                }
                _ => false,
            },
            Meaning::Bad(bad) => bad.fatal || client.errors_in_a_row == 63,
            Meaning::Run(_) | Meaning::Pings(_) => false,
        };
        let settling = if settles { vec![who] } else { Vec::new() };
        if settles && !matches!(&said.meaning, Meaning::Bad(bad) if !bad.fatal) {
            client.errors_in_a_row = 0;
        }
        let early = said.early.filter(|_| matches!(said.meaning, Meaning::Operation(..)));
        let mut consumed = 0;
        let feed = |broker: &mut Broker, now: Now| {
            if let Some(early) = early {
                let bytes = &said.bytes[..early.min(said.bytes.len() - 1)];
                let consumed = session.feed(broker, now, bytes).consumed;
                assert_eq!(consumed, 0, "something was made of the first part alone");
            }
            loop {
                let fed = session.feed(broker, now, &said.bytes[consumed..]);
                consumed += fed.consumed;
                if !fed.unfinished {
                    break consumed;
                }
            }
        };
        let result = self.act(&settling, feed, |reference, consumed| {
            reference.hear(who, &said.meaning, offset, said.bytes.len(), consumed)
        });
        let Some(one) = &mut self.places[place] else { return result };
        one.session = Some(session);
        one.offset += consumed as u64;
        if let Meaning::Pings(count) = said.meaning
            && consumed < said.bytes.len()
        {
            let each = said.bytes.len() / count;
            let left = Meaning::Pings(count - consumed / each);
            let bytes = said.bytes[consumed..].to_vec();
            one.unsaid.push_front(Said { bytes, early: None, meaning: left });
        }
        result
    }

    /// Has a client take so many bytes; then what it had to keep back is said, and a connection
    /// that is closing and has nothing to send is ended, as the daemon does.
    fn read(&mut self, place: usize, bytes: usize) -> Result<(), String> {
        let Some(one) = &self.places[place] else { return Ok(()) };
        let (id, who) = (one.id, one.id.serial());
        let mut left = bytes;
        while self.broker.has_output(id) {
            let pieces = self.stage(id)?;
            let bytes = left.min(pieces.iter().sum());
            if bytes == 0 {
                if left == 0 {
                    break;
                }
                continue;
            }
            left -= bytes;
            self.write(id, &pieces, bytes)?;
        }
        if !self.broker.has_output(id) {
            self.announced.remove(&who);
        }
        if self.broker.is_closing(id) && !self.broker.has_output(id) {
            return self.cut(place, "closed");
        }
        self.hear_unsaid(place)
    }

    fn write(&mut self, id: ClientId, pieces: &[usize], bytes: usize) -> Result<(), String> {
        let who = id.serial();
        let wrote = |broker: &mut Broker, now: Now| broker.wrote(now, id, bytes);
        self.act(&[], wrote, |reference, ()| {
            let messages = reference.client(who)?.queue.wrote(pieces, bytes)?;
            reference.written += messages as u64;
            reference.tell_if_drained(who)?;
            reference.tell_of_lag()
        })
    }

    /// Puts in order what is sent next. Returns the sizes of the pieces in which that makes room.
    fn stage(&mut self, id: ClientId) -> Result<Vec<usize>, String> {
        let (who, now) = (id.serial(), self.now);
        let expired_before = self.broker.stats().totals.expired;
        let put: Vec<Vec<u8>> = self.broker.stage(now, id).map(<[u8]>::to_vec).collect();
        // Two slices are a piece: a client's own bytes, and those that it shares with others.
        let pieces: Vec<usize> =
            put.chunks(2).map(|piece| piece.iter().map(Vec::len).sum()).collect();
        let expired = self.broker.stats().totals.expired - expired_before;
        self.reference.now = now;
        let client = self.reference.client(who)?;
        let put = put.concat();
        for byte in &put {
            self.transcript = self.transcript.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
        let (found, rest) = client.queue.stage(now.unix_ms, &put, expired)?;
        if found != expired {
            return Err(format!("client {who}: {expired} expired, not {found}"));
        }
        self.reference.totals.expired += expired;
        let mut arrivals = Arrivals::default();
        let client = self.reference.client(who)?;
        let missed = |sub, priority| {
            client.queue.missed.get(&(sub, priority)).map_or(0, |missed| missed.count)
        };
        arrivals.arrive_staged(cut(client.binary == Some(true), &rest)?, missed);
        self.reference.seen.clients.insert(who, arrivals);
        self.look(&[])?;
        if expired > 0 {
            self.reference.tell_if_drained(who)?;
            self.reference.tell_of_lag()?;
        }
        self.compare()?;
        Ok(pieces)
    }

    fn cut(&mut self, place: usize, reason: &'static str) -> Result<(), String> {
        let Some(one) = &self.places[place] else { return Ok(()) };
        let (id, who) = (one.id, one.id.serial());
        if !self.reference.notices.is_empty() {
            // What is still to be told on `bus.lag` may be for who leaves, and then be seen by
            // nobody; so it is told now.
            self.write(id, &[], 0)?;
        }
        self.act(
            &[],
            |broker, now| broker.disconnect(now, id, reason),
            |reference, ()| reference.disconnect(who, reason),
        )?;
        self.announced.remove(&who);
        self.places[place] = None;
        Ok(())
    }

    fn close(&mut self, place: usize) -> Result<(), String> {
        let Some(one) = &self.places[place] else { return Ok(()) };
        let (id, who) = (one.id, one.id.serial());
        let settling = if self.broker.is_closing(id) { Vec::new() } else { vec![who] };
        self.act(&settling, |broker, _| broker.close(id), |reference, ()| reference.close(who))
    }

    fn pass(&mut self, ms: u64, late: bool) -> Result<(), String> {
        let until = self.now.monotonic_ms + ms;
        loop {
            let due = self.reference.due().filter(|due| *due <= until);
            let to = if late { until } else { due.unwrap_or(until) };
            let step = to.saturating_sub(self.now.monotonic_ms);
            self.now.monotonic_ms += step;
            self.now.unix_ms += step;
            if due.is_none() {
                return Ok(());
            }
            self.act(
                &[],
                |broker, now| broker.handle_timeout(now),
                |reference, ()| reference.handle_timeout(),
            )?;
        }
    }

    fn inbound(&mut self, scope: kith_wire::Scope, what: &Publishing) -> Result<(), String> {
        let publication = what.publication();
        let mut inbound = Inbound::new("did:key:z6MkA", "key", scope, publication);
        inbound.petname = (scope == kith_wire::Scope::Friends).then_some("Alice");
        self.act(
            &[],
            |broker, now| broker.deliver_inbound(now, &inbound),
            |reference, result| reference.inbound(&inbound, result.map_err(|refusal| refusal.code)),
        )
    }

    /// The daemon stops: nobody comes in any more, everybody gets what is queued, and is closed.
    fn shut_down(&mut self) -> Result<(), String> {
        let places = || self.places.iter().flatten();
        let settling: Vec<u64> = places()
            .filter(|one| !self.broker.is_closing(one.id))
            .map(|one| one.id.serial())
            .collect();
        self.act(&settling, |broker, _| broker.shut_down(), |reference, ()| reference.shut_down())
    }

    /// Whether the daemon has been stopped and everybody is gone.
    pub(super) fn is_over(&self) -> bool {
        self.reference.shutting_down && self.reference.clients.is_empty()
    }
}

fn count(count: u64) -> usize {
    usize::try_from(count).unwrap()
}

/// A client that doesn't read its answers isn't read from.
fn is_choked(reference: &Reference, who: u64) -> bool {
    reference
        .clients
        .get(&who)
        .is_none_or(|client| client.closing || 256 << 10 < client.queue.answer_bytes())
}
