//! Patterns: which texts are one, and who gets a message.
//!
//! The input is lines; each is tried as a pattern. What is a pattern, and what it matches, is held
//! to definitions written from `docs/protocol.md`: a recursive one where the code has a loop. Then
//! the patterns are subscribed to on a bus, and messages of all scopes come in: the index of the
//! broker, a table and a trie, has to find whom the definition finds, and forget who has ended.

use crate::peer::{Bus, Peer};
use crate::topic::{is_protocol, is_topic};
use kith_core::{Inbound, Limits};
use kith_wire::binary::{MAGIC, encode};
use kith_wire::{
    Operation, Options, Pattern, Protocol, Publication, Request, RequestNumber, Scope, Subscribe,
    Topic,
};
use std::collections::BTreeSet;

/// Patterns of one input. More find nothing that these don't, and take longer.
const PATTERNS: usize = 10;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut patterns = Vec::new();
    let mut topics = BTreeSet::new();
    for line in text.split('\n').take(2 * PATTERNS) {
        topics.extend(Some(line).filter(|line| is_topic(line)).map(str::to_owned));
        if let Some(pattern) = pattern(line).filter(|_| patterns.len() < PATTERNS) {
            let like =
                |star: &str, rest: &str| pattern.topic().replace('*', star).replace('>', rest);
            let likely = [like("x", "y"), like("*", "a.b").replace('*', "a"), like("x.y", "x")];
            topics.extend(likely.into_iter().filter(|topic| is_topic(topic)));
            patterns.push(pattern);
        }
    }
    if !patterns.is_empty() {
        let topics: Vec<_> = topics.into_iter().take(PATTERNS).collect();
        on_a_bus(&patterns, &topics);
    }
}

/// Holds that the text is a pattern just where it should be one.
fn pattern(text: &str) -> Option<Pattern<'_>> {
    match Pattern::new(text) {
        Ok(pattern) => {
            assert!(is_pattern(text), "{text:?}");
            let written = pattern.to_string();
            assert_eq!(Pattern::new(written.as_str()).as_ref(), Ok(&pattern), "{text:?}");
            assert!(written == text || format!("ms/{written}") == text, "{text:?}: {written:?}");
            assert_eq!(pattern.has_wildcard(), pattern.topic().contains(['*', '>']));
            Some(pattern)
        }
        Err(error) => {
            assert!(!is_pattern(text), "{text:?}: {error}");
            assert!(text.is_char_boundary(error.at()), "{text:?}: {error}");
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
            None
        }
    }
}

fn is_pattern(text: &str) -> bool {
    let (protocol, scope, topic) = parts(text);
    let tokens: Vec<_> = topic.split('.').collect();
    let (last, others) = tokens.split_last().unwrap();
    let is_token = |token: &&str| *token == "*" || is_topic(token) && !token.contains('.');
    (1..=300).contains(&text.len())
        && (protocol == "*" || is_protocol(protocol))
        && ["self", "friends", "public", "*"].contains(&scope)
        && (1..=255).contains(&topic.len())
        && others.iter().all(is_token)
        && (*last == ">" || is_token(last))
}

/// Protocol, scope and topic of a pattern; empty where there are none.
fn parts(text: &str) -> (&str, &str, &str) {
    let slash = text.find('/').filter(|at| !text[..*at].contains('.'));
    let (protocol, rest) = slash.map_or(("ms", text), |at| (&text[..at], &text[at + 1..]));
    let (scope, topic) = rest.split_once('.').unwrap_or((rest, ""));
    (protocol, scope, topic)
}

/// Whether a message is asked for, as the protocol's document says it.
fn is_wanted(pattern: &str, protocol: &str, scope: Scope, topic: &str) -> bool {
    let (wanted_protocol, wanted_scope, wanted) = parts(pattern);
    let wanted: Vec<_> = wanted.split('.').collect();
    let tokens: Vec<_> = topic.split('.').collect();
    (wanted_protocol == "*" || wanted_protocol == protocol)
        && (wanted_scope == "*" || wanted_scope == scope.name())
        && are_matched(&wanted, &tokens)
}

fn are_matched(wanted: &[&str], tokens: &[&str]) -> bool {
    match (wanted, tokens) {
        ([], []) => true,
        ([">"], [_, ..]) => true,
        (["*", wanted @ ..], [_, tokens @ ..]) => are_matched(wanted, tokens),
        ([one, wanted @ ..], [other, tokens @ ..]) => one == other && are_matched(wanted, tokens),
        _ => false,
    }
}

