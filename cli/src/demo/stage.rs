//! Who plays: ann, who speaks JSON lines, and bob, who speaks binary frames, on one bus.

use super::line_client::{Heard, LineClient};
use super::report::Report;
use anyhow::{Context, Result, bail, ensure};
use kith_client::{Client, Incoming, Message, Reconnect, Subscription};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The players.
pub(super) struct Stage {
    pub(super) ann: LineClient,
    pub(super) bob: Client,
    pub(super) socket: PathBuf,
}

impl Stage {
    /// Lets ann ask for something that has to succeed, and shows both lines.
    pub(super) async fn ann_asks(&mut self, report: &mut Report, line: &str) -> Result<Heard> {
        let line = self.ann.send(line).await?;
        report.sent("ann", &line);
        let answer = self.ann.answer().await?;
        report.received("ann", &answer.line);
        ensure!(answer.is_ok(), "ann was refused");
        Ok(answer)
    }

    /// Waits for ann's next message, and shows it.
    pub(super) async fn ann_hears(&mut self, report: &mut Report) -> Result<Heard> {
        let heard = self.ann.message().await?;
        report.received("ann", &heard.line);
        Ok(heard)
    }

    /// How many messages the daemon has delivered, as it counts itself.
    pub(super) async fn delivered(&self) -> Result<u64> {
        let stats = self.bob.request("bus.stats", "null").await?;
        let delivered = json_of(&stats)?.get("delivered").and_then(Value::as_u64);
        delivered.context("bus.stats has no `delivered`")
    }
}

/// Another client in binary frames.
pub(super) async fn connect(socket: &Path, name: &str) -> Result<Client> {
    let builder = Client::builder().path(socket).name(name).reconnect(Reconnect::Never);
    builder.connect().await.with_context(|| format!("{name} can't connect"))
}

/// The next message of a subscription in which nothing may be missing.
pub(super) async fn next(subscription: &mut Subscription) -> Result<Message> {
    match subscription.next().await {
        Some(Incoming::Message(message)) => Ok(message),
        Some(Incoming::Lag { count }) => bail!("{count} messages were missed"),
        Some(Incoming::Gap) => bail!("the connection was lost"),
        None => bail!("the subscription ended"),
    }
}

/// The payload of a message.
pub(super) fn json_of(message: &Message) -> Result<Value> {
    serde_json::from_slice(message.payload()).context("the payload is not JSON")
}
