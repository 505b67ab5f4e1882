//! What clients say, as bytes and as what they mean, and what the reference makes of it.

use super::bad::{Bad, bad};
use super::reference::Reference;
use super::steps::{Publishing, Saying};
use crate::broker::Framing;
use crate::tests::bus::encoded;
use kith_wire::{Operation, Publication, RequestNumber, Topic};

/// Bytes, and what they mean.
pub(super) struct Said {
    pub(super) bytes: Vec<u8>,
    pub(super) early: Option<usize>,
    pub(super) meaning: Meaning,
}

pub(super) enum Meaning {
    Operation(u32, Box<Operation<'static>>),
    /// Publications, and where each begins.
    Run(Vec<(u64, Publication<'static>)>),
    Pings(usize),
    Bad(Bad),
}

/// The number of the pings that flood.
const FLOOD: u32 = 4_000_000_000;

impl Reference {
    /// What is said now, and how many times.
    pub(super) fn said(&self, framing: Framing, saying: &Saying) -> Option<(Said, usize)> {
        let operation = |number: u32, operation: Operation<'static>| {
            let bytes = encoded(framing, number, operation.clone());
            Said { bytes, early: None, meaning: Meaning::Operation(number, Box::new(operation)) }
        };
        let said = match saying {
            Saying::Reply(number, what, back) => {
                let topics = &self.reply_topics;
                let topic = topics.iter().rev().nth(*back)?.borrow().clone()?;
                let mut publication = what.publication();
                publication.topic = Topic::new(topic).ok()?;
                if publication.options.retain && framing == Framing::JsonLines {
                    publication.payload = b"0".to_vec().into();
                }
                operation(*number, Operation::Publish(publication))
            }
            Saying::Run(what, count) => {
                let mut bytes = Vec::new();
                let mut run = Vec::new();
                for at in 0..*count {
                    let one = Publishing { serial: what.serial + at, ..what.clone() };
                    run.push((bytes.len() as u64, one.publication()));
                    bytes.extend(encoded(framing, 0, Operation::Publish(one.publication())));
                }
                Said { bytes, early: None, meaning: Meaning::Run(run) }
            }
            Saying::Pings(count) => {
                let bytes = encoded(framing, FLOOD, Operation::Ping).repeat(*count);
                Said { bytes, early: None, meaning: Meaning::Pings(*count) }
            }
            Saying::Bad(which, times) => {
                let bad = bad(framing, *which, self.limits.payload_bytes_max);
                let said =
                    Said { bytes: bad.bytes.clone(), early: None, meaning: Meaning::Bad(bad) };
                return Some((said, *times));
            }
            other => {
                let (number, one) = other.operation()?;
                operation(number, one)
            }
        };
        Some((said, 1))
    }

    /// What a session was fed, and how much of it it took.
    pub(super) fn hear(
        &mut self,
        who: u64,
        meaning: &Meaning,
        offset: u64,
        bytes: usize,
        consumed: usize,
    ) -> Result<(), String> {
        if consumed != bytes && !matches!(meaning, Meaning::Pings(_)) {
            return Err(format!("client {who}: took {consumed} of {bytes} bytes"));
        }
        match meaning {
            Meaning::Operation(number, operation) => {
                let number = RequestNumber::new(*number).map(RequestNumber::get);
                self.say(who, number, operation, offset)
            }
            Meaning::Run(run) => {
                let is_binary = self.client(who)?.binary == Some(true);
                if is_binary && !run.iter().any(|(_, one)| one.topic.is_reserved()) {
                    return self.publish_run(who, run.iter().map(|(_, one)| one));
                }
                run.iter().try_for_each(|(at, one)| {
                    self.say(who, None, &Operation::Publish(one.clone()), offset + at)
                })
            }
            Meaning::Pings(count) => {
                // As many as there is room for answers: the last of them has used it up.
                let said = consumed / (bytes / count);
                for _ in 0..said {
                    self.say(who, Some(FLOOD), &Operation::Ping, offset)?;
                }
                Ok(())
            }
            Meaning::Bad(bad) => {
                let at = offset..=offset + bytes as u64;
                self.refuse_bad(who, bad.number, bad.code, at, bad.fatal)
            }
        }
    }
}
