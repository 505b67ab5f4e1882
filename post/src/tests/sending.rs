//! Messages on their way, and what disks and links that fail do to them.

use super::world::World;
use crate::{Cause, Input};
use kith_contract::delivery::Rung;
use kith_store::Failure;
use kith_wire::{Code, Until};

fn friends() -> World {
    let mut world = World::new(2);
    world.befriend(0, 1, ("ada", "bob"));
    world
}

fn rungs(world: &mut World, at: usize, id: kith_wire::MessageId) -> Vec<Rung> {
    let updates = world.nodes[at].updates.iter().filter(|update| update.message == id);
    updates.map(|update| update.state).collect()
}

#[test]
fn a_message_climbs_the_ladder_and_its_publisher_is_answered_where_it_wants() {
    let mut world = friends();
    world.is_held = true;
    let (ticket, id) =
        world.publish_with(0, "bob", "a", "1", |message| message.until = Until::Delivered);
    assert_eq!(rungs(&mut world, 0, id), [Rung::Accepted, Rung::Sent]);
    assert!(!world.nodes[0].sent.contains_key(&ticket));
    world.release();
    assert_eq!(rungs(&mut world, 0, id), [Rung::Accepted, Rung::Sent, Rung::Delivered]);
    assert_eq!(world.nodes[0].sent[&ticket], Ok(()));
    let (ticket, _) = world.publish_with(0, "bob", "a", "2", |message| message.until = Until::Sent);
    assert_eq!(world.nodes[0].sent[&ticket], Ok(()));
}

#[test]
fn what_a_link_lost_goes_by_the_next_and_arrives_once_in_order() {
    let mut world = friends();
    world.is_held = true;
    for number in 0..20 {
        world.publish(0, "bob", "count", &number.to_string());
    }
    world.lose();
    world.unlink(0, 1);
    world.settle();
    world.publish(0, "bob", "count", "20");
    world.link(0, 1);
    world.release();
    let expected: Vec<_> =
        (0..=20).map(|number| format!("ada friends.count \"{number}\"")).collect();
    assert_eq!(world.take_inbox(1), expected);
    // And the acknowledgements alone.
    world.is_held = true;
    world.publish(0, "bob", "count", "21");
    world.is_held = false;
    world.settle();
    assert_eq!(world.take_inbox(1).len(), 1);
}

#[test]
fn nothing_leaves_before_the_disk_has_what_it_depends_on() {
    let mut world = friends();
    let carried = world.carried.len();
    world.fail_disk(0, Some(Failure::InputOutput { text: "full".to_owned() }));
    let (ticket, id) = world.publish(0, "bob", "a", "1");
    assert_eq!(world.nodes[0].sent[&ticket], Ok(()), "it was taken on");
    assert_eq!(world.carried.len(), carried, "and has not left");
    let (ticket, _) = world.publish(0, "bob", "a", "2");
    assert_eq!(world.nodes[0].sent[&ticket].as_ref().unwrap_err().code, Code::NotStored);
    world.fail_disk(0, None);
    world.pass(2_000);
    assert_eq!(world.take_inbox(1), ["ada friends.a \"1\""]);
    assert_eq!(rungs(&mut world, 0, id).last(), Some(&Rung::Delivered));
}

#[test]
fn a_receiver_that_cannot_store_acknowledges_nothing_and_gets_it_later() {
    let mut world = friends();
    world.fail_disk(1, Some(Failure::InputOutput { text: "full".to_owned() }));
    let (_, id) = world.publish(0, "bob", "a", "1");
    world.publish(0, "bob", "a", "2");
    assert_eq!(rungs(&mut world, 0, id).last(), Some(&Rung::Sent));
    assert_eq!(world.take_inbox(1).len(), 0);
    world.fail_disk(1, None);
    world.pass(120_000);
    assert_eq!(world.take_inbox(1), ["ada friends.a \"1\"", "ada friends.a \"2\""]);
    assert_eq!(rungs(&mut world, 0, id).last(), Some(&Rung::Delivered));
}

