//! Reserved topics: who publishes there, and in which words.
//!
//! The contract (`kith-contract`) says for each of them who may, and what its payload is; here that
//! is held against the publisher. A payload is CBOR or JSON as its publisher likes, and each
//! subscriber gets the form that it named; one that takes any protocol gets what was published.
//!
//! What the daemon itself publishes is JSON, and has its other form from the same contract.

use super::client::ClientId;
use super::operations::reserved;
use super::publish::delivery;
use super::{Broker, Notice};
use crate::clock::Now;
use crate::index::Target;
use crate::parcels::Single;
use kith_contract::{Checked, Views, anyone_may_publish, entry};
use kith_wire::{
    Code, Delivery, MessageId, Options, Pattern, Protocol, ProtocolSelector, Publication, Refusal,
    Scope, Topic,
};

/// What the daemon keeps.
const READY: &str = "bus.ready";
/// What it takes note of itself.
const HEALTH: &str = "services.health";

impl Broker {
    /// Publishes on a reserved topic, for whoever may.
    pub(super) fn publish_contract(
        &mut self,
        now: Now,
        id: ClientId,
        publication: &Publication<'_>,
    ) -> Result<MessageId, Refusal> {
        let checked = self.check_contract(now, id, publication);
        if let Err(Refusal { code: Code::BadPayload, .. }) = checked
            && self.service(id).is_none()
            && let Some(client) = self.queues.get(id)
        {
            // Of a service all such refusals are counted, wherever they are from.
            client.standing.refused += 1;
        }
        let checked = checked?;
        let message_id = self.message_id(now, &publication.options);
        self.deliver_alone(Single::new(delivery(now, message_id, publication)));
        let other = if publication.protocol.is_ms() { Protocol::KITH } else { Protocol::MS };
        // It may be large, and most of them nobody asks for in the other form.
        if self.index.has_named(Scope::Own, other.as_str(), publication.topic.as_str()) {
            let payload = if other.is_ms() { checked.json().into_bytes() } else { checked.cbor() };
            let other = in_form(publication, other, payload);
            self.deliver_named(Single::new(delivery(now, message_id, &other)));
        }
        self.announce_lags(now);
        if publication.topic.as_str() == HEALTH {
            self.tell(Notice::Health { client: id, payload: checked.json() });
        }
        Ok(message_id)
    }

    fn check_contract<'a>(
        &mut self,
        now: Now,
        id: ClientId,
        publication: &'a Publication<'_>,
    ) -> Result<Checked<'a>, Refusal> {
        let topic = publication.topic.as_str();
        let entry = entry(topic).ok_or_else(|| reserved(topic))?;
        if self.service(id).is_some() {
            self.check_publish(now, id, topic)?;
        } else {
            let is_confined = self.client(id).is_none_or(|client| client.standing.is_confined());
            if is_confined || !anyone_may_publish(topic) {
                return Err(reserved(topic));
            }
        }
        if publication.options.retain {
            let text = "a message on a reserved topic can't be kept";
            return Err(Refusal::new(Code::BadField, text));
        }
        let checked = entry.look(publication.protocol.as_str(), &publication.payload);
        let checked = checked.map_err(|error| Refusal::new(Code::BadPayload, error.to_string()))?;
        let name = self.service(id);
        if let Some(speaker) = checked.speaker()
            && name != Some(speaker)
        {
            let name = name.unwrap_or("no service");
            let text = format!("`{topic}`: this says that it is from `{speaker}`, you are {name}");
            return Err(Refusal::new(Code::NotGranted, text));
        }
        Ok(checked)
    }

    /// Whether somebody wants to hear of this topic of the daemon's.
    pub(super) fn wants(&self, topic: &str) -> bool {
        self.index.has(Scope::Own, "ms", topic)
            || self.index.has(Scope::Own, Protocol::KITH.as_str(), topic)
    }

    /// Delivers a message of the daemon's own, which is JSON, in its other form too.
    pub(super) fn announce_cbor(
        &mut self,
        now: Now,
        message_id: MessageId,
        publication: &Publication<'_>,
        is_about_lag: bool,
    ) {
        if self.index.has(Scope::Own, Protocol::KITH.as_str(), publication.topic.as_str())
            && let Some(cbor) = cbor_of(publication)
        {
            let delivery = delivery(now, message_id, &cbor);
            let make = if is_about_lag { Single::about_lag } else { Single::new };
            self.deliver_named(make(delivery));
        }
    }

    /// Publishes what the daemon has to say, if somebody wants it.
    pub fn announce_contract(&mut self, now: Now, topic: &str, json: impl FnOnce() -> String) {
        if self.wants(topic) {
            self.announce(now, topic, json());
        }
    }

    /// Publishes what the post has to say, which is CBOR and as the contract has it, to those who
    /// want it.
    pub fn announce_from_post(&mut self, now: Now, topic: &str, cbor: &[u8]) {
        if !self.wants(topic) {
            return;
        }
        let Ok(topic) = Topic::new(topic) else { return };
        let payload = cbor.into();
        let publication =
            Publication { topic, protocol: Protocol::KITH, payload, options: Options::default() };
        let message_id = self.message_id(now, &publication.options);
        self.deliver_alone(Single::new(delivery(now, message_id, &publication)));
        if self.index.has_named(Scope::Own, Protocol::MS.as_str(), publication.topic.as_str())
            && let Some(entry) = entry(publication.topic.as_str())
            && let Ok(checked) = entry.look(Protocol::KITH.as_str(), cbor)
        {
            let other = in_form(&publication, Protocol::MS, checked.json().into_bytes());
            self.deliver_named(Single::new(delivery(now, message_id, &other)));
        }
        self.announce_lags(now);
    }

    /// Delivers what the daemon keeps, which is JSON, to a subscription that names the other form.
    pub(super) fn deliver_kept_cbor(&mut self, target: Target, pattern: &Pattern<'_>) {
        let is_named = *pattern.protocol() == ProtocolSelector::Only(Protocol::KITH);
        if !is_named || !pattern.matches(&Protocol::KITH, Scope::Own, READY) {
            return;
        }
        let Some(kept) = self.retained.get(READY, "ms") else { return };
        let delivery = kept.delivery();
        let cbor = entry(READY).and_then(|entry| entry.check("ms", delivery.payload).ok());
        let Some(Views { cbor, .. }) = cbor else { return };
        let mut single =
            Single::new(Delivery { protocol: Protocol::KITH, payload: &cbor, ..delivery });
        self.queues.deliver_single(target, &mut single);
        single.recycle(&mut self.queues.buffers);
    }
}

/// A message of the daemon's own, which is JSON, in its other form.
fn cbor_of<'a>(publication: &'a Publication<'_>) -> Option<Publication<'a>> {
    let views = entry(publication.topic.as_str())?.check("ms", &publication.payload);
    debug_assert!(views.is_ok(), "the daemon keeps to the contract: {views:?}");
    Some(in_form(publication, Protocol::KITH, views.ok()?.cbor))
}

fn in_form<'a>(
    publication: &'a Publication<'_>,
    protocol: Protocol<'static>,
    payload: Vec<u8>,
) -> Publication<'a> {
    let Publication { topic, options, .. } = publication;
    let (topic, payload) = (topic.borrow(), payload.into());
    Publication { topic, protocol, payload, options: options.clone() }
}
