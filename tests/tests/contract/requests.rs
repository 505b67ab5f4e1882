//! Request and reply.

use crate::door::{Bus, Client, Delivery, Door, Event, Operation, Publication, Subscription};
use kith_wire::Code;
use std::time::{Duration, Instant};

on_every_door! {
    a_request_is_answered_by_who_subscribes,
    a_reply_may_carry_bytes_and_headers,
    nobody_there_is_said_at_once,
    no_reply_is_said_when_the_time_is_over,
    a_reply_that_comes_too_late_is_refused,
    only_the_first_reply_counts,
    the_reply_reaches_the_requester_alone,
    the_reply_topic_is_a_capability,
    requests_are_told_apart_by_their_numbers,
    who_has_left_waits_no_more,
    a_group_answers_once,
    a_monitor_looks_on_and_is_no_responder,
    who_has_said_goodbye_waits_no_more,
    ; streams alone:
    // The number of a call is its serial, which the sender's library gives, and never twice.
    a_number_that_waits_is_in_use,
}

struct Scene {
    bus: Box<dyn Bus>,
    requester: Client,
    responder: Client,
}

fn scene(door: &dyn Door) -> Scene {
    let bus = door.open("");
    let (requester, mut responder) = (bus.connect(), bus.connect());
    responder.subscribe(1, "self.sum");
    Scene { bus, requester, responder }
}

fn failed(number: u32, code: Code) -> Event {
    Event::Err { number: Some(number), code, fatal: false }
}

fn replied(event: Event) -> Delivery {
    let Event::Reply { delivery, .. } = event else { panic!("not a reply: {event:?}") };
    delivery
}

fn a_request_is_answered_by_who_subscribes(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    let number = requester.request("sum", "[1,2]", 5_000);
    let asked = responder.message_on(1);
    assert_eq!((asked.topic.as_str(), asked.text()), ("sum", "[1,2]"));
    let reply_to = asked.reply_to.clone().unwrap();
    assert!(reply_to.starts_with("bus.reply."), "{reply_to}");
    let answer = responder.reply(&asked, "3");
    let Event::Ok { message_id: Some(message_id), duplicate: false, .. } = answer else { panic!() };
    let reply = replied(requester.answer(number));
    let expected = Delivery {
        message_id,
        sent_at_ms: reply.sent_at_ms,
        topic: reply_to,
        reply_to: None,
        payload: b"3".to_vec(),
        ..asked
    };
    assert_eq!(reply, expected);
}

fn a_reply_may_carry_bytes_and_headers(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    let number = requester.request("sum", "0", 5_000);
    let asked = responder.message_on(1);
    let headers = vec![("status".to_owned(), "fine".to_owned())];
    let reply = Publication::bytes("x-raw", asked.reply_to.as_deref().unwrap(), *b"\0\n");
    responder.publish_it(Publication { headers: headers.clone(), priority: Some(0), ..reply });
    let reply = replied(requester.answer(number));
    assert_eq!((reply.protocol.as_str(), reply.payload), ("x-raw", b"\0\n".to_vec()));
    assert_eq!((reply.headers, reply.priority), (headers, 0));
}

fn nobody_there_is_said_at_once(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    responder.subscribe(2, "friends.other");
    responder.subscribe(3, "x-raw/self.other");
    let started = Instant::now();
    let number = requester.request("other", "0", 3_600_000);
    assert_eq!(requester.answer(number), failed(number, Code::NoResponders));
    responder.done(&Operation::Unsubscribe(1));
    let number = requester.request("sum", "0", 3_600_000);
    assert_eq!(requester.answer(number), failed(number, Code::NoResponders));
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(responder.pending(), []);
}

fn no_reply_is_said_when_the_time_is_over(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    let started = Instant::now();
    let number = requester.request("sum", "0", 50);
    assert_eq!(requester.answer(number), failed(number, Code::Timeout));
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!(responder.pending_payloads(1), ["0"]);
}

fn a_reply_that_comes_too_late_is_refused(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    let number = requester.request("sum", "0", 1);
    assert_eq!(requester.answer(number), failed(number, Code::Timeout));
    let asked = responder.message_on(1);
    let answer = responder.reply(&asked, "1");
    let number = answer.answers().unwrap();
    assert_eq!(answer, failed(number, Code::UnknownRequest));
    assert_eq!(requester.pending(), []);
}

fn only_the_first_reply_counts(door: &dyn Door) {
    let Scene { bus, mut requester, mut responder } = scene(door);
    let mut second = bus.connect();
    second.subscribe(1, "self.*");
    let number = requester.request("sum", "0", 5_000);
    let asked = responder.message_on(1);
    assert_eq!(second.message_on(1), asked);
    assert!(matches!(second.reply(&asked, "2"), Event::Ok { .. }));
    assert_eq!(replied(requester.answer(number)).text(), "2");
    for late in [&mut responder, &mut second] {
        let answer = late.reply(&asked, "1");
        assert_eq!(answer, failed(answer.answers().unwrap(), Code::UnknownRequest));
    }
    assert_eq!(requester.pending(), []);
}

