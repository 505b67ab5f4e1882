//! The service on a bus in memory: what it does before there is anything to show.

use kith_plugins_api::contract::transports::Beacon;
use kith_plugins_api::contract::{BEACON, HEALTH};
use kith_plugins_api::testkit::TestBus;
use kith_service_mdns::Mdns;
use serde_json::json;
use std::time::Duration;

#[test]
fn it_waits_for_a_tag_and_ends_with_the_bus() {
    TestBus::run(1, async |bus| {
        let mut healths = bus.subscribe_to(HEALTH).await.unwrap();
        let mdns = bus.start(Mdns).await;
        let text = healths.next().await.unwrap().value.text;
        assert_eq!(text.as_deref(), Some("waiting for a tag to show"));
        bus.as_daemon(BEACON, &Beacon { tag: None, until: 0 }).await;
        // One that does not hold any more is none.
        bus.as_daemon(BEACON, &Beacon { tag: Some([7; 16]), until: 1 }).await;
        bus.advance(Duration::from_secs(3600)).await;
        assert!(mdns.is_alive().await);
        mdns.stop().await.unwrap();
        assert!(!bus.transcript().await.contains("seen"), "it has not joined");
    });
}

#[test]
fn settings_that_make_no_sense_are_fatal() {
    TestBus::run(1, async |bus| {
        for settings in [json!({"port": 0}), json!({"port": 70_000}), json!({"name": "x"})] {
            let error = bus.start_with(Mdns, settings).await.ended().await.unwrap_err();
            assert!(error.is_fatal(), "{error}");
        }
    });
}
