//! What comes from outside and is to survive: on the disk for whoever asks for it, before its
//! sender is told that it is here.

use crate::broker::{Inbound, PostAsk};
use crate::limits::{Limits, MAIL_BYTES_MAX, MAIL_MS_MAX};
use crate::tests::{Bus, Who, publication, with};
use kith_store::Memory;
use kith_wire::{Code, Operation, Pattern, RequestNumber, Scope, Since, Subscribe};

const SENDER: &str = "did:key:z6MkTest";

fn on(disk: Memory) -> Bus {
    // No history at all: what survives is not there by luck.
    let limits = Limits { history_messages_max: 0, ..Limits::default() };
    let mut bus = Bus::on(limits, disk);
    bus.broker.attach_post();
    bus
}

/// The daemon has started again.
fn again(bus: Bus) -> Bus {
    let mut again = on(bus.store.unwrap().into_backend());
    again.now = bus.now;
    again
}

fn keep(bus: &mut Bus, scope: Scope, text: &str, ticket: u64) -> Result<usize, Code> {
    let inbound = Inbound::new(SENDER, "key", scope, publication("chat.ada", text));
    bus.broker.keep_inbound(bus.now, &inbound, ticket).map_err(|refusal| refusal.code)
}

fn kept(bus: &mut Bus) -> Vec<(u64, bool)> {
    bus.settle();
    let ask = std::iter::from_fn(|| bus.broker.poll_post());
    ask.map(|ask| match ask {
        PostAsk::Kept { ticket, kept } => (ticket, kept.is_ok()),
        other => panic!("{other:?}"),
    })
    .collect()
}

fn durable(bus: &mut Bus, who: Who, number: u32, pattern: &str, since: Option<Since>) {
    let asked = Subscribe {
        number: RequestNumber::new(number).unwrap(),
        pattern: Pattern::new(pattern.to_owned()).unwrap(),
        group: None,
        retained: false,
        monitor: false,
        durable: Some(format!("reader-{number}").into()),
        since,
    };
    bus.say(who, number, Operation::Subscribe(asked));
}

#[test]
fn what_nobody_asks_for_waits_for_whoever_does() {
    let mut bus = on(Memory::new());
    let live = bus.json();
    bus.subscribed(live, 1, "friends.chat.*");
    assert_eq!(keep(&mut bus, Scope::Friends, "1", 7), Ok(1));
    assert_eq!(keep(&mut bus, Scope::Own, "2", 8), Ok(0));
    assert_eq!(kept(&mut bus), [(7, true), (8, true)]);
    assert_eq!(bus.hears(live), ["msg 1 chat.ada 1"]);
    // It outlives the daemon, and keeps its scope.
    let mut bus = again(bus);
    let who = bus.json();
    durable(&mut bus, who, 1, "friends.chat.*", Some(Since::Start));
    durable(&mut bus, who, 2, "*.chat.*", None);
    durable(&mut bus, who, 3, "self.>", Some(Since::Start));
    let mut heard = bus.hears(who);
    heard.retain(|text| text.starts_with("msg"));
    heard.sort_unstable();
    assert_eq!(heard, ["msg 1 chat.ada 1", "msg 3 chat.ada 2"]);
}

#[test]
fn what_somebody_asks_for_is_stored_for_them_alone() {
    let mut bus = on(Memory::new());
    let who = bus.json();
    durable(&mut bus, who, 1, "friends.>", None);
    assert_eq!(bus.hears(who), ["ok 1 stored"]);
    assert_eq!(keep(&mut bus, Scope::Friends, "1", 1), Ok(0));
    assert_eq!(kept(&mut bus), [(1, true)]);
    assert_eq!(bus.hears(who), ["msg 1 chat.ada 1"]);
}

#[test]
fn its_sender_hears_nothing_before_the_disk_has_it() {
    let mut bus = on(Memory::new());
    bus.holds = true;
    assert_eq!(keep(&mut bus, Scope::Friends, "1", 1), Ok(0));
    assert!(kept(&mut bus).is_empty());
    bus.answer_store();
    assert_eq!(kept(&mut bus), [(1, true)]);
}

#[test]
fn after_a_week_it_is_gone() {
    let mut bus = on(Memory::new());
    keep(&mut bus, Scope::Friends, "1", 1).unwrap();
    kept(&mut bus);
    bus.pass(MAIL_MS_MAX + 1);
    bus.settle();
    let mut bus = again(bus);
    let who = bus.json();
    durable(&mut bus, who, 1, "friends.>", Some(Since::Start));
    assert_eq!(bus.hears(who), ["ok 1 stored"]);
}

#[test]
fn what_can_not_be_kept_is_refused_before_anybody_has_it() {
    let mut bus = on(Memory::new());
    let live = bus.json();
    bus.subscribed(live, 1, "*.>");
    assert_eq!(keep(&mut bus, Scope::Public, "1", 1), Err(Code::NotAvailable));
    let realtime = with("chat.ada", "1", |options| options.realtime = true);
    let inbound = Inbound::new(SENDER, "key", Scope::Own, realtime);
    assert!(bus.broker.keep_inbound(bus.now, &inbound, 1).is_err());
    let mut without = Bus::new(Limits::default());
    assert_eq!(keep(&mut without, Scope::Own, "1", 1), Err(Code::NotAvailable));
    assert!(bus.hears(live).is_empty() && kept(&mut bus).is_empty());
    let big = format!("\"{}\"", "x".repeat(MAIL_BYTES_MAX / 5));
    for ticket in 1..=4 {
        assert_eq!(keep(&mut bus, Scope::Own, &big, ticket), Ok(1));
        bus.hear(live);
    }
    assert_eq!(keep(&mut bus, Scope::Own, &big, 5), Err(Code::QuotaStored));
    assert!(bus.hears(live).is_empty());
}

/// Of strangers nothing is stored, whoever would have it.
#[test]
fn a_durable_subscription_stores_no_stranger() {
    let mut bus = on(Memory::new());
    let who = bus.json();
    durable(&mut bus, who, 1, "*.>", None);
    bus.hear(who);
    durable(&mut bus, who, 2, "*/public.>", None);
    assert_eq!(bus.hears(who), ["err 2 not-available"]);
    for scope in Scope::ALL {
        let inbound = Inbound::new(SENDER, "key", scope, publication("a", "1"));
        bus.broker.deliver_inbound(bus.now, &inbound).unwrap();
    }
    assert_eq!(bus.hears(who).len(), 2);
    assert!(!bus.broker.is_wanted(Scope::Public, "ms", "a"));
    assert!(bus.broker.is_wanted(Scope::Friends, "ms", "a"));
}
