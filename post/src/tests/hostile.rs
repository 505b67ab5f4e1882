//! What others may try: each attempt is refused and counted under its cause, and nothing of it
//! reaches a program.

use super::world::{World, received};
use crate::envelope::{Ack, AckState, Body, News, Notice, Parcel, bare, seal};
use crate::{Cause, Input};
use kith_contract::Bytes;
use kith_contract::transports::{NodeInfo as Found, Provenance};
use kith_people::{DeviceId, DeviceKeys};

fn friends() -> World {
    let mut world = World::new(3);
    world.befriend(0, 1, ("ada", "bob"));
    world
}

/// Letters that one node carried to another while this was done.
fn letters(world: &mut World, during: impl FnOnce(&mut World)) -> Vec<Vec<u8>> {
    world.is_held = true;
    let before = world.carried.len();
    during(world);
    world.is_held = false;
    world.lose();
    world.carried.split_off(before)
}

#[test]
fn a_letter_of_one_link_is_nothing_on_another() {
    let mut world = friends();
    world.link(1, 2);
    world.settle();
    let stolen = letters(&mut world, |world| {
        world.publish(0, "bob", "a", "1");
    });
    let (eve, link) = (world.device(2), world.link_number(1, 2));
    for letter in stolen {
        world.tell(1, Input::Received(received(letter, eve, link)));
    }
    assert_eq!(world.take_inbox(1).len(), 0);
    assert_eq!(world.refused(1, Cause::Unsealed), 1);
}

#[test]
fn a_letter_that_is_repeated_is_delivered_once() {
    let mut world = friends();
    let letters = letters(&mut world, |world| {
        world.publish(0, "bob", "a", "1");
    });
    let (ada, link) = (world.device(0), world.link_number(0, 1));
    for _ in 0..5 {
        for letter in &letters {
            world.tell(1, Input::Received(received(letter.clone(), ada, link)));
        }
    }
    assert_eq!(world.take_inbox(1), ["ada friends.a \"1\""]);
    assert_eq!(world.refused(1, Cause::Duplicate), 4);
}

#[test]
fn every_flipped_byte_is_refused() {
    let mut world = friends();
    world.publish(0, "bob", "a", "0");
    world.publish(1, "ada", "a", "0");
    let letters = letters(&mut world, |world| {
        world.publish(0, "bob", "a", "1");
    });
    world.take_inbox(1);
    let (ada, link) = (world.device(0), world.link_number(0, 1));
    let letter = letters.first().unwrap();
    // Else Ada would be asked to send it again, and would.
    world.is_held = true;
    for at in 0..letter.len() {
        let mut flipped = letter.clone();
        flipped[at] ^= 1;
        world.tell(1, Input::Received(received(flipped, ada, link)));
        assert_eq!(world.take_inbox(1).len(), 0, "byte {at}");
    }
}

#[test]
fn garbage_is_counted() {
    let mut world = friends();
    let (ada, link) = (world.device(0), world.link_number(0, 1));
    for bytes in [vec![0], vec![1], vec![1; 100], vec![9; 1000]] {
        world.tell(1, Input::Received(received(bytes, ada, link)));
    }
    world.tell(1, Input::Received(received(vec![2; 500], ada, link)));
    world.tell(1, Input::Received(received(vec![3; 5], ada, link)));
    assert_eq!(world.refused(1, Cause::Malformed), 4);
    assert_eq!(world.refused(1, Cause::Unopened), 1);
    assert_eq!(world.refused(1, Cause::Fragments), 1);
    let found = Found {
        record: Bytes(vec![1; 100]),
        provenance: Provenance::Hand,
        found_by: None,
        source: None,
    };
    world.tell(1, Input::NodeInfo(found));
    assert_eq!(world.refused(1, Cause::FalseRecord), 1);
}

#[test]
fn an_acknowledgement_is_the_recipients_alone() {
    let mut world = friends();
    world.befriend(0, 2, ("ada", "eve"));
    world.is_held = true;
    let (_, id) = world.publish(0, "bob", "a", "1");
    world.lose();
    let ack =
        News::Acks(vec![Ack { message: id, state: AckState::Delivered, detail: String::new() }]);
    let ada = DeviceId::new(world.device(0));
    // Signed by a stranger in Bob's name, and by Eve in her own.
    let forger = DeviceKeys::from_seeds([7; 32], [8; 32]);
    let forged = Notice::sign(&ack, &forger, ada);
    let eve =
        Notice::sign(&ack, &world.nodes[2].post.as_ref().unwrap().me.as_ref().unwrap().keys, ada);
    let box_id = world.nodes[0].post.as_ref().unwrap().me.as_ref().unwrap().keys.box_id();
    for (from, notice) in [(1, forged), (1, eve.clone()), (2, eve)] {
        let from = DeviceId::new(world.device(from));
        let parcel = Parcel { from, id: [1; 16], body: Body::Notice(notice) };
        let letter = seal(box_id, &parcel, [9; 32]).unwrap();
        world.tell(0, Input::Received(received(letter, *from.as_bytes(), 0)));
    }
    assert_eq!(world.refused(0, Cause::FalseAck), 2, "Eve's own says nothing of Bob");
    let delivered = |update: &kith_contract::delivery::Update| {
        update.message == id && update.state == kith_contract::delivery::Rung::Delivered
    };
    assert!(!world.nodes[0].updates.iter().any(delivered));
}

