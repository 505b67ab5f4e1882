//! Lag: who does not read fast enough is told exactly what it missed, and where.

use crate::door::{Bus, Client, Door, Event, Operation, Publication};
use serde_json::json;

on_every_door! {
    received_and_missed_add_up_and_stand_in_their_place,
    each_subscription_has_its_own_count,
    a_lag_is_announced_with_the_culprit,
    a_queue_is_bounded_in_messages_too,
    nothing_is_said_of_a_subscription_that_has_ended,
    who_reads_again_misses_nothing_more,
}

const SMALL_BYTES: &str = "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '256 KiB'\n";
const FEW_MESSAGES: &str = "[limits]\nqueue_messages_max = 100\n";

/// Publishes numbers, from 0, each with 1 KiB beside it, and waits until the daemon has them.
fn publish(publisher: &mut Client, topics: &[&str], count: u64) {
    let padding = "x".repeat(1_000);
    for n in 0..count {
        for topic in topics {
            let payload = format!("[{n},\"{padding}\"]");
            publisher.tell(&Operation::Publish(Publication::json(topic, &payload)));
        }
        // No door takes any number of operations that the daemon has not carried out.
        if n % 500 == 0 {
            publisher.done(&Operation::Ping);
        }
    }
    publisher.done(&Operation::Ping);
}

/// How many more of these the door itself holds.
fn held(door: &dyn Door) -> u64 {
    door.peculiarities().held_bytes as u64 / 1_000
}

/// How far one subscription has got: the number that is expected next.
#[derive(Default)]
struct Account {
    next: u64,
    missed: u64,
    notices: u64,
}

impl Account {
    /// Fails if a message is not the one that is expected, after what was said to be missing.
    fn enter(&mut self, event: &Event) {
        match event {
            Event::Message { delivery, .. } => {
                assert_eq!(delivery.value()[0], self.next, "after {} notices", self.notices);
                self.next += 1;
            }
            Event::Lag { count, .. } => {
                assert!(*count > 0, "a notice of nothing");
                self.next += count;
                self.missed += count;
                self.notices += 1;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn read_all(subscriber: &mut Client, count: u64) -> Account {
    let mut account = Account::default();
    while account.next < count {
        account.enter(&subscriber.next());
    }
    assert_eq!(account.next, count);
    assert_eq!(subscriber.pending(), []);
    account
}

fn scene(door: &dyn Door, configuration: &str) -> (Box<dyn Bus>, Client, Client) {
    let bus = door.open(configuration);
    let (publisher, mut subscriber) = (bus.connect(), bus.connect());
    subscriber.subscribe(1, "self.a");
    (bus, publisher, subscriber)
}

fn received_and_missed_add_up_and_stand_in_their_place(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = scene(door, SMALL_BYTES);
    publish(&mut publisher, &["a"], 3_000);
    let account = read_all(&mut subscriber, 3_000);
    assert!(account.missed > 0, "3 MiB fit into 256 KiB");
}

fn each_subscription_has_its_own_count(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = scene(door, SMALL_BYTES);
    subscriber.subscribe(2, "self.b");
    subscriber.subscribe(3, "self.*");
    publish(&mut publisher, &["a", "b"], 1_000);
    let mut accounts = [(); 2].map(|()| Account::default());
    let mut both = 0;
    while accounts.iter().any(|account| account.next < 1_000) || both < 2_000 {
        let event = subscriber.next();
        match event {
            Event::Message { subscription: 3, .. } => both += 1,
            Event::Lag { subscription: 3, count } => both += count,
            Event::Message { subscription, .. } | Event::Lag { subscription, .. } => {
                accounts[subscription as usize - 1].enter(&event);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(accounts.iter().all(|account| account.next == 1_000 && account.missed > 0));
    assert_eq!(both, 2_000);
    assert_eq!(subscriber.pending(), []);
}

fn a_lag_is_announced_with_the_culprit(door: &dyn Door) {
    let (bus, mut publisher, mut subscriber) = scene(door, SMALL_BYTES);
    let hello = Operation::Hello { name: Some("slow one".to_owned()), client: None };
    subscriber.ask(&hello);
    let mut watcher = bus.connect();
    watcher.subscribe(1, "self.bus.lag");
    publish(&mut publisher, &["a"], 2_000);
    let account = read_all(&mut subscriber, 2_000);
    let mut announced = 0;
    for _ in 0..account.notices {
        let mut value = watcher.message_on(1).value();
        announced += value["count"].as_u64().unwrap();
        value["count"].take();
        let client = value["client"].take();
        assert!(client.is_u64(), "{client}");
        let expected = json!({
            "client": null, "name": "slow one", "sub": 1, "pattern": "self.a", "count": null,
        });
        assert_eq!(value, expected);
    }
    assert_eq!(announced, account.missed);
    assert_eq!(watcher.pending(), []);
    let stats = watcher.request("bus.stats", "null", 5_000);
    let Event::Reply { delivery, .. } = watcher.answer(stats) else { panic!() };
    assert_eq!(delivery.value()["dropped"], account.missed);
}

fn a_queue_is_bounded_in_messages_too(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = scene(door, FEW_MESSAGES);
    let count = 2_000 + held(door);
    publish(&mut publisher, &["a"], count);
    let account = read_all(&mut subscriber, count);
    // Of 2 MB, some hundred KiB were on their way, and 100 messages in the queue.
    assert!(account.missed > 1_000, "{}", account.missed);
}

fn nothing_is_said_of_a_subscription_that_has_ended(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = scene(door, SMALL_BYTES);
    publish(&mut publisher, &["a"], 2_000);
    let number = subscriber.send(&Operation::Unsubscribe(1));
    publisher.wait_for_count("subscriptions", 0);
    let mut account = Account::default();
    loop {
        let event = subscriber.next();
        if event.answers() == Some(number) {
            break;
        }
        account.enter(&event);
    }
    assert_eq!(subscriber.pending(), []);
    // The number begins anew, with nothing of the old one.
    subscriber.subscribe(1, "self.a");
    publish(&mut publisher, &["a"], 10);
    assert_eq!(read_all(&mut subscriber, 10).missed, 0);
}

fn who_reads_again_misses_nothing_more(door: &dyn Door) {
    let (_bus, mut publisher, mut subscriber) = scene(door, SMALL_BYTES);
    let count = 1_000 + held(door);
    for _ in 0..3 {
        publish(&mut publisher, &["a"], count);
        assert!(read_all(&mut subscriber, count).missed > 0);
        publish(&mut publisher, &["a"], 20);
        assert_eq!(read_all(&mut subscriber, 20).missed, 0);
    }
}
