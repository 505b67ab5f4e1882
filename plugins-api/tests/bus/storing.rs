//! What is stored for a service, and comes again when it was not dealt with.

use crate::services::{Does, manifest};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{AcknowledgeError, Bus, Code, PublishError, ServiceError};

const PATTERN: &str = "self.ask.>";

/// Works off one message, tells of it, and acknowledges it only if that is asked for.
fn working(acknowledges: bool) -> Does {
    Does::new(manifest(), async move |bus: Bus| {
        let mut jobs = bus.subscribe_durable(PATTERN, "it").await?;
        while let Some((job, message)) = jobs.next_json::<u32>().await {
            let attempt = message.attempt().map(|attempt| attempt.get());
            bus.publish("it.done", &(job, attempt)).await?;
            if !acknowledges {
                return Err(ServiceError::restart("it died over the job"));
            }
            jobs.acknowledge_and_wait(&message).await?;
        }
        Ok(())
    })
}

#[test]
fn what_was_not_acknowledged_comes_again_when_the_service_does() {
    TestBus::run(1, async |bus| {
        let mut done = bus.subscribe("self.it.done").await.unwrap();
        let service = bus.start(working(false)).await;
        bus.publish_stored("ask.job", &7).await.unwrap();
        assert_eq!(done.next_json::<(u32, u32)>().await.unwrap().0, (7, 1));
        service.ended().await.unwrap_err();

        // Nobody is there, and it waits.
        bus.publish_stored("ask.job", &8).await.unwrap();
        let service = bus.start(working(true)).await;
        for expected in [(7, 2), (8, 1)] {
            assert_eq!(done.next_json::<(u32, u32)>().await.unwrap().0, expected);
        }
        service.stop().await.unwrap();

        let service = bus.start(working(true)).await;
        bus.publish_stored("ask.job", &9).await.unwrap();
        assert_eq!(done.next_json::<(u32, u32)>().await.unwrap().0, (9, 1));
        service.stop().await.unwrap();
    });
}

#[test]
fn what_nobody_has_stored_is_refused_and_what_is_not_stored_not_acknowledged() {
    TestBus::run(1, async |bus| {
        let error = bus.publish_stored("ask.job", &1).await.unwrap_err();
        let no_consumers = Some(Code::NoConsumers);
        assert!(matches!(error, PublishError::Refused { code, .. } if code == no_consumers));

        let mut jobs = bus.subscribe(PATTERN).await.unwrap();
        bus.publish("ask.job", &1).await.unwrap();
        let job = jobs.next().await.unwrap();
        let error = jobs.acknowledge(&job).unwrap_err();
        assert!(matches!(error, AcknowledgeError::NotDurable { .. }), "{error:?}");
    });
}

#[test]
fn acknowledgements_that_nobody_waits_for_are_kept() {
    TestBus::run(1, async |bus| {
        let mut jobs = bus.subscribe_durable(PATTERN, "mine").await.unwrap();
        for job in 0..1_000 {
            bus.publish_stored("ask.job", &job).await.unwrap();
        }
        for job in 0..1_000 {
            let (received, message) = jobs.next_json::<u32>().await.unwrap();
            assert_eq!(received, job);
            jobs.acknowledge(&message).unwrap();
        }
        bus.settle().await;
        drop(jobs);
        let mut jobs = bus.subscribe_durable(PATTERN, "mine").await.unwrap();
        bus.publish_stored("ask.job", &"last").await.unwrap();
        let message = jobs.next().await.unwrap();
        assert_eq!(message.text(), Some("\"last\""));
    });
}
