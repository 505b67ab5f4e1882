//! The frames that a client writes.
//!
//! Most of a request is valid by its type. Names, groups and destinations are not: what is no such
//! thing is written so that the frame stays whole and the daemon refuses it, never so that it is
//! taken for something else.

use super::decode::{FLAG_DURABLE, FLAG_MONITOR, FLAG_RETAINED, FLAG_SINCE};
use super::frame::{Kind, begin, finish, short};
use super::options::{Tag, put, put_shared, with_length};
use super::{FLAG_DESCRIPTORS, FLAG_OPTIONS, FLAG_SEALED, FLAG_TOKEN, FLAGS_AT, HEADER_BYTES};
use crate::{
    Destination, Operation, Options, Protocol, Publication, Request, RequestNumber, Since,
    Subscribe, Until,
};

/// Appends the frame of `request`.
pub fn request(out: &mut Vec<u8>, request: &Request<'_>) {
    let number = request.number.map_or(0, RequestNumber::get);
    match &request.operation {
        Operation::Acknowledge { subscription, message_ids } => {
            let start = begin(out, Kind::Ack, 0, 0, 0, number);
            out.extend_from_slice(&subscription.get().to_le_bytes());
            message_ids.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
            finish(out, start);
        }
        Operation::Bye => empty(out, Kind::Bye, number),
        Operation::Hello { name, client, descriptors, token } => {
            let (name_bytes, name) = short(name.as_deref().unwrap_or_default());
            let client: &[u8] = client.as_ref().map_or(&[], |id| id);
            let client_bytes = if client.is_empty() { 0 } else { 16 };
            let mut flags = if *descriptors { FLAG_DESCRIPTORS } else { 0 };
            flags |= if token.is_some() { FLAG_TOKEN } else { 0 };
            let start = begin(out, Kind::Hello, flags, name_bytes, client_bytes, number);
            out.extend_from_slice(name);
            out.extend_from_slice(client);
            if let Some(token) = token {
                out.extend_from_slice(token.reveal().as_bytes());
            }
            finish(out, start);
        }
        Operation::Ping => empty(out, Kind::Ping, number),
        Operation::Publish(publication) => publish(out, Kind::Pub, number, publication, None),
        Operation::PublishSealed { publication, payload_bytes } => {
            let payload = payload_bytes.to_le_bytes();
            let publication =
                Publication { payload: payload.as_slice().into(), ..publication.clone() };
            let start = out.len();
            publish(out, Kind::Pub, number, &publication, None);
            if let Some(flags) = out.get_mut(start + FLAGS_AT) {
                *flags |= FLAG_SEALED;
            }
        }
        Operation::Request { number, publication, timeout_ms } => {
            publish(out, Kind::Req, number.get(), publication, Some(*timeout_ms));
        }
        Operation::Subscribe(asked) => subscribe(out, asked),
        Operation::Unsubscribe(subscription) => {
            let start = begin(out, Kind::Unsub, 0, 0, 0, number);
            out.extend_from_slice(&subscription.get().to_le_bytes());
            finish(out, start);
        }
        Operation::Unwill => empty(out, Kind::Unwill, number),
        Operation::Will(publication) => publish(out, Kind::Will, number, publication, None),
    }
}

/// Appends a PUB frame without number and options: one entry of a run.
pub fn entry(out: &mut Vec<u8>, topic: &str, protocol: &Protocol<'_>, payload: &[u8]) {
    out.reserve(HEADER_BYTES + topic.len() + protocol.as_str().len() + payload.len());
    let ((topic_bytes, topic), (name_bytes, name)) = (short(topic), short(name_of(protocol)));
    let start = begin(out, Kind::Pub, 0, topic_bytes, name_bytes, 0);
    out.extend_from_slice(topic);
    out.extend_from_slice(name);
    out.extend_from_slice(payload);
    finish(out, start);
}

/// A protocol as frames carry it: the default is left out.
pub(super) fn name_of<'a>(protocol: &'a Protocol<'_>) -> &'a str {
    if protocol.is_ms() { "" } else { protocol.as_str() }
}

fn empty(out: &mut Vec<u8>, kind: Kind, number: u32) {
    let start = begin(out, kind, 0, 0, 0, number);
    finish(out, start);
}

fn subscribe(out: &mut Vec<u8>, asked: &Subscribe<'_>) {
    let durable = asked.durable.as_deref();
    let (name_bytes, name) = match asked.group.as_deref() {
        // No bytes would be no group, and every member would get every message.
        Some("") => short(" "),
        group => short(durable.or(group).unwrap_or_default()),
    };
    // There is no room for both names: what is durable and of a group is refused as what else it
    // can't be.
    let is_monitor = asked.monitor || (durable.is_some() && asked.group.is_some());
    let flags = if asked.retained { FLAG_RETAINED } else { 0 }
        | if is_monitor { FLAG_MONITOR } else { 0 }
        | if durable.is_some() { FLAG_DURABLE } else { 0 }
        | if asked.since.is_some() { FLAG_SINCE } else { 0 };
    let time;
    let since: &[u8] = match &asked.since {
        None | Some(Since::Start) => &[],
        Some(Since::Time(ms)) => {
            time = ms.to_le_bytes();
            &time
        }
        Some(Since::After(id)) => id.as_bytes(),
    };
    let since_bytes = u8::try_from(since.len()).unwrap_or(u8::MAX);
    let start = begin(out, Kind::Sub, flags, name_bytes, since_bytes, asked.number.get());
    out.extend_from_slice(name);
    out.extend_from_slice(since);
    out.extend_from_slice(asked.pattern.to_string().as_bytes());
    finish(out, start);
}

fn publish(
    out: &mut Vec<u8>,
    kind: Kind,
    number: u32,
    publication: &Publication<'_>,
    timeout_ms: Option<u32>,
) {
    let Publication { topic, protocol, payload, options } = publication;
    let has_options = timeout_ms.is_some() || *options != Options::default();
    let flags = if has_options { FLAG_OPTIONS } else { 0 };
    let ((topic_bytes, topic), (name_bytes, name)) =
        (short(topic.as_str()), short(name_of(protocol)));
    let start = begin(out, kind, flags, topic_bytes, name_bytes, number);
    out.extend_from_slice(topic);
    out.extend_from_slice(name);
    if has_options {
        with_length(out, |out| put_all(out, options, timeout_ms));
    }
    out.extend_from_slice(payload);
    finish(out, start);
}

fn put_all(out: &mut Vec<u8>, options: &Options<'_>, timeout_ms: Option<u32>) {
    if let Some(id) = options.message_id {
        put(out, Tag::MessageId, id.as_bytes());
    }
    if let Destination::Elsewhere(to) = &options.to {
        put(out, Tag::To, to.as_bytes());
    }
    if let Some(ms) = options.expire_after_ms {
        put(out, Tag::ExpireAfter, &ms.to_le_bytes());
    }
    if options.retain {
        put(out, Tag::Retain, &[]);
    }
    put_shared(out, options.reply_to.as_ref(), options.priority, &options.headers);
    if let Some(ms) = timeout_ms {
        put(out, Tag::Timeout, &ms.to_le_bytes());
    }
    if options.until != Until::Accepted {
        put(out, Tag::Until, &[options.until.number()]);
    }
    if options.realtime {
        put(out, Tag::Realtime, &[]);
    }
    if options.echo {
        put(out, Tag::Echo, &[]);
    }
}