fn the_reply_reaches_the_requester_alone(door: &dyn Door) {
    let Scene { bus, mut requester, mut responder } = scene(door);
    let mut curious = bus.connect();
    curious.subscribe(1, "*/*.>");
    curious.subscribe(2, "self.bus.reply.>");
    let number = requester.request("sum", "0", 5_000);
    let asked = responder.message_on(1);
    responder.reply(&asked, "1");
    replied(requester.answer(number));
    let topics: Vec<_> = curious
        .pending()
        .into_iter()
        .map(|event| match event {
            Event::Message { delivery, .. } => delivery.topic,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(topics.iter().all(|topic| !topic.starts_with("bus.reply.")), "{topics:?}");
    assert!(topics.contains(&"sum".to_owned()));
}

fn the_reply_topic_is_a_capability(door: &dyn Door) {
    let Scene { bus, mut requester, mut responder } = scene(door);
    // Whoever was handed the topic may reply, whatever it subscribes to.
    let number = requester.request("sum", "0", 5_000);
    let asked = responder.message_on(1);
    let mut deputy = bus.connect();
    assert!(matches!(deputy.reply(&asked, "1"), Event::Ok { .. }));
    assert_eq!(replied(requester.answer(number)).text(), "1");
    // And who guesses has nothing.
    for guess in ["bus.reply.0", &format!("bus.reply.{}", "0".repeat(32)), "bus.reply.x.y"] {
        let code = deputy.refused(&Operation::Publish(Publication::json(guess, "0")));
        assert!([Code::UnknownRequest, Code::ReservedTopic].contains(&code), "{guess}: {code}");
    }
    let topics: Vec<_> = (0..20)
        .map(|_| {
            requester.request("sum", "0", 60_000);
            responder.message_on(1).reply_to.unwrap()
        })
        .collect();
    assert!(topics.iter().all(|topic| topic.len() >= "bus.reply.".len() + 22), "{topics:?}");
}

fn requests_are_told_apart_by_their_numbers(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    let numbers: Vec<_> =
        (0..50).map(|n| requester.request("sum", &n.to_string(), 60_000)).collect();
    let asked: Vec<_> = (0..50).map(|_| responder.message_on(1)).collect();
    for asked in asked.iter().rev() {
        responder.reply(asked, &format!("[{}]", asked.text()));
    }
    for (n, number) in numbers.into_iter().enumerate() {
        assert_eq!(replied(requester.answer(number)).text(), format!("[{n}]"));
    }
}

fn a_number_that_waits_is_in_use(door: &dyn Door) {
    let Scene { bus, mut requester, mut responder } = scene(door);
    let operation =
        Operation::Request { publication: Publication::json("sum", "0"), timeout_ms: Some(60_000) };
    requester.send_as(5, &operation);
    let first = responder.message_on(1);
    requester.send_as(5, &operation);
    assert_eq!(requester.answer(5), failed(5, Code::DuplicateRequest));
    // Another connection has numbers of its own.
    let mut other = bus.connect();
    other.send_as(5, &operation);
    let second = responder.message_on(1);
    responder.reply(&second, "2");
    assert_eq!(replied(other.answer(5)).text(), "2");
    responder.reply(&first, "1");
    assert_eq!(replied(requester.answer(5)).text(), "1");
    requester.send_as(5, &operation);
    let third = responder.message_on(1);
    responder.reply(&third, "3");
    assert_eq!(replied(requester.answer(5)).text(), "3");
}

fn who_has_left_waits_no_more(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    responder.subscribe(2, "self.bus.client");
    requester.request("sum", "0", 60_000);
    let asked = responder.message_on(1);
    drop(requester);
    assert_eq!(responder.message_on(2).value()["event"], "disconnected");
    let answer = responder.reply(&asked, "1");
    assert_eq!(answer, failed(answer.answers().unwrap(), Code::UnknownRequest));
}

fn a_group_answers_once(door: &dyn Door) {
    let bus = door.open("");
    let mut members = [(); 3].map(|()| bus.connect());
    for member in &mut members {
        member.subscribe_group(1, "self.sum", "servers");
    }
    let mut requester = bus.connect();
    let number = requester.request("sum", "0", 60_000);
    let asked: Vec<_> = members.iter_mut().map(Client::pending).collect();
    assert_eq!(asked.iter().map(Vec::len).sum::<usize>(), 1, "{asked:?}");
    let place = asked.iter().position(|events| !events.is_empty()).unwrap();
    let Event::Message { delivery, .. } = &asked[place][0] else { panic!() };
    members[place].reply(delivery, "1");
    replied(requester.answer(number));
}

fn a_monitor_looks_on_and_is_no_responder(door: &dyn Door) {
    let Scene { bus, mut requester, mut responder } = scene(door);
    let mut monitor = bus.connect();
    monitor.subscribe_to(1, Subscription::to("*/self.*").looking_on());
    let number = requester.request("nobody", "\"first\"", 60_000);
    assert_eq!(requester.answer(number), failed(number, Code::NoResponders));
    let number = requester.request("sum", "\"second\"", 60_000);
    let asked = responder.message_on(1);
    responder.reply(&asked, "3");
    replied(requester.answer(number));
    requester.publish("a", "\"third\"");
    assert_eq!(monitor.pending_payloads(1), ["\"first\"", "\"second\"", "\"third\""]);
}

fn who_has_said_goodbye_waits_no_more(door: &dyn Door) {
    let Scene { bus: _bus, mut requester, mut responder } = scene(door);
    requester.request("sum", "0", 60_000);
    let asked = responder.message_on(1);
    requester.done(&Operation::Bye);
    let answer = responder.reply(&asked, "1");
    assert_eq!(answer, failed(answer.answers().unwrap(), Code::UnknownRequest));
    assert_eq!(requester.next_or_end(), None);
}
