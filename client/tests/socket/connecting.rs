//! Connecting, and saying goodbye.

use super::daemon::{Daemon, PAYLOAD_BYTES_MAX};
use kith_client::{
    Client, CloseError, Code, ConnectError, Incoming, InvalidMessage, Loss, Publish, PublishError,
    Reconnect, SubscribeError,
};
use std::io::ErrorKind;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_not_there_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("nowhere.sock");
    match Client::builder().path(&nowhere).connect().await.unwrap_err() {
        ConnectError::NotListening { path, source } => {
            assert_eq!((path, source.kind()), (nowhere, ErrorKind::NotFound));
        }
        other => panic!("{other:?}"),
    }

    let daemon = Daemon::start();
    let path = daemon.path();
    let _directory = daemon.stop();
    match Client::builder().path(&path).connect().await.unwrap_err() {
        ConnectError::NotListening { path: found, source } => {
            assert_eq!((found, source.kind()), (path, ErrorKind::ConnectionRefused));
        }
        other => panic!("{other:?}"),
    }

    let long = "x".repeat(200);
    let error = Client::builder().path(long).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
    let error = Client::builder().path("x").name("a\nb").connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Name(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_does_not_want_us_says_so() {
    let line = r#"{"op":"err","code":"not-allowed","text":"another user","fatal":true}"#;
    let line = format!("{line}\n");
    for (said, code) in [
        (line.as_bytes(), Some(Code::NotAllowed)),
        (b"KTH\x02", None),
        (b"KTH\x01", None),
        (b"HTTP", None),
    ] {
        let daemon = Daemon::start();
        let builder = Client::builder().path(daemon.path());
        let refuse = async {
            let mut peer = daemon.accept_silently().await;
            peer.write(said).await;
        };
        let (client, ()) = tokio::join!(builder.connect(), refuse);
        match (said, client.unwrap_err()) {
            (b"KTH\x02", ConnectError::Version { ours: 1, theirs: 2 })
            | (b"KTH\x01", ConnectError::Lost(_))
            | (b"HTTP", ConnectError::Lost(Loss::Unreadable(_))) => {}
            (_, ConnectError::Refused { code: found, text }) => {
                assert_eq!((found, text.as_str()), (code, "another user"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_does_not_answer_is_given_up() {
    let daemon = Daemon::start();
    let builder = Client::builder().path(daemon.path());
    let (client, _peer) = tokio::join!(builder.connect(), daemon.accept_silently());
    let error = client.unwrap_err();
    assert!(matches!(error, ConnectError::Lost(Loss::Silent)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_daemons_limit_of_payloads_is_kept() {
    let daemon = Daemon::start();
    let builder = Client::builder().path(daemon.path()).name("test");
    let greet = async {
        let mut peer = daemon.accept_silently().await;
        peer.welcome(4).await;
        peer
    };
    let (client, _peer) = tokio::join!(builder.connect(), greet);
    let error = client.unwrap().publish("a", "12345").await.unwrap_err();
    let too_large = InvalidMessage::TooLarge { bytes: 5, bytes_max: 4 };
    assert_eq!(error, PublishError::Invalid(too_large));
}

#[tokio::test(start_paused = true)]
async fn closing_says_goodbye_after_everything_else() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let serve = async {
        let number = peer.subscribed("self.a").await;
        for topic in ["one", "two"] {
            peer.expect(&format!("pub {topic}")).await;
        }
        let bye = peer.expect("bye").await;
        peer.run(number, ["1".to_owned()].into_iter()).await;
        peer.ok(bye).await;
        drop(peer);
    };
    let ask = async {
        let mut subscription = client.subscribe("self.a").await.unwrap();
        client.post(Publish::json("one", "1")).await.unwrap();
        client.post(Publish::json("two", "2")).await.unwrap();
        client.clone().close().await.unwrap();
        client.close().await.unwrap();

        assert!(matches!(subscription.next().await, Some(Incoming::Message(_))));
        assert_eq!(subscription.next().await, None);
        let closed = SubscribeError::Disconnected(Loss::Closed);
        assert_eq!(subscription.ended(), Some(closed.clone()));
        let error = client.publish("a", "1").await.unwrap_err();
        assert_eq!(error, PublishError::Disconnected(Loss::Closed));
        assert_eq!(client.subscribe("self.a").await.unwrap_err(), closed);
    };
    tokio::join!(serve, ask);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_is_not_answered_is_an_error_in_the_end() {
    let daemon = Daemon::start();
    let (client, _peer) = daemon.client().await;
    let error = client.close().await.unwrap_err();
    assert_eq!(error, CloseError::Disconnected(Loss::Silent));

    let (client, peer) = daemon.client().await;
    drop(peer);
    let error = client.close().await.unwrap_err();
    assert!(matches!(error, CloseError::Disconnected(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_sends_what_was_posted_and_says_no_goodbye() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    client.post(Publish::json("one", "1")).await.unwrap();
    client.clone().post(Publish::json("two", "1")).await.unwrap();
    drop(client);
    peer.expect("pub one").await;
    peer.expect("pub two").await;
    assert_eq!(peer.hear_or_end().await, None);

    // A subscription keeps the connection.
    let (client, mut peer) = daemon.client().await;
    let (subscription, number) =
        tokio::join!(client.subscribe("self.a"), peer.subscribed("self.a"));
    let mut subscription = subscription.unwrap();
    drop(client);
    peer.run(number, ["1".to_owned()].into_iter()).await;
    assert!(matches!(subscription.next().await, Some(Incoming::Message(_))));
    drop(subscription);
    peer.expect(&format!("unsub {number}")).await;
    assert_eq!(peer.hear_or_end().await, None);
}

#[tokio::test(start_paused = true)]
async fn without_reconnecting_everything_ends_with_the_connection() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client_that(Reconnect::Never).await;
    let (subscription, _) = tokio::join!(client.subscribe("self.a"), peer.subscribed("self.a"));
    let mut subscription = subscription.unwrap();
    let (published, ()) = tokio::join!(client.publish("a", "1"), async {
        peer.expect("pub a").await;
        drop(peer);
    });
    let error = published.unwrap_err();
    assert!(matches!(error, PublishError::Disconnected(_)), "{error:?}");
    assert_eq!(subscription.next().await, None);
    assert!(matches!(subscription.ended(), Some(SubscribeError::Disconnected(_))));
    assert!(client.post(Publish::json("a", "1")).await.is_err());
}

#[test]
fn a_client_whose_runtime_is_gone_fails_and_does_not_hang() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let first = runtime();
    let (daemon, client, _peer) = first.block_on(async {
        let daemon = Daemon::start();
        let (client, peer) = daemon.client().await;
        (daemon, client, peer)
    });
    drop(first);
    let _guard = daemon;
    let published = runtime().block_on(async {
        tokio::time::timeout(Duration::from_secs(1), client.publish("a", "1")).await
    });
    let closed = PublishError::Disconnected(Loss::Closed);
    assert_eq!(published.unwrap().unwrap_err(), closed);
}

#[tokio::test(start_paused = true)]
async fn large_payloads_go_both_ways() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let large = vec![7_u8; PAYLOAD_BYTES_MAX];
    let (subscription, number) =
        tokio::join!(client.subscribe("*/self.>"), async { peer.subscribed("*/self.>").await });
    let mut subscription = subscription.unwrap();
    let echo = async {
        let heard = peer.hear().await;
        assert_eq!(heard.what, "pub large");
        let delivery = super::daemon::delivery("large", &heard.payload);
        peer.message(number, delivery).await;
        peer.ok(heard.number).await;
    };
    let message = Publish::bytes("large", "bt", &large);
    let (sent, ()) = tokio::join!(client.send(message), echo);
    sent.unwrap();
    match subscription.next().await {
        Some(Incoming::Message(message)) => assert!(message.payload() == large),
        other => panic!("{other:?}"),
    }
}
