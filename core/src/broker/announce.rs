//! The topics of the daemon itself: `bus.ready`, `bus.client`, `bus.lag`, `bus.stats`. The lists of
//! `bus.clients` and `bus.subscriptions` are in `lists.rs`.
//!
//! Ordinary messages of scope `self`, delivered like all others. Where nobody subscribes nothing is
//! even written, so a bus that nobody watches does no work for it, and `bus.stats` has no timer.

use super::Broker;
use super::client::ClientId;
use super::will::Kept;
use crate::clock::Now;
use crate::limits::{CLIENTS_PER_WORK, LAGS_ANNOUNCED_MAX};
use crate::outbox::Lag;
use crate::parcels::Single;
use kith_wire::{Options, Protocol, Publication, Topic, limits::PAYLOAD_BYTES_DEFAULT};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::publish::delivery;

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that clients published.
    pub published: u64,
    /// Bytes of their payloads.
    pub published_bytes: u64,
    /// Messages queued for subscribers, each counted.
    pub delivered: u64,
    /// Bytes of their payloads.
    pub delivered_bytes: u64,
    /// Messages dropped because a subscriber's queue was full, each counted.
    pub dropped: u64,
    /// Messages that expired in a queue.
    pub expired: u64,
    /// Requests that were asked.
    pub requests: u64,
    /// Replies that were handed over.
    pub replies: u64,
    /// Requests to which nobody subscribed.
    pub no_responders: u64,
    /// Operations and connections that were refused.
    pub refused: u64,
    /// Of these, connections that were not let in.
    pub refused_connections: u64,
    /// Connections that were closed because of what they said.
    pub cut_off: u64,
}

/// What happened, and what there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// What happened since the start.
    pub totals: Totals,
    /// Connections.
    pub clients: usize,
    /// Subscriptions of all of them.
    pub subscriptions: usize,
    /// Requests that wait for a reply.
    pub requests_waiting: usize,
    /// Kept values.
    pub retained_messages: usize,
    /// Their bytes.
    pub retained_bytes: usize,
    /// Messages that wait in queues.
    pub queued_messages: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Memory that waits for clients, or of them: what [`Limits::waiting_bytes_total_max`] bounds.
    ///
    /// [`Limits::waiting_bytes_total_max`]: crate::Limits::waiting_bytes_total_max
    pub waiting_bytes: usize,
    /// Ids remembered against publishing twice.
    pub remembered_ids: usize,
}

