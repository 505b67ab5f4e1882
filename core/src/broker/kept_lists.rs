//! What the daemon says of consumers when it is asked, and what can be done to one.
//!
//! `bus.consumers` is one answer: there are a few hundred consumers at most.

use super::Broker;
use super::client::ClientId;
use super::durable::no_store;
use crate::clock::Now;
use crate::durable::Waiter;
use kith_wire::{Code, Publication, Refusal, RequestNumber};
use serde::Deserialize;
use serde_json::{Value, json};

/// The topics on which messages are removed.
pub(super) const PURGE: &str = "bus.consumers.purge";
pub(super) const REMOVE: &str = "bus.consumers.remove";

/// Which consumer's messages are to be removed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PurgeAsked {
    name: String,
    /// Its dead letters instead of what waits.
    #[serde(default)]
    dead: bool,
}

/// Which consumer is to be removed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoveAsked {
    name: String,
}

impl Broker {
    /// The answer of `bus.consumers`.
    pub(super) fn consumers_answer(&mut self) -> Result<String, Refusal> {
        let Some(kind) = self.durable.store else { return Err(no_store()) };
        let consumers: Vec<Value> =
            self.durable.names.values().filter_map(|id| self.consumer_row(*id)).collect();
        self.work += consumers.len() as u64;
        let (messages, bytes) = self.durable.waiting();
        let stalled = "the disk has not answered for seconds".to_owned();
        let failing = self.durable.failing.clone();
        let failing = if self.durable.is_stalled { Some(stalled) } else { failing };
        let mut store = json!({ "kind": kind, "messages": messages, "bytes": bytes });
        if let (Some(failing), Some(store)) = (failing, store.as_object_mut()) {
            store.insert("failing".to_owned(), failing.into());
        }
        Ok(json!({ "consumers": consumers, "store": store }).to_string())
    }

    fn consumer_row(&self, id: u32) -> Option<Value> {
        let consumer = self.durable.consumers.get(&id)?;
        let (waiting, flying) = consumer.depth();
        let counts = consumer.counts;
        let mut row = json!({
            "name": consumer.name,
            "pattern": consumer.pattern,
            "connections": consumer.members.len(),
            "waiting": waiting + flying,
            "waiting_bytes": consumer.bytes(),
            "in_flight": flying,
            "delivered": counts.delivered,
            "redelivered": counts.redelivered,
            "acknowledged": counts.acknowledged,
            "expired": counts.expired,
            "refused": counts.refused,
            "dead": consumer.dead.len(),
            "created_ms": consumer.created_ms,
        });
        let oldest = consumer.oldest().and_then(|message| self.durable.sent_at_ms(message));
        if let (Some(oldest), Some(row)) = (oldest, row.as_object_mut()) {
            row.insert("oldest_ms".to_owned(), oldest.into());
        }
        Some(row)
    }

    /// Removes what waits for a consumer, or the consumer; answered once that is on the disk.
    pub(super) fn remove_kept(
        &mut self,
        id: ClientId,
        number: RequestNumber,
        publication: &Publication<'_>,
    ) -> Result<(), Refusal> {
        let is_purge = publication.topic.as_str() == PURGE;
        let (name, dead) = if is_purge {
            let asked: PurgeAsked = read(publication, r#"{"name":"NAME","dead"?:true}"#)?;
            (asked.name, asked.dead)
        } else {
            let asked: RemoveAsked = read(publication, r#"{"name":"NAME"}"#)?;
            (asked.name, false)
        };
        let Some(consumer) = self.durable.names.get(&name).copied() else {
            let name: String = name.chars().take(64).flat_map(char::escape_debug).collect();
            let text = format!("there is no durable subscription `{name}`");
            return Err(Refusal::new(Code::BadConsumer, text));
        };
        let connected = self.durable.consumers.get(&consumer).map_or(0, |one| one.members.len());
        if !is_purge && connected > 0 {
            let text = format!(
                "{connected} connections have the durable subscription `{name}`: end them first"
            );
            return Err(Refusal::new(Code::Busy, text));
        }
        let count = self.durable.purge(consumer, dead);
        if !is_purge {
            self.durable.purge(consumer, true);
            self.forget_consumer(consumer);
        }
        self.count_published(id, 1, publication.payload.len() as u64);
        if self.durable.is_stalled {
            let text = "not on the disk yet: it has not answered for seconds; it is done once it \
                        does";
            return Err(Refusal::new(Code::NotStored, text));
        }
        if let Some(client) = self.queues.get(id) {
            client.unstored_answers += 1;
        }
        self.durable.tell_when_gone(Waiter::Removed { client: id, number, is_purge, count });
        Ok(())
    }

    pub(super) fn answer_removed(
        &mut self,
        now: Now,
        id: ClientId,
        number: RequestNumber,
        is_purge: bool,
        count: usize,
    ) {
        let (topic, payload) = if is_purge {
            (PURGE, json!({ "purged": count }))
        } else {
            (REMOVE, json!({ "removed": count }))
        };
        self.answer_json(now, id, number, topic, payload.to_string());
    }
}

fn read<'a, T: Deserialize<'a>>(
    publication: &'a Publication<'_>,
    form: &str,
) -> Result<T, Refusal> {
    let read = serde_json::from_slice(&publication.payload).ok();
    read.filter(|_| publication.protocol.is_ms()).ok_or_else(|| {
        Refusal::new(Code::BadField, format!("`{}` takes {form}", publication.topic))
    })
}
