//! What the daemon says about itself, asked for over the bus like anything else.
//!
//! Lists come in pages; here they are put together again, row by row and word for word, so that
//! what a newer daemon adds is passed on. A daemon that knows no pages answers with the whole list
//! each time: then the second page has nothing new, and that is the end.

use crate::exit_code;
use crate::failure::Failure;
use crate::limits::ANSWER_MS;
use kith_client::{Client, Incoming, Message, Request, RequestError, Subscribe};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// A row of a list, as it came.
pub(crate) type Row = Box<RawValue>;

/// `bus.ready`, which the daemon keeps. It comes right after the subscription, if it comes.
pub(crate) async fn ready(client: &Client) -> Result<Option<Message>, Failure> {
    let mut kept = client.subscribe_with(Subscribe::new("self.bus.ready").retained()).await?;
    match timeout(Duration::from_millis(ANSWER_MS), kept.next()).await {
        Ok(Some(Incoming::Message(message))) => Ok(Some(message)),
        _ => Ok(None),
    }
}

/// `bus.stats`.
pub(crate) async fn stats(client: &Client) -> Result<Message, Failure> {
    ask(client, "bus.stats", &Value::Null).await
}

/// All of `bus.clients`.
pub(crate) async fn clients(client: &Client) -> Result<Vec<Row>, Failure> {
    #[derive(Deserialize)]
    struct Named {
        client: u64,
    }
    let mut all = Vec::new();
    let mut last = None;
    loop {
        let asked = last.map_or(Value::Null, |last| json!({ "after": last }));
        let answer = ask(client, "bus.clients", &asked).await?;
        let before = all.len();
        for row in read::<Vec<Row>>(&answer)? {
            let Named { client } = serde_json::from_str(row.get()).map_err(|e| unreadable(&e))?;
            if last.is_none_or(|last| last < client) {
                last = Some(client);
                all.push(row);
            }
        }
        if all.len() == before {
            return Ok(all);
        }
    }
}

/// The first subscriptions of one client, from `bus.subscriptions`.
pub(crate) async fn subscriptions(
    client: &Client,
    of: u64,
    rows_max: usize,
) -> Result<Message, Failure> {
    ask(client, "bus.subscriptions", &json!({ "client": of, "limit": rows_max })).await
}

/// `bus.consumers`.
pub(crate) async fn consumers(client: &Client) -> Result<Message, Failure> {
    ask(client, "bus.consumers", &Value::Null).await
}

/// `services.list`, row by row.
pub(crate) async fn services(client: &Client) -> Result<Vec<Row>, Failure> {
    read(&ask(client, "services.list", &Value::Null).await?)
}

/// `bus.grants.list`, row by row.
pub(crate) async fn grants(client: &Client) -> Result<Vec<Row>, Failure> {
    read(&ask(client, "bus.grants.list", &Value::Null).await?)
}

/// A question about people. What the daemon says no with is a sentence by itself.
pub(crate) async fn people(
    client: &Client,
    topic: &str,
    asked: &Value,
    wait_ms: u64,
) -> Result<Message, Failure> {
    let request = Request::json(topic, asked.to_string()).timeout(Duration::from_millis(wait_ms));
    client.request_with(request).await.map_err(|error| match error {
        RequestError::Refused { code: Some(code), text } => {
            Failure::new(exit_code::of_refusal(code), text)
        }
        RequestError::NoResponders => {
            Failure::new(exit_code::UNAVAILABLE, "this daemon knows no people: it is an older one")
        }
        error => error.into(),
    })
}

/// Reads an answer.
pub(crate) fn read<'a, T: Deserialize<'a>>(message: &'a Message) -> Result<T, Failure> {
    serde_json::from_slice(message.payload()).map_err(|error| unreadable(&error))
}

/// Reads a list, row by row.
pub(crate) fn read_rows<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, Failure> {
    let read = |row: &Row| serde_json::from_str(row.get()).map_err(|error| unreadable(&error));
    rows.iter().map(read).collect()
}

/// What to say of an answer of a shape that the protocol doesn't know.
pub(crate) fn unreadable(error: &serde_json::Error) -> Failure {
    let text = format!("what the daemon says about itself can't be read: {error}");
    Failure::new(exit_code::INPUT_OUTPUT, text)
}

/// Asks the daemon something.
pub(crate) async fn ask(client: &Client, topic: &str, asked: &Value) -> Result<Message, Failure> {
    let request = Request::json(topic, asked.to_string());
    let answer = client.request_with(request.timeout(Duration::from_millis(ANSWER_MS))).await;
    // What is wrong with a file is said with its lines.
    answer.map_err(|error| Failure::from(error).by_lines())
}
