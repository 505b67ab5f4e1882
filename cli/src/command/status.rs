//! `kith status`: what the daemon says about itself.

use super::{Visit, print_result};
use crate::arguments::{Everywhere, StatusArguments};
use crate::connection::Address;
use crate::exit_code;
use crate::failure::Failure;
use crate::limits::STATUS_MS;
use crate::listen::now_ms;
use crate::show::status::{Answers, tables};
use crate::terminal::Terminal;
use kith_client::{Client, Incoming, Message, Request, Subscribe};
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::timeout;

pub(super) async fn run(
    arguments: &StatusArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith status").await?;
    let work = async |client: &Client| {
        let ready = ready(client).await?;
        let stats = ask(client, "bus.stats").await?;
        let clients = ask(client, "bus.clients").await?;
        Ok((ready, stats, clients))
    };
    let (ready, stats, clients) = visit.work(work).await?;
    let address = Address::find(everywhere.socket.clone())?;
    let answers = Answers {
        socket: &address.path().display().to_string(),
        ready: ready.as_ref().map(json_of).transpose()?,
        stats: json_of(&stats)?,
        clients: json_of(&clients)?,
    };
    let text = if arguments.json {
        serde_json::to_string(&answers).map(|line| line + "\n")
    } else {
        tables(&answers, now_ms(), Terminal::look(everywhere.color).paint)
    };
    print_result(text.map_err(|error| unreadable(&error))?.as_bytes())
}

/// Asks the daemon for what it says of itself on a topic of its own.
pub(crate) async fn ask(client: &Client, topic: &str) -> Result<Message, Failure> {
    let request = Request::json(topic, "null").timeout(Duration::from_millis(STATUS_MS));
    Ok(client.request_with(request).await?)
}

/// `bus.ready`, which the daemon keeps. It comes right after the subscription, if it comes.
pub(crate) async fn ready(client: &Client) -> Result<Option<Message>, Failure> {
    let mut kept = client.subscribe_with(Subscribe::new("self.bus.ready").retained()).await?;
    match timeout(Duration::from_millis(STATUS_MS), kept.next()).await {
        Ok(Some(Incoming::Message(message))) => Ok(Some(message)),
        _ => Ok(None),
    }
}

fn json_of(message: &Message) -> Result<&RawValue, Failure> {
    serde_json::from_slice(message.payload()).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Failure {
    let text = format!("what the daemon says about itself can't be read: {error}");
    Failure::new(exit_code::INPUT_OUTPUT, text)
}
