//! Groups: of all subscriptions in one group that match, one gets the message.

use crate::door::{Client, Door, Event};
use std::collections::BTreeSet;

on_every_door! {
    one_member_of_a_group_gets_each_message,
    a_group_reaches_over_different_patterns,
    each_group_and_everybody_else_gets_a_message,
    a_member_that_leaves_is_passed_over,
}

const MESSAGES: usize = 60;

/// What waits on each client, by payload.
fn received(clients: &mut [Client]) -> Vec<Vec<String>> {
    clients
        .iter_mut()
        .map(|client| {
            let payload = |event| match event {
                Event::Message { delivery, .. } => delivery.text().to_owned(),
                other => panic!("{other:?}"),
            };
            client.pending().into_iter().map(payload).collect()
        })
        .collect()
}

fn publish(publisher: &mut Client, topic: &str) {
    for n in 0..MESSAGES {
        publisher.publish(topic, &n.to_string());
    }
}

/// Fails unless each message came to exactly one of them.
fn assert_shared(received: &[Vec<String>]) {
    assert_eq!(received.iter().map(Vec::len).sum::<usize>(), MESSAGES, "{received:?}");
    assert_eq!(received.iter().flatten().collect::<BTreeSet<_>>().len(), MESSAGES);
}

fn one_member_of_a_group_gets_each_message(door: &dyn Door) {
    let bus = door.open("");
    let mut members = [(); 3].map(|()| bus.connect());
    for member in &mut members {
        member.subscribe_group(1, "self.jobs", "workers");
    }
    publish(&mut bus.connect(), "jobs");
    let received = received(&mut members);
    assert_shared(&received);
    assert!(received.iter().all(|some| !some.is_empty()), "work is shared: {received:?}");
}

fn a_group_reaches_over_different_patterns(door: &dyn Door) {
    let bus = door.open("");
    let mut members = [(); 3].map(|()| bus.connect());
    for (member, pattern) in members.iter_mut().zip(["self.jobs", "self.*", "*/*.*"]) {
        member.subscribe_group(1, pattern, "workers");
        // Of one connection, too, only one subscription.
        member.subscribe_group(2, pattern, "workers");
    }
    publish(&mut bus.connect(), "jobs");
    let received = received(&mut members);
    assert_shared(&received);
    assert!(received.iter().all(|some| !some.is_empty()), "{received:?}");
}

fn each_group_and_everybody_else_gets_a_message(door: &dyn Door) {
    let bus = door.open("");
    let mut members = [(); 4].map(|()| bus.connect());
    for (member, group) in members.iter_mut().zip(["a", "a", "b"]) {
        member.subscribe_group(1, "self.jobs", group);
    }
    members[3].subscribe(1, "self.jobs");
    publish(&mut bus.connect(), "jobs");
    let received = received(&mut members);
    assert_shared(&received[..2]);
    assert_shared(&received[2..3]);
    assert_shared(&received[3..]);
}

fn a_member_that_leaves_is_passed_over(door: &dyn Door) {
    let bus = door.open("");
    let mut members = [(); 2].map(|()| bus.connect());
    for member in &mut members {
        member.subscribe_group(1, "self.jobs", "workers");
    }
    let mut watcher = bus.connect();
    watcher.subscribe(1, "self.bus.client");
    let [mut stays, leaves] = members;
    drop(leaves);
    assert_eq!(watcher.message_on(1).value()["event"], "disconnected");
    let mut publisher = bus.connect();
    publish(&mut publisher, "jobs");
    assert_shared(&received(std::slice::from_mut(&mut stays)));
}
