//! Publishing again what may have arrived already, after a connection was lost.

use crate::door::{Client, Door, Event, Operation, Publication, new_id};
use kith_wire::{Code, MessageId};

on_every_door! {
    the_same_id_is_delivered_once,
    a_named_client_is_known_again_after_a_reconnect,
    two_connections_of_one_client_are_one,
    other_clients_have_ids_of_their_own,
    an_unnamed_client_is_its_connection,
    what_was_refused_can_be_published_again,
}

fn publish(client: &mut Client, id: MessageId, payload: &str) -> bool {
    let publication = Publication::json("a", payload).with_id(id);
    match client.ask(&Operation::Publish(publication)) {
        Event::Ok { message_id: Some(answered), duplicate, .. } => {
            assert_eq!(answered, id);
            duplicate
        }
        other => panic!("{other:?}"),
    }
}

fn name(client: &mut Client, identity: MessageId) {
    client.ask(&Operation::Hello { name: None, client: Some(identity) });
}

fn the_same_id_is_delivered_once(door: &dyn Door) {
    let bus = door.open("");
    let mut client = bus.connect();
    client.subscribe(1, "self.a");
    let (first, second) = (new_id(), new_id());
    assert!(!publish(&mut client, first, "1"));
    assert!(!publish(&mut client, second, "2"));
    // Whatever else it says, even on another topic.
    client.subscribe(2, "self.b");
    let is_told = door.peculiarities().says_duplicates;
    assert_eq!(publish(&mut client, first, "3"), is_told);
    let elsewhere = Publication::json("b", "4").with_id(second);
    let answer = client.ask(&Operation::Publish(elsewhere));
    assert!(matches!(answer, Event::Ok { duplicate, .. } if duplicate == is_told), "{answer:?}");
    assert_eq!(client.pending_payloads(1), ["1", "2"]);
}

fn a_named_client_is_known_again_after_a_reconnect(door: &dyn Door) {
    let bus = door.open("");
    let mut subscriber = bus.connect();
    subscriber.subscribe(1, "self.a");
    let (identity, ids) = (new_id(), [(); 20].map(|()| new_id()));
    for says_bye in [false, true, false] {
        let mut client = bus.connect();
        name(&mut client, identity);
        for (n, id) in ids.into_iter().enumerate() {
            publish(&mut client, id, &n.to_string());
        }
        if says_bye {
            client.done(&Operation::Bye);
        }
    }
    let expected: Vec<_> = (0..20).map(|n: u32| n.to_string()).collect();
    assert_eq!(subscriber.pending_payloads(1), expected);
}

fn two_connections_of_one_client_are_one(door: &dyn Door) {
    let bus = door.open("");
    let (identity, id) = (new_id(), new_id());
    let is_told = door.peculiarities().says_duplicates;
    let mut subscriber = bus.connect();
    subscriber.subscribe(1, "self.a");
    let mut half_dead = bus.connect();
    name(&mut half_dead, identity);
    assert!(!publish(&mut half_dead, id, "1"));
    let mut client = bus.connect();
    name(&mut client, identity);
    assert_eq!(publish(&mut client, id, "2"), is_told);
    drop(half_dead);
    assert_eq!(publish(&mut client, id, "3"), is_told);
    assert_eq!(subscriber.pending_payloads(1), ["1"]);
}

fn other_clients_have_ids_of_their_own(door: &dyn Door) {
    let bus = door.open("");
    let mut subscriber = bus.connect();
    subscriber.subscribe(1, "self.a");
    let id = new_id();
    for n in 0..3 {
        let mut client = bus.connect();
        name(&mut client, new_id());
        assert!(!publish(&mut client, id, &n.to_string()), "an id is no way to silence others");
    }
    assert_eq!(subscriber.pending_payloads(1), ["0", "1", "2"]);
}

fn an_unnamed_client_is_its_connection(door: &dyn Door) {
    let bus = door.open("");
    let mut subscriber = bus.connect();
    subscriber.subscribe(1, "self.a");
    let id = new_id();
    for _ in 0..2 {
        let mut client = bus.connect();
        assert!(!publish(&mut client, id, "1"));
        assert_eq!(publish(&mut client, id, "2"), door.peculiarities().says_duplicates);
    }
    assert_eq!(subscriber.pending_payloads(1), ["1", "1"]);
}

fn what_was_refused_can_be_published_again(door: &dyn Door) {
    let bus = door.open("limits.retained_messages_max = 16");
    let mut client = bus.connect();
    client.subscribe(1, "self.a");
    for n in 0..8 {
        client.publish_it(Publication::json(&format!("kept.{n}"), "1").retained());
    }
    let publication = Publication::json("a", "1").with_id(new_id()).retained();
    let operation = Operation::Publish(publication);
    assert_eq!(client.refused(&operation), Code::QuotaRetained);
    assert_eq!(client.pending(), []);
    let empty = Publication { payload: Some(Vec::new()), ..Publication::json("kept.0", "") };
    client.publish_it(empty.retained());
    let answer = client.ask(&operation);
    assert!(matches!(answer, Event::Ok { duplicate: false, .. }), "{answer:?}");
    assert_eq!(client.pending_payloads(1), ["1"]);
}
