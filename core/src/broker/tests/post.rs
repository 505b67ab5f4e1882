//! What is not for this bus: handed to the post, counted until it is taken, answered by what
//! becomes of it; and what comes from outside and wants an answer.

use crate::broker::{Inbound, Outgoing, Output, PEOPLE_ASKED, PostAsk};
use crate::limits::{POST_BYTES_MAX, POST_MESSAGES_MAX, POST_MESSAGES_TOTAL_MAX};
use crate::tests::{Bus, FRAMINGS, Who, own_id, publication, publish, small, with};
use kith_wire::{
    Code, Destination, MessageId, Operation, Options, Priority, Publication, Refusal,
    RequestNumber, Scope, Topic,
};

const PERSON: &str = "did:key:z6MkTest";

fn for_post() -> Bus {
    let mut bus = Bus::new(small());
    bus.broker.attach_post();
    bus
}

fn to(who: &str, topic: &str, payload: &str) -> Publication<'static> {
    to_with(who, topic, payload, |_| {})
}

fn to_with(
    who: &str,
    topic: &str,
    payload: &str,
    set: impl FnOnce(&mut Options<'static>),
) -> Publication<'static> {
    with(topic, payload, |options| {
        options.to = Destination::from_text(who);
        set(options);
    })
}

/// All that the post is asked now.
fn asks(bus: &mut Bus) -> Vec<PostAsk> {
    std::iter::from_fn(|| bus.broker.poll_post()).collect()
}

/// The messages that are to be sent, which are all that the post is asked.
fn sends(bus: &mut Bus) -> Vec<Outgoing> {
    let message = |ask| match ask {
        PostAsk::Send { message, .. } => message,
        other => panic!("{other:?}"),
    };
    asks(bus).into_iter().map(message).collect()
}

fn posted(bus: &mut Bus, who: Who, number: u32, id: MessageId, answer: Result<(), Refusal>) {
    let client = bus.id(who);
    bus.broker.posted(Some(client), RequestNumber::new(number), id, answer);
}

fn hello(bus: &mut Bus, who: Who, name: u8) {
    let client = Some([name; 16]);
    let operation = Operation::Hello { name: None, client, descriptors: false, token: None };
    bus.say(who, 0, operation);
}

#[test]
fn without_a_post_there_is_nobody_else() {
    for framing in FRAMINGS {
        let mut bus = Bus::new(small());
        let who = bus.join(framing);
        bus.say(who, 1, publish(to("bob", "a", "1")));
        bus.ask_with(who, 2, to("bob", "a", "1"), 100);
        bus.ask_with(who, 3, publication("people.list", "{}"), 100);
        let wanted = ["err 1 not-available", "err 2 not-available", "err 3 not-available"];
        assert_eq!(bus.hears(who), wanted);
        assert!(asks(&mut bus).is_empty());
    }
}

#[test]
fn a_message_is_handed_over_whole_and_answered_when_the_post_says_so() {
    for framing in FRAMINGS {
        let mut bus = for_post();
        let (who, other) = (bus.join(framing), bus.json());
        bus.subscribed(other, 1, "*/*.>");
        let message = to_with("bob/phone", "a.b", "{\"x\":1}", |options| {
            options.message_id = Some(own_id(3));
            options.expire_after_ms = Some(5_000);
            options.priority = Priority::High;
            options.reply_to = Topic::new("a.answers").ok();
            options.headers.insert("k", "v").unwrap();
        });
        bus.say(who, 1, publish(message));
        assert!(bus.hears(who).is_empty(), "nobody has said yet that it is taken");
        let ask = asks(&mut bus).pop().unwrap();
        let PostAsk::Send { client, number, message } = ask else { panic!("{ask:?}") };
        assert_eq!((client, number), (Some(bus.id(who)), RequestNumber::new(1)));
        assert_eq!((message.message_id, message.to.as_str()), (own_id(3), "bob/phone"));
        assert_eq!((message.topic.as_str(), message.protocol.as_str()), ("a.b", "ms"));
        assert_eq!(message.payload, b"{\"x\":1}");
        assert_eq!(message.headers.iter().collect::<Vec<_>>(), [("k", "v")]);
        assert_eq!(message.reply_to.as_deref(), Some("a.answers"));
        assert_eq!((message.expire_after_ms, message.priority), (Some(5_000), Priority::High));
        assert!(!message.is_repeated);
        posted(&mut bus, who, 1, own_id(3), Ok(()));
        assert_eq!(bus.hears(who), ["ok 1"]);
        posted(&mut bus, who, 1, own_id(3), Ok(()));
        assert!(bus.hears(who).is_empty(), "it was answered");
        assert!(bus.hears(other).is_empty(), "it is for somebody else");
    }
}

