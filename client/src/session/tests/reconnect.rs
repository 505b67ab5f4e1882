//! What is said again after the connection was lost, and what is not.

use super::*;
use crate::limits::{PUBLISH_SENDS_MAX, REPEAT_MS_MAX};

#[test]
fn an_unanswered_publish_is_repeated_with_its_id_and_answered_once() {
    let mut pair = Pair::connected();
    let id = pair.publish("1");
    assert_eq!(whats(&pair.hear()), ["pub 1+id"]);
    pair.session.lost(&Loss::HungUp);
    assert_eq!(pair.outputs(), []);

    pair.connect();
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["pub 1+id"]);
    let number = NonZeroU32::new(heard[0].0).unwrap();
    let ok = Event::Ok { number, message_id: Some(id), duplicate: true, stored: false };
    pair.say(&ok);
    assert_eq!(pair.outputs(), [published("1", id, true)]);

    pair.say(&ok);
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    assert_eq!((pair.hear(), pair.outputs()), (vec![], vec![]));
}

#[test]
fn publishes_keep_their_order_over_a_reconnect() {
    let mut pair = Pair::connected();
    pair.publish("1");
    pair.post("22");
    pair.publish("333");
    let sent = pair.session.unwritten().len();
    // All of the first two, and half of the third, which follows in the same buffer.
    pair.session.written(sent - 10);
    pair.post("4444");
    pair.session.lost(&Loss::HungUp);
    pair.publish("55555");
    pair.outputs();

    pair.connect();
    let expected = ["pub 1+id", "pub 333+id", "pub 4444", "pub 55555+id"];
    assert_eq!(whats(&pair.hear()), expected);
}

#[test]
fn a_publish_is_not_repeated_when_that_could_double_it() {
    let mut pair = Pair::connected();
    pair.publish("1");
    pair.hear();
    pair.session.lost(&Loss::HungUp);
    pair.publish("22");
    pair.now += Duration::from_millis(REPEAT_MS_MAX + 1);
    pair.connect();
    assert_eq!(whats(&pair.hear()), ["pub 22+id"], "it had never been sent");
    assert_eq!(pair.outputs(), [lost("1", Loss::HungUp)]);
}

#[test]
fn a_publish_is_not_repeated_for_ever() {
    let mut pair = Pair::connected();
    pair.publish("1");
    for _ in 1..PUBLISH_SENDS_MAX {
        assert_eq!(whats(&pair.hear()), ["pub 1+id"]);
        pair.session.lost(&Loss::HungUp);
        pair.connect();
    }
    assert_eq!(whats(&pair.hear()), ["pub 1+id"]);
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    assert_eq!(pair.hear(), []);
    assert_eq!(pair.outputs(), [lost("1", Loss::HungUp)]);
}

#[test]
fn what_a_new_daemon_finds_too_large_is_refused_and_not_sent() {
    let mut pair = Pair::connected();
    let large = String::leak("x".repeat(20_000));
    pair.publish(large);
    pair.hear();
    pair.session.lost(&Loss::HungUp);
    pair.post(large);
    pair.session.connected();
    let number = NonZeroU32::new(pair.hear_greeting().0).unwrap();
    let mut bytes = MAGIC.to_vec();
    let welcome =
        Event::Welcome { number, version: "1", payload_bytes_max: 100, descriptors: false };
    deliver::event(&mut bytes, &welcome);
    pair.receive(&bytes);
    assert_eq!(pair.hear(), []);
    let freed = |output: &Output<_, _>| matches!(output, Output::Free(20_000..));
    let outputs: Vec<_> = std::iter::from_fn(|| pair.session.poll_output()).collect();
    assert_eq!(outputs.iter().filter(|output| freed(output)).count(), 1);
    let is_refused = |output: &Output<&str, _>| match output {
        Output::Answer(_, Err(Failure::Refused { code, .. }))
        | Output::Background(BackgroundError::Refused { code, .. }) => {
            *code == Some(Code::TooLarge)
        }
        _ => false,
    };
    assert_eq!(outputs.iter().filter(|output| is_refused(output)).count(), 2);
}

