//! A service is alive where it waits for something of the bus, and only there.

use crate::services::{Does, doubling, manifest};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Bus, ServiceError};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

async fn is_alive(bus: &TestBus, service: Does) -> bool {
    let service = bus.start(service).await;
    let is_alive = service.is_alive().await;
    assert!(service.is_alive().await == is_alive, "the second time is like the first");
    is_alive
}

#[test]
fn who_waits_for_a_message_is_alive() {
    TestBus::run(1, async |bus| assert!(is_alive(&bus, doubling()).await));
}

#[test]
fn who_sleeps_is_alive() {
    TestBus::run(1, async |bus| {
        let sleeping = Does::new(manifest(), async |bus: Bus| Ok(bus.sleep(HOUR).await?));
        assert!(is_alive(&bus, sleeping).await);
    });
}

#[test]
fn who_waits_for_an_answer_is_alive() {
    TestBus::run(1, async |bus| {
        let _asked = bus.subscribe("self.slow").await.unwrap();
        let asking = Does::new(manifest().publishes("slow"), async |bus: Bus| {
            bus.request("slow", &1).await?;
            Ok(())
        });
        let asking = bus.start(asking).await;
        assert!(asking.is_alive().await);
        let ended = asking.ended().await.unwrap_err().to_string();
        assert_eq!(ended, "no reply came in time");
    });
}

#[test]
fn who_waits_for_a_device_through_the_bus_is_alive() {
    TestBus::run(1, async |bus| {
        let waiting = Does::new(manifest(), async |bus: Bus| {
            bus.wait_for(std::future::pending::<()>()).await?;
            Ok(())
        });
        assert!(is_alive(&bus, waiting).await);
    });
}

#[test]
fn who_waits_for_something_else_is_not() {
    TestBus::run(1, async |bus| {
        let hung = Does::new(manifest(), async |_bus: Bus| {
            std::future::pending::<()>().await;
            Ok(())
        });
        assert!(!is_alive(&bus, hung).await);
    });
}

#[test]
fn who_hangs_in_one_task_and_waits_in_another_is_alive() {
    TestBus::run(1, async |bus| {
        let both = Does::new(manifest(), async |bus: Bus| {
            let other = bus.clone();
            let first = tokio::spawn(async move { other.sleep(HOUR / 2).await });
            // Of two that wait the one that registered last goes first.
            tokio::select! {
                biased;
                _ = bus.sleep(Duration::from_secs(1)) => {}
                _ = bus.sleep(HOUR) => {}
            }
            first.await??;
            Ok(())
        });
        let both = bus.start(both).await;
        assert!(both.is_alive().await);
        bus.advance(Duration::from_secs(2)).await;
        assert!(both.is_alive().await);
        both.ended().await.unwrap();
    });
}

#[test]
fn who_is_never_out_of_work_is_alive() {
    TestBus::run(1, async |bus| {
        let busy = Does::new(manifest(), async |bus: Bus| {
            // Nothing here ever waits for the bus.
            while !bus.is_closed() {
                for _ in 0..100 {
                    bus.try_publish("it.busy", &1)?;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok::<_, ServiceError>(())
        });
        assert!(is_alive(&bus, busy).await);
    });
}
