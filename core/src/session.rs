//! One connection's side of the protocol: from the bytes that were read to operations.
//!
//! The framing is told by the first byte. Then the session cuts what it is fed into lines or frames
//! and hands each to the broker; what is not whole is left for the next time. In binary framing,
//! plain publishes on one topic that follow each other are recognised by comparing bytes, and
//! handed over as a run without being decoded one by one: that is the hot path.
//!
//! Payloads that come in descriptors are handed in beside the bytes ([`Session::hand_over`]), and
//! wait for their frames in the order in which they came.
//!
//! A session stops where its client has to wait (see [`Broker::is_choked`]); the shell feeds it
//! again when something was sent.

use crate::broker::{Broker, ClientId, Framing, claimed, no_descriptor};
use crate::clock::Now;
use crate::limits::{AHEAD_TOPICS_MAX, ERRORS_IN_A_ROW_MAX, RUN_BYTES_MAX, WORK_PER_FEED_MAX};
use crate::sealed::Handed;
use kith_wire::binary::{self, Frame, Kind, frame};
use kith_wire::limits::{frame_bytes_max, line_bytes_max};
use kith_wire::{Code, Operation, Options, Publication, Refusal, Request, RequestNumber, json};
use std::collections::VecDeque;

/// One connection's side of the protocol.
#[derive(Debug)]
pub struct Session {
    client: ClientId,
    framing: Option<Framing>,
    /// Bytes consumed since the connection began.
    offset: u64,
    /// The most that a payload might have since the connection began. A client keeps to what it was
    /// told: if a reload lowers the limit, what is larger is still read as a whole and refused,
    /// where a new client would be cut off.
    framed_payload_bytes_max: usize,
    /// How far an unfinished line has been searched for its end.
    searched: usize,
    errors_in_a_row: u32,
    /// So many of the next topics have been looked ahead for.
    ahead: usize,
    /// What came in descriptors, and whose frames have not come yet.
    handed: VecDeque<Handed>,
    takes_descriptors: bool,
}

/// What became of the bytes that a session was fed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// So many of them are done with; the others are to be fed again, with more behind them.
    pub consumed: usize,
    /// So many bytes in all are needed before it makes sense to feed again: a frame's whole length,
    /// where that is known; else 0.
    pub wanted: usize,
    /// It stopped because this was enough work for one turn: others come first, then it wants to be
    /// fed the same again.
    pub unfinished: bool,
}

