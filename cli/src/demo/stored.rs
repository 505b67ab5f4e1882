//! The step of the stored message: the daemon is killed between the answer *stored* and the reader.
//!
//! Nothing of the old daemon is asked for anything: what the new one has, it has from the disk.

use super::BUS;
use super::daemon_process::DaemonProcess;
use super::line_client::LineClient;
use super::report::Report;
use super::stage::{Stage, connect, json_of};
use anyhow::{Context, Result, ensure};
use kith_client::Subscribe;
use serde_json::json;
use std::path::Path;

pub(super) async fn stored(
    report: &mut Report,
    stage: &mut Stage,
    daemon: &mut DaemonProcess,
    folder: &Path,
) -> Result<()> {
    let carol = connect(&stage.socket, "carol").await?;
    let _inbox = carol.subscribe_with(Subscribe::new("self.mail.new").durable("inbox")).await?;
    carol.close().await?;
    report.tell("carol subscribes to self.mail.new as `inbox`, and leaves; what comes waits");
    let line = r#"{"op":"pub","id":N,"topic":"mail.new","payload":"hi","until":"stored"}"#;
    let answer = stage.ann_asks(report, line).await?;
    ensure!(answer.text("state") == "stored", "not stored");

    let id = daemon.id().context("the daemon has ended by itself")?;
    report.tell(&format!("kill -KILL {id}, at once; then a new daemon on the same files"));
    daemon.kill().await?;
    *daemon = DaemonProcess::start(folder, BUS)?;
    daemon.ready().await?;
    stage.ann = LineClient::connect(&stage.socket).await?;
    stage.bob = connect(&stage.socket, "bob").await?;

    let line = r#"{"op":"sub","id":N,"pattern":"self.mail.new","durable":"inbox"}"#;
    let number = stage.ann_asks(report, line).await?.number().context("no number")?;
    let heard = stage.ann_hears(report).await?;
    ensure!(*heard.payload() == json!("hi"), "not the message that was stored");
    ensure!(heard.value.get("attempt") == Some(&json!(1)), "it has been delivered before");
    let message = heard.text("msg_id");
    let line = format!(r#"{{"op":"ack","id":N,"sub":{number},"msg_id":"{message}"}}"#);
    stage.ann_asks(report, &line).await?;
    let consumers = json_of(&stage.bob.request("bus.consumers", "null").await?)?;
    let waiting = consumers.pointer("/consumers/0/waiting");
    ensure!(waiting == Some(&json!(0)), "something still waits: {consumers}");
    report.seen("the new daemon had the message on the disk, and ann got it as `inbox`, once");
    Ok(())
}
