//! The index against the naive matcher of single patterns, over random subscriptions and topics.

use super::*;
use kith_wire::{Protocol, Topic};
use proptest::prelude::*;

fn token() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "cc", "long-token-number-one", "ä"]).prop_map(str::to_owned)
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(token(), 1..5).prop_map(|tokens| tokens.join("."))
}

fn pattern() -> impl Strategy<Value = String> {
    let token = prop_oneof![3 => token(), 1 => Just("*".to_owned())];
    let tokens =
        (prop::collection::vec(token, 0..4), any::<bool>()).prop_map(|(mut tokens, open)| {
            if open || tokens.is_empty() {
                tokens.push(">".to_owned());
            }
            tokens.join(".")
        });
    let protocol = prop::sample::select(vec!["", "", "bt/", "*/", "app/"]);
    let scope = prop::sample::select(vec!["self", "self", "friends", "public", "*"]);
    (protocol, scope, tokens)
        .prop_map(|(protocol, scope, topic)| format!("{protocol}{scope}.{topic}"))
}

#[derive(Clone, Debug)]
enum Step {
    Insert { pattern: String, group: Option<String> },
    Remove(usize),
    Find { scope: Scope, protocol: String, topic: String },
}

fn step() -> impl Strategy<Value = Step> {
    let group = prop::option::weighted(0.3, prop::sample::select(vec!["g", "h"]));
    prop_oneof![
        4 => (pattern(), group).prop_map(|(pattern, group)| {
            Step::Insert { pattern, group: group.map(str::to_owned) }
        }),
        2 => any::<usize>().prop_map(Step::Remove),
        4 => (
            prop::sample::select(Scope::ALL.to_vec()),
            prop::sample::select(vec!["ms", "bt", "app", "none"]),
            topic()
        ).prop_map(|(scope, protocol, topic)| {
            Step::Find { scope, protocol: protocol.to_owned(), topic }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn finds_what_the_naive_matcher_finds(steps in prop::collection::vec(step(), 1..120)) {
        let mut index = Index::new(1);
        let mut model: Vec<(SubscriptionKey, Pattern<'static>, Option<String>, u32)> = Vec::new();
        for (number, step) in (1..).zip(steps) {
            match step {
                Step::Insert { pattern, group } => {
                    let pattern = Pattern::new(pattern).unwrap();
                    let role = match group.as_deref() {
                        Some(group) => Role::Member(group),
                        None if number % 4 == 0 => Role::Monitor,
                        None => Role::Each,
                    };
                    let key = index.insert(&pattern, role, number % 3, number);
                    prop_assert_eq!(index.pattern(key), Some(pattern.to_string()));
                    model.push((key, pattern, group, number));
                }
                Step::Remove(at) if !model.is_empty() => {
                    let (key, ..) = model.swap_remove(at % model.len());
                    index.remove(key);
                }
                Step::Remove(_) => {}
                Step::Find { scope, protocol, topic } => {
                    let protocol = Protocol::new(protocol).unwrap();
                    let topic = Topic::new(topic).unwrap();
                    let mut found = Matches::default();
                    // Finds nothing and changes nothing, whatever it guesses.
                    let ahead = [topic.as_str(), "", "a.b", "a.cc.b.ä"];
                    index.look_ahead(scope, protocol.as_str(), &ahead);
                    index.find(scope, protocol.as_str(), topic.as_str(), &mut found);
                    let numbers = |targets: &[Target]| {
                        let mut numbers: Vec<u32> = targets.iter().map(|t| t.number).collect();
                        numbers.sort_unstable();
                        numbers
                    };
                    let wanted = |grouped: bool| {
                        let mut numbers: Vec<u32> = model
                            .iter()
                            .filter(|(_, pattern, group, _)| {
                                group.is_some() == grouped
                                    && pattern.matches(&protocol, scope, topic.as_str())
                            })
                            .map(|(.., number)| *number)
                            .collect();
                        numbers.sort_unstable();
                        numbers
                    };
                    prop_assert_eq!(numbers(&found.each), wanted(false));
                    prop_assert_eq!(numbers(&found.grouped), wanted(true));
                    let groups: Vec<u32> = found.grouped.iter().map(|t| t.group).collect();
                    prop_assert!(groups.is_sorted());
                }
            }
            prop_assert_eq!(index.len(), model.len());
            let weight: usize = model.iter().map(|(_, pattern, ..)| weight(pattern)).sum();
            prop_assert_eq!(index.weight(), weight);
        }
        for (key, ..) in model {
            index.remove(key);
        }
        prop_assert_eq!(index.residue(), 0);
    }
}

#[test]
fn a_message_of_another_scope_never_reaches_a_self_subscription() {
    let mut index = Index::new(1);
    for (number, pattern) in ["self.a", "self.>", "*/self.*", "ms/self.a"].into_iter().enumerate() {
        let number = u32::try_from(number).unwrap();
        index.insert(&Pattern::new(pattern).unwrap(), Role::Each, 0, number);
    }
    for scope in [Scope::Friends, Scope::Public] {
        assert!(!index.has(scope, "ms", "a"));
    }
    assert!(index.has(Scope::Own, "ms", "a"));
}
