//! What the session does, seen from both sides: the program's and the daemon's.

mod durable;
mod reconnect;
mod sealed;

use super::*;
use crate::message::{sample, tests::delivery};
use kith_wire::binary::{decode, deliver, split};
use kith_wire::limits::PAYLOAD_BYTES_DEFAULT;
use kith_wire::{Delivery, Event, Pattern, Publication, Subscribe, Topic};

/// A session, and the daemon's end of its connection.
struct Pair {
    session: Session<&'static str, &'static str>,
    now: Instant,
}

/// What the daemon reads: number and what is asked, in short.
type Heard = (u32, String);

impl Pair {
    fn new() -> Self {
        Self { session: Session::new(Some("test".into()), [7; 16]), now: Instant::now() }
    }

    fn connected() -> Self {
        let mut pair = Self::new();
        pair.connect();
        pair
    }

    /// A new connection, up to the daemon's welcome.
    fn connect(&mut self) {
        self.session.connected();
        let (number, hello) = self.hear_greeting();
        assert_eq!(hello, "hello test");
        self.welcome(number);
    }

    fn welcome(&mut self, number: u32) {
        let mut bytes = MAGIC.to_vec();
        let number = NonZeroU32::new(number).unwrap();
        let payload_bytes_max = PAYLOAD_BYTES_DEFAULT as u64;
        let descriptors = self.session.takes_descriptors();
        let welcome = Event::Welcome { number, version: "1", payload_bytes_max, descriptors };
        deliver::event(&mut bytes, &welcome);
        self.receive(&bytes);
        let payload_bytes_max = PAYLOAD_BYTES_DEFAULT;
        assert_eq!(self.session.poll_output(), Some(Output::Welcome { payload_bytes_max }));
    }

    fn receive(&mut self, bytes: &[u8]) {
        assert_eq!(self.session.receive(self.now, bytes), Ok(bytes.len()));
    }

    fn say(&mut self, event: &Event<'_>) {
        let mut bytes = Vec::new();
        deliver::event(&mut bytes, event);
        self.receive(&bytes);
    }

    fn ok(&mut self, number: u32) {
        let number = NonZeroU32::new(number).unwrap();
        self.say(&Event::Ok { number, message_id: None, duplicate: false, stored: false });
    }

    fn refuse(&mut self, number: u32, code: Code) {
        let number = RequestNumber::new(number);
        let refusal = Event::Err { number, code: Some(code), text: "no", at: None, fatal: false };
        self.say(&refusal);
    }

    fn message(&mut self, subscription: u32, payload: &str) {
        let subscription = NonZeroU32::new(subscription).unwrap();
        self.say(&Event::Message { subscription, delivery: delivery("a", payload) });
    }

    fn hear_greeting(&mut self) -> Heard {
        let bytes = self.session.unwritten().to_vec();
        self.session.written(bytes.len());
        let mut heard = read(bytes.strip_prefix(&MAGIC).unwrap());
        assert_eq!((heard.len(), self.session.unwritten().len()), (1, 0));
        heard.pop().unwrap()
    }

    /// Everything that was written.
    fn hear(&mut self) -> Vec<Heard> {
        let mut bytes = Vec::new();
        while !self.session.unwritten().is_empty() {
            bytes.extend_from_slice(self.session.unwritten());
            let count = self.session.unwritten().len();
            self.session.written(count);
        }
        read(&bytes)
    }

    fn ask(&mut self, command: Command<&'static str, &'static str>) {
        self.session.command(self.now, command);
    }

    fn publish(&mut self, payload: &'static str) -> MessageId {
        let id = MessageId::from_parts(1, &[payload.len().to_le_bytes()[0]; 10]);
        let mut publication = publication(payload);
        publication.options.message_id = Some(id);
        let frame = frame(Operation::Publish(publication));
        self.ask(Command::Publish { frame, sealed: None, id, waiter: payload });
        id
    }

    fn post(&mut self, payload: &'static str) {
        let frames = frame(Operation::Publish(publication(payload)));
        let charge = frames.len();
        self.ask(Command::Posts { frames, count: 1, charge });
    }

