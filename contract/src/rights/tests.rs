//! Who may do what, and what the refusals say.

use super::*;
use kith_wire::{Protocol, Scope};
use proptest::prelude::*;

fn rights(roles: &[Role], publishes: &[&str], subscribes: &[&str]) -> Result<Rights, RightsError> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Rights::new("weather", roles, &owned(publishes), &owned(subscribes))
}

#[test]
fn reserved_topics_go_by_role() {
    let [transport, directory, buffer, _] = Role::ALL;
    for (topic, granted) in [
        ("envelope.received", [true, false, false]),
        ("envelope.recalled", [true, false, true]),
        ("envelope.send.quic", [false, false, true]),
        ("envelope.kept", [false, false, true]),
        ("directory.getReply", [false, true, false]),
        ("transports.nodeInfo", [true; 3]),
        ("services.health", [true; 3]),
        ("bus.ready", [false; 3]),
        ("envelope.keep", [false; 3]),
        ("people.changed", [false; 3]),
        ("services.heartbeat.weather", [false; 3]),
    ] {
        for (role, is_granted) in [transport, directory, buffer].into_iter().zip(granted) {
            let rights = rights(&[role], &[">"], &[]).unwrap();
            assert_eq!(rights.may_publish(topic).is_ok(), is_granted, "{role} {topic}");
        }
    }
}

#[test]
fn the_daemons_own_part_says_what_is_the_daemons() {
    let rights = Rights::daemon();
    for (topic, is_its_own) in [
        ("people.changed", true),
        ("transports.dial", true),
        ("transports.beacon", true),
        ("transports.nodeInfo", true),
        ("envelope.send.quic", true),
        ("envelope.received", false),
        ("services.health", false),
        ("rooms.x", false),
        ("weather", false),
    ] {
        assert_eq!(rights.may_publish(topic).is_ok(), is_its_own, "{topic}");
    }
    for pattern in ["*/*.>", "kith/self.envelope.received", "self.a"] {
        assert_eq!(rights.may_subscribe(&Pattern::new(pattern).unwrap()), Ok(()));
    }
    assert!(rights.is_daemon() && !is_name(rights.name()));
    // Neither by its name nor by all that can be written into a manifest.
    assert!(Rights::new(rights.name(), &Role::ALL, &[], &[]).is_err());
    let most = Rights::new("most", &Role::ALL, &[">".to_owned()], &["*/*.>".to_owned()]).unwrap();
    assert!(!most.is_daemon() && most.may_publish("people.changed").is_err());
}

#[test]
fn other_topics_go_by_the_list() {
    let weather = rights(&[], &["weather.>", "a.*.c"], &[]).unwrap();
    for topic in ["weather.oslo", "weather.oslo.now", "a.b.c"] {
        assert_eq!(weather.may_publish(topic), Ok(()), "{topic}");
    }
    for topic in ["weather", "a.c", "a.b.b.c", "news"] {
        assert!(weather.may_publish(topic).is_err(), "{topic}");
    }
    let all = rights(&[], &[">"], &[]).unwrap();
    assert_eq!(all.may_publish("a.b"), Ok(()));
    assert!(all.may_publish("envelope.received").is_err());
}

#[test]
fn denials_say_what_would_have_to_be_granted() {
    let weather = rights(&[], &[], &["self.weather.ask"]).unwrap();
    for (topic, words) in [
        ("news", "`news`: no pattern of `publishes` in its manifest covers that"),
        ("envelope.received", "takes role `transport`. Add it to `roles`"),
        ("envelope.recalled", "takes role `transport` or role `buffer`."),
        ("bus.ready", "the daemon alone does, and it is never granted"),
        ("rooms.x", "there is no such topic for services"),
    ] {
        let denial = weather.may_publish(topic).unwrap_err().to_string();
        assert!(denial.starts_with("`weather` may not publish on `"), "{denial}");
        assert!(denial.contains(words), "{denial}");
    }
    let pattern = Pattern::new("self.news").unwrap();
    let denial = weather.may_subscribe(&pattern).unwrap_err().to_string();
    assert!(denial.starts_with("`weather` may not subscribe to `self.news`: no pattern"));
}

