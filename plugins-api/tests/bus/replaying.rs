//! The same seed has the same transcript, whatever happens in it.

use crate::services::{Does, doubling, manifest};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Bus, Code};
use std::time::Duration;

/// A day in the life of two services, with chance in what they do and when.
fn transcript(seed: u64) -> String {
    TestBus::run(seed, async |bus| {
        let doubling = bus.start(doubling()).await;
        let chatty = Does::new(manifest().publishes("ask.>"), async |bus: Bus| {
            for _ in 0..100 {
                let number = bus.random() % 1000;
                let publish = bus.publish("it.drew", &number);
                let request = bus.request("ask.double", &number);
                let (published, reply) = tokio::join!(publish, request);
                published.ok();
                if let Ok(reply) = reply {
                    bus.post("it.heard", &(reply.text(), bus.now())).await?;
                }
                bus.sleep(Duration::from_millis(bus.random() % 60_000)).await?;
            }
            Ok(())
        });
        let chatty = bus.start(chatty).await;
        for _ in 0..10 {
            bus.advance(Duration::from_millis(bus.random() % 60_000)).await;
            chatty.refuse_next(Code::Busy, "no");
            doubling.is_alive().await;
        }
        doubling.hold();
        bus.advance(Duration::from_secs(120)).await;
        doubling.release();
        chatty.ended().await.unwrap();
        bus.transcript().await
    })
}

#[test]
fn a_seed_has_its_transcript() {
    let first = transcript(7);
    assert!(first.lines().count() > 300, "{first}");
    for _ in 0..5 {
        assert_eq!(transcript(7), first);
    }
    assert_ne!(transcript(8), first);
}
