//! The client library's way of handing over payloads, with the real daemon between two of them.

use crate::process::Daemon;
use kith_client::{Client, Incoming, Message, Publish, SealedMemory, Subscription};
use std::sync::Arc;

/// From here on a client maps what it gets.
const SIZE: usize = 1 << 20;
/// How often it is published.
const ROUNDS: usize = 10;

async fn message(subscription: &mut Subscription) -> Message {
    match subscription.next().await {
        Some(Incoming::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_payload_is_handed_over_between_clients_that_asked() {
    let daemon = Daemon::start();
    let before = daemon.open_files();
    let socket = daemon.place().socket();
    let connect = async |asks: bool| {
        let builder = Client::builder().path(&socket);
        let builder = if asks { builder.descriptors() } else { builder };
        builder.connect().await.unwrap()
    };
    let (publisher, taker, other) =
        (connect(true).await, connect(true).await, connect(false).await);
    let mut taken = taker.subscribe("raw/self.a").await.unwrap();
    let mut copied = other.subscribe("raw/self.a").await.unwrap();
    let memory = Arc::new(SealedMemory::create(&[7; SIZE]).unwrap());
    let read = Arc::new(SealedMemory::create(&[8; 100_000]).unwrap());
    let small = Arc::new(SealedMemory::create(b"small").unwrap());
    let publish_all = async {
        for _ in 0..ROUNDS {
            let header = Publish::sealed("a", "raw", &memory).header("key", "value");
            publisher.send(header).await.unwrap();
        }
        publisher.send(Publish::sealed("a", "raw", &read)).await.unwrap();
        publisher.send(Publish::sealed("a", "raw", &small)).await.unwrap();
        publisher.post(Publish::sealed("a", "raw", &memory)).await.unwrap();
        other.send(Publish::sealed("a", "raw", &memory)).await.unwrap();
    };
    let take_all = async {
        for _ in 0..ROUNDS {
            for (subscription, is_mapped) in [(&mut taken, true), (&mut copied, false)] {
                let message = message(subscription).await;
                assert_eq!(message.payload(), [7; SIZE]);
                assert_eq!(message.is_mapped(), is_mapped);
                assert_eq!(message.headers().get("key"), Some("value"));
            }
        }
        assert_eq!(message(&mut taken).await.payload(), [8; 100_000]);
        assert_eq!(message(&mut taken).await.payload(), b"small");
        for _ in 0..2 {
            let message = message(&mut taken).await;
            assert!(message.payload() == [7; SIZE] && !message.is_mapped());
        }
    };
    tokio::join!(publish_all, take_all);
    for client in [publisher, taker, other] {
        client.close().await.unwrap();
    }
    daemon.wait_for_open_files(before);
}

#[tokio::test]
async fn a_message_that_is_kept_outlives_its_connection() {
    let daemon = Daemon::start();
    let client = Client::builder().path(daemon.place().socket()).descriptors();
    let client = client.connect().await.unwrap();
    let mut subscription = client.subscribe("raw/self.a").await.unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(SIZE).collect();
    let memory = Arc::new(SealedMemory::create(&bytes).unwrap());
    client.send(Publish::sealed("a", "raw", &memory)).await.unwrap();
    let message = message(&mut subscription).await;
    drop((subscription, memory));
    client.close().await.unwrap();
    daemon.stop();
    assert!(message.is_mapped() && message.payload() == bytes);
    assert_eq!(message.clone(), message);
}
