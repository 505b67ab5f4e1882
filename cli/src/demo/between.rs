//! The steps between people: each shows what reaches whom, and fails unless just that was seen.
//!
//! That something does *not* come can't be waited for. What can be seen is the order: who wrote has
//! been told that the message is on a device's disk, and then a program hears its own marker as
//! the next thing. So *nothing else* here means nothing else until then.

use super::people::{Device, People, line};
use super::report::Report;
use crate::limits::DEMO_IN_VAIN_MS;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Instant;

pub(super) async fn invite(report: &mut Report, people: &mut People) -> Result<()> {
    let People { laptop, phone, bob, .. } = people;
    let phone_changes = phone.subscribe("self.people.changed").await?;
    let link = invited(report, phone, &json!({ "kind": "device" }), "kith invite --device").await?;
    report.tell("laptop: kith join LINK");
    laptop.inquire("people.join", &json!({ "link": link })).await?;
    phone.learns("identity").await?;
    let me = phone.inquire("people.me", &Value::Null).await?;
    let is_adopted = me.get("identity") == Some(&json!(laptop.identity));
    ensure!(is_adopted && me.get("devices") == Some(&json!(2)), "the phone is not ann's: {me}");
    report.seen("the phone is ann's: it has her identity, and her card lists both devices");

    let link = invited(report, laptop, &json!({ "petname": "bob" }), "kith invite bob").await?;
    report.tell("bob: kith join LINK --as ann");
    let began = Instant::now();
    let ann = bob.inquire("people.join", &json!({ "link": link, "petname": "ann" })).await?;
    let ms = began.elapsed().as_millis();
    phone.learns("befriended").await?;
    phone.unsubscribe(phone_changes).await?;
    let known = laptop.inquire("people.list", &Value::Null).await?;
    let mut known = known.as_array().into_iter().flatten();
    let row = known.find(|row| row.get("petname") == Some(&json!("bob")));
    let number = row.and_then(|row| row.get("safety_number")).and_then(Value::as_str);
    let number = number.context("the laptop does not know bob")?;
    ensure!(ann.get("safety_number") == Some(&json!(number)), "not the same safety number");
    report.seen(&format!("bob and ann are friends {ms} ms later; her phone knows it too"));
    report.seen(&format!("both see the same safety number: {number}"));

    report.tell("phone: kith friends add bob --at ADDRESS; on one network mDNS would find him");
    let asked = json!({ "person": "bob", "at": bob.endpoints });
    phone.inquire("people.add", &asked).await?;
    let hello = json!({ "topic": "hello", "payload": "hi", "to": "bob", "until": "delivered" });
    phone.does(report, "pub", &hello).await?;
    report.seen("the phone reached bob's computer, which has signed that it has the message");
    Ok(())
}

/// The link that a device gives out. It is a secret, and long: its beginning is shown.
async fn invited(
    report: &mut Report,
    device: &mut Device,
    asked: &Value,
    command: &str,
) -> Result<String> {
    let answer = device.inquire("people.invite", asked).await?;
    let link = answer.get("link").and_then(Value::as_str).context("no link")?;
    let shown: String = link.chars().take("kith://join/".len() + 8).collect();
    report.tell(&format!("{}: {command} ({shown}…, {} characters)", device.name, link.len()));
    Ok(link.to_owned())
}

pub(super) async fn scopes(report: &mut Report, people: &mut People) -> Result<[u64; 3]> {
    let People { laptop, phone, bob, .. } = people;
    report
        .tell("laptop, phone and bob each subscribe three times: to {self,friends,public}.talk.>");
    let own = subscribed(laptop).await?;
    let on_phone = subscribed(phone).await?;
    subscribed(bob).await?;

    let note = json!({
        "topic": "talk.note", "payload": "buy milk", "to": "self", "until": "delivered"
    });
    phone.does(report, "pub", &note).await?;
    let heard = laptop.hears(report).await?;
    let is_own = heard.text("scope") == "self" && heard.text("sender") == laptop.identity;
    ensure!(is_own && heard.subscription() == Some(own[0]), "not in the scope `self`");
    report.seen("ann's phone reached her laptop in the scope `self`");

    let hello = json!({
        "topic": "talk.hi", "payload": "hi ann", "to": "ann", "until": "delivered"
    });
    bob.does(report, "pub", &hello).await?;
    let heard = laptop.hears(report).await?;
    let too = phone.client.message().await?;
    for (heard, subscriptions) in [(&heard, own), (&too, on_phone)] {
        let is_bobs = heard.text("scope") == "friends" && heard.text("petname") == "bob";
        ensure!(is_bobs && heard.subscription() == Some(subscriptions[1]), "not from a friend");
    }
    ensure!(heard.text("sender") == bob.identity, "not from bob");
    for device in [laptop, phone, bob] {
        device.hears_nothing_else().await?;
    }
    report.seen("bob reached laptop and phone in the scope `friends`, once each");
    report.seen("no other of the nine subscriptions heard any of it");
    Ok(own)
}

