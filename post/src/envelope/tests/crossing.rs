//! Both ends settle on one session, whatever is lost, copied or late.

use super::world::{End, acquainted, pair, tag_of};
use crate::envelope::{DecryptError, Lane};
use proptest::collection::vec;
use proptest::prelude::*;

/// Sends one each way, in turn, and holds that both then use the same session.
fn settle(a: &mut End, b: &mut End) {
    for _ in 0..2 {
        let there = a.send(b, "there");
        assert!(b.hears(a, &there, "there"));
        let back = b.send(a, "back");
        assert!(a.hears(b, &back, "back"));
    }
    let (there, back) = (a.send(b, ""), b.send(a, ""));
    assert_eq!(tag_of(&there), tag_of(&back));
    assert!(tag_of(&there).is_some(), "no first messages any more");
    assert!(b.hears(a, &there, "") && a.hears(b, &back, ""));
}

#[test]
fn both_open_at_once_and_converge() {
    let (mut a, mut b) = pair();
    let (from_a, from_b) = (a.send(&b, "a"), b.send(&a, "b"));
    assert!(a.hears(&b, &from_b, "b") && b.hears(&a, &from_a, "a"));
    // The one that leads stays, the other follows, before either has heard an answer.
    let (from_a, from_b) = (a.send(&b, "a"), b.send(&a, "b"));
    assert_eq!((from_a.first(), from_b.first()), (Some(&0), Some(&1)));
    assert!(a.hears(&b, &from_b, "b") && b.hears(&a, &from_a, "a"));
    settle(&mut a, &mut b);
}

#[test]
fn a_first_message_that_comes_late_does_no_harm() {
    let (mut a, mut b) = pair();
    let late = b.send(&a, "late");
    let from_a = a.send(&b, "a");
    assert!(b.hears(&a, &from_a, "a"));
    let answer = b.send(&a, "answer");
    assert!(a.hears(&b, &answer, "answer") && a.hears(&b, &late, "late"));
    settle(&mut a, &mut b);
}

#[test]
fn whoever_lost_everything_but_its_keys_is_understood_again() {
    for loses_first in [true, false] {
        let (mut a, mut b) = acquainted();
        let (lost, other) = if loses_first { (&mut a, &mut b) } else { (&mut b, &mut a) };
        lost.disk.clear();
        lost.restart();
        let on_old = other.send(lost, "old");
        let refused = lost.hear(other, &on_old).unwrap_err();
        assert_eq!(refused, DecryptError::UnknownSession);
        assert!(refused.calls_for_renewal());
        let opening = lost.send(other, "me again");
        assert!(other.hears(lost, &opening, "me again"));
        settle(&mut a, &mut b);
    }
}

#[test]
fn a_renewal_displaces_what_was_there_at_both_ends() {
    for leader_renews in [true, false] {
        let (mut a, mut b) = acquainted();
        let (one, other) = if leader_renews { (&mut a, &mut b) } else { (&mut b, &mut a) };
        let (before, on_way) = (one.send(other, "before"), other.send(one, "on its way"));
        one.sessions.renew(other.id, Lane::Normal);
        one.commit();
        one.restart();
        assert!(!one.sessions.can_send(other.id, Lane::Normal, &other.account.curve_key()));
        let renewed = one.send(other, "renewed");
        assert_eq!(renewed.first(), Some(&0));
        assert!(other.hears(one, &renewed, "renewed") && other.hears(one, &before, "before"));
        assert!(one.hears(other, &on_way, "on its way"));
        let answer = other.send(one, "answer");
        assert_ne!(tag_of(&answer), tag_of(&on_way));
        assert!(one.hears(other, &answer, "answer"));
        settle(&mut a, &mut b);
    }
}

#[test]
fn renewals_that_cross_converge() {
    let (mut a, mut b) = acquainted();
    a.sessions.renew(b.id, Lane::Normal);
    b.sessions.renew(a.id, Lane::Normal);
    let (from_a, from_b) = (a.send(&b, "a"), b.send(&a, "b"));
    assert!(a.hears(&b, &from_b, "b") && b.hears(&a, &from_a, "a"));
    settle(&mut a, &mut b);
}

/// What can happen to the messages on their way.
#[derive(Clone, Debug)]
enum Step {
    Send { first: bool },
    Deliver { to_first: bool, which: usize },
    Copy { to_first: bool, which: usize },
    Lose { to_first: bool, which: usize },
    Restart { first: bool },
    Renew { first: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let sides = || (any::<bool>(), 0_usize..64);
    prop_oneof![
        6 => any::<bool>().prop_map(|first| Step::Send { first }),
        5 => sides().prop_map(|(to_first, which)| Step::Deliver { to_first, which }),
        1 => sides().prop_map(|(to_first, which)| Step::Copy { to_first, which }),
        1 => sides().prop_map(|(to_first, which)| Step::Lose { to_first, which }),
        1 => any::<bool>().prop_map(|first| Step::Restart { first }),
        1 => any::<bool>().prop_map(|first| Step::Renew { first }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Within vodozemac's bounds (fewer than 40 are ever skipped here, few sessions are opened)
    /// everything opens once, in any order, and both ends converge in the end.
    #[test]
    fn everything_opens_once_in_any_order(steps in vec(step(), 1..60)) {
        let (mut a, mut b) = pair();
        let mut ways: [Vec<(Vec<u8>, String)>; 2] = Default::default();
        let (mut count, mut renewals) = (0, 0);
        for step in steps {
            match step {
                Step::Send { first } => {
                    count += 1;
                    let text = format!("message {count}");
                    let (from, to) = if first { (&mut a, &b) } else { (&mut b, &a) };
                    ways[usize::from(first)].push((from.send(to, &text), text));
                }
                Step::Deliver { to_first, which } | Step::Copy { to_first, which } => {
                    let way = &mut ways[usize::from(!to_first)];
                    if way.is_empty() { continue }
                    let (bytes, text) = way.remove(which % way.len());
                    let (from, to) = if to_first { (&b, &mut a) } else { (&a, &mut b) };
                    prop_assert!(to.hears(from, &bytes, &text));
                    if matches!(step, Step::Copy { .. }) {
                        let disk = to.disk.clone();
                        let refused = to.hear(from, &bytes).unwrap_err();
                        prop_assert!(refused.calls_for_renewal(), "{refused}");
                        prop_assert!(disk == to.disk);
                    }
                }
                Step::Lose { to_first, which } => {
                    let way = &mut ways[usize::from(!to_first)];
                    if way.is_empty() { continue }
                    way.remove(which % way.len());
                }
                Step::Restart { first } => if first { a.restart() } else { b.restart() },
                Step::Renew { first } if renewals < 2 => {
                    renewals += 1;
                    let (from, to) = if first { (&mut a, &b) } else { (&mut b, &a) };
                    from.sessions.renew(to.id, Lane::Normal);
                }
                Step::Renew { .. } => {}
            }
        }
        ways.iter_mut().for_each(Vec::clear);
        settle(&mut a, &mut b);
    }
}
