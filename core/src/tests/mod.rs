//! The bus as its clients see it, without sockets: what most tests of this crate are written with.
//!
//! A [`Bus`] is a broker with a clock that only tests move. Clients come in by either framing, say
//! what their bytes say, and hear what the broker staged for them; so a test goes the whole way
//! that a program's bytes go, and reads like a conversation.
//!
//! - `bus.rs`: the bus, its clients and its clock;
//! - `lines.rs`: operations as JSON lines, which `kith-wire` only reads;
//! - `heard.rs`: what the broker sent, of both framings, in one form;
//! - `model/`: a reference broker, which the real one is compared with after each step;
//! - `walk.rs`: anything that clients may do, drawn at random;
//! - the rest are properties: what has to hold whatever clients do.

mod bus;
mod framings;
mod heard;
mod lines;
mod model;
mod scopes;
mod walk;

pub(crate) use bus::{Bus, Who, subscribe};
pub(crate) use heard::{Heard, texts};

use crate::broker::Framing;
use crate::limits::Limits;
use kith_wire::{Destination, MessageId, Operation, Options, Protocol, Publication, Topic};

/// Both framings, for tests that hold in either.
pub(crate) const FRAMINGS: [Framing; 2] = [Framing::JsonLines, Framing::Binary];

/// Limits with a payload of at most 4 KiB, so that a queue can be small.
pub(crate) fn small() -> Limits {
    Limits { payload_bytes_max: 4 << 10, ..Limits::default() }
}

/// Small limits, and so many messages to a queue.
pub(crate) fn small_queue(messages: usize) -> Limits {
    Limits { queue_messages_max: messages, ..small() }
}

/// A publication of protocol `ms` without options.
pub(crate) fn publication(topic: &str, payload: &str) -> Publication<'static> {
    Publication {
        topic: Topic::new(topic.to_owned()).unwrap(),
        protocol: Protocol::MS,
        payload: payload.as_bytes().to_vec().into(),
        options: Options { to: Destination::Local, ..Options::default() },
    }
}

/// A publication with options.
pub(crate) fn with(
    topic: &str,
    payload: &str,
    set: impl FnOnce(&mut Options<'static>),
) -> Publication<'static> {
    let mut publication = publication(topic, payload);
    set(&mut publication.options);
    publication
}

/// A publication to be kept.
pub(crate) fn kept(topic: &str, payload: &str) -> Publication<'static> {
    with(topic, payload, |options| options.retain = true)
}

/// An operation that publishes.
pub(crate) fn publish(publication: Publication<'static>) -> Operation<'static> {
    Operation::Publish(publication)
}

/// A message id of a client's own.
pub(crate) fn own_id(n: u32) -> MessageId {
    MessageId::from_parts(1_600_000_000_000, &[0; 10]).advance(n)
}
