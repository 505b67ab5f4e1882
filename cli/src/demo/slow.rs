//! The step of the slow reader: it reads nothing while thousands of messages are published, and is
//! then told exactly how many it missed, and where.
//!
//! The fast reader takes each batch before the next one is published. So it keeps up by what
//! happens, not by luck, although the demo's queues are small.

use super::line_client::LineClient;
use super::report::Report;
use super::stage::{Stage, connect, next};
use crate::show::quantity;
use anyhow::{Context, Result, ensure};
use kith_client::{Publish, Subscription};
use serde_json::Value;
use std::path::Path;

const BATCHES: u64 = 50;
const BATCH: u64 = 100;
const PUBLISHED: u64 = BATCHES * BATCH;
/// Of each payload, beside its number.
const PADDING: usize = 1000;

pub(super) async fn slow(report: &mut Report, stage: &mut Stage) -> Result<()> {
    let mut dave = LineClient::connect(&stage.socket).await?;
    dave.ask(r#"{"op":"hello","id":N,"name":"dave"}"#).await?;
    dave.ask(r#"{"op":"sub","id":N,"pattern":"self.sensor.>"}"#).await?;
    let mut lags = stage.bob.subscribe("self.bus.lag").await?;
    let bobs = stage.bob.subscribe("self.sensor.>").await?;
    let published = quantity::count(PUBLISHED);
    report.tell(&format!(
        "carol publishes {published} messages of 1 KB. bob reads them; dave subscribed too, and \
         reads none. A queue holds 256 KiB here"
    ));
    publish(&stage.socket, bobs).await?;
    report.seen(&format!("bob got all {published}; dave slowed down nobody"));

    report.tell("now dave reads");
    let account = read(report, &mut dave).await?;
    let Account { received, missed } = account;
    ensure!(missed > 0, "dave missed nothing, so there was nothing to be shown");
    ensure!(received + missed == PUBLISHED, "{received} received and {missed} missed");
    let (received, missed) = (quantity::count(received), quantity::count(missed));
    report.seen(&format!("{received} received + {missed} missed = {published} published"));

    let notice = next(&mut lags).await?;
    let text = notice.text().unwrap_or_default();
    ensure!(text.contains("\"name\":\"dave\""), "bus.lag names somebody else: {text}");
    report.seen(&format!("everybody who wants to know can see who it was: bus.lag {text}"));
    Ok(())
}

/// Publishes everything, each batch when the fast reader has got the one before.
async fn publish(socket: &Path, mut fast: Subscription) -> Result<()> {
    let carol = connect(socket, "carol").await?;
    let padding = "x".repeat(PADDING);
    for batch in 0..BATCHES {
        for n in batch * BATCH..(batch + 1) * BATCH {
            let payload = format!(r#"{{"n":{n},"padding":"{padding}"}}"#);
            carol.post(Publish::json("sensor.reading", payload)).await?;
        }
        for n in batch * BATCH..(batch + 1) * BATCH {
            let message = next(&mut fast).await.context("bob")?;
            let begin = format!("{{\"n\":{n},");
            ensure!(message.payload().starts_with(begin.as_bytes()), "bob got another than {n}");
        }
    }
    Ok(carol.close().await?)
}

/// What the slow reader got, and what it was told that it missed.
struct Account {
    received: u64,
    missed: u64,
}

/// Reads until every message is accounted for. Each notice has to stand where messages are missing.
async fn read(report: &mut Report, dave: &mut LineClient) -> Result<Account> {
    let mut account = Account { received: 0, missed: 0 };
    while account.received + account.missed < PUBLISHED {
        let heard = dave.next().await?;
        let expected = account.received + account.missed;
        if heard.text("op") == "lag" {
            report.tell(&format!("dave ← {}", quantity::messages(account.received)));
            report.received("dave", &heard.line);
            let count = heard.value.get("count").and_then(Value::as_u64);
            account.missed += count.context("a lag notice without count")?;
        } else {
            let n = heard.payload().get("n").and_then(Value::as_u64);
            ensure!(n == Some(expected), "message {n:?} stands where {expected} should");
            account.received += 1;
        }
    }
    Ok(account)
}
