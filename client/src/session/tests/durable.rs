//! Durable subscriptions: what is said again, and what becomes of acknowledgements.

use super::*;
use kith_wire::Since;

const KEY: u64 = 1;

impl Pair {
    /// A durable subscription that was confirmed, and its number.
    fn durable(&mut self) -> u32 {
        self.ask_durable();
        let heard = self.hear();
        assert_eq!(whats(&heard), ["sub self.a as d since"]);
        self.ok(heard[0].0);
        assert_eq!(self.outputs(), [done("subscribe")]);
        heard[0].0
    }

    fn ask_durable(&mut self) {
        let frame_of = |since| {
            frame(Operation::Subscribe(Subscribe {
                number: NonZeroU32::MIN,
                pattern: Pattern::new("self.a").unwrap(),
                group: None,
                retained: false,
                monitor: false,
                durable: Some("d".into()),
                since,
            }))
        };
        let (frame, durable) = (frame_of(Some(Since::Start)), Some(frame_of(None)));
        let command = Command::Subscribe { key: KEY, frame, durable, to: "a", waiter: "subscribe" };
        self.ask(command);
    }

    fn acknowledge(&mut self, count: u8) {
        let message_ids = (0..count).map(|n| MessageId::from_parts(1, &[n; 10])).collect();
        self.ask(Command::Acknowledge { key: KEY, message_ids });
    }

    fn acknowledge_and_wait(&mut self) {
        let message_id = MessageId::from_parts(1, &[0; 10]);
        self.ask(Command::AcknowledgeAndWait { key: KEY, message_id, waiter: "wait" });
    }
}

#[test]
fn it_is_said_again_without_since_once_its_consumer_is_there() {
    let mut pair = Pair::connected();
    let number = pair.durable();
    for _ in 0..2 {
        pair.session.lost(&Loss::HungUp);
        pair.connect();
        assert_eq!(pair.hear(), [(number, "sub self.a as d".to_owned())]);
        pair.ok(number);
        assert_eq!(pair.outputs(), [], "nothing is missing");
    }
}

#[test]
fn it_begins_where_it_was_to_begin_until_it_is_confirmed() {
    let mut pair = Pair::connected();
    pair.ask_durable();
    let said = pair.hear();
    pair.session.lost(&Loss::HungUp);
    pair.connect();
    assert_eq!(whats(&said), ["sub self.a as d since"]);
    assert_eq!(pair.hear(), said, "the daemon may not have read it");
}

#[test]
fn acknowledgements_are_put_together_and_freed_once() {
    let mut pair = Pair::connected();
    let number = pair.durable();
    let message_ids = vec![MessageId::from_parts(1, &[7; 10]); 600];
    pair.ask(Command::Acknowledge { key: KEY, message_ids });
    let heard = pair.hear();
    let expected = [256, 256, 88].map(|count| format!("ack {number} of {count}"));
    assert_eq!(whats(&heard), expected);

    pair.ok(heard[0].0);
    pair.refuse(heard[1].0, Code::UnknownMessage);
    let (code, text) = (Some(Code::UnknownMessage), "no".to_owned());
    let refused = Output::Background(BackgroundError::Acknowledge { code, text });
    assert_eq!(pair.outputs(), [Output::Acknowledged(256), Output::Acknowledged(256), refused]);
    pair.session.lost(&Loss::HungUp);
    assert_eq!(pair.outputs(), [Output::Acknowledged(88)]);
}

#[test]
fn acknowledgements_of_a_lost_connection_are_not_said_again() {
    let mut pair = Pair::connected();
    let number = pair.durable();
    pair.acknowledge(2);
    pair.session.lost(&Loss::HungUp);
    pair.acknowledge(3);
    assert_eq!(pair.outputs(), [Output::Acknowledged(2), Output::Acknowledged(3)]);
    pair.connect();
    assert_eq!(pair.hear(), [(number, "sub self.a as d".to_owned())]);
    pair.acknowledge(1);
    assert_eq!(whats(&pair.hear()), [format!("ack {number} of 1")]);
}

#[test]
fn who_waits_for_an_acknowledgement_is_told() {
    let mut pair = Pair::connected();
    let number = pair.durable();
    for _ in 0..2 {
        pair.acknowledge_and_wait();
    }
    let heard = pair.hear();
    let ack = format!("ack {number} of 1");
    assert_eq!(whats(&heard), [ack.as_str(), ack.as_str()]);
    pair.ok(heard[0].0);
    pair.refuse(heard[1].0, Code::UnknownMessage);
    let (code, text) = (Some(Code::UnknownMessage), "no".to_owned());
    let refused = Output::Answer("wait", Err(Failure::Refused { code, text }));
    assert_eq!(pair.outputs(), [done("wait"), refused]);

    pair.acknowledge_and_wait();
    pair.session.lost(&Loss::HungUp);
    pair.acknowledge_and_wait();
    let expected = [lost("wait", Loss::HungUp), lost("wait", Loss::NotConnected)];
    assert_eq!(pair.outputs(), expected);
}

#[test]
fn what_was_acknowledged_last_goes_before_the_end_of_its_subscription() {
    let mut pair = Pair::connected();
    let number = pair.durable();
    pair.acknowledge(1);
    pair.ask(Command::Unsubscribe { key: KEY });
    pair.acknowledge(1);
    assert_eq!(whats(&pair.hear()), [format!("ack {number} of 1"), format!("unsub {number}")]);
    assert_eq!(pair.outputs(), [Output::Acknowledged(1)], "it is of no subscription");
}
