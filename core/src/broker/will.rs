//! A message kept for later: a will, or a retained value. The owned form of a publication.

use crate::limits::HEADER_OVERHEAD_BYTES;
use kith_wire::{
    Delivery, Headers, MessageId, Options, Priority, Protocol, Publication, SENDER_LOCAL, Scope,
    Topic,
};

/// A publication that outlives the bytes in which it came.
#[derive(Clone, Debug)]
pub(crate) struct Will(Publication<'static>);

impl Will {
    pub(crate) fn new(publication: Publication<'_>) -> Self {
        let Publication { topic, protocol, payload, options } = publication;
        Self(Publication {
            topic: topic.into_owned(),
            protocol: protocol.into_owned(),
            payload: payload.into_owned().into(),
            options: Options { reply_to: options.reply_to.map(Topic::into_owned), ..options },
        })
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let Publication { topic, payload, options, .. } = &self.0;
        let header = |(key, value): (&str, &str)| HEADER_OVERHEAD_BYTES + key.len() + value.len();
        let headers = options.headers.iter().map(header).sum::<usize>();
        let reply_to = options.reply_to.as_ref().map_or(0, |topic| topic.as_str().len());
        payload.len() + topic.as_str().len() + reply_to + headers
    }

    pub(crate) fn publication(&self) -> &Publication<'static> {
        &self.0
    }
}

/// The last value of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) message_id: MessageId,
    pub(crate) topic: Topic<'static>,
    pub(crate) protocol: Protocol<'static>,
    pub(crate) sent_at_ms: u64,
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) reply_to: Option<Topic<'static>>,
    pub(crate) priority: Priority,
    pub(crate) headers: Headers,
    pub(crate) payload: Box<[u8]>,
}

impl Kept {
    pub(crate) fn new(delivery: &Delivery<'_>) -> Self {
        Self {
            message_id: delivery.message_id,
            topic: delivery.topic.clone().into_owned(),
            protocol: delivery.protocol.clone().into_owned(),
            sent_at_ms: delivery.sent_at_ms,
            expires_at_ms: delivery.expires_at_ms,
            reply_to: delivery.reply_to.clone().map(Topic::into_owned),
            priority: delivery.priority,
            headers: delivery.headers.clone(),
            payload: delivery.payload.into(),
        }
    }

    /// As it is delivered to whoever asked for kept values.
    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            message_id: self.message_id,
            sender: SENDER_LOCAL,
            petname: None,
            device: None,
            scope: Scope::Own,
            protocol: self.protocol.borrow(),
            topic: self.topic.borrow(),
            sent_at_ms: self.sent_at_ms,
            expires_at_ms: self.expires_at_ms,
            reply_to: self.reply_to.as_ref().map(Topic::borrow),
            priority: self.priority,
            retained: true,
            attempt: None,
            headers: self.headers.clone(),
            payload: &self.payload,
            sealed_bytes: None,
        }
    }

    /// What it counts against the limit, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let header = |(key, value): (&str, &str)| HEADER_OVERHEAD_BYTES + key.len() + value.len();
        let headers: usize = self.headers.iter().map(header).sum();
        let reply_to = self.reply_to.as_ref().map_or(0, |topic| topic.as_str().len());
        self.payload.len() + self.topic.as_str().len() + reply_to + headers
    }
}