#[test]
fn subscriptions_are_made_again_and_told_of_the_gap() {
    let mut pair = Pair::connected();
    pair.subscribe(1, "a");
    let number = pair.hear()[0].0;
    pair.ok(number);
    pair.subscribe(2, "b");
    pair.hear();
    pair.session.lost(&Loss::HungUp);
    pair.subscribe(3, "c");
    assert_eq!(pair.outputs(), [done("subscribe")]);

    pair.connect();
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["sub self.a", "sub self.b", "sub self.c"]);
    for (number, _) in &heard {
        pair.ok(*number);
    }
    let mut outputs = pair.outputs();
    assert_eq!(items(outputs.remove(0)), ("a", vec![Incoming::Gap]));
    assert_eq!(outputs, [done("subscribe"), done("subscribe")], "they are new");

    // A connection that is lost before it could say all of it.
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["sub self.a", "sub self.b", "sub self.c"]);
    for (number, _) in &heard {
        pair.ok(*number);
    }
    let gaps: Vec<_> = pair.outputs().into_iter().map(items).collect();
    let gap = || vec![Incoming::Gap];
    assert_eq!(gaps, [("a", gap()), ("b", gap()), ("c", gap())]);
}

#[test]
fn a_subscription_that_is_refused_after_a_reconnect_ends() {
    let mut pair = Pair::connected();
    pair.subscribe(1, "a");
    let number = pair.hear()[0].0;
    pair.ok(number);
    pair.outputs();
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    let number = pair.hear()[0].0;
    pair.refuse(number, Code::QuotaSubscriptions);
    let code = Some(Code::QuotaSubscriptions);
    let reason = SubscribeError::Refused { code, text: "no".into() };
    assert_eq!(pair.outputs(), [Output::Ended { to: "a", reason }]);
    pair.message(number, "1");
    assert_eq!(pair.outputs(), []);
}

#[test]
fn a_subscription_that_is_dropped_is_not_made_again() {
    let mut pair = Pair::connected();
    pair.subscribe(1, "a");
    let number = pair.hear()[0].0;
    pair.ok(number);
    pair.ask(Command::Unsubscribe { key: 1 });
    let heard = pair.hear();
    assert_eq!(whats(&heard), [format!("unsub {number}")]);
    pair.outputs();
    pair.message(number, "1");
    pair.ok(heard[0].0);
    assert_eq!(pair.outputs(), []);

    // While there is no connection: one that was made, and one that was not yet.
    pair.subscribe(2, "b");
    let number = pair.hear()[0].0;
    pair.ok(number);
    pair.outputs();
    pair.session.lost(&Loss::HungUp);
    pair.subscribe(3, "c");
    pair.ask(Command::Unsubscribe { key: 2 });
    pair.ask(Command::Unsubscribe { key: 3 });
    pair.connect();
    assert_eq!(pair.hear(), []);
}

#[test]
fn requests_fail_when_the_connection_is_lost() {
    let mut pair = Pair::connected();
    pair.request("1");
    pair.request("2");
    pair.request("3");
    let heard = pair.hear();
    let number = NonZeroU32::new(heard[1].0).unwrap();
    pair.say(&Event::Reply { number, delivery: delivery("a", "yes") });
    let replied = Done::Replied(sample("a", "yes"));
    assert_eq!(pair.outputs(), [Output::Answer("2", Ok(replied))]);

    pair.request("4");
    pair.ask(Command::Ping { waiter: "ping" });
    pair.session.lost(&Loss::HungUp);
    let failed = ["1", "3", "4", "ping"].map(|waiter| lost(waiter, Loss::HungUp));
    assert_eq!(pair.outputs(), failed);
    pair.request("5");
    assert_eq!(pair.outputs(), [lost("5", Loss::NotConnected)]);
    pair.connect();
    assert_eq!(pair.hear(), [], "none is repeated, not even the one that was not written");
}

