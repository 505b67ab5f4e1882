//! The lists that the daemon answers with, page by page.
//!
//! Which rows there are, in which order, and where a page begins is as the document has it. How
//! many a page has is free where not all fit into a payload: then as many as fit, and one at least.
//! Further fields may be added to rows.

use super::reference::{Client, Reference};
use kith_wire::Publication;
use serde_json::{Value, json};

/// The rows that were asked for, as many as may be in one answer.
#[derive(Debug)]
pub(super) struct Page(Vec<Value>);

impl Page {
    /// So many rows as were heard, if that many are right.
    pub(super) fn cut_to(self, heard: &[u8], bytes_max: usize) -> Result<Value, String> {
        let Self(mut rows) = self;
        let found: Vec<Value> = serde_json::from_slice(heard).map_err(|error| error.to_string())?;
        // The smallest limit that can be configured has room for many rows; the model's has not.
        if bytes_max < heard.len() && found.len() > 1 {
            return Err(format!("a page of {} bytes", heard.len()));
        }
        if let Some(next) = rows.get(found.len()) {
            // With room for further fields.
            let next_bytes = next.to_string().len() + 64;
            if found.is_empty() || heard.len() + next_bytes < bytes_max {
                return Err(format!("a page of {} rows, and {next} has room", found.len()));
            }
        }
        rows.truncate(found.len());
        Ok(Value::Array(rows))
    }
}

impl Reference {
    /// The page that is asked for, unless it is asked for in another form.
    pub(super) fn page(&self, publication: &Publication<'_>) -> Option<Page> {
        let payload = match (&publication.payload[..], publication.protocol.is_ms()) {
            (b"null", _) => json!({}),
            (payload, true) => serde_json::from_slice(payload).ok()?,
            _ => return None,
        };
        let Value::Object(asked) = payload else { return None };
        let is_clients = publication.topic.as_str() == "bus.clients";
        if asked.keys().any(|key| !["client", "after", "limit"].contains(&key.as_str()))
            || is_clients && asked.contains_key("client")
        {
            return None;
        }
        let number = |value: &Value| value.as_u64();
        let limit = asked.get("limit").map_or(Some(1_024), number).filter(|limit| *limit > 0)?;
        let limit = usize::try_from(limit.min(1_024)).ok()?;
        let rows: Vec<Value> = if is_clients {
            let after = asked.get("after").map(number);
            if after == Some(None) {
                return None;
            }
            let after = after.flatten();
            let all = self.clients.iter().filter(|(who, _)| after.is_none_or(|at| at < **who));
            all.map(|(who, client)| self.client_row(*who, client)).collect()
        } else {
            let client = asked.get("client").map(number);
            let after: Option<(u64, u32)> =
                asked.get("after").map(|at| serde_json::from_value(at.clone())).transpose().ok()?;
            if client == Some(None) {
                return None;
            }
            let mut all = self.subscription_rows(client.flatten());
            all.retain(|(at, _)| after.is_none_or(|after| after < *at));
            all.into_iter().map(|(_, row)| row).collect()
        };
        Some(Page(rows.into_iter().take(limit).collect()))
    }

    fn client_row(&self, who: u64, client: &Client) -> Value {
        let waiting = self.waiting.iter().filter(|one| one.who == who).count();
        json!({
            "client": who,
            "name": client.name,
            "pid": null,
            "framing": client.binary.map(|binary| if binary { "binary" } else { "json" }),
            "subscriptions": client.subscriptions.len(),
            "requests_waiting": waiting,
            "queued_messages": client.queue.messages(),
            "queued_bytes": client.queue.message_bytes(),
            "published": client.published,
            "published_bytes": client.published_bytes,
            "delivered": client.delivered,
            "delivered_bytes": client.delivered_bytes,
            "dropped": client.dropped,
            "lagging": !client.queue.missed.is_empty(),
        })
    }

    fn subscription_rows(&self, client: Option<u64>) -> Vec<((u64, u32), Value)> {
        let mut all = Vec::new();
        for (who, one) in &self.clients {
            for sub in one.subscriptions.iter().filter(|_| client.is_none_or(|it| it == *who)) {
                let row = json!({
                    "client": who,
                    "sub": sub.number,
                    "pattern": sub.pattern,
                    "group": sub.group,
                    "monitor": sub.monitor,
                });
                all.push(((*who, sub.number), row));
            }
        }
        all.sort_by_key(|(at, _)| *at);
        all
    }
}