#[test]
fn entries_that_ask_for_too_much_say_what_to_change() {
    for (publishes, words) in [
        ("bus.ready", "the daemon alone publishes this, and it is never granted; take it out"),
        ("envelope.received", "this comes with role `transport`, which is not asked for; add it"),
        ("envelope.send.quic", "this comes with role `buffer`"),
        ("envelope.send.*", "this comes with role `buffer`"),
        ("envelope.>", "by pattern; take it out, and add to `roles` what you need of role `tra"),
        ("bus.*", "reserved topics are granted by role, not by pattern; take it out"),
        ("envelope.recieved", "there is no such reserved topic"),
        ("bus", "there is no such reserved topic"),
        ("self.weather.>", "its scope from the daemon; write `weather.>`"),
        ("ms/self.weather", "its scope from the daemon; write `weather`"),
        ("weather..x", "empty token at byte 8"),
        ("", "empty token at byte 0"),
        ("a.b*", "`*` at byte 3: a wildcard is a whole token"),
        (">.a", "`>` at byte 0: it can only be the last token"),
        ("a b", "white space or control character at byte 1"),
    ] {
        let error = rights(&[], &["fine", publishes], &[]).unwrap_err();
        assert_eq!((error.list(), error.index()), ("publishes", Some(1)), "{publishes}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("`{publishes}` in `publishes`: ")), "{text}");
        assert!(text.contains(words), "{publishes}: {text}");
    }
    let error = rights(&[], &[], &["weather.ask"]).unwrap_err();
    assert_eq!((error.list(), error.index()), ("subscribes", Some(0)));
    assert!(error.to_string().ends_with("did you mean `self.weather.ask`?"), "{error}");
    let many = ["a"; GRANTED_MAX + 1];
    assert!(rights(&[], &many, &[]).is_err());
    for name in ["", "Weather", "1a", "a_b", "a\u{202e}", &"a".repeat(33)] {
        let error = Rights::new(name, &[], &[], &[]).unwrap_err();
        assert_eq!((error.list(), error.index()), ("name", None), "{error}");
    }
}

#[test]
fn reserved_topics_may_be_listed_with_their_role() {
    let roles = [Role::Transport, Role::Buffer, Role::Transport];
    let listed = ["envelope.received", "envelope.send.*", "services.health", "directory.get"];
    let rights = rights(&roles, &listed, &[]).unwrap();
    assert_eq!(rights.roles(), [Role::Transport, Role::Buffer]);
}

#[test]
fn subscriptions_lie_inside_the_list() {
    let weather = rights(&[], &[], &["self.a.>", "*/*.b.*", "kith/self.envelope.send.me"]).unwrap();
    let may = |text: &str| weather.may_subscribe(&Pattern::new(text.to_owned()).unwrap()).is_ok();
    for text in [
        "self.a.>",
        "self.a.*",
        "self.a.x.y",
        "bt/friends.b.x",
        "*/*.b.*",
        "kith/self.envelope.send.me",
        "self.services.heartbeat.weather",
        "*/self.services.heartbeat.weather",
    ] {
        assert!(may(text), "{text}");
    }
    for text in [
        "self.a",
        "*.a.x",
        "*/self.a.x",
        "friends.a.x",
        "self.b.>",
        "self.>",
        "self.*.x",
        "self.envelope.send.me",
        "self.services.heartbeat.other",
        "self.services.heartbeat.*",
        "*.services.heartbeat.weather",
    ] {
        assert!(!may(text), "{text}");
    }
}

fn tokens() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "*"]), 0..4)
}

fn topic_patterns() -> impl Strategy<Value = String> {
    (tokens(), any::<bool>()).prop_map(|(mut tokens, is_open)| {
        if is_open || tokens.is_empty() {
            tokens.push(">");
        }
        tokens.join(".")
    })
}

fn patterns() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec!["", "*/", "kith/"]),
        prop::sample::select(vec!["self", "friends", "*"]),
        topic_patterns(),
    )
        .prop_map(|(protocol, scope, topic)| format!("{protocol}{scope}.{topic}"))
}

/// Every topic of up to five of these tokens; `c` stands for all others.
fn topics() -> Vec<String> {
    let mut topics: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
    let mut longest = topics.clone();
    for _ in 1..5 {
        let longer = |topic: &String| ["a", "b", "c"].map(|token| format!("{topic}.{token}"));
        longest = longest.iter().flat_map(longer).collect();
        topics.extend_from_slice(&longest);
    }
    topics
}

proptest! {
    #[test]
    fn one_pattern_covers_another_if_it_matches_all_that_the_other_does(
        outer in patterns(), inner in patterns(),
    ) {
        let (outer, inner) = (Pattern::new(outer).unwrap(), Pattern::new(inner).unwrap());
        let covered = ["ms", "kith", "bt"].iter().all(|protocol| {
            let protocol = Protocol::new(*protocol).unwrap();
            [Scope::Own, Scope::Friends, Scope::Public].into_iter().all(|scope| {
                topics().iter().all(|topic| {
                    let is_in = |pattern: &Pattern<'_>| pattern.matches(&protocol, scope, topic);
                    is_in(&outer) || !is_in(&inner)
                })
            })
        });
        prop_assert_eq!(covers(&outer, &inner), covered, "{} {}", outer, inner);
    }
}
