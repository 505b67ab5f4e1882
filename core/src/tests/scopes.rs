//! The promise that the whole design hangs on: a subscription to `self.…` can't be reached from
//! outside, whatever is sent, whoever else subscribes.

use super::heard::Heard;
use super::{Bus, FRAMINGS, publication, small};
use crate::broker::Inbound;
use kith_wire::{Protocol, Scope};
use proptest::prelude::*;

fn topic() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec!["a", "b", "self", "friends", "x"]);
    prop::collection::vec(token, 1..4).prop_map(|tokens| tokens.join("."))
}

fn pattern() -> impl Strategy<Value = String> {
    let protocol = prop::sample::select(vec!["", "", "*/", "bt/", "ms/"]);
    let scope = prop::sample::select(vec!["self", "self", "friends", "public", "*"]);
    let token = prop::sample::select(vec!["a", "b", "self", "friends", "*", "*"]);
    let tokens =
        (prop::collection::vec(token, 0..3), any::<bool>()).prop_map(|(mut tokens, open)| {
            if open || tokens.is_empty() {
                tokens.push(">");
            }
            tokens.join(".")
        });
    (protocol, scope, tokens)
        .prop_map(|(protocol, scope, topic)| format!("{protocol}{scope}.{topic}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_from_outside_reaches_a_self_subscription(
        patterns in prop::collection::vec((pattern(), any::<bool>(), any::<bool>()), 1..20),
        messages in prop::collection::vec(
            (topic(), 0..3_usize, any::<bool>(), any::<bool>()),
            1..30,
        ),
    ) {
        let mut bus = Bus::new(small());
        let clients = FRAMINGS.map(|framing| bus.join(framing));
        let publisher = bus.binary();
        for (number, (pattern, second, grouped)) in (1..).zip(&patterns) {
            let who = clients[usize::from(*second)];
            match grouped {
                true => bus.joined(who, number, pattern, "g"),
                false => bus.subscribed(who, number, pattern),
            }
        }
        for (topic, scope, blob, local) in &messages {
            let mut publication = publication(topic, "1");
            if *blob {
                publication.protocol = Protocol::BT;
            }
            if *local {
                bus.say(publisher, 0, super::publish(publication));
                continue;
            }
            let scope = Scope::ALL[*scope];
            let inbound = Inbound::new("did:key:z6Mk", "key", scope, publication);
            bus.broker.deliver_inbound(bus.now, &inbound).unwrap();
            for who in clients {
                for heard in bus.hear(who) {
                    let Heard::Message { subscription, message } = heard else { continue };
                    let pattern = &patterns[subscription as usize - 1].0;
                    let wanted = pattern.split('/').next_back().unwrap().split('.').next().unwrap();
                    if message.sender == "local" {
                        prop_assert_eq!(&message.scope, "self");
                    } else {
                        prop_assert_eq!(&message.scope, scope.name());
                    }
                    let is_wanted = wanted == "*" || wanted == message.scope;
                    prop_assert!(is_wanted, "{} {:?}", pattern, message);
                }
            }
        }
    }
}