#[test]
fn the_shell_is_told_once_that_there_is_something() {
    let mut bus = for_post();
    let who = bus.json();
    bus.say(who, 0, publish(to("bob", "a", "1")));
    bus.say(who, 0, publish(to("bob", "a", "2")));
    let told = std::iter::from_fn(|| bus.broker.poll_output());
    assert_eq!(told.filter(|output| *output == Output::Post).count(), 1);
    assert_eq!(sends(&mut bus).len(), 2);
}

#[test]
fn what_the_post_refuses_is_said_and_can_be_published_again() {
    let mut bus = for_post();
    let who = bus.json();
    let message = || to_with("bob", "a", "1", |options| options.message_id = Some(own_id(1)));
    bus.say(who, 1, publish(message()));
    assert_eq!(sends(&mut bus).len(), 1);
    let refusal = Refusal::new(Code::NotAvailable, "locked");
    posted(&mut bus, who, 1, own_id(1), Err(refusal));
    bus.say(who, 2, publish(message()));
    let again = sends(&mut bus);
    assert!(again.len() == 1 && !again[0].is_repeated);
    posted(&mut bus, who, 2, own_id(1), Ok(()));
    assert_eq!(bus.hears(who), ["err 1 not-available", "ok 2"]);
}

#[test]
fn what_is_published_again_is_sent_once() {
    let mut bus = for_post();
    let first = bus.binary();
    hello(&mut bus, first, 1);
    let message = || to_with("bob", "a", "1", |options| options.message_id = Some(own_id(1)));
    bus.say(first, 1, publish(message()));
    bus.say(first, 1, publish(message()));
    assert_eq!(bus.hears(first), ["err 1 duplicate-request"]);
    assert!(!sends(&mut bus)[0].is_repeated);
    // Before there is an answer, over another connection: the post is asked, and sends nothing.
    let second = bus.json();
    hello(&mut bus, second, 1);
    bus.say(second, 7, publish(message()));
    bus.cut(first);
    let found = asks(&mut bus);
    let [PostAsk::Send { message: again, .. }, PostAsk::Gone(gone)] = &found[..] else {
        panic!("{found:?}")
    };
    assert!(again.is_repeated && *gone == bus.id(first));
    posted(&mut bus, second, 7, own_id(1), Ok(()));
    // And after it, nobody has to be asked.
    bus.say(second, 8, publish(message()));
    assert!(asks(&mut bus).is_empty());
    assert_eq!(bus.hears(second), ["ok 7", "ok 8 duplicate"]);
    let stranger = bus.json();
    bus.say(stranger, 1, publish(message()));
    assert!(!sends(&mut bus)[0].is_repeated, "an id is its publisher's");
}

#[test]
fn what_only_makes_sense_here_is_refused() {
    let mut bus = for_post();
    let who = bus.json();
    let reply_topic = "bus.reply.00000000000000000000000000000001";
    let bad = [
        (to("bob", "people.changed", "{}"), "reserved-topic"),
        (to("bob", reply_topic, "1"), "reserved-topic"),
        (to_with("bob", "a", "1", |options| options.retain = true), "not-available"),
        (to_with("bob", "a", "1", |o| o.until = kith_wire::Until::Stored), "not-available"),
        (to_with("bob", "a", "1", |o| o.reply_to = Topic::new(reply_topic).ok()), "bad-field"),
    ];
    for (message, wanted) in bad {
        bus.say(who, 1, publish(message));
        assert_eq!(bus.hears(who), [format!("err 1 {wanted}")]);
    }
    assert!(asks(&mut bus).is_empty());
}