fn on_a_bus(patterns: &[Pattern<'_>], topics: &[String]) {
    let mut bus = Bus::new(Limits::default());
    let mut peer = Peer::join(&mut bus);
    let mut asked = MAGIC.to_vec();
    for (number, pattern) in numbers().zip(patterns) {
        let pattern = pattern.clone();
        let (group, durable, since, retained, monitor) = (None, None, None, false, false);
        let subscribe = Subscribe { number, pattern, group, retained, monitor, durable, since };
        let operation = Operation::Subscribe(subscribe);
        encode::request(&mut asked, &Request { number: Some(number), operation });
    }
    peer.say(&mut bus, &asked);
    assert!(peer.read_all(&mut bus).iter().all(|heard| heard.op == "ok"));

    for topic in topics {
        for scope in Scope::ALL {
            for protocol in ["ms", "bt", "x"] {
                if !deliver(&mut bus, topic, scope, protocol) {
                    continue;
                }
                let heard = peer.read_all(&mut bus);
                let reached: Vec<_> = heard.iter().filter_map(|heard| heard.sub).collect();
                let reached: BTreeSet<_> = reached.iter().copied().collect();
                assert_eq!(reached.len(), heard.len(), "one of them twice");
                let protocol_name = Protocol::new(protocol).unwrap();
                let expected = numbers().zip(patterns).filter(|(_, pattern)| {
                    let is_matched = pattern.matches(&protocol_name, scope, topic);
                    let is_wanted = is_wanted(&pattern.to_string(), protocol, scope, topic);
                    assert_eq!(is_matched, is_wanted, "{pattern} {protocol} {scope} {topic}");
                    is_wanted
                });
                let expected: BTreeSet<_> = expected.map(|(number, _)| number.get()).collect();
                assert_eq!(reached, expected, "{protocol} {scope} {topic}");
            }
        }
    }
    end(&mut bus, &mut peer, patterns, topics);
}

fn numbers() -> impl Iterator<Item = RequestNumber> {
    (1..).filter_map(RequestNumber::new)
}

/// Has a message come from outside; false where its topic is reserved.
fn deliver(bus: &mut Bus, topic: &str, scope: Scope, protocol: &str) -> bool {
    let publication = Publication {
        topic: Topic::new(topic).unwrap(),
        protocol: Protocol::new(protocol).unwrap(),
        payload: b"1".into(),
        options: Options::default(),
    };
    let is_reserved = publication.topic.is_reserved();
    let inbound = Inbound::new("did:key:z6Mk", "key", scope, publication);
    let delivered = bus.broker.deliver_inbound(bus.now, &inbound);
    assert_eq!(delivered.is_err(), is_reserved, "{topic}: {delivered:?}");
    !is_reserved
}

/// Ends every other subscription, and holds that these alone are forgotten.
fn end(bus: &mut Bus, peer: &mut Peer, patterns: &[Pattern<'_>], topics: &[String]) {
    let mut asked = Vec::new();
    let is_ended = |number: &RequestNumber| number.get() % 2 == 1;
    let ended: Vec<_> = numbers().take(patterns.len()).filter(is_ended).collect();
    for number in &ended {
        let operation = Operation::Unsubscribe(*number);
        encode::request(&mut asked, &Request { number: Some(*number), operation });
    }
    peer.say(bus, &asked);
    assert_eq!(peer.read_all(bus).len(), ended.len());
    assert_eq!(bus.broker.stats().subscriptions, patterns.len() - ended.len());
    for topic in topics {
        if !deliver(bus, topic, Scope::Own, "ms") {
            continue;
        }
        let reached: Vec<_> = peer.read_all(bus).iter().filter_map(|heard| heard.sub).collect();
        let count = reached.len();
        let reached: BTreeSet<_> = reached.into_iter().collect();
        assert_eq!(reached.len(), count, "one of them twice");
        let left = numbers().zip(patterns).filter(|(number, _)| !is_ended(number));
        let expected =
            left.filter(|(_, pattern)| is_wanted(&pattern.to_string(), "ms", Scope::Own, topic));
        let expected: BTreeSet<_> = expected.map(|(number, _)| number.get()).collect();
        assert_eq!(reached, expected, "{topic}, when some have ended");
    }
    bus.broker.disconnect(bus.now, peer.id(), "end");
    assert_eq!(bus.broker.stats().subscriptions, 0);
}
