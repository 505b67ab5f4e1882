//! How a service ends, and how that is understood.

use crate::services::{Does, doubling, manifest};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Bus, Closed, ServiceError};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_service_that_is_asked_to_end_ends_well() {
    TestBus::run(1, async |bus| {
        bus.start(doubling()).await.stop().await.unwrap();
        // Also where the end cuts something short.
        let sleeping = Does::new(manifest(), async |bus: Bus| Ok(bus.sleep(HOUR).await?));
        let sleeping = bus.start(sleeping).await;
        let begin = bus.now();
        sleeping.stop().await.unwrap();
        assert!(bus.now().since(begin) < Duration::from_secs(1));
    });
}

#[test]
fn goodbye_and_a_crash_of_the_daemon_end_it_too() {
    TestBus::run(1, async |bus| {
        let service = bus.start(doubling()).await;
        bus.shut_down().await;
        service.ended().await.unwrap();
        assert!(bus.is_closed());
    });
    TestBus::run(1, async |bus| {
        let publishing = Does::new(manifest(), async |bus: Bus| {
            loop {
                bus.publish("it.is", &1).await?;
                bus.sleep(Duration::from_millis(10)).await?;
            }
        });
        let service = bus.start(publishing).await;
        bus.crash().await;
        service.ended().await.unwrap();
        bus.closed().await;
    });
}

#[test]
fn an_error_wants_a_new_start_and_a_fatal_one_does_not() {
    TestBus::run(1, async |bus| {
        let failing = Does::new(manifest(), async |_bus: Bus| {
            std::fs::read("/nowhere/at/all")?;
            Ok(())
        });
        let error = bus.start(failing).await.ended().await.unwrap_err();
        assert!(!error.is_fatal() && error.to_string().contains("No such file"), "{error}");

        let fatal = Does::new(manifest(), async |bus: Bus| {
            let closed = bus.sleep(HOUR).await;
            assert_eq!(closed, Err(Closed));
            Err(ServiceError::fatal("never again"))
        });
        // Even when the bus ends at the same time.
        let error = bus.start(fatal).await.stop().await.unwrap_err();
        assert!(error.is_fatal());
    });
}

#[test]
fn what_was_posted_last_still_arrives() {
    TestBus::run(1, async |bus| {
        let mut last = bus.subscribe("self.it.last").await.unwrap();
        let posting = Does::new(manifest(), async |bus: Bus| {
            for n in 0..100 {
                bus.post("it.last", &n).await?;
            }
            Ok(())
        });
        bus.start(posting).await.ended().await.unwrap();
        for n in 0..100 {
            assert_eq!(last.next_json::<u32>().await.unwrap().0, n);
        }
    });
}

#[test]
fn settings_that_do_not_fit_are_fatal() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(default)]
        prefix: String,
    }
    let reading = || {
        Does::new(manifest(), async |bus: Bus| {
            let settings: Settings = bus.settings()?;
            bus.publish("it.prefix", &settings.prefix).await?;
            Ok(())
        })
    };
    TestBus::run(1, async |bus| {
        bus.start(reading()).await.ended().await.unwrap();
        let settings = serde_json::json!({"prefix": "x"});
        bus.start_with(reading(), settings).await.ended().await.unwrap();
        let settings = serde_json::json!({"perfix": "x"});
        let error = bus.start_with(reading(), settings).await.ended().await.unwrap_err();
        assert!(error.is_fatal());
        let said = "[services.it.settings]: unknown field `perfix`, expected `prefix`";
        assert_eq!(error.to_string(), said);
        assert!(bus.transcript().await.contains(" it.prefix ms \"x\"\n"));
    });
}