#[test]
fn what_was_stored_and_not_handed_to_the_bus_is_handed_after_a_restart() {
    let mut world = friends();
    world.nodes[1].takes = false;
    world.publish(0, "bob", "a", "1");
    world.kill(1);
    world.nodes[1].takes = true;
    world.start(1, false);
    assert_eq!(world.take_inbox(1), ["ada friends.a \"1\""]);
    world.kill(1);
    world.start(1, false);
    assert_eq!(world.take_inbox(1).len(), 0, "once");
    world.link(0, 1);
    world.publish(0, "bob", "a", "2");
    world.publish(1, "ada", "b", "3");
    assert_eq!(world.take_inbox(1), ["ada friends.a \"2\""]);
    assert_eq!(world.take_inbox(0), ["bob friends.b \"3\""]);
}

#[test]
fn a_lost_ratchet_is_repaired() {
    let mut world = friends();
    world.publish(0, "bob", "a", "1");
    world.publish(1, "ada", "a", "2");
    world.nodes[1].post.as_mut().unwrap().sessions = crate::envelope::Sessions::new();
    world.publish(0, "bob", "a", "3");
    world.publish(0, "bob", "a", "4");
    assert_eq!(world.take_inbox(1).len(), 3);
    assert!(world.refused(1, Cause::Undecrypted) > 0);
}

#[test]
fn a_request_is_answered_across_people_by_whoever_was_asked() {
    let mut world = World::new(3);
    world.befriend(0, 1, ("ada", "bob"));
    world.befriend(0, 2, ("ada", "eve"));
    let message = world.message(0, "bob", "time.now", "?", |_| {});
    world.tell(0, Input::Request { ticket: 900, timeout_ms: 5_000, message });
    let (request, inbound) = world.nodes[1].requests.pop_front().unwrap();
    assert_eq!((inbound.petname.as_deref(), inbound.topic.as_str()), (Some("ada"), "time.now"));
    // As programs reply: on a topic that is reserved.
    let topic = "bus.reply.00112233445566778899aabbccddeeff";
    let reply = world.message(1, "", topic, "noon", |_| {});
    world.tell(1, Input::Reply { request, message: reply });
    let reply = world.nodes[0].replies[&900].as_ref().unwrap();
    assert_eq!(
        (reply.topic.as_str(), reply.payload.as_slice()),
        ("time.now", b"\"noon\"".as_slice())
    );
    assert!(world.nodes[2].requests.is_empty());

    let message = world.message(0, "bob", "time.never", "?", |_| {});
    world.tell(0, Input::Request { ticket: 901, timeout_ms: 5_000, message });
    let (request, _) = world.nodes[1].requests.pop_front().unwrap();
    let text = "nobody".to_owned();
    world.tell(1, Input::NotTaken { request, code: Code::NoResponders, text });
    assert_eq!(world.nodes[0].replies[&901].as_ref().unwrap_err().code, Code::NoResponders);

    let message = world.message(0, "bob", "time.late", "?", |_| {});
    world.tell(0, Input::Request { ticket: 902, timeout_ms: 5_000, message });
    world.pass(5_000);
    assert_eq!(world.nodes[0].replies[&902].as_ref().unwrap_err().code, Code::Timeout);
}

#[test]
fn realtime_and_public_are_not_waited_for() {
    let mut world = World::new(3);
    world.befriend(0, 1, ("ada", "bob"));
    world.link(0, 2);
    world.settle();
    world.publish_with(0, "bob", "cursor", "1", |message| message.realtime = true);
    assert_eq!(world.take_inbox(1), ["ada friends.cursor \"1\""]);
    world.unlink(0, 1);
    world.publish_with(0, "bob", "cursor", "2", |message| message.realtime = true);
    world.link(0, 1);
    world.settle();
    assert_eq!(world.take_inbox(1).len(), 0, "worthless late");
    let (ticket, _) = world.publish_with(0, "bob", "x", "", |one| {
        (one.realtime, one.until) = (true, Until::Delivered);
    });
    assert_eq!(world.nodes[0].sent[&ticket].as_ref().unwrap_err().code, Code::BadField);
    world.publish(0, "public", "hello", "all");
    assert_eq!(world.take_inbox(1), ["ada friends.hello \"all\""]);
    assert_eq!(world.take_inbox(2), ["- public.hello \"all\""], "a stranger");
}

