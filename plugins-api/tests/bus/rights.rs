//! A service on a test's bus may do what its manifest says, and nothing more.

use crate::services::{Does, manifest};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Bus, Code, Manifest, PublishError, SubscribeError};

#[test]
fn what_the_manifest_does_not_list_is_refused() {
    TestBus::run(1, async |bus| {
        let service = Does::new(manifest(), async |bus: Bus| {
            bus.publish("it.is", &1).await?;
            let error = bus.publish("that.is", &1).await.unwrap_err();
            let PublishError::Refused { code, text } = error else { panic!("{error:?}") };
            assert_eq!(code, Some(Code::NotGranted));
            assert!(text.contains("`it` may not publish on `that.is`"), "{text}");

            let _inbox = bus.subscribe("self.ask.me").await?;
            let error = bus.subscribe("self.that.>").await.unwrap_err();
            let SubscribeError::Refused { code, .. } = error else { panic!("{error:?}") };
            assert_eq!(code, Some(Code::NotGranted));
            Ok(())
        });
        bus.start(service).await.ended().await.unwrap();
    });
}

#[test]
#[should_panic(expected = "the daemon alone publishes this")]
fn a_manifest_that_asks_for_too_much_starts_nothing() {
    TestBus::run(1, async |bus| {
        let manifest = Manifest::new("it", "1.0.0").publishes("bus.stats");
        bus.start(Does::new(manifest, async |_bus: Bus| Ok(()))).await;
    });
}

#[test]
#[should_panic(expected = "has not come in a day")]
fn a_test_that_waits_for_nothing_is_ended() {
    TestBus::run(1, async |bus| {
        let mut inbox = bus.subscribe("self.never").await.unwrap();
        inbox.next().await;
    });
}

#[test]
#[should_panic(expected = "this service has a bug")]
fn a_panic_of_a_service_is_the_tests() {
    TestBus::run(1, async |bus| {
        let service = Does::new(manifest(), async |_bus: Bus| panic!("this service has a bug"));
        bus.start(service).await.ended().await.unwrap();
    });
}
