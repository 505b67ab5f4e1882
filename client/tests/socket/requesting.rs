//! Requests, and the ways in which they end.

use super::daemon::{Daemon, delivery};
use kith_client::{Code, Request, RequestError};
use kith_wire::Event;
use std::num::NonZeroU32;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_request_has_one_of_these_ends() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let ask = |n: u32| client.request_with(Request::json("a", n.to_string()));
    let serve = async {
        let mut numbers = Vec::new();
        for n in 0..6_u32 {
            let heard = peer.hear().await;
            assert_eq!((heard.what.as_str(), heard.payload), ("req a", n.to_string().into_bytes()));
            numbers.push(heard.number);
        }
        peer.refuse(numbers[5], Code::Timeout).await;
        peer.refuse(numbers[1], Code::NoResponders).await;
        peer.refuse(numbers[2], Code::Busy).await;
        peer.refuse(numbers[3], Code::QuotaRequests).await;
        let number = NonZeroU32::new(numbers[0]).unwrap();
        peer.say(&Event::Reply { number, delivery: delivery("bus.reply.1", b"42") }).await;
        drop(peer);
    };
    let (replied, nobody, busy, refused, lost, late, ()) =
        tokio::join!(ask(0), ask(1), ask(2), ask(3), ask(4), ask(5), serve);
    assert_eq!(replied.unwrap().text(), Some("42"));
    assert_eq!(nobody.unwrap_err(), RequestError::NoResponders);
    assert_eq!(busy.unwrap_err(), RequestError::Busy);
    let code = Some(Code::QuotaRequests);
    assert_eq!(refused.unwrap_err(), RequestError::Refused { code, text: "no".into() });
    assert!(matches!(lost.unwrap_err(), RequestError::Disconnected(_)));
    assert_eq!(late.unwrap_err(), RequestError::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_does_not_hold_a_request_for_ever() {
    let daemon = Daemon::start();
    let (client, mut peer) = daemon.client().await;
    let request = Request::json("a", "1").timeout(Duration::from_secs(60));
    let begin = tokio::time::Instant::now();
    assert_eq!(client.request_with(request).await.unwrap_err(), RequestError::Timeout);
    assert_eq!(begin.elapsed().as_secs(), 61);

    // A reply after that is for nobody, and harms nothing.
    let number = NonZeroU32::new(peer.expect("req a").await).unwrap();
    peer.say(&Event::Reply { number, delivery: delivery("bus.reply.1", b"42") }).await;
    let (ping, ()) = tokio::join!(client.ping(), async {
        let number = peer.expect("ping").await;
        peer.ok(number).await;
    });
    ping.unwrap();
}
