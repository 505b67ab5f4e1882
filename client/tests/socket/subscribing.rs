//! Subscriptions, and what stands in their streams.

use super::daemon::{Daemon, SENT_AT_MS, delivery, id};
use kith_client::limits::INBOX_MESSAGES_MAX;
use kith_client::{Code, Incoming, Message, Scope, Subscribe, SubscribeError, Subscription};
use std::time::Duration;
use tokio::time::timeout;

async fn message(subscription: &mut Subscription) -> Message {
    match subscription.next().await {
        Some(Incoming::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_received_message_by_message() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let asked = Subscribe::new("self.test.*").group("g").retained();
    let (subscription, number) =
        tokio::join!(client.subscribe_with(asked), peer.subscribed("self.test.* in g retained"));
    let mut subscription = subscription.unwrap();
    peer.run(number, (0..3).map(|n| n.to_string())).await;
    peer.message(number, delivery("test.last", b"3")).await;
    for n in 0..3_u8 {
        let message = message(&mut subscription).await;
        assert_eq!(message.text(), Some(n.to_string().as_str()));
        assert_eq!((message.topic(), message.id()), ("test.run", id(n)));
        assert_eq!((message.scope(), message.sent_at_ms()), (Scope::Own, SENT_AT_MS));
    }
    assert_eq!(message(&mut subscription).await.topic(), "test.last");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_subscription_is_none() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let error = client.subscribe("test").await.unwrap_err();
    assert!(matches!(error, SubscribeError::Pattern(_)), "{error:?}");
    let error = client.subscribe_with(Subscribe::new("self.a").group("a.b")).await.unwrap_err();
    assert!(matches!(error, SubscribeError::Group(_)), "{error:?}");

    let (refused, ()) = tokio::join!(client.subscribe("self.a"), async {
        let number = peer.expect("sub self.a").await;
        peer.refuse(number, Code::QuotaSubscriptions).await;
    });
    let code = Some(Code::QuotaSubscriptions);
    assert_eq!(refused.unwrap_err(), SubscribeError::Refused { code, text: "no".into() });
}

#[tokio::test(start_paused = true)]
async fn dropping_a_subscription_unsubscribes() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let (subscription, number) =
        tokio::join!(client.subscribe("self.a"), peer.subscribed("self.a"));
    drop(subscription);
    peer.expect(&format!("unsub {number}")).await;

    // One that nobody waits for any more, before it was answered.
    let asked = timeout(Duration::from_secs(1), client.subscribe("self.b")).await;
    assert!(asked.is_err());
    let number = peer.expect("sub self.b").await;
    peer.expect(&format!("unsub {number}")).await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_nobody_reads_holds_up_nothing() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let ((unread, other), (first, second)) = tokio::join!(
        async { tokio::join!(client.subscribe("self.test.>"), client.subscribe("self.other")) },
        async { (peer.subscribed("self.test.>").await, peer.subscribed("self.other").await) }
    );
    let (mut unread, mut other) = (unread.unwrap(), other.unwrap());

    let too_many = 1234;
    let serve = async {
        for start in (0..INBOX_MESSAGES_MAX + too_many).step_by(1000) {
            let end = (start + 1000).min(INBOX_MESSAGES_MAX + too_many);
            peer.run(first, (start..end).map(|n| n.to_string())).await;
        }
        peer.message(second, delivery("other", b"1")).await;
        let number = peer.expect("ping").await;
        peer.ok(number).await;
    };
    let (ping, received, ()) = tokio::join!(client.ping(), message(&mut other), serve);
    ping.unwrap();
    assert_eq!(received.topic(), "other");

    for n in 0..INBOX_MESSAGES_MAX {
        assert_eq!(message(&mut unread).await.text(), Some(n.to_string().as_str()));
    }
    let lag = Incoming::Lag { count: too_many as u64 };
    assert_eq!(unread.next().await, Some(lag));
    peer.run(first, ["again".to_owned()].into_iter()).await;
    assert_eq!(message(&mut unread).await.text(), Some("again"));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_a_stream() {
    fn check(_: &mut (impl futures_core::Stream<Item = Incoming> + Unpin + Send)) {}
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let (subscription, _) = tokio::join!(client.subscribe("self.a"), peer.subscribed("self.a"));
    check(&mut subscription.unwrap());
}