#[test]
fn a_request_is_asked_and_answered_by_whom_the_post_says() {
    for framing in FRAMINGS {
        let mut bus = for_post();
        let who = bus.join(framing);
        bus.ask_with(who, 4, to("bob", "what", "1"), 1_000);
        let ask = asks(&mut bus).pop().unwrap();
        let PostAsk::Request { client, number, timeout_ms, message } = ask else { panic!() };
        assert_eq!((timeout_ms, message.topic.as_str()), (1_000, "what"));
        // Not on this bus, even if somebody learned the token.
        let mut reply = Inbound::new(PERSON, "key", Scope::Friends, publication("bus.ready", "2"));
        reply.publication.options.reply_to = Topic::new("bus.ready").ok();
        bus.broker.answer_remote(bus.now, client, number, own_id(9), Ok(&reply));
        assert!(bus.hears(who).is_empty(), "that was another request");
        bus.broker.answer_remote(bus.now, client, number, message.message_id, Ok(&reply));
        let heard = bus.hear(who);
        let message = heard[0].message();
        assert!(heard.len() == 1 && message.topic.starts_with("bus.reply."), "{heard:?}");
        assert_eq!((message.sender.as_str(), message.scope.as_str()), (PERSON, "friends"));
        assert_eq!((message.reply_to.as_deref(), &message.payload[..]), (None, &b"2"[..]));
        // Time ends it here, and so does a refusal.
        bus.ask_with(who, 4, to("bob", "what", "1"), 1_000);
        bus.pass(1_000);
        assert_eq!(bus.hears(who), ["err 4 timeout"]);
        bus.ask_with(who, 4, to("bob", "what", "1"), 1_000);
        let Some(PostAsk::Request { message, .. }) = asks(&mut bus).pop() else { panic!() };
        let refusal = Refusal::new(Code::NoResponders, "nobody there");
        bus.broker.answer_remote(bus.now, client, number, message.message_id, Err(refusal));
        assert_eq!(bus.hears(who), ["err 4 no-responders"]);
        bus.cut(who);
        assert_eq!(bus.broker.residue(), 0);
    }
}

#[test]
fn a_local_request_is_not_answered_from_elsewhere() {
    let mut bus = for_post();
    let (who, server) = (bus.json(), bus.json());
    bus.subscribed(server, 1, "self.what");
    let message = with("what", "1", |options| options.message_id = Some(own_id(1)));
    bus.ask_with(who, 4, message, 1_000);
    let reply = Inbound::new(PERSON, "key", Scope::Own, publication("what", "2"));
    let client = bus.id(who);
    let number = RequestNumber::new(4).unwrap();
    bus.broker.answer_remote(bus.now, client, number, own_id(1), Ok(&reply));
    assert!(bus.hears(who).is_empty());
}

