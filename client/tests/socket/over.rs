//! The library over a stream that is no socket.

use super::daemon::{PAYLOAD_BYTES_MAX, Peer, delivery};
use kith_client::{Client, ConnectError, Incoming, Loss, PublishError, Subscribe};
use tokio::io::DuplexStream;

async fn connected() -> (Client, Peer<DuplexStream>) {
    // Smaller than most frames, so that each is written and read in parts.
    let (ours, theirs) = tokio::io::duplex(16);
    let mut peer = Peer::on(theirs);
    let builder = Client::builder().name("test").descriptors();
    let (client, ()) = tokio::join!(builder.over(ours), peer.welcome(PAYLOAD_BYTES_MAX));
    (client.unwrap(), peer)
}

#[tokio::test(start_paused = true)]
async fn all_goes_as_on_a_socket() {
    let (client, mut peer) = connected().await;
    let asked = client.subscribe_with(Subscribe::new("self.test"));
    let (subscription, number) = tokio::join!(asked, peer.subscribed("self.test"));
    let mut subscription = subscription.unwrap();
    let (_, next) = tokio::join!(
        async {
            peer.message(number, delivery("test", b"42")).await;
            let number = peer.expect("pub test").await;
            peer.ok(number).await;
        },
        async {
            client.publish("test", "7").await.unwrap();
            subscription.next().await
        }
    );
    assert!(matches!(next, Some(Incoming::Message(message)) if message.text() == Some("42")));

    let (closed, ()) = tokio::join!(client.close(), async {
        let number = peer.expect("bye").await;
        peer.ok(number).await;
        drop(peer);
    });
    closed.unwrap();
    assert_eq!(subscription.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_the_end() {
    let (client, peer) = connected().await;
    drop(peer);
    let error = client.publish("test", "7").await.unwrap_err();
    assert!(matches!(error, PublishError::Disconnected(_)), "{error:?}");

    let (ours, theirs) = tokio::io::duplex(16);
    drop(theirs);
    let error = Client::builder().over(ours).await.unwrap_err();
    assert!(matches!(error, ConnectError::Lost(Loss::HungUp)), "{error:?}");
    let name = Client::builder().name("").over(tokio::io::empty()).await;
    assert!(matches!(name, Err(ConnectError::Name(_))));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_always_ready_starves_nobody() {
    let (client, mut peer) = connected().await;
    let flood = async {
        for n in 0..2_000 {
            client.post(kith_client::Publish::json("a", n.to_string())).await.unwrap();
        }
        client.ping().await.unwrap();
    };
    let serve = async {
        for _ in 0..2_000 {
            loop {
                let heard = peer.hear().await;
                if heard.what == "pub a" {
                    break;
                }
                peer.ok(heard.number).await;
            }
        }
        let number = peer.expect("ping").await;
        peer.ok(number).await;
    };
    tokio::join!(flood, serve);
}
