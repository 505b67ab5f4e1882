//! Durable subscriptions as a program sees them: what it acknowledges, and what it is told.

use super::daemon::{Daemon, Peer, delivery, id};
use kith_client::limits::ACKNOWLEDGEMENTS_MAX;
use kith_client::{
    AcknowledgeError, BackgroundError, Client, Code, Incoming, Message, Publish, PublishError,
    Since, Subscribe, SubscribeError, Subscription,
};
use kith_wire::{Delivery, Event};
use std::num::NonZeroU32;

const SAID: &str = "self.a as d since";

async fn durable(client: &Client, peer: &mut Peer) -> (Subscription, u32) {
    let asked = client.subscribe_with(Subscribe::new("self.a").durable("d").since(Since::Start));
    let (subscription, number) = tokio::join!(asked, peer.subscribed(SAID));
    (subscription.unwrap(), number)
}

async fn deliver(peer: &mut Peer, number: u32, last: u8, attempt: u32) {
    let (message_id, attempt) = (id(last), NonZeroU32::new(attempt));
    peer.message(number, Delivery { message_id, attempt, ..delivery("a", b"1") }).await;
}

async fn message(subscription: &mut Subscription) -> Message {
    match subscription.next().await {
        Some(Incoming::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_acknowledged_and_come_again_after_a_reconnect_without_a_gap() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let (mut subscription, number) = durable(&client, &mut peer).await;
    for last in 1..=3 {
        deliver(&mut peer, number, last, 1).await;
    }
    for _ in 1..=2 {
        let message = message(&mut subscription).await;
        assert_eq!(message.attempt(), NonZeroU32::new(1));
        subscription.acknowledge(&message).unwrap();
    }
    peer.expect(&format!("ack {number} of 2")).await;
    let third = message(&mut subscription).await;
    drop(peer);

    let mut peer = daemon.accept().await;
    assert_eq!(peer.subscribed("self.a as d").await, number);
    deliver(&mut peer, number, 3, 2).await;
    let again = message(&mut subscription).await;
    assert_eq!((again.id(), again.attempt()), (third.id(), NonZeroU32::new(2)));
    let (acknowledged, ()) = tokio::join!(subscription.acknowledge_and_wait(&again), async {
        let request = peer.expect(&format!("ack {number} of 1")).await;
        peer.ok(request).await;
    });
    acknowledged.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_told_to_who_waits_and_else_to_who_listens() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let (mut subscription, number) = durable(&client, &mut peer).await;
    deliver(&mut peer, number, 1, 1).await;
    let message = message(&mut subscription).await;
    let (refused, ()) = tokio::join!(subscription.acknowledge_and_wait(&message), async {
        let request = peer.expect(&format!("ack {number} of 1")).await;
        peer.refuse(request, Code::UnknownMessage).await;
    });
    let (code, text) = (Some(Code::UnknownMessage), "no".to_owned());
    assert_eq!(refused, Err(AcknowledgeError::Refused { code, text: text.clone() }));

    subscription.acknowledge(&message).unwrap();
    let request = peer.expect(&format!("ack {number} of 1")).await;
    peer.refuse(request, Code::UnknownMessage).await;
    let error = client.errors().next().await;
    assert_eq!(error, Some(BackgroundError::Acknowledge { code, text }));
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_are_bounded() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let (mut subscription, number) = durable(&client, &mut peer).await;
    deliver(&mut peer, number, 1, 1).await;
    let message = message(&mut subscription).await;
    for _ in 0..ACKNOWLEDGEMENTS_MAX {
        subscription.acknowledge(&message).unwrap();
    }
    assert_eq!(subscription.acknowledge(&message), Err(AcknowledgeError::Full));
    // One frame of 256 is answered, so there is room for as many.
    let request = peer.expect(&format!("ack {number} of 256")).await;
    peer.ok(request).await;
    client.try_post(&Publish::json("a", "1")).unwrap();
    while peer.hear().await.what != "pub a" {}
    tokio::task::yield_now().await;
    for _ in 0..256 {
        subscription.acknowledge(&message).unwrap();
    }
    assert_eq!(subscription.acknowledge(&message), Err(AcknowledgeError::Full));

    client.close().await.unwrap_err();
    let error = subscription.acknowledge(&message).unwrap_err();
    assert!(matches!(error, AcknowledgeError::Disconnected(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_is_found_before_it_is_said() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let error = client.subscribe_with(Subscribe::new("self.a").durable("a.b")).await.unwrap_err();
    assert!(matches!(error, SubscribeError::Consumer(_)), "{error:?}");

    let (subscription, number) =
        tokio::join!(client.subscribe("self.a"), peer.subscribed("self.a"));
    let mut subscription = subscription.unwrap();
    peer.message(number, delivery("a", b"1")).await;
    let message = message(&mut subscription).await;
    let not_durable = Err(AcknowledgeError::NotDurable { topic: "a".to_owned() });
    assert_eq!(subscription.acknowledge(&message), not_durable);
    assert_eq!(subscription.acknowledge_and_wait(&message).await, not_durable);
}

#[tokio::test(start_paused = true)]
async fn a_publish_says_whether_it_is_stored() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let mut answers = Vec::new();
    for (until_stored, stored) in [(true, true), (true, false), (false, false)] {
        let message = Publish::json("a", "1").id(id(1));
        let message = if until_stored { message.until_stored() } else { message };
        let (published, ()) = tokio::join!(client.send(message), async {
            let heard = peer.hear().await;
            let (number, message_id) = (NonZeroU32::new(heard.number).unwrap(), heard.id);
            peer.say(&Event::Ok { number, message_id, duplicate: true, stored }).await;
        });
        answers.push(published.map(|published| published.stored));
    }
    let not_stored = PublishError::NotStored { id: id(1), duplicate: true };
    assert_eq!(answers, [Ok(true), Err(not_stored), Ok(false)]);
}