    fn subscribe(&mut self, key: u64, to: &'static str) {
        let frame = frame(Operation::Subscribe(Subscribe {
            number: NonZeroU32::MIN,
            pattern: Pattern::new(format!("self.{to}")).unwrap(),
            group: None,
            retained: false,
            monitor: false,
            durable: None,
            since: None,
        }));
        self.ask(Command::Subscribe { key, frame, durable: None, to, waiter: "subscribe" });
    }

    fn request(&mut self, waiter: &'static str) {
        let publication = publication(waiter);
        let number = NonZeroU32::MIN;
        let frame = frame(Operation::Request { number, publication, timeout_ms: 5 });
        self.ask(Command::Request { frame, waiter });
    }

    fn set_will(&mut self, waiter: &'static str) {
        let frame = frame(Operation::Will(publication(waiter)));
        self.ask(Command::SetWill { frame, waiter });
    }

    /// Everything that is to be done, but what is freed.
    fn outputs(&mut self) -> Vec<Output<&'static str, &'static str>> {
        let outputs = std::iter::from_fn(|| self.session.poll_output());
        outputs.filter(|output| !matches!(output, Output::Free(_))).collect()
    }
}

fn publication(payload: &str) -> Publication<'_> {
    Publication {
        topic: Topic::new("a").unwrap(),
        protocol: kith_wire::Protocol::BT,
        payload: payload.as_bytes().into(),
        options: kith_wire::Options::default(),
    }
}

fn frame(operation: Operation<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    encode::request(&mut frame, &Request { number: None, operation });
    frame
}

fn read(mut bytes: &[u8]) -> Vec<Heard> {
    let mut heard = Vec::new();
    while let Some(frame) = split(bytes, usize::MAX).unwrap() {
        let request = decode::request(frame, usize::MAX).unwrap();
        let text = |publication: &Publication<'_>| {
            let with_id = if publication.options.message_id.is_some() { "+id" } else { "" };
            format!("{}{with_id}", String::from_utf8_lossy(&publication.payload))
        };
        let what = match &request.operation {
            Operation::Acknowledge { subscription, message_ids } => {
                format!("ack {subscription} of {}", message_ids.len())
            }
            Operation::Bye => "bye".to_owned(),
            Operation::Hello { name, client, .. } => {
                assert_eq!(*client, Some([7; 16]));
                format!("hello {}", name.as_deref().unwrap_or_default())
            }
            Operation::Ping => "ping".to_owned(),
            Operation::Publish(publication) => format!("pub {}", text(publication)),
            Operation::PublishSealed { payload_bytes, .. } => format!("pub sealed {payload_bytes}"),
            Operation::Request { publication, .. } => format!("req {}", text(publication)),
            Operation::Subscribe(asked) => {
                let durable = asked.durable.as_ref().map(|name| format!(" as {name}"));
                let since = if asked.since.is_some() { " since" } else { "" };
                format!("sub {}{}{since}", asked.pattern, durable.unwrap_or_default())
            }
            Operation::Unsubscribe(number) => format!("unsub {number}"),
            Operation::Unwill => "unwill".to_owned(),
            Operation::Will(publication) => format!("will {}", text(publication)),
        };
        heard.push((request.number.map_or(0, RequestNumber::get), what));
        bytes = &bytes[frame.bytes.len()..];
    }
    assert!(bytes.is_empty());
    heard
}

fn whats(heard: &[Heard]) -> Vec<&str> {
    heard.iter().map(|(_, what)| what.as_str()).collect()
}