#[test]
fn what_expires_ends_and_is_said() {
    let mut world = friends();
    world.unlink(0, 1);
    world.nodes[1].post = None;
    let (ticket, id) = world.publish_with(0, "bob", "a", "1", |message| {
        message.expire_after_ms = Some(10_000);
        message.until = Until::Delivered;
    });
    world.pass(10_001);
    assert_eq!(rungs(&mut world, 0, id).last(), Some(&Rung::Expired));
    assert_eq!(world.nodes[0].sent[&ticket].as_ref().unwrap_err().code, Code::NotDelivered);
}

#[test]
fn who_cannot_be_meant_is_said() {
    let mut world = friends();
    for to in ["carol", "self", "bob/phone", "room:x", "did:key:z6Mk", ""] {
        let (ticket, _) = world.publish(0, to, "a", "1");
        assert!(world.nodes[0].sent[&ticket].is_err(), "{to}");
    }
    let (ticket, _) = world.publish(0, "bob", "bus.ready", "1");
    assert_eq!(world.nodes[0].sent[&ticket].as_ref().unwrap_err().code, Code::ReservedTopic);
}

#[test]
fn what_is_published_again_is_sent_once_and_answered_as_it_went() {
    let mut world = friends();
    world.is_held = true;
    let message = world.message(0, "bob", "a", "1", |message| message.until = Until::Delivered);
    let send = |ticket, is_repeated| Input::Send { ticket, message: message.clone(), is_repeated };
    world.tell(0, send(901, false));
    world.tell(0, send(902, true));
    assert!(!world.nodes[0].sent.contains_key(&902));
    world.release();
    world.tell(0, send(903, true));
    for ticket in [901, 902, 903] {
        assert_eq!(world.nodes[0].sent[&ticket], Ok(()), "{ticket}");
    }
    assert_eq!(world.take_inbox(1).len(), 1);
}

#[test]
fn a_prekey_is_renewed_before_it_is_over() {
    let mut world = friends();
    let prekey =
        |world: &World| world.nodes[1].post.as_ref().unwrap().me.as_ref().unwrap().account.prekey();
    let first = prekey(&world);
    for _ in 0..30 {
        world.pass(86_400_000);
    }
    assert_ne!(prekey(&world), first);
    // Ada has only the first one, and a message that opens a session still arrives.
    world.publish(0, "bob", "a", "1");
    assert_eq!(world.take_inbox(1), ["ada friends.a \"1\""]);
}

#[test]
fn who_asks_again_for_more_is_not_answered_with_less() {
    let mut world = friends();
    world.is_held = true;
    let message = world.message(0, "bob", "a", "1", |message| message.until = Until::Sent);
    world.tell(0, Input::Send { ticket: 901, message: message.clone(), is_repeated: false });
    assert_eq!(world.nodes[0].sent[&901], Ok(()));
    let message = crate::Outgoing { until: Until::Delivered, ..message };
    world.tell(0, Input::Send { ticket: 902, message, is_repeated: true });
    assert!(!world.nodes[0].sent.contains_key(&902), "it is not delivered yet");
    world.release();
    assert_eq!(world.nodes[0].sent[&902], Ok(()));
}

#[test]
fn what_one_device_has_does_not_expire_there_for_another_that_is_away() {
    let mut world = World::new(3);
    world.befriend(0, 1, ("ada", "bob"));
    world.adopt(1, 2);
    world.kill(2);
    let (_, id) =
        world.publish_with(0, "bob", "a", "1", |message| message.expire_after_ms = Some(5_000));
    world.pass(6_000);
    let bob = world.device(1);
    let updates = world.nodes[0].updates.iter();
    let of_bob: Vec<_> = updates
        .filter(|update| update.message == id && update.device == bob)
        .map(|update| update.state)
        .collect();
    assert_eq!(of_bob, [Rung::Accepted, Rung::Sent, Rung::Delivered]);
    assert!(world.nodes[0].post.as_ref().unwrap().outbox.devices().next().is_none());
}
