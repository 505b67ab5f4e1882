//! Losing the connection, and what is found when it is back.

use super::daemon::{Daemon, delivery, ok};
use kith_client::{
    BackgroundError, CloseError, Incoming, Loss, PingError, PostError, Publish, RequestError,
};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn a_publish_whose_answer_was_lost_is_repeated_by_the_same_client() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let serve = async {
        let first = peer.hear().await;
        let who = peer.client;
        drop(peer);
        let mut peer = daemon.accept().await;
        let second = peer.hear().await;
        assert_eq!((second.id, second.payload), (first.id, first.payload));
        assert_eq!(peer.client, who);
        peer.say(&ok(second.number, second.id, true)).await;
        (peer, first.id)
    };
    let (published, (mut peer, id)) = tokio::join!(client.publish("a", "1"), serve);
    let published = published.unwrap();
    assert_eq!((Some(published.id), published.duplicate), (id, true));

    drop(client);
    assert_eq!(peer.hear_or_end().await, None, "and only once");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_are_back_with_a_gap() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let (subscription, number) =
        tokio::join!(client.subscribe("self.a"), peer.subscribed("self.a"));
    let mut subscription = subscription.unwrap();
    peer.message(number, delivery("a", b"1")).await;
    drop(peer);
    let mut peer = daemon.accept().await;
    let number = peer.subscribed("self.a").await;
    peer.message(number, delivery("a", b"2")).await;
    let mut texts = Vec::new();
    for _ in 0..3 {
        texts.push(match subscription.next().await {
            Some(Incoming::Message(message)) => message.text().map(str::to_owned),
            Some(Incoming::Gap) => None,
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(texts, [Some("1".to_owned()), None, Some("2".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_away_for_long_is_waited_for() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let set = client.set_will(Publish::json("gone", "1"));
    let (set, ()) = tokio::join!(set, async {
        let number = peer.expect("will gone").await;
        peer.ok(number).await;
    });
    set.unwrap();
    let path = daemon.path();
    let directory = daemon.stop();
    drop(peer);
    std::fs::remove_file(&path).unwrap();

    // Nobody is there: what has to be answered by somebody fails, the rest waits.
    let error = client.ping().await.unwrap_err();
    assert!(matches!(error, PingError::Disconnected(_)), "{error:?}");
    let error = client.request("a", "1").await.unwrap_err();
    assert!(matches!(error, RequestError::Disconnected(_)), "{error:?}");

    let begin = tokio::time::Instant::now();
    let come_back = async {
        tokio::time::advance(Duration::from_secs(600)).await;
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = Daemon::from_parts(listener, directory);
        let mut peer = daemon.accept().await;
        let number = peer.expect("will gone").await;
        peer.ok(number).await;
        let heard = peer.hear().await;
        assert_eq!(heard.what, "pub b");
        peer.ok(heard.number).await;
        peer.expect("pub c").await;
        peer
    };
    let ask = async {
        let published = client.publish("b", "1");
        let (published, posted) = tokio::join!(published, client.post(Publish::json("c", "1")));
        published.unwrap();
        posted.unwrap();
    };
    tokio::join!(ask, come_back);
    assert!(begin.elapsed().as_secs() <= 606, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn with_too_much_waiting_for_a_daemon_one_can_still_ask_and_leave() {
    let daemon = Daemon::start();
    let (client, peer) = daemon.client().await;
    let path = daemon.path();
    let _directory = daemon.stop();
    drop(peer);
    std::fs::remove_file(&path).unwrap();
    let payload = vec![0; 64 << 10];
    let post = || client.post(Publish::bytes("a", "bt", &payload));
    while let Ok(posted) = timeout(Duration::from_secs(1), post()).await {
        posted.unwrap();
    }
    let error = client.ping().await.unwrap_err();
    assert_eq!(error, PingError::Disconnected(Loss::NotConnected));
    let mut errors = client.errors();
    let (posted, closed) = tokio::join!(post(), client.close());
    assert_eq!(posted.unwrap_err(), PostError::Disconnected(Loss::Closed));
    assert_eq!(closed.unwrap_err(), CloseError::Disconnected(Loss::NotConnected));
    assert!(matches!(errors.next().await, Some(BackgroundError::Lost { count: 63.. })));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_up_at_once_is_not_hammered() {
    let daemon = Daemon::start();
    let (client, peer) = daemon.client().await;
    drop(peer);
    let begin = tokio::time::Instant::now();
    for _ in 0..20 {
        drop(daemon.accept().await);
    }
    let waited = begin.elapsed();
    assert!(waited.as_secs() >= 30, "{waited:?}");
    drop(client);
}
