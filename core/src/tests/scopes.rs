//! The promise that the whole design hangs on: a subscription to `self.…` can't be reached from
//! outside, whatever is sent, whoever else subscribes.
//!
//! Who gets a message is worked out here once more, from what the protocol's document says and
//! without any of the broker's code: what the receiver takes the sender for, and the words of the
//! pattern.

use super::heard::Heard;
use super::{Bus, FRAMINGS, Who, publication, small};
use crate::broker::Inbound;
use kith_wire::{Destination, Priority, Protocol, Publication, Scope, Topic};
use proptest::prelude::*;
use std::collections::BTreeSet;

const SENDER: &str = "did:key:z6Mk";
/// Everything that begins with one of these is the daemon's.
const RESERVED: [&str; 8] =
    ["bus", "transports", "directory", "envelope", "delivery", "people", "rooms", "services"];

fn topic() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec!["a", "b", "self", "friends", "public", "x"]);
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

/// Whether a subscription gets a message: the table of the design, in a few words.
fn gets(pattern: &str, protocol: &str, scope: Scope, topic: &str) -> bool {
    let (wanted_protocol, rest) = pattern.split_once('/').unwrap_or(("ms", pattern));
    let (wanted_scope, rest) = rest.split_once('.').unwrap();
    let word = match scope {
        Scope::Own => "self",
        Scope::Friends => "friends",
        Scope::Public => "public",
    };
    let is_scope = wanted_scope == "*" || wanted_scope == word;
    let mut tokens = topic.split('.');
    let is_topic = rest.split('.').all(|wanted| match wanted {
        ">" => tokens.by_ref().count() > 0,
        "*" => tokens.next().is_some(),
        word => tokens.next() == Some(word),
    });
    let is_protocol = wanted_protocol == "*" || wanted_protocol == protocol;
    is_protocol && is_scope && is_topic && tokens.next().is_none()
}

/// What somebody outside may put into a message to get further than it should.
#[derive(Clone, Debug)]
struct Hostile {
    topic: String,
    is_blob: bool,
    reply_to: Option<String>,
    retain: bool,
    realtime: bool,
    to: &'static str,
    header: String,
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let reserved = prop::sample::select(RESERVED.to_vec());
    let reserved = (reserved, topic()).prop_map(|(first, rest)| format!("{first}.{rest}"));
    let reply_topic = any::<u128>().prop_map(|token| format!("bus.reply.{token:032x}"));
    let topic = prop_oneof![4 => topic(), 1 => reserved, 1 => reply_topic.clone()];
    let answers = prop_oneof![Just("a".to_owned()), reply_topic, Just("people.add".to_owned())];
    let to = prop::sample::select(vec!["local", "self", "friends", "public", "bob"]);
    let rest = (prop::option::weighted(0.2, answers), to, "(scope|sender|self|trusted)");
    let flags = (any::<bool>(), prop::bool::weighted(0.1), any::<bool>());
    (topic, rest, flags).prop_map(|(topic, (reply_to, to, header), (is_blob, retain, realtime))| {
        Hostile { topic, is_blob, reply_to, retain, realtime, to, header }
    })
}

impl Hostile {
    fn publication(&self) -> Publication<'static> {
        let mut publication = publication(&self.topic, "1");
        if self.is_blob {
            publication.protocol = Protocol::BT;
        }
        let options = &mut publication.options;
        options.reply_to = self.reply_to.clone().and_then(|topic| Topic::new(topic).ok());
        options.retain = self.retain;
        options.realtime = self.realtime;
        options.to = Destination::from_text(self.to);
        options.priority = Priority::High;
        options.headers.insert(&self.header, "self").unwrap();
        publication
    }

    fn is_refused(&self) -> bool {
        let is_reserved = |topic: &str| RESERVED.contains(&topic.split('.').next().unwrap());
        is_reserved(&self.topic) || self.retain || self.reply_to.as_deref().is_some_and(is_reserved)
    }
}

/// The subscriptions that heard a message, each once, with what they were told of its sender.
fn heard(bus: &mut Bus, clients: &[Who], scope: Scope) -> Vec<u32> {
    let mut numbers = Vec::new();
    for who in clients {
        for heard in bus.hear(*who) {
            let Heard::Message { subscription, message } = heard else { panic!("{heard:?}") };
            let sender = (message.sender.as_str(), message.petname.as_deref());
            assert_eq!(sender, (SENDER, Some("Bob")));
            assert_eq!((message.scope.as_str(), message.retained), (scope.name(), false));
            numbers.push(subscription);
        }
    }
    numbers.sort_unstable();
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn who_gets_it_is_what_the_receiver_takes_the_sender_for(
        patterns in prop::collection::vec((pattern(), any::<bool>(), 0..4_u8), 1..20),
        messages in prop::collection::vec((hostile(), 0..3_usize, any::<bool>()), 1..30),
    ) {
        let mut bus = Bus::new(small());
        bus.broker.attach_post();
        let clients = FRAMINGS.map(|framing| bus.join(framing));
        for (number, (pattern, second, kind)) in (1..).zip(&patterns) {
            let who = clients[usize::from(*second)];
            match kind {
                0 => bus.joined(who, number, pattern, "g"),
                1 => bus.monitors(who, number, pattern),
                _ => bus.subscribed(who, number, pattern),
            }
        }
        for (message, scope, asks) in &messages {
            let scope = Scope::ALL[*scope];
            let (topic, protocol) = (&message.topic, if message.is_blob { "bt" } else { "ms" });
            let mut inbound = Inbound::new(SENDER, "key", scope, message.publication());
            inbound.petname = Some("Bob");
            let wanted: Vec<(u32, u8)> = (1..)
                .zip(&patterns)
                .filter(|(_, (pattern, ..))| gets(pattern, protocol, scope, topic))
                .map(|(number, (_, _, kind))| (number, *kind))
                .collect();
            let each = wanted.iter().filter(|(_, kind)| *kind != 0).map(|(number, _)| *number);
            let each: BTreeSet<u32> = each.collect();
            let members: Vec<u32> =
                wanted.iter().filter(|(_, kind)| *kind == 0).map(|(number, _)| *number).collect();
            let has_answerer = wanted.iter().any(|(_, kind)| *kind != 1);
            let is_wanted = bus.broker.is_wanted(scope, protocol, topic);
            let outcome = if *asks {
                bus.broker.deliver_inbound_request(bus.now, &inbound, 7, 1).map(|()| 0)
            } else {
                bus.broker.deliver_inbound(bus.now, &inbound)
            };
            let found = heard(&mut bus, &clients, scope);
            if message.is_refused() {
                prop_assert!(outcome.is_err() && found.is_empty(), "{:?}", message);
                continue;
            }
            prop_assert_eq!(is_wanted, has_answerer, "{:?} {}", message, scope);
            prop_assert_eq!(outcome.is_ok(), has_answerer || !*asks);
            // Each of them once, and one of the group.
            let (alone, grouped): (Vec<u32>, Vec<u32>) =
                found.into_iter().partition(|number| each.contains(number));
            prop_assert_eq!(alone, each.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(grouped.len(), usize::from(!members.is_empty()));
            prop_assert!(grouped.iter().all(|number| members.contains(number)));
        }
    }
}

/// What can't even be said: a topic is a type, and no message from outside is made without it.
#[test]
fn wildcards_and_control_characters_are_no_topics() {
    for text in ["*", "a.*", ">", "a.>", "a b", "a\n", "a\u{0}b", "a\u{202e}\u{85}b", "", "a..b"] {
        assert!(Topic::new(text).is_err(), "{text:?}");
    }
}