#[test]
fn the_will_is_left_again() {
    let mut pair = Pair::connected();
    pair.set_will("1");
    let number = pair.hear()[0].0;
    pair.ok(number);
    pair.set_will("2");
    pair.hear();
    pair.session.lost(&Loss::HungUp);
    assert_eq!(pair.outputs(), [done("1")]);
    pair.set_will("3");

    pair.connect();
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["will 3"]);
    pair.ok(heard[0].0);
    assert_eq!(pair.outputs(), [done("2"), done("3")], "the later one replaced the earlier");

    pair.session.lost(&Loss::HungUp);
    pair.connect();
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["will 3"]);
    pair.refuse(heard[0].0, Code::ReservedTopic);
    let code = Some(Code::ReservedTopic);
    let error = BackgroundError::Will { code, text: "no".into() };
    assert_eq!(pair.outputs(), [Output::Background(error)]);
}

#[test]
fn a_refused_will_leaves_the_one_before() {
    let mut pair = Pair::connected();
    pair.set_will("1");
    pair.set_will("2");
    let heard = pair.hear();
    pair.ok(heard[0].0);
    pair.refuse(heard[1].0, Code::BadPayload);
    assert_eq!(pair.outputs().len(), 2);
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    assert_eq!(whats(&pair.hear()), ["will 1"]);
}

#[test]
fn a_will_that_was_taken_back_is_not_left_again() {
    let mut pair = Pair::connected();
    pair.set_will("1");
    pair.ask(Command::ClearWill { waiter: "clear" });
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["will 1", "unwill"]);
    pair.ok(heard[0].0);
    pair.ok(heard[1].0);
    assert_eq!(pair.outputs(), [done("1"), done("clear")]);
    pair.set_will("2");
    pair.ask(Command::ClearWill { waiter: "clear" });
    pair.hear();
    pair.session.lost(&Loss::HungUp);
    assert_eq!(pair.outputs(), [done("2"), lost("clear", Loss::HungUp)]);

    pair.set_will("3");
    pair.ask(Command::ClearWill { waiter: "clear" });
    assert_eq!(pair.outputs(), [done("3"), done("clear")]);
    pair.connect();
    assert_eq!(pair.hear(), []);
}

#[test]
fn posts_in_doubt_are_counted_when_the_connection_is_lost() {
    let mut pair = Pair::connected();
    pair.post("1");
    pair.post("22");
    pair.ask(Command::Ping { waiter: "ping" });
    pair.post("333");
    let heard = pair.hear();
    pair.ok(heard[2].0);
    assert_eq!(pair.outputs(), [done("ping")]);
    pair.post("4444");
    pair.session.lost(&Loss::HungUp);
    let in_doubt = Output::Background(BackgroundError::Lost { count: 1 });
    assert_eq!(pair.outputs(), [in_doubt], "two are confirmed, and the last was not sent");

    pair.connect();
    assert_eq!(whats(&pair.hear()), ["pub 4444"]);
    pair.post("55555");
    pair.session.finish(&Loss::HungUp);
    let in_doubt = Output::Background(BackgroundError::Lost { count: 2 });
    assert_eq!(pair.outputs(), [in_doubt], "nothing is sent any more");
}

#[test]
fn an_answer_before_the_welcome_confirms_no_post() {
    let mut pair = Pair::connected();
    pair.post("1");
    let id = pair.publish("22");
    let heard = pair.hear();
    pair.session.lost(&Loss::HungUp);
    assert_eq!(pair.outputs(), [Output::Background(BackgroundError::Lost { count: 1 })]);

    pair.session.connected();
    pair.hear_greeting();
    pair.receive(&MAGIC);
    pair.ok(heard[1].0);
    assert_eq!(pair.outputs(), [published("22", id, false)]);
    pair.session.lost(&Loss::HungUp);
    assert_eq!(pair.outputs(), [], "nothing was posted on this connection");
}