fn lost<S>(waiter: &'static str, loss: Loss) -> Output<&'static str, S> {
    Output::Answer(waiter, Err(Failure::Lost(loss)))
}

fn done<S>(waiter: &'static str) -> Output<&'static str, S> {
    Output::Answer(waiter, Ok(Done::Plain))
}

fn published<S>(waiter: &'static str, id: MessageId, duplicate: bool) -> Output<&'static str, S> {
    Output::Answer(waiter, Ok(Done::Published(Published { id, duplicate, stored: false })))
}

fn items(output: Output<&'static str, &'static str>) -> (&'static str, Vec<Incoming>) {
    match output {
        Output::Deliver { to, items, .. } => (to, items),
        other => panic!("{other:?}"),
    }
}

fn incoming(payload: &str) -> Incoming {
    Incoming::Message(sample("a", payload))
}

#[test]
fn operations_are_written_in_order_and_answered_by_number() {
    let mut pair = Pair::connected();
    let id = pair.publish("1");
    pair.post("22");
    pair.ask(Command::Ping { waiter: "ping" });
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["pub 1+id", "pub 22", "ping"]);
    assert_eq!(heard[1].0, 0);

    pair.ok(heard[0].0);
    let number = NonZeroU32::new(heard[2].0).unwrap();
    pair.say(&Event::Ok { number, message_id: None, duplicate: false, stored: false });
    assert_eq!(pair.outputs(), [published("1", id, false), done("ping")]);
}

#[test]
fn a_refusal_reaches_who_asked() {
    let mut pair = Pair::connected();
    pair.publish("1");
    let number = pair.hear()[0].0;
    pair.refuse(number, Code::ReservedTopic);
    let failure = Failure::Refused { code: Some(Code::ReservedTopic), text: "no".into() };
    assert_eq!(pair.outputs(), [Output::Answer("1", Err(failure))]);

    pair.post("2");
    pair.refuse(0, Code::BadPayload);
    let error = BackgroundError::Refused { code: Some(Code::BadPayload), text: "no".into() };
    assert_eq!(pair.outputs(), [Output::Background(error)]);
}

#[test]
fn messages_of_one_read_are_delivered_together() {
    let mut pair = Pair::connected();
    pair.subscribe(1, "a");
    pair.subscribe(2, "b");
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["sub self.a", "sub self.b"]);
    let [a, b] = [heard[0].0, heard[1].0];
    pair.ok(a);
    pair.ok(b);
    assert_eq!(pair.outputs(), [done("subscribe"), done("subscribe")]);

    pair.message(a, "1");
    pair.say(&Event::Lag { subscription: NonZeroU32::new(a).unwrap(), count: 3 });
    pair.message(a, "2");
    pair.message(b, "3");
    pair.message(99, "4");
    let delivered: Vec<_> = pair.outputs().into_iter().map(items).collect();
    let lag = Incoming::Lag { count: 3 };
    let expected = [("a", vec![incoming("1"), lag, incoming("2")]), ("b", vec![incoming("3")])];
    assert_eq!(delivered, expected);
}

#[test]
fn a_checkpoint_confirms_posts_that_nothing_else_does() {
    let mut pair = Pair::connected();
    assert_eq!(pair.session.poll_timeout(), None);
    pair.post("1");
    let due = pair.session.poll_timeout().unwrap();
    assert_eq!(due, pair.now + Duration::from_millis(CHECKPOINT_MS));
    pair.session.tick(pair.now);
    assert_eq!(whats(&pair.hear()), ["pub 1"]);

    pair.now = due;
    pair.session.tick(pair.now);
    let heard = pair.hear();
    assert_eq!((whats(&heard), pair.session.poll_timeout()), (vec!["ping"], None));
    pair.post("22");
    assert_eq!(pair.session.poll_timeout(), None, "one at a time");
    pair.ok(heard[0].0);
    assert!(pair.session.poll_timeout().is_some(), "for the one posted since");
    pair.session.lost(&Loss::HungUp);
    assert_eq!(pair.outputs(), [], "and that one was not sent");
}

#[test]
fn nothing_is_asked_about_posts_that_are_confirmed() {
    let mut pair = Pair::connected();
    pair.post("1");
    let id = pair.publish("22");
    let heard = pair.hear();
    pair.ok(heard[1].0);
    assert_eq!(pair.outputs(), [published("22", id, false)]);
    pair.now = pair.session.poll_timeout().unwrap();
    pair.session.tick(pair.now);
    assert_eq!((pair.hear(), pair.session.poll_timeout()), (vec![], None));
}

#[test]
fn a_goodbye_is_the_reason_of_what_follows() {
    let mut pair = Pair::connected();
    pair.ask(Command::Close { waiter: "close" });
    let heard = pair.hear();
    assert_eq!(whats(&heard), ["bye"]);
    pair.ok(heard[0].0);
    assert_eq!(pair.outputs(), [done("close")]);
    pair.say(&Event::Bye { code: Some(Code::ShuttingDown), text: "stops" });
    assert_eq!(pair.session.loss(Loss::HungUp), Loss::Closed);
}

#[test]
fn what_the_daemon_says_last_is_the_reason_of_a_loss() {
    let mut pair = Pair::connected();
    pair.say(&Event::Bye { code: Some(Code::ShuttingDown), text: "stops" });
    let loss = Loss::Refused { code: Some(Code::ShuttingDown), text: "stops".into() };
    assert_eq!(pair.session.loss(Loss::HungUp), loss);

    pair.session.connected();
    assert_eq!(pair.session.loss(Loss::HungUp), Loss::HungUp);
}

#[test]
fn a_refused_greeting_ends_the_connection() {
    let mut pair = Pair::new();
    pair.session.connected();
    let number = RequestNumber::new(pair.hear_greeting().0);
    let code = Some(Code::QuotaClients);
    let mut bytes = MAGIC.to_vec();
    deliver::event(&mut bytes, &Event::Err { number, code, text: "full", at: None, fatal: true });
    let loss = Loss::Refused { code, text: "full".into() };
    assert_eq!(pair.session.receive(pair.now, &bytes), Err(loss));
}

#[test]
fn everything_ends_when_the_connection_is_gone_for_good() {
    let mut pair = Pair::connected();
    pair.subscribe(1, "a");
    let number = pair.hear()[0].0;
    pair.ok(number);
    pair.subscribe(2, "b");
    pair.publish("1");
    pair.set_will("2");
    pair.outputs();
    pair.session.finish(&Loss::Silent);
    let ended = |to| {
        let reason = SubscribeError::Disconnected(Loss::Silent);
        Output::Ended { to, reason }
    };
    let failed = ["subscribe", "1", "2"].map(|waiter| lost(waiter, Loss::Silent));
    let [subscribe, one, two] = failed;
    assert_eq!(pair.outputs(), [subscribe, one, two, ended("a"), ended("b")]);
}

#[test]
fn frames_may_come_in_pieces() {
    let mut pair = Pair::new();
    pair.session.connected();
    let number = NonZeroU32::new(pair.hear_greeting().0).unwrap();
    let mut bytes = MAGIC.to_vec();
    deliver::event(
        &mut bytes,
        &Event::Welcome { number, version: "1", payload_bytes_max: 9, descriptors: false },
    );
    let mut buffer = Vec::new();
    for byte in bytes {
        buffer.push(byte);
        let used = pair.session.receive(pair.now, &buffer).unwrap();
        buffer.drain(..used);
    }
    assert!(buffer.is_empty());
    assert_eq!(pair.outputs(), [Output::Welcome { payload_bytes_max: 9 }]);
}

#[test]
fn what_comes_may_be_larger_than_the_greeting_said() {
    // The limit may have been raised since; or lowered while a larger value was kept.
    let mut pair = Pair::connected();
    pair.message(1, &"x".repeat(2 * PAYLOAD_BYTES_DEFAULT));
    pair.message(1, "1");
}

#[test]
fn nonsense_ends_the_connection() {
    let mut pair = Pair::connected();
    let mut bytes = frame(Operation::Ping);
    assert!(matches!(pair.session.receive(pair.now, &bytes), Err(Loss::Unreadable(_))));
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(pair.session.receive(pair.now, &bytes), Err(Loss::Unreadable(_))));
}

#[test]
fn an_answer_to_something_else_ends_the_connection() {
    let mut pair = Pair::connected();
    pair.request("request");
    pair.publish("1");
    let heard = pair.hear();
    let [request, publish] = [0, 1].map(|at: usize| NonZeroU32::new(heard[at].0).unwrap());
    let ok = Event::Ok { number: request, message_id: None, duplicate: false, stored: false };
    let reply = Event::Reply { number: publish, delivery: delivery("a", "1") };
    let welcome =
        Event::Welcome { number: publish, version: "1", payload_bytes_max: 9, descriptors: false };
    for wrong in [ok, reply, welcome] {
        let mut bytes = Vec::new();
        deliver::event(&mut bytes, &wrong);
        let received = pair.session.receive(pair.now, &bytes);
        assert!(matches!(received, Err(Loss::Unreadable(_))), "{received:?}");
        assert_eq!(pair.outputs(), []);
    }
    // Who waits still does, and learns of the loss.
    pair.session.finish(&Loss::Silent);
    assert_eq!(pair.outputs(), [lost("request", Loss::Silent), lost("1", Loss::Silent)]);
}