impl Session {
    /// The session of a connection that has just begun.
    #[must_use]
    pub fn new(client: ClientId) -> Self {
        Self {
            client,
            framing: None,
            offset: 0,
            framed_payload_bytes_max: 0,
            searched: 0,
            errors_in_a_row: 0,
            ahead: 0,
            handed: VecDeque::new(),
            takes_descriptors: false,
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Whether descriptors may come with its bytes.
    #[must_use]
    pub fn takes_descriptors(&self) -> bool {
        self.takes_descriptors
    }

    /// Takes in what came in a descriptor, before the bytes that it came with.
    pub fn hand_over(&mut self, handed: Handed) {
        self.handed.push_back(handed);
    }

    /// Has the broker know how many of those still wait for their frames; to be called after each
    /// read. If they are too many, the client is refused.
    pub fn hold_unclaimed(&mut self, broker: &mut Broker) {
        if !broker.hold_unclaimed(self.client, self.handed.len()) {
            self.handed.clear();
        }
    }

    /// Some of what came in descriptors was lost, so nobody knows any more which is whose: the
    /// client is refused.
    pub fn lose_descriptors(&mut self, broker: &mut Broker) {
        self.handed.clear();
        let text = "some descriptors were lost: the daemon may not open so many files";
        broker.refuse(self.client, None, &Refusal::fatal(Code::QuotaMemory, text), None);
    }

    /// Takes in what was read: what was left of the last time, and what came since.
    pub fn feed(&mut self, broker: &mut Broker, now: Now, bytes: &[u8]) -> Fed {
        self.feed_within(broker, now, bytes, WORK_PER_FEED_MAX)
    }

    /// The same, with no more work than this before others have their turn: a publish counts its
    /// targets, a subscription the kept values that it looks at, and each operation something.
    pub fn feed_within(
        &mut self,
        broker: &mut Broker,
        now: Now,
        bytes: &[u8],
        work_max: u64,
    ) -> Fed {
        let mut fed = Fed::default();
        self.framed_payload_bytes_max =
            self.framed_payload_bytes_max.max(broker.limits().payload_bytes_max);
        let work_max = broker.work().saturating_add(work_max.min(WORK_PER_FEED_MAX));
        while !broker.is_choked(self.client) {
            if work_max < broker.work() {
                fed.unfinished = fed.consumed < bytes.len();
                break;
            }
            let rest = bytes.get(fed.consumed..).unwrap_or_default();
            let step = match self.framing {
                None => self.begin(broker, rest),
                Some(Framing::JsonLines) => self.line(broker, now, rest),
                Some(Framing::Binary) => self.frame(broker, now, rest),
            };
            let Some(consumed) = step else {
                fed.wanted = self.wanted(rest);
                break;
            };
            fed.consumed += consumed;
            self.offset += consumed as u64;
        }
        fed
    }

    /// Takes note that nothing follows these bytes, which are what was left of the last time. A
    /// line or frame that is not whole is not carried out, and whoever still reads is told.
    pub fn end(&mut self, broker: &mut Broker, bytes: &[u8]) {
        let is_empty_line = self.framing == Some(Framing::JsonLines) && bytes == b"\r";
        if bytes.is_empty() || is_empty_line || broker.is_closing(self.client) {
            return;
        }
        let text = match self.framing {
            None => "the connection ended before its framing could be told",
            Some(Framing::JsonLines) => {
                "the connection ended within a line; without its line feed it is not carried out"
            }
            Some(Framing::Binary) => {
                "the connection ended within a frame, which is not carried out"
            }
        };
        self.refuse(broker, None, &Refusal::new(Code::BadFrame, text).at(bytes.len()));
    }

    /// A frame's whole length, once its length field is there and if it is within the limit.
    fn wanted(&self, rest: &[u8]) -> usize {
        let max = frame_bytes_max(self.framed_payload_bytes_max) + binary::LENGTH_BYTES;
        match self.framing {
            Some(Framing::Binary) => {
                frame::whole_bytes(rest).filter(|whole| *whole <= max).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Tells the framing by the first byte. Like the other steps it returns how many bytes are done
    /// with, or nothing if it needs more of them.
    fn begin(&mut self, broker: &mut Broker, bytes: &[u8]) -> Option<usize> {
        if *bytes.first()? == b'{' {
            self.framing = Some(Framing::JsonLines);
            broker.set_framing(self.client, Framing::JsonLines);
            return Some(0);
        }
        let [name @ .., version] = binary::MAGIC;
        if let Some(at) = bytes.iter().zip(name).position(|(byte, wanted)| *byte != wanted) {
            let text = "begin with `{` for JSON lines, or with the magic for binary frames";
            self.refuse(broker, None, &Refusal::fatal(Code::BadFrame, text).at(at));
            return Some(bytes.len());
        }
        let theirs = *bytes.get(name.len())?;
        self.framing = Some(Framing::Binary);
        broker.set_framing(self.client, Framing::Binary);
        broker.say_raw(self.client, &binary::MAGIC);
        if theirs != version {
            let text = format!("this daemon speaks version {version}, not {theirs}");
            let refusal = Refusal::fatal(Code::UnsupportedVersion, text).at(name.len());
            self.refuse(broker, None, &refusal);
            return Some(bytes.len());
        }
        Some(binary::MAGIC.len())
    }

    fn line(&mut self, broker: &mut Broker, now: Now, bytes: &[u8]) -> Option<usize> {
        let payload_bytes_max = broker.limits().payload_bytes_max;
        let line_bytes_max = line_bytes_max(self.framed_payload_bytes_max);
        let unsearched = bytes.get(self.searched..).unwrap_or_default();
        let end = memchr::memchr(b'\n', unsearched).map(|at| self.searched + at);
        if end.unwrap_or(bytes.len()) > line_bytes_max {
            let text = format!("a line of over {line_bytes_max} bytes");
            self.refuse(broker, None, &Refusal::fatal(Code::TooLarge, text).at(0));
            return Some(bytes.len());
        }
        let Some(end) = end else {
            self.searched = bytes.len();
            return None;
        };
        self.searched = 0;
        let line = bytes.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            broker.count_operation();
        } else {
            match json::decode::request(line, payload_bytes_max) {
                Ok(request) => self.operate(broker, now, request),
                Err(refused) => self.refuse(broker, refused.number, &refused.refusal),
            }
        }
        Some(end + 1)
    }

    fn frame(&mut self, broker: &mut Broker, now: Now, bytes: &[u8]) -> Option<usize> {
        let payload_bytes_max = broker.limits().payload_bytes_max;
        let frame = match frame::split(bytes, frame_bytes_max(self.framed_payload_bytes_max)) {
            Ok(frame) => frame?,
            Err(refusal) => {
                self.refuse(broker, None, &refusal);
                return Some(bytes.len());
            }
        };
        if frame.flags & binary::FLAG_SEALED != 0 && may_be_sealed(frame.kind) {
            return Some(self.sealed(broker, now, frame));
        }
        match binary::decode::request(frame, payload_bytes_max) {
            Ok(Request { number: None, operation: Operation::Publish(publication) })
                if frame.flags == 0
                    && is_plain(&publication)
                    && let count_max = self.run_messages_max(broker, now, &publication)
                    && count_max > 0 =>
            {
                let Publication { topic, protocol, .. } = &publication;
                let (run_bytes, count) = measure_run(bytes, frame, payload_bytes_max, count_max);
                let entries = bytes.get(..run_bytes).unwrap_or_default();
                if count == 1 && broker.is_large() {
                    self.look_ahead(broker, protocol.as_str(), entries.len(), bytes);
                }
                broker.publish_run(now, self.client, topic, protocol, entries, count);
                self.errors_in_a_row = 0;
                return Some(run_bytes);
            }
            Ok(request) => self.operate(broker, now, request),
            Err(refusal) => self.refuse(broker, RequestNumber::new(frame.number), &refusal),
        }
        Some(frame.bytes.len())
    }

    /// How many messages like this one may be published at once; none, if it may not be.
    fn run_messages_max(
        &self,
        broker: &mut Broker,
        now: Now,
        publication: &Publication<'_>,
    ) -> u32 {
        broker.run_messages_max(now, self.client, &publication.topic, &publication.protocol)
    }

    /// Takes a frame whose payload is in a descriptor, which is the next one that came.
    fn sealed(&mut self, broker: &mut Broker, now: Now, frame: Frame<'_>) -> usize {
        let payload_bytes_max = broker.limits().payload_bytes_max;
        let number = RequestNumber::new(frame.number);
        // Also where the frame is wrong: the descriptor was meant for it.
        let handed = self.handed.pop_front();
        let request = binary::decode::request(frame, payload_bytes_max).and_then(|request| {
            let Operation::PublishSealed { publication, payload_bytes } = request.operation else {
                return Ok(None);
            };
            let handed = handed.ok_or_else(no_descriptor)?;
            let sealed = claimed(handed, payload_bytes, payload_bytes_max)?;
            Ok(Some((publication, sealed)))
        });
        match request {
            Ok(Some((publication, sealed))) => {
                self.errors_in_a_row = 0;
                let published =
                    broker.publish_sealed(now, self.client, number, &publication, sealed);
                if let Err(refusal) = published {
                    broker.refuse(self.client, number, &refusal, Some(self.offset));
                }
            }
            Ok(None) => {}
            Err(refusal) => self.refuse(broker, number, &refusal),
        }
        frame.bytes.len()
    }

    /// Has the index look ahead for the topics of the publishes that follow the first, from time to
    /// time.
    fn look_ahead(&mut self, broker: &Broker, protocol: &str, first_bytes: usize, bytes: &[u8]) {
        if self.ahead > 0 {
            self.ahead -= 1;
            return;
        }
        let mut topics = [""; AHEAD_TOPICS_MAX];
        let mut rest = bytes.get(first_bytes..).unwrap_or_default();
        for topic in &mut topics {
            let Ok(Some(next)) = frame::split(rest, rest.len()) else { break };
            // Whether it is a publish, and of this protocol, is not worth a look.
            let name = next.body.get(..usize::from(next.a)).unwrap_or_default();
            *topic = std::str::from_utf8(name).unwrap_or_default();
            self.ahead += 1;
            rest = rest.get(next.bytes.len()..).unwrap_or_default();
        }
        broker.look_ahead(protocol, topics.get(..self.ahead).unwrap_or_default());
    }

    fn operate(&mut self, broker: &mut Broker, now: Now, request: Request<'_>) {
        // Whether it can be carried out or not: whoever says it speaks the language.
        self.errors_in_a_row = 0;
        broker.count_operation();
        let number = request.number;
        let is_hello = matches!(request.operation, Operation::Hello { .. });
        if let Err(refusal) = broker.operate(now, self.client, request) {
            broker.refuse(self.client, number, &refusal, Some(self.offset));
        }
        if is_hello {
            self.takes_descriptors = broker.takes_descriptors(self.client);
        }
    }

    /// Answers what is no operation.
    fn refuse(&mut self, broker: &mut Broker, number: Option<RequestNumber>, refusal: &Refusal) {
        broker.count_operation();
        broker.refuse(self.client, number, refusal, Some(self.offset));
        self.errors_in_a_row += 1;
        if ERRORS_IN_A_ROW_MAX <= self.errors_in_a_row && !refusal.fatal {
            let text = format!("{ERRORS_IN_A_ROW_MAX} errors in a row");
            let refusal = Refusal::fatal(Code::TooManyErrors, text);
            broker.refuse(self.client, None, &refusal, Some(self.offset));
        }
    }
}

/// Whether this kind of frame is a publication, where the flag for a payload in a descriptor means
/// that one came.
fn may_be_sealed(kind: u8) -> bool {
    matches!(Kind::from_byte(kind), Some(Kind::Pub | Kind::Req | Kind::Will))
}

/// Whether a publication can be part of a run.
fn is_plain(publication: &Publication<'_>) -> bool {
    publication.options == Options::default() && !publication.topic.is_reserved()
}

/// How far the run reaches that begins with `first` at the beginning of `bytes`: its bytes, and its
/// frames, of which there are `count_max` at most. A frame belongs to it if its header and topic
/// are the same to the byte and its payload is valid; one that is not valid begins no run and is
/// refused on its own.
fn measure_run(
    bytes: &[u8],
    first: Frame<'_>,
    payload_bytes_max: usize,
    count_max: u32,
) -> (usize, u32) {
    let frame_bytes_max = frame_bytes_max(payload_bytes_max);
    let run_bytes_max = RUN_BYTES_MAX.min(frame_bytes_max - binary::deliver::RUN_HEAD_BYTES);
    let prefix = usize::from(first.a) + usize::from(first.b);
    let key_end = binary::HEADER_BYTES + prefix;
    let key = first.bytes.get(binary::LENGTH_BYTES..key_end);
    let is_ms = first.b == 0 || first.body.get(usize::from(first.a)..prefix) == Some(b"ms");
    let mut run_bytes = first.bytes.len();
    let mut count = 1;
    while count < count_max
        && let Some(rest) = bytes.get(run_bytes..)
        && let Ok(Some(next)) = frame::split(rest, frame_bytes_max)
        && next.bytes.get(binary::LENGTH_BYTES..key_end) == key
        && run_bytes + next.bytes.len() <= run_bytes_max
    {
        let payload = next.body.get(prefix..).unwrap_or_default();
        let too_large = payload_bytes_max < payload.len();
        if too_large || (is_ms && kith_wire::check_ms(payload).is_err()) {
            break;
        }
        run_bytes += next.bytes.len();
        count += 1;
    }
    (run_bytes, count)
}

#[cfg(test)]
mod tests;