#[test]
fn a_request_from_outside_is_answered_to_nobody_else() {
    let mut bus = for_post();
    let (server, other) = (bus.json(), bus.binary());
    let inbound = Inbound::new(PERSON, "key", Scope::Friends, publication("what", "1"));
    let refusal = bus.broker.deliver_inbound_request(bus.now, &inbound, 5, 1_000).unwrap_err();
    assert_eq!(refusal.code, Code::NoResponders);
    bus.subscribed(server, 1, "friends.what");
    bus.subscribed(other, 1, "*/*.>");
    bus.broker.deliver_inbound_request(bus.now, &inbound, 6, 1_000).unwrap();
    let reply_to = bus.hear(server)[0].message().reply_to.clone().unwrap();
    assert_eq!(bus.hears(other).len(), 1);
    bus.say(server, 2, publish(to("bob", &reply_to, "2")));
    bus.say(server, 3, publish(publication(&reply_to, "2")));
    bus.say(other, 3, publish(publication(&reply_to, "3")));
    assert_eq!(bus.hears(server), ["err 2 reserved-topic", "ok 3"]);
    assert_eq!(bus.hears(other), ["err 3 unknown-request"]);
    let found = asks(&mut bus);
    let [PostAsk::Reply { request: 6, message }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((message.payload.as_slice(), message.to.as_str()), (&b"2"[..], ""));
    // One that nobody answers.
    bus.broker.deliver_inbound_request(bus.now, &inbound, 7, 1_000).unwrap();
    bus.pass(1_000);
    assert_eq!(asks(&mut bus), [PostAsk::Unanswered { request: 7 }]);
    for who in [server, other] {
        bus.cut(who);
    }
    assert_eq!(bus.broker.residue(), 0);
}

#[test]
fn questions_about_people_go_to_the_post() {
    for framing in FRAMINGS {
        let mut bus = for_post();
        let who = bus.join(framing);
        for topic in PEOPLE_ASKED {
            bus.ask_with(who, 3, publication(topic, "{\"a\":1}"), 1_000);
            let found = asks(&mut bus);
            let [PostAsk::Asked { client, number, topic: asked, payload, is_administrator }] =
                &found[..]
            else {
                panic!("{found:?}")
            };
            assert_eq!((*asked, payload.as_slice()), (topic, &b"{\"a\":1}"[..]));
            assert!(!is_administrator);
            let answer = Ok("{\"b\":2}".to_owned());
            bus.broker.answer_people(bus.now, *client, *number, asked, answer.clone());
            bus.broker.answer_people(bus.now, *client, *number, asked, answer);
            assert_eq!(bus.hears(who), [format!("reply 3 {topic} {{\"b\":2}}")]);
        }
        for (number, wanted) in (1..=9).zip(["", "", "", "", "", "", "", "", "quota-requests"]) {
            bus.ask_with(who, number, publication("people.me", "{}"), 1_000);
            let heard = bus.hears(who);
            assert_eq!(heard.first().map_or("", |text| &text[6..]), wanted);
        }
        bus.cut(who);
        assert!(asks(&mut bus).is_empty(), "nobody waits for what was not asked yet");
        assert_eq!(bus.broker.residue(), 0);
    }
}

#[test]
fn as_much_waits_for_the_post_as_may() {
    let mut bus = for_post();
    let who = bus.json();
    for _ in 0..POST_MESSAGES_MAX {
        bus.say(who, 0, publish(to("bob", "a", "1")));
    }
    assert!(bus.hears(who).is_empty());
    bus.say(who, 1, publish(to("bob", "a", "1")));
    bus.ask_with(who, 2, to("bob", "a", "1"), 100);
    assert_eq!(bus.hears(who), ["err 1 busy", "err 2 busy"]);
    // Another one still may; what is taken makes room, also before it has arrived.
    let other = bus.json();
    bus.say(other, 1, publish(to("bob", "a", "1")));
    assert!(bus.hears(other).is_empty());
    let first = sends(&mut bus).remove(0);
    let client = bus.id(who);
    bus.broker.post_took(Some(client), None, first.message_id);
    bus.say(who, 3, publish(to("bob", "a", "1")));
    bus.say(who, 4, publish(to("bob", "a", "1")));
    assert_eq!(bus.hears(who), ["err 4 busy"]);
}

#[test]
fn bytes_and_all_clients_together_are_bounded() {
    let mut bus = Bus::new(crate::limits::Limits::default());
    bus.broker.attach_post();
    let big = format!("\"{}\"", "x".repeat(POST_BYTES_MAX / 4));
    let who = bus.binary();
    for number in 1..=4 {
        bus.say(who, number, publish(to("bob", "a", &big)));
    }
    assert_eq!(bus.hears(who), ["err 4 busy"]);
    let mut bus = for_post();
    let count = POST_MESSAGES_TOTAL_MAX / POST_MESSAGES_MAX;
    let clients: Vec<Who> = (0..=count).map(|_| bus.binary()).collect();
    for who in &clients[..count] {
        for _ in 0..POST_MESSAGES_MAX {
            bus.say(*who, 0, publish(to("bob", "a", "1")));
        }
    }
    bus.say(clients[count], 1, publish(to("bob", "a", "1")));
    assert_eq!(bus.hears(clients[count]), ["err 1 busy"]);
    // Who goes leaves behind what is not taken yet.
    for who in &clients[..count] {
        bus.cut(*who);
    }
    bus.say(clients[count], 2, publish(to("bob", "a", "1")));
    assert_eq!(bus.hears(clients[count]), ["err 2 busy"]);
    for ask in asks(&mut bus) {
        if let PostAsk::Send { client, number, message } = ask {
            bus.broker.post_took(client, number, message.message_id);
        }
    }
    bus.cut(clients[count]);
    assert_eq!(bus.broker.residue(), 0);
}

#[test]
fn a_will_goes_to_the_post() {
    let mut bus = for_post();
    let who = bus.json();
    bus.say(who, 1, Operation::Will(to_with("bob", "a", "1", |options| options.retain = true)));
    bus.say(who, 2, Operation::Will(to("bob", "gone", "1")));
    assert_eq!(bus.hears(who), ["err 1 not-available", "ok 2"]);
    bus.cut(who);
    let found = asks(&mut bus);
    let [PostAsk::Send { client: None, number: None, message }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((message.to.as_str(), message.topic.as_str()), ("bob", "gone"));
    bus.broker.posted(None, None, message.message_id, Ok(()));
    assert_eq!(bus.broker.residue(), 0);
}

#[test]
fn who_says_goodbye_gets_its_answers_and_what_it_sent_is_sent() {
    for framing in FRAMINGS {
        let mut bus = for_post();
        let who = bus.join(framing);
        bus.say(who, 1, publish(to("bob", "a", "1")));
        bus.say(who, 2, Operation::Bye);
        assert!(bus.hears(who).is_empty());
        let message = sends(&mut bus).remove(0);
        posted(&mut bus, who, 1, message.message_id, Ok(()));
        assert_eq!(bus.hears(who), ["ok 1", "ok 2"]);
        assert!(bus.broker.is_closing(bus.id(who)));
        bus.cut(who);
        assert!(asks(&mut bus).is_empty());
        assert_eq!(bus.broker.residue(), 0);
    }
}

#[test]
fn who_stops_or_has_no_post_any_more_keeps_nobody_waiting() {
    for stops in [true, false] {
        let mut bus = for_post();
        let who = bus.json();
        bus.say(who, 1, publish(to("bob", "a", "1")));
        bus.ask_with(who, 2, to("bob", "a", "1"), 1_000);
        bus.ask_with(who, 3, publication("people.me", "{}"), 1_000);
        assert_eq!(asks(&mut bus).len(), 3);
        bus.say(who, 4, publish(to("bob", "a", "1")));
        let code = if stops {
            bus.broker.shut_down();
            "shutting-down"
        } else {
            bus.broker.detach_post(&Refusal::new(Code::NotAvailable, "it has failed"));
            "not-available"
        };
        let mut heard = bus.hears(who);
        heard.sort_unstable();
        let mut wanted: Vec<String> = (1..=4).map(|n| format!("err {n} {code}")).collect();
        wanted.splice(0..0, stops.then(|| "bye shutting-down".to_owned()));
        assert_eq!(heard, wanted);
        // What was published is still handed over to a post that is there.
        let left = asks(&mut bus);
        assert_eq!(left.iter().any(|ask| matches!(ask, PostAsk::Send { .. })), stops, "{left:?}");
        bus.cut(who);
        for ask in left {
            if let PostAsk::Send { client, number, message } = ask {
                bus.broker.posted(client, number, message.message_id, Ok(()));
            }
        }
    }
}

#[test]
fn whether_somebody_would_get_it_from_outside() {
    let mut bus = for_post();
    let who = bus.json();
    let wanted =
        |bus: &Bus, topic: &str| Scope::ALL.map(|scope| bus.broker.is_wanted(scope, "ms", topic));
    bus.monitors(who, 1, "*.>");
    assert_eq!(wanted(&bus, "a"), [false; 3]);
    bus.subscribed(who, 2, "public.a");
    assert_eq!(wanted(&bus, "a"), [false, false, true]);
    bus.joined(who, 3, "friends.a", "g");
    assert_eq!(wanted(&bus, "a"), [false, true, true]);
    bus.subscribed(who, 4, "*.b");
    assert_eq!(wanted(&bus, "b"), [true; 3]);
    assert_eq!(wanted(&bus, "people.changed"), [false; 3]);
}
