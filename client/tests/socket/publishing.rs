//! Publishing and posting.

use super::daemon::{Daemon, delivery, id, ok};
use kith_client::{
    BackgroundError, Code, InvalidMessage, Message, PostError, Publish, PublishError, ReplyError,
    TryPostError,
};
use kith_wire::Topic;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn a_publish_waits_for_its_answer() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let serve = async {
        let first = peer.hear().await;
        let second = peer.hear().await;
        assert_eq!((first.what.as_str(), first.payload.as_slice()), ("pub test.hello", &b"1"[..]));
        assert_eq!((second.what.as_str(), second.id), ("pub b", Some(id(9))));
        peer.refuse(second.number, Code::ReservedTopic).await;
        peer.say(&ok(first.number, first.id, false)).await;
        first.id
    };
    let chosen = Publish::bytes("b", "bt", b"").id(id(9));
    let (first, second, given) =
        tokio::join!(client.publish("test.hello", "1"), client.send(chosen), serve);
    let published = first.unwrap();
    assert_eq!((Some(published.id), published.duplicate), (given, false));
    let refused = PublishError::Refused { code: Some(Code::ReservedTopic), text: "no".into() };
    assert_eq!(second.unwrap_err(), refused);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_sent_is_not() {
    let daemon = Daemon::start();
    let (client, _peer) = daemon.client().await;
    let error = client.publish("a..b", "1").await.unwrap_err();
    assert!(matches!(error, PublishError::Invalid(InvalidMessage::Topic(_))), "{error:?}");
    let error = client.post(Publish::bytes("a", "A", b"")).await.unwrap_err();
    assert!(matches!(error, PostError::Invalid(InvalidMessage::Protocol(_))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn posts_arrive_in_order_and_nobody_waits() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    for n in 0..1000 {
        client.post(Publish::json("a", n.to_string())).await.unwrap();
    }
    for n in 0..1000 {
        let heard = peer.hear().await;
        assert_eq!((heard.number, heard.id), (0, None));
        assert_eq!(heard.payload, n.to_string().into_bytes());
    }
    // Nobody waits for it, but it is asked whether they came.
    let number = peer.expect("ping").await;
    peer.ok(number).await;
    drop(peer);
    let mut errors = client.errors();
    let (_peer, error) =
        tokio::join!(daemon.accept(), timeout(Duration::from_secs(1), errors.next()));
    assert!(error.is_err(), "none is in doubt");
}

#[tokio::test(start_paused = true)]
async fn posting_waits_when_too_much_is_on_its_way() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let payload = vec![0; 64 << 10];
    let mut posted = 0_usize;
    loop {
        let post = client.post(Publish::bytes("a", "bt", &payload));
        match timeout(Duration::from_secs(1), post).await {
            Ok(result) => result.unwrap(),
            Err(_) => break,
        }
        posted += 1;
    }
    let full = client.try_post(&Publish::bytes("a", "bt", &payload));
    assert_eq!(full, Err(TryPostError::Full));
    // What is counted, and what the kernel holds.
    let held = posted * payload.len();
    assert!((4 << 20) - payload.len() <= held && held < 6 << 20, "{held}");

    // Whoever waited longest has its turn as soon as there is room.
    let (post, ()) = tokio::join!(client.post(Publish::json("b", "1")), async {
        for _ in 0..posted {
            peer.expect("pub a").await;
        }
        let heard = peer.hear().await;
        assert!(["ping", "pub b"].contains(&heard.what.as_str()), "{heard:?}");
    });
    post.unwrap();
    client.try_post(&Publish::json("c", "1")).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_with_posts_is_told() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    client.post(Publish::json("a", "1")).await.unwrap();
    peer.expect("pub a").await;
    peer.refuse(0, Code::BadPayload).await;
    let (ping, ()) = tokio::join!(client.ping(), async {
        let number = peer.expect("ping").await;
        peer.ok(number).await;
    });
    ping.unwrap();
    // It is kept for the first who asks.
    let mut errors = client.errors();
    let refused = BackgroundError::Refused { code: Some(Code::BadPayload), text: "no".into() };
    assert_eq!(errors.next().await, Some(refused));

    client.post(Publish::json("b", "1")).await.unwrap();
    client.post(Publish::json("c", "1")).await.unwrap();
    peer.expect("pub b").await;
    drop(peer);
    let mut late = client.errors();
    assert_eq!(errors.next().await, Some(BackgroundError::Lost { count: 2 }));
    assert_eq!(late.next().await, Some(BackgroundError::Lost { count: 2 }));
    drop(client);
    assert_eq!(errors.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn errors_that_nobody_reads_are_counted() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let unread = 10;
    for _ in 0..kith_client::limits::ERRORS_MAX + unread {
        peer.refuse(0, Code::BadPayload).await;
    }
    let (ping, ()) = tokio::join!(client.ping(), async {
        let number = peer.expect("ping").await;
        peer.ok(number).await;
    });
    ping.unwrap();
    let missed = BackgroundError::Missed { count: unread as u64 };
    assert_eq!(client.errors().next().await, Some(missed));
}

#[tokio::test(start_paused = true)]
async fn a_reply_goes_where_the_message_wants_it() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let (subscription, number) =
        tokio::join!(client.subscribe("self.a"), peer.subscribed("self.a"));
    let mut subscription = subscription.unwrap();
    let reply_to = Some(Topic::new("bus.reply.7").unwrap());
    peer.message(number, kith_wire::Delivery { reply_to, ..delivery("a", b"1") }).await;
    peer.message(number, delivery("a", b"2")).await;
    let mut messages: Vec<Message> = Vec::new();
    for _ in 0..2 {
        match subscription.next().await {
            Some(kith_client::Incoming::Message(message)) => messages.push(message),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(messages[0].reply_to(), Some("bus.reply.7"));
    let (replied, ()) = tokio::join!(client.reply(&messages[0], "42"), async {
        let heard = peer.hear().await;
        assert_eq!((heard.what.as_str(), &*heard.payload), ("pub bus.reply.7", &b"42"[..]));
        peer.ok(heard.number).await;
    });
    replied.unwrap();
    let error = client.reply(&messages[1], "42").await.unwrap_err();
    assert_eq!(error, ReplyError::NoReplyTopic { topic: "a".into() });
}
