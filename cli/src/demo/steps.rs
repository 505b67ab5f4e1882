//! The steps of the demo but for the first, the slow reader's and the last: each does something on
//! the bus, shows it, and fails unless it was seen to work.

use super::report::Report;
use super::stage::{Stage, connect, json_of, next};
use anyhow::{Context, Result, ensure};
use kith_client::{Publish, RequestError, Subscribe};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

const JOBS: u64 = 10;

pub(super) async fn wildcards(report: &mut Report, stage: &mut Stage) -> Result<()> {
    let before = stage.delivered().await?;
    let line = r#"{"op":"sub","id":N,"pattern":"self.chess.>"}"#;
    let subscription = stage.ann_asks(report, line).await?.number();
    let mut moves = stage.bob.subscribe("self.chess.*.move").await?;
    report.tell("bob subscribes to self.chess.*.move (`*` is one token, ann's `>` is one or more)");

    let line = r#"{"op":"pub","id":N,"topic":"chess.7.move","payload":{"from":"e2","to":"e4"}}"#;
    stage.ann_asks(report, line).await?;
    let bobs = next(&mut moves).await?;
    report.tell(&format!("bob receives {} {}", bobs.topic(), bobs.text().unwrap_or_default()));
    let anns = stage.ann_hears(report).await?;
    let expected = json!({"from": "e2", "to": "e4"});
    ensure!(json_of(&bobs)? == expected && *anns.payload() == expected, "not the same payload");
    ensure!(bobs.scope().name() == "self" && anns.text("scope") == "self", "not of scope `self`");

    report.tell("bob publishes chess.7.clock.white {\"seconds\":60}");
    stage.bob.publish("chess.7.clock.white", "{\"seconds\":60}").await?;
    let clock = stage.ann_hears(report).await?;
    ensure!(clock.text("topic") == "chess.7.clock.white", "not the message that was published");
    let delivered = stage.delivered().await? - before;
    ensure!(delivered == 3, "{delivered} deliveries instead of 3");
    report.seen("the move reached both, the clock only ann: 2 published, 3 delivered");
    drop(moves);
    let unsubscribe = format!(r#"{{"op":"unsub","id":N,"sub":{}}}"#, subscription.unwrap_or(0));
    stage.ann.ask(&unsubscribe).await?;
    Ok(())
}

pub(super) async fn group(report: &mut Report, stage: &mut Stage) -> Result<()> {
    let line = r#"{"op":"sub","id":N,"pattern":"self.jobs.*","group":"workers"}"#;
    stage.ann_asks(report, line).await?;
    let mut bobs = stage.bob.subscribe_with(Subscribe::new("self.jobs.*").group("workers")).await?;
    report.tell(&format!("bob joins the group `workers` too, then publishes {JOBS} jobs"));
    let before = stage.delivered().await?;
    for job in 1..=JOBS {
        stage.bob.publish("jobs.paint", job.to_string()).await?;
    }
    let mut done: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for _ in 0..JOBS {
        let (who, job) = tokio::select! {
            heard = stage.ann.message() => ("ann", heard?.payload().as_u64()),
            message = next(&mut bobs) => ("bob", json_of(&message?)?.as_u64()),
        };
        done.entry(who).or_default().push(job.context("a job without number")?);
    }
    let mut all: Vec<_> = done.values().flatten().copied().collect();
    all.sort_unstable();
    ensure!(all.iter().copied().eq(1..=JOBS), "not each job once: {done:?}");
    let delivered = stage.delivered().await? - before;
    ensure!(delivered == JOBS, "{delivered} deliveries instead of {JOBS}");
    let shares = done.iter().map(|(who, jobs)| {
        let jobs = jobs.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        format!("{who} did {jobs}")
    });
    report.seen(&format!("each job was done once: {}", shares.collect::<Vec<_>>().join(", ")));
    Ok(())
}

pub(super) async fn kept(report: &mut Report, stage: &mut Stage) -> Result<()> {
    report.tell("bob publishes lamp.state {\"on\":true}, to be kept; nobody listens");
    stage.bob.send(Publish::json("lamp.state", "{\"on\":true}").retain()).await?;
    let line = r#"{"op":"sub","id":N,"pattern":"self.lamp.*","retained":true}"#;
    stage.ann_asks(report, line).await?;
    let state = stage.ann_hears(report).await?;
    ensure!(*state.payload() == json!({"on": true}), "not the kept value");
    ensure!(state.value.get("retained") == Some(&Value::Bool(true)), "not marked as kept");
    report.seen("ann came late and got it all the same, marked as `retained`");
    Ok(())
}

pub(super) async fn request(report: &mut Report, stage: &mut Stage) -> Result<()> {
    stage.ann_asks(report, r#"{"op":"sub","id":N,"pattern":"self.clock.now"}"#).await?;
    report.tell("bob requests clock.now \"UTC\"");
    let bob = stage.bob.clone();
    let answering = async {
        let asked = stage.ann_hears(report).await?;
        let topic = asked.text("reply_to");
        let line = format!(r#"{{"op":"pub","id":N,"topic":"{topic}","payload":"12:34"}}"#);
        stage.ann_asks(report, &line).await
    };
    let (reply, answered) = tokio::join!(bob.request("clock.now", "\"UTC\""), answering);
    answered?;
    let reply = reply?;
    ensure!(json_of(&reply)? == json!("12:34"), "not the reply that ann gave");
    report.tell("bob gets the reply \"12:34\"; now the other way round");

    let mut rolls = stage.bob.subscribe("self.dice.roll").await?;
    let line = r#"{"op":"req","id":N,"topic":"dice.roll","payload":{"sides":6}}"#;
    let line = stage.ann.send(line).await?;
    report.sent("ann", &line);
    let asked = next(&mut rolls).await?;
    stage.bob.reply(&asked, "4").await?;
    let reply = stage.ann.answer().await?;
    report.received("ann", &reply.line);
    ensure!(reply.text("op") == "reply" && *reply.payload() == json!(4), "not bob's reply");
    report.seen("ann answered bob, and bob answered ann");
    Ok(())
}

pub(super) async fn nobody(report: &mut Report, stage: &mut Stage) -> Result<()> {
    let asked_at = Instant::now();
    let line = r#"{"op":"req","id":N,"topic":"nobody.home","payload":null,"timeout_ms":60000}"#;
    let line = stage.ann.send(line).await?;
    let answer = stage.ann.answer().await?;
    let waited = asked_at.elapsed();
    report.sent("ann", &line);
    report.received("ann", &answer.line);
    ensure!(answer.text("code") == "no-responders", "not `no-responders`");
    let bobs = stage.bob.request("nobody.home", "null").await;
    ensure!(bobs == Err(RequestError::NoResponders), "bob was told something else");
    let ms = waited.as_secs_f64() * 1000.0;
    report.seen(&format!("both were told at once (ann after {ms:.1} ms), not after a time-out"));
    Ok(())
}

pub(super) async fn will(report: &mut Report, stage: &mut Stage) -> Result<()> {
    stage.ann_asks(report, r#"{"op":"sub","id":N,"pattern":"self.presence.*"}"#).await?;
    let before = stage.delivered().await?;
    for (name, topic) in [("carol", "presence.carol"), ("dave", "presence.dave")] {
        let client = connect(&stage.socket, name).await?;
        client.set_will(Publish::json(topic, "{\"online\":false}")).await?;
        report.tell(&format!("{name} connects, and leaves the will {topic} {{\"online\":false}}"));
        if name == "dave" {
            client.close().await?;
            report.tell("dave says goodbye");
        } else {
            drop(client);
            report.tell("carol's connection breaks off");
        }
    }
    let heard = stage.ann_hears(report).await?;
    ensure!(heard.text("topic") == "presence.carol", "not carol's will");
    let delivered = stage.delivered().await? - before;
    ensure!(delivered == 1, "{delivered} wills were published instead of carol's alone");
    report.seen("carol's will was published; dave, who said goodbye, took his along");
    Ok(())
}
