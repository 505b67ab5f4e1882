//! Messages from outside: their scope is what the daemon worked out, and nothing else decides it.

use crate::broker::Inbound;
use crate::tests::{Bus, FRAMINGS, kept, publication, small};
use kith_wire::{Code, Publication, Scope};

const SENDER: &str = "did:key:z6MkTest";

fn inbound(scope: Scope, publication: Publication<'static>) -> Inbound<'static> {
    Inbound::new(SENDER, "device-key", scope, publication)
}

#[test]
fn a_message_reaches_the_subscriptions_of_its_scope() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let alice = bus.join(framing);
        for (number, pattern) in
            [(1, "self.a"), (2, "friends.a"), (3, "public.a"), (4, "*.a"), (5, "*/self.>")]
        {
            bus.subscribed(alice, number, pattern);
        }
        let wanted = [
            (Scope::Own, vec!["msg 1 a 1", "msg 4 a 1", "msg 5 a 1"]),
            (Scope::Friends, vec!["msg 2 a 1", "msg 4 a 1"]),
            (Scope::Public, vec!["msg 3 a 1", "msg 4 a 1"]),
        ];
        for (scope, wanted) in wanted {
            let message = inbound(scope, publication("a", "1"));
            let reached = bus.broker.deliver_inbound(bus.now, &message).unwrap();
            assert_eq!(reached, wanted.len());
            let mut heard = bus.hear(alice);
            heard.sort_by_key(crate::tests::Heard::text);
            assert_eq!(crate::tests::texts(&heard), wanted);
            for one in heard {
                assert_eq!(one.message().sender, SENDER);
                assert_eq!(one.message().device.as_deref(), Some("device-key"));
                assert_eq!(one.message().scope, scope.name());
            }
        }
    }
}

#[test]
fn reserved_topics_and_kept_values_are_local() {
    let mut bus = Bus::new(small());
    let alice = bus.json();
    bus.subscribed(alice, 1, "*/*.>");
    for scope in Scope::ALL {
        let reserved = inbound(scope, publication("people.changed", "1"));
        let refusal = bus.broker.deliver_inbound(bus.now, &reserved).unwrap_err();
        assert_eq!(refusal.code, Code::ReservedTopic);
        let keeping = inbound(scope, kept("a", "1"));
        let refusal = bus.broker.deliver_inbound(bus.now, &keeping).unwrap_err();
        assert_eq!(refusal.code, Code::NotAvailable);
    }
    assert!(bus.hears(alice).is_empty());
    assert_eq!(bus.broker.stats().totals.refused, 6);
    assert_eq!(bus.broker.stats().retained_messages, 0);
}

#[test]
fn a_reply_topic_can_not_be_reached_from_outside() {
    let mut bus = Bus::new(small());
    let (alice, bob) = (bus.json(), bus.json());
    bus.subscribed(bob, 1, "self.what");
    bus.ask(alice, 1, "what", 1_000);
    let reply_to = bus.hear(bob)[0].message().reply_to.clone().unwrap();
    let reply = inbound(Scope::Friends, publication(&reply_to, "1"));
    assert_eq!(bus.broker.deliver_inbound(bus.now, &reply).unwrap_err().code, Code::ReservedTopic);
    assert!(bus.hears(alice).is_empty());
}
