//! Requests from one person to another: one program answers, and whoever asked gets that alone.

use super::Device;
use crate::door::{Client, Event, Operation, Publication};
use kith_wire::Code;

/// Asks somebody, and returns the request's number.
fn ask(client: &mut Client, to: &str, topic: &str, timeout_ms: u32) -> u32 {
    let publication = Publication::json(topic, "\"how many?\"").for_whom(to);
    client.send(&Operation::Request { publication, timeout_ms: Some(timeout_ms) })
}

fn code(answer: &Event) -> Code {
    match answer {
        Event::Err { code, fatal: false, .. } => *code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_answered_across_people_by_both_framings() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let bobs = bob.identity();
    for (mut asking, mut answering) in anna.programs().into_iter().zip(bob.programs()) {
        answering.subscribe(1, "friends.cups");
        let number = ask(&mut asking, "bob", "cups", 20_000);
        let question = answering.message_on(1);
        assert_eq!((question.text(), question.petname.as_deref()), ("\"how many?\"", Some("anna")));
        assert!(matches!(answering.reply(&question, "3"), Event::Ok { .. }));
        let answer = asking.answer(number);
        let Event::Reply { delivery, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((delivery.text(), &*delivery.sender), ("3", &*bobs));
        assert_eq!((&*delivery.scope, delivery.petname.as_deref()), ("friends", Some("bob")));
        // A second reply is to nobody.
        assert_eq!(code(&answering.reply(&question, "4")), Code::UnknownRequest);
        answering.done(&Operation::Unsubscribe(1));
        assert_eq!(asking.pending(), []);
    }
}

#[test]
fn who_has_nobody_to_answer_says_so() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let (mut asking, mut local) = (anna.program(), bob.program());
    // Only for Bob's own programs, not for his friends.
    local.subscribe(1, "self.cups");
    let number = ask(&mut asking, "bob", "cups", 20_000);
    assert_eq!(code(&asking.answer(number)), Code::NoResponders);
    assert_eq!(local.pending(), []);
    // Somebody is there, and says nothing.
    local.subscribe(2, "friends.cups");
    let number = ask(&mut asking, "bob", "cups", 500);
    assert_eq!(code(&asking.answer(number)), Code::Timeout);
    let number = ask(&mut asking, "carol", "cups", 500);
    assert_eq!(code(&asking.answer(number)), Code::UnknownRecipient);
}

#[test]
fn the_daemon_itself_answers_nobody_else() {
    let (mut anna, mut bob) = (Device::new("Anna"), Device::new("Bob"));
    anna.befriend("anna", &mut bob, "bob");
    let mut asking = anna.program();
    for topic in ["people.me", "people.recovery", "bus.clients", "services.list"] {
        let publication = Publication::json(topic, "null").for_whom("bob");
        let request = Operation::Request { publication, timeout_ms: Some(20_000) };
        assert_eq!(asking.refused(&request), Code::ReservedTopic, "{topic}");
    }
}
