//! Reserved topics, as types.

use crate::services::Does;
use kith_plugins_api::contract::services::Condition;
use kith_plugins_api::contract::transports::{Dial, Endpoint};
use kith_plugins_api::contract::{DIAL, ENDPOINT, HEALTH, Role};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Bus, Health, Manifest, Publish, PublishError};

fn carrier() -> Manifest {
    Manifest::new("carrier", "1.0.0").role(Role::Transport).subscribes_to(DIAL)
}

fn endpoint(transport: &str, endpoint: &str) -> Endpoint {
    let endpoints = vec![endpoint.to_owned()];
    Endpoint { transport: transport.to_owned(), endpoints, tls_key: None }
}

#[test]
fn a_transport_hears_the_daemon_and_says_where_it_listens() {
    TestBus::run(1, async |bus| {
        let mut endpoints = bus.subscribe_to(ENDPOINT).await.unwrap();
        let mut healths = bus.subscribe_to(HEALTH).await.unwrap();
        let service = Does::new(carrier(), async |bus: Bus| {
            let mut dials = bus.subscribe_to(DIAL).await?;
            bus.report(Health::degraded("no antenna").figure("bars", 1)).await?;
            while let Some(dial) = dials.next().await {
                let first = dial.endpoints.first().cloned().unwrap_or_default();
                bus.publish_to(ENDPOINT, &endpoint("carrier", &first)).await?;
            }
            Ok(())
        });
        let service = bus.start(service).await;
        let health = healths.next().await.unwrap();
        assert_eq!((health.service.as_str(), health.state), ("carrier", Condition::Degraded));
        assert_eq!(health.figures.as_ref().and_then(|all| all.get("bars")), Some(&1));

        let dial = Dial { device: Some([7; 32]), endpoints: vec!["a:1".to_owned()], tls_key: None };
        bus.as_daemon(DIAL, &dial).await;
        assert_eq!(endpoints.next().await.unwrap().value, endpoint("carrier", "a:1"));
        service.stop().await.unwrap();
        let transcript = bus.transcript().await;
        let line = r#"transports.endpoint kith {"transport":"carrier","endpoints":["a:1"]}"#;
        assert!(transcript.contains(line), "{transcript}");
    });
}

#[test]
fn what_a_service_says_as_json_is_heard_as_the_type() {
    TestBus::run(1, async |bus| {
        let mut endpoints = bus.subscribe_to(ENDPOINT).await.unwrap();
        let service = Does::new(carrier(), async |bus: Bus| {
            let said = ENDPOINT.json(&endpoint("carrier", "b:2"));
            bus.send(Publish::json(ENDPOINT.name(), said)).await?;
            // Not in another's name, and not nonsense.
            let other = bus.publish_to(ENDPOINT, &endpoint("other", "c:3")).await;
            assert!(matches!(other, Err(PublishError::Refused { .. })), "{other:?}");
            let nonsense = bus.publish(ENDPOINT.name(), &1).await;
            assert!(matches!(nonsense, Err(PublishError::Refused { .. })), "{nonsense:?}");
            Ok(())
        });
        bus.start(service).await.ended().await.unwrap();
        assert_eq!(endpoints.next().await.unwrap().value, endpoint("carrier", "b:2"));
    });
}

#[test]
fn a_program_may_not_speak_as_the_daemon_or_a_transport() {
    TestBus::run(1, async |bus| {
        let refused = bus.publish_to(ENDPOINT, &endpoint("user", "a:1")).await.unwrap_err();
        assert!(matches!(refused, PublishError::Refused { .. }), "{refused:?}");
    });
}
