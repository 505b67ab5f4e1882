//! Whatever clients do: what is counted is what is there, nothing is over its limit, and when all
//! are gone nothing is left of them.

use super::walk::{CLIENTS, Walk, limits, step};
use crate::broker::{Broker, Framing};
use crate::limits::REMEMBERED_MS_MAX;
use proptest::prelude::*;

fn check(broker: &Broker) -> Result<(), TestCaseError> {
    let (stats, limits) = (broker.stats(), broker.limits().clone());
    prop_assert!(stats.clients <= limits.clients_max);
    prop_assert!(stats.subscriptions <= limits.subscriptions_total_max);
    prop_assert!(stats.retained_messages <= limits.retained_messages_max);
    prop_assert!(stats.retained_bytes <= limits.retained_bytes_max);
    broker.check_counts().map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn counts_are_true_and_nothing_leaks(
        framings in prop::array::uniform4(
            prop::sample::select(vec![Framing::JsonLines, Framing::Binary])
        ),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut walk = Walk::new(framings, 3);
        for step in &steps {
            walk.take(step);
            check(&walk.bus.broker)?;
        }
        for who in walk.clients.clone() {
            walk.bus.cut(who);
            check(&walk.bus.broker)?;
        }
        let bus = &mut walk.bus;
        let stats = bus.broker.stats();
        prop_assert_eq!((stats.clients, stats.subscriptions, stats.requests_waiting), (0, 0, 0));
        prop_assert_eq!((stats.queued_messages, stats.queued_bytes), (0, 0));
        // Requests and statistics want nothing any more.
        bus.pass(limits().stats_interval_ms);
        prop_assert_eq!(bus.broker.poll_timeout(), None);
        // What named clients published is forgotten in its time, and kept values when they are
        // told.
        bus.pass(REMEMBERED_MS_MAX);
        let who = bus.join(Framing::JsonLines);
        for topic in ["a", "a.b", "a.b.c", "x.y", "x"] {
            for protocol in ["ms", "bt"] {
                let fields = format!(r#""topic":"{topic}","protocol":"{protocol}""#);
                let line = format!(r#"{{"op":"pub",{fields},"retain":true}}"#);
                bus.line(who, &line);
            }
        }
        prop_assert!(bus.hear(who).is_empty());
        for client in 0..3 {
            let saying = super::walk::Saying::Hello(client);
            let id = Some(super::own_id(99));
            let again = super::with("z", "1", |options| options.message_id = id);
            let bytes = saying.bytes(Framing::JsonLines);
            bus.feed(who, &bytes);
            bus.say(who, 0, super::publish(again));
        }
        prop_assert_eq!(bus.broker.stats().remembered_ids, 3);
        bus.cut(who);
        prop_assert_eq!(bus.broker.residue(), 0);
        prop_assert_eq!(CLIENTS, framings.len());
    }
}
