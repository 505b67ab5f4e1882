//! The lists that the daemon answers with: `bus.clients` and `bus.subscriptions`, page by page.
//!
//! A list has as many rows as there are connections or subscriptions, which may be millions; an
//! answer is one message and one turn's work. So a request gets a page: rows in a fixed order, from
//! behind the last one that the asker has, as many as were asked for and as fit. Who goes on until
//! a page is empty has seen everything that was there all the time; what came or went meanwhile may
//! be in it or not.
//!
//! Where a page begins is found in ordered maps, so nothing in front of it is walked over. Rows
//! count as work by their bytes, whether they fit or not. A page is an answer, for which there is
//! always room; so it is itself no larger than what the asker may hold of the memory that is free.
//!
//! Deliberately absent: sorting, filters by pattern or name, and totals. The asker has the rows.

use super::{Broker, Client};
use crate::index::{Role, SubscriptionKey};
use crate::limits::{ANSWER_BYTES_MAX, PAGE_ROWS_MAX, ROW_BYTES_PER_WORK};
use kith_wire::{Code, Publication, Refusal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::num::NonZeroU64;
use std::ops::Bound;

/// What a request of a list may ask for.
pub(super) trait Asked: Default + DeserializeOwned {
    /// How it is written, to be told to whoever got it wrong.
    const FORM: &'static str;
}

/// Which clients.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClientsAsked {
    /// The last one that the asker has.
    after: Option<u64>,
    limit: Option<NonZeroU64>,
}

impl Asked for ClientsAsked {
    const FORM: &'static str = r#"{"after"?:CLIENT,"limit"?:N}"#;
}

/// Which subscriptions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SubscriptionsAsked {
    /// Those of this client alone.
    client: Option<u64>,
    /// Client and number of the last one that the asker has.
    after: Option<(u64, u32)>,
    limit: Option<NonZeroU64>,
}

impl Asked for SubscriptionsAsked {
    const FORM: &'static str = r#"{"client"?:CLIENT,"after"?:[CLIENT,SUB],"limit"?:N}"#;
}

/// Reads what is asked for. Nothing, and `null`, is the first page of everything.
pub(super) fn asked<T: Asked>(publication: &Publication<'_>) -> Result<T, Refusal> {
    let payload = publication.payload.trim_ascii();
    if payload.is_empty() || payload == b"null" {
        return Ok(T::default());
    }
    // A list would be taken for the fields in their order.
    let is_object = publication.protocol.is_ms() && payload.first() == Some(&b'{');
    let asked = if is_object { serde_json::from_slice(payload).ok() } else { None };
    asked.ok_or_else(|| {
        let text = format!("`{}` takes null, or {}, N from 1", publication.topic, T::FORM);
        Refusal::new(Code::BadField, text)
    })
}

impl Broker {
    /// The answer of `bus.clients`.
    pub(super) fn clients_page(&mut self, asked: &ClientsAsked) -> String {
        let mut page = Page::new(asked.limit, self.page_bytes_max());
        let first = asked.after.map_or(Bound::Unbounded, Bound::Excluded);
        for place in self.order.range((first, Bound::Unbounded)).map(|(_, place)| *place) {
            if let Some(client) = self.queues.clients.get(place as usize)
                && !page.add(&client_row(client))
            {
                break;
            }
        }
        page.finish(&mut self.work)
    }

    /// The answer of `bus.subscriptions`.
    pub(super) fn subscriptions_page(&mut self, asked: &SubscriptionsAsked) -> String {
        let mut page = Page::new(asked.limit, self.page_bytes_max());
        let (after_client, after_number) = asked.after.unwrap_or((0, 0));
        let last = asked.client.unwrap_or(u64::MAX);
        // An empty range is none for a map.
        let first = asked.client.map_or(after_client, |client| client.max(after_client)).min(last);
        'clients: for (serial, place) in self.order.range(first..=last) {
            page.work += 1;
            let Some(client) = self.queues.clients.get(*place as usize) else { continue };
            let from = match serial.cmp(&after_client) {
                std::cmp::Ordering::Less => break,
                std::cmp::Ordering::Equal => Bound::Excluded(after_number),
                std::cmp::Ordering::Greater => Bound::Unbounded,
            };
            for (number, key) in client.subscriptions.range((from, Bound::Unbounded)) {
                if !page.add(&self.subscription_row(*serial, *number, *key)) {
                    break 'clients;
                }
            }
        }
        page.finish(&mut self.work)
    }

    /// How large a page may be now.
    fn page_bytes_max(&self) -> usize {
        let share_bytes = self.queues.share_bytes().min(ANSWER_BYTES_MAX);
        share_bytes.min(self.queues.limits.payload_bytes_max)
    }

    fn subscription_row(&self, client: u64, number: u32, key: SubscriptionKey) -> Value {
        let (group, monitor) = match self.index.role(key) {
            Some(Role::Member(group)) => (Some(group), false),
            Some(Role::Monitor) => (None, true),
            Some(Role::Each | Role::Durable) | None => (None, false),
        };
        json!({
            "client": client,
            "sub": number,
            "pattern": self.index.pattern(key),
            "group": group,
            "monitor": monitor,
        })
    }
}

/// A list that is being written, and how much more it takes.
struct Page {
    text: String,
    rows_left: u64,
    bytes_max: usize,
    work: u64,
}

impl Page {
    fn new(limit: Option<NonZeroU64>, bytes_max: usize) -> Self {
        let rows_left = limit.map_or(PAGE_ROWS_MAX, |limit| limit.get().min(PAGE_ROWS_MAX));
        Self { text: String::from("["), rows_left, bytes_max, work: 0 }
    }

    /// Adds a row if it fits. Whether it is worth asking for another.
    fn add(&mut self, row: &Value) -> bool {
        let row = row.to_string();
        self.work += 1 + row.len() as u64 / ROW_BYTES_PER_WORK;
        // A comma before it, and the bracket behind all. The first has to fit: an empty page would
        // tell the asker that there is nothing more. The smallest limit has room for dozens.
        let is_first = self.text.len() == 1;
        if !is_first && self.bytes_max < self.text.len() + row.len() + 2 {
            return false;
        }
        if !is_first {
            self.text.push(',');
        }
        self.text.push_str(&row);
        self.rows_left -= 1;
        self.rows_left > 0
    }

    fn finish(mut self, work: &mut u64) -> String {
        *work += self.work;
        self.text.push(']');
        self.text
    }
}

fn client_row(client: &Client) -> Value {
    let usage = client.usage();
    json!({
        "client": client.id.serial(),
        "name": client.name,
        "pid": client.pid,
        "framing": client.framing_name(),
        "service": client.standing.service.as_ref().map(|service| service.rights.name()),
        "confined": client.standing.confined.as_deref(),
        "subscriptions": usage.subscriptions,
        "requests_waiting": usage.requests,
        "queued_messages": usage.queued_messages,
        "queued_bytes": usage.queued_bytes,
        "published": usage.published,
        "published_bytes": usage.published_bytes,
        "delivered": usage.delivered,
        "delivered_bytes": usage.delivered_bytes,
        "dropped": usage.dropped,
        "refused": usage.refused,
        "lagging": client.outbox.is_lagging(),
    })
}