async fn subscribed(device: &mut Device) -> Result<[u64; 3]> {
    let mut numbers = [0; 3];
    for (number, scope) in numbers.iter_mut().zip(["self", "friends", "public"]) {
        *number = device.subscribe(&format!("{scope}.talk.>")).await?;
    }
    Ok(numbers)
}

pub(super) async fn request(report: &mut Report, people: &mut People) -> Result<()> {
    let People { laptop, bob, .. } = people;
    laptop.subscribe("friends.clock.now").await?;
    laptop.subscribe("self.diary.today").await?;
    report.tell("laptop subscribes to friends.clock.now, and to self.diary.today");
    let began = Instant::now();
    let asking = json!({ "topic": "clock.now", "payload": "UTC", "to": "ann" });
    let sent = bob.client.send(&line("req", &asking)?).await?;
    report.sent(bob.name, &sent);
    let asked = laptop.hears(report).await?;
    let reply = json!({ "topic": asked.text("reply_to"), "payload": "12:34" });
    laptop.does(report, "pub", &reply).await?;
    let answer = bob.client.answer().await?;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    report.received(bob.name, &answer.line);
    let is_it = answer.text("op") == "reply" && *answer.payload() == json!("12:34");
    ensure!(is_it && answer.text("petname") == "ann", "not ann's reply");
    report.seen(&format!("ann's laptop answered bob, {ms:.1} ms after he asked"));

    let asking = json!({ "topic": "diary.today", "payload": null, "to": "ann" });
    let answer = bob.tries(report, "req", &asking).await?;
    ensure!(answer.text("code") == "no-responders", "not `no-responders`");
    report.seen("what answers ann alone does not exist for bob, and he is told so at once");
    Ok(())
}

pub(super) async fn stranger(
    report: &mut Report,
    people: &mut People,
    own: [u64; 3],
) -> Result<()> {
    let People { laptop, bob, carol, .. } = people;
    let changes = carol.subscribe("self.people.changed").await?;
    report.tell("carol: kith friends add ann's-identity ann --at ADDRESS; ann knows nothing of it");
    let asked = json!({ "person": laptop.identity, "petname": "ann", "at": laptop.endpoints });
    carol.inquire("people.add", &asked).await?;
    carol.learns("device-added").await?;
    carol.unsubscribe(changes).await?;
    for topic in ["talk.psst", "clock.now"] {
        let psst = json!({ "topic": topic, "payload": "psst", "to": "ann", "until": "sent" });
        carol.does(report, "pub", &psst).await?;
    }
    let heard = laptop.hears(report).await?;
    let is_public = heard.text("scope") == "public" && heard.subscription() == Some(own[2]);
    ensure!(is_public && heard.text("sender") == carol.identity, "not in the scope `public`");
    let asking = json!({
        "topic": "clock.now", "payload": "UTC", "to": "ann", "timeout_ms": DEMO_IN_VAIN_MS
    });
    let answer = carol.tries(report, "req", &asking).await?;
    ensure!(answer.text("code") == "timeout", "carol was answered");
    for device in [laptop, bob] {
        device.hears_nothing_else().await?;
    }
    report.seen("carol reached the subscription to public.talk.> and no other");
    report.seen("friends.clock.now heard neither her message nor her request");
    Ok(())
}

pub(super) async fn removed(report: &mut Report, people: &mut People) -> Result<()> {
    let People { laptop, phone, bob, .. } = people;
    let changes = bob.subscribe("self.people.changed").await?;
    report.tell("laptop: kith devices remove phone");
    laptop.inquire("people.removeDevice", &json!({ "device": "phone" })).await?;
    bob.learns("device-removed").await?;
    bob.unsubscribe(changes).await?;

    let after = |to: &str| {
        let (topic, payload, until) = ("talk.after", "alone?", "delivered");
        json!({ "topic": topic, "payload": payload, "to": to, "until": until })
    };
    bob.does(report, "pub", &after("ann")).await?;
    let heard = laptop.hears(report).await?;
    ensure!(heard.text("topic") == "talk.after", "not bob's message");
    let answer = bob.tries(report, "pub", &after("ann/phone")).await?;
    ensure!(answer.text("code") == "unknown-recipient", "the phone is still known");
    let lost = json!({
        "topic": "talk.lost", "payload": "hello?", "to": "bob", "until": "sent",
        "expire_after_ms": DEMO_IN_VAIN_MS
    });
    let answer = phone.tries(report, "pub", &lost).await?;
    // The one if it has been shown the new card, the other if it was hung up on before.
    let is_lost = ["not-available", "not-delivered"].contains(&answer.text("code"));
    ensure!(is_lost, "the phone still reaches bob");
    for device in [laptop, phone, bob] {
        device.hears_nothing_else().await?;
    }
    report.seen("bob's message reached ann's laptop; her phone got nothing any more");
    report.seen("for bob the phone is gone, and what it sends reaches nobody");
    Ok(())
}