impl Broker {
    /// What happened, and what there is now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let usages = || self.queues.clients.iter().map(|(_, client)| client.usage());
        Stats {
            totals: self.queues.totals,
            clients: self.clients_of_others(),
            subscriptions: self.subscriptions_of_others(),
            requests_waiting: self.requests.len(),
            retained_messages: self.retained.len(),
            retained_bytes: self.retained.bytes(),
            queued_messages: usages().map(|usage| usage.queued_messages).sum(),
            queued_bytes: usages().map(|usage| usage.queued_bytes).sum(),
            waiting_bytes: self.queues.buffers.ledger.held_bytes(),
            remembered_ids: self.remembered.len(),
        }
    }

    /// Publishes and keeps `bus.ready`: the daemon has started.
    pub fn announce_ready(&mut self, now: Now, version: &str, pid: u32) {
        let payload = json!({
            "version": version,
            "protocol": kith_wire::binary::VERSION,
            "pid": pid,
            "started_at": now.unix_ms,
        });
        let Some(publication) = publication("bus.ready", payload.to_string()) else { return };
        let message_id = self.identifiers.message_ids(now.unix_ms, 1);
        let ready = delivery(now, message_id, &publication);
        self.retained.set(Kept::new(&ready), None);
        self.deliver_single(now, ready);
    }

    /// The payload of `bus.client`, if somebody wants it.
    pub(super) fn client_event(
        &self,
        id: ClientId,
        event: &str,
        reason: Option<&str>,
    ) -> Option<String> {
        let client = self.client(id)?;
        if !self.wants("bus.client") || self.parts.contains(&id) {
            return None;
        }
        let mut payload = json!({
            "event": event,
            "client": id.serial(),
            "name": client.name,
            "framing": client.framing_name(),
        });
        if let (Some(reason), Value::Object(fields)) = (reason, &mut payload) {
            fields.insert("reason".to_owned(), reason.into());
        }
        Some(payload.to_string())
    }

    /// Publishes `bus.lag` for the notices that were put into streams.
    pub(super) fn announce_lags(&mut self, now: Now) {
        // Announcing may put further notices into streams. It ends, because each notice takes room.
        while !self.queues.notices.is_empty() {
            let notices = std::mem::take(&mut self.queues.notices);
            if self.wants("bus.lag") {
                self.announce_some(now, notices);
            }
        }
    }

    /// Publishes the first notices of each client one by one, and of the others the sum.
    fn announce_some(&mut self, now: Now, notices: Vec<(ClientId, Lag)>) {
        let mut told: BTreeMap<u64, (ClientId, usize, u64)> = BTreeMap::new();
        for (id, Lag { subscription, lost, .. }) in notices {
            let count = lost.count - lost.about_lag;
            let (_, announced, sum) = told.entry(id.serial()).or_insert((id, 0, 0));
            if count > 0 && *announced < LAGS_ANNOUNCED_MAX {
                *announced += 1;
                self.announce_lag(now, id, Some(subscription), count);
            } else {
                *sum += count;
            }
        }
        for (id, _, sum) in told.into_values().filter(|(_, _, sum)| *sum > 0) {
            self.announce_lag(now, id, None, sum);
        }
    }

    pub(super) fn announce_stats(&mut self, now: Now) {
        self.stats_due_ms = None;
        if self.wants("bus.stats") {
            let payload = self.stats_json(now);
            self.announce(now, "bus.stats", payload);
            self.arm_stats(now);
        }
    }

    /// Sets the time of the next `bus.stats`, if somebody has subscribed to it.
    pub(super) fn arm_stats(&mut self, now: Now) {
        if self.stats_due_ms.is_none() && self.wants("bus.stats") {
            let interval_ms = self.queues.limits.stats_interval_ms.max(1);
            self.stats_due_ms = Some(now.monotonic_ms.saturating_add(interval_ms));
        }
    }

    /// The counters, for whoever asks. Finding them takes a look at each client.
    pub(super) fn stats_answer(&mut self, now: Now) -> String {
        self.work += self.queues.clients.len() as u64 / CLIENTS_PER_WORK;
        self.stats_json(now)
    }

    fn stats_json(&self, now: Now) -> String {
        let stats = self.stats();
        let totals = stats.totals;
        json!({
            "at": now.unix_ms,
            "published": totals.published,
            "published_bytes": totals.published_bytes,
            "delivered": totals.delivered,
            "delivered_bytes": totals.delivered_bytes,
            "dropped": totals.dropped,
            "expired": totals.expired,
            "requests": totals.requests,
            "replies": totals.replies,
            "no_responders": totals.no_responders,
            "refused": totals.refused,
            "refused_connections": totals.refused_connections,
            "cut_off": totals.cut_off,
            "clients": stats.clients,
            "subscriptions": stats.subscriptions,
            "requests_waiting": stats.requests_waiting,
            "retained_messages": stats.retained_messages,
            "retained_bytes": stats.retained_bytes,
            "queued_messages": stats.queued_messages,
            "queued_bytes": stats.queued_bytes,
            "waiting_bytes": stats.waiting_bytes,
            "remembered_ids": stats.remembered_ids,
        })
        .to_string()
    }

    fn announce_lag(&mut self, now: Now, id: ClientId, subscription: Option<u32>, count: u64) {
        let client = self.client(id);
        let key = client.zip(subscription).and_then(|(one, sub)| one.subscriptions.get(&sub));
        let payload = json!({
            "client": id.serial(),
            "name": client.and_then(|client| client.name.as_deref()),
            "sub": subscription,
            "pattern": key.and_then(|key| self.index.pattern(*key)),
            "count": count,
        });
        let Some(publication) = publication("bus.lag", payload.to_string()) else { return };
        let message_id = self.identifiers.message_ids(now.unix_ms, 1);
        self.deliver_alone(Single::about_lag(delivery(now, message_id, &publication)));
        self.announce_cbor(now, message_id, &publication, true);
    }

    /// Delivers a message of the daemon's own.
    pub(super) fn announce(&mut self, now: Now, topic: &str, payload: String) {
        let Some(publication) = publication(topic, payload) else { return };
        let message_id = self.identifiers.message_ids(now.unix_ms, 1);
        self.deliver_alone(Single::new(delivery(now, message_id, &publication)));
        self.announce_cbor(now, message_id, &publication, false);
        self.announce_lags(now);
    }
}

fn publication(topic: &str, payload: String) -> Option<Publication<'_>> {
    debug_assert!(payload.len() < PAYLOAD_BYTES_DEFAULT, "the daemon's own messages are small");
    let topic = Topic::new(topic).ok()?;
    let payload = payload.into_bytes().into();
    Some(Publication { topic, protocol: Protocol::MS, payload, options: Options::default() })
}