#[test]
fn a_strangers_flood_costs_a_bounded_number_of_openings() {
    let mut world = World::new(2);
    world.link(0, 1);
    world.settle();
    for number in 0..300 {
        world.publish(1, "public", "spam", &number.to_string());
    }
    let taken = world.take_inbox(0).len();
    assert!((1..=100).contains(&taken), "{taken}");
    assert!(world.refused(0, Cause::TooMany) >= 200);
}

#[test]
fn an_unknown_device_waits_for_its_card_and_no_longer() {
    let mut world = World::new(1);
    let forger = DeviceKeys::from_seeds([7; 32], [8; 32]);
    let box_id = world.nodes[0].post.as_ref().unwrap().me.as_ref().unwrap().keys.box_id();
    let body = Body::Message { lane: crate::envelope::Lane::Normal, ratcheted: vec![1; 100] };
    let id = *kith_wire::MessageId::from_parts(5, &[1; 10]).as_bytes();
    let parcel = Parcel { from: forger.sign_id(), id, body };
    for _ in 0..70 {
        let letter = seal(box_id, &parcel, [9; 32]).unwrap();
        world.tell(0, Input::Received(received(letter, *forger.sign_id().as_bytes(), 0)));
    }
    assert_eq!(world.refused(0, Cause::UnknownDevice), 6, "as many wait as may");
    let letter = bare(&parcel);
    world.tell(0, Input::Received(received(letter, *forger.sign_id().as_bytes(), 0)));
    assert_eq!(world.refused(0, Cause::Unsealed), 1);
    world.pass(60_000);
    assert_eq!(world.take_inbox(0).len(), 0);
}

#[test]
fn what_a_stranger_sends_again_is_delivered_once() {
    let mut world = friends();
    world.ask(0, "people.remove", r#"{"person": "bob"}"#).unwrap();
    world.publish(1, "ada", "talk", "1");
    assert_eq!(world.take_inbox(0).len(), 1);
    // Nothing is acknowledged, so it is repeated: in time, and by the next link.
    world.pass(crate::limits::UNACKNOWLEDGED_MS + 1);
    assert_eq!(world.refused(0, Cause::Duplicate), 1);
    world.unlink(0, 1);
    world.link(0, 1);
    world.settle();
    assert_eq!(world.refused(0, Cause::Duplicate), 2);
    assert_eq!(world.take_inbox(0).len(), 0);
}

#[test]
fn who_is_at_a_link_speaks_for_nobody_else() {
    let mut world = friends();
    let ada = world.device(0);
    let box_id = world.nodes[1].post.as_ref().unwrap().me.as_ref().unwrap().keys.box_id();
    let parcel = Parcel { from: DeviceId::new(ada), id: [1; 16], body: Body::WantCard };
    let before = world.carried.len();
    let letter = seal(box_id, &parcel, [9; 32]).unwrap();
    world.tell(1, Input::Received(received(letter, world.device(2), 0)));
    assert_eq!(world.refused(1, Cause::Misbound), 1);
    assert_eq!(world.carried.len(), before, "nothing is sent for it");
}

#[test]
fn an_invite_that_was_used_makes_no_friend_again() {
    let mut world = World::new(2);
    let link = world.ask(0, "people.invite", "null").unwrap()["link"].clone();
    let join = format!(r#"{{"link": {link}}}"#);
    world.ask(1, "people.join", &join).unwrap();
    world.ask(1, "people.join", &join).unwrap();
    let bob = world.ask(1, "people.me", "null").unwrap()["identity"].clone();
    world.ask(0, "people.remove", &format!(r#"{{"person": {bob}}}"#)).unwrap();
    let refused = world.ask(1, "people.join", &join).unwrap_err();
    assert!(refused.text.contains("used up"), "{refused:?}");
    assert_eq!(world.ask(0, "people.list", "null").unwrap()[0]["relation"], "removed");
}
