//! Friends, devices, and who is one no longer.

use super::world::World;
use crate::Cause;

#[test]
fn an_invite_makes_two_people_friends() {
    let mut world = World::new(2);
    world.befriend(0, 1, ("ada", "bob"));
    for (at, name) in [(0, "bob"), (1, "ada")] {
        let list = world.ask(at, "people.list", "null").unwrap();
        assert_eq!(list[0]["petname"], name);
        assert_eq!(list[0]["relation"], "friend");
        assert_eq!(list[0]["devices"][0]["online"], true);
    }
    let numbers: Vec<_> = (0..2)
        .map(|at| world.ask(at, "people.list", "null").unwrap()[0]["safety_number"].clone())
        .collect();
    assert_eq!(numbers[0], numbers[1]);
    world.publish(0, "bob", "chess.move", "e4");
    assert_eq!(world.take_inbox(1), ["ada friends.chess.move \"e4\""]);
    world.publish(1, "friends", "chess.move", "e5");
    assert_eq!(world.take_inbox(0), ["bob friends.chess.move \"e5\""]);
}

#[test]
fn an_invite_is_good_once_and_for_who_has_it() {
    let mut world = World::new(3);
    let link = world.ask(0, "people.invite", "null").unwrap()["link"].as_str().unwrap().to_owned();
    let join = |link: &str| format!(r#"{{"link": "{link}"}}"#);
    let own = world.ask(0, "people.join", &join(&link)).unwrap_err();
    assert!(own.text.contains("of your own"), "{own:?}");
    world.ask(1, "people.join", &join(&link)).unwrap();
    let error = world.ask(2, "people.join", &join(&link)).unwrap_err();
    assert!(error.text.contains("used up"), "{error:?}");
    assert_eq!(world.refused(0, Cause::FalseInvite), 1);
    let link = world.ask(0, "people.invite", r#"{"expires_ms": 1000}"#).unwrap()["link"].clone();
    world.pass(1000);
    let error = world.ask(2, "people.join", &join(link.as_str().unwrap())).unwrap_err();
    assert!(error.text.contains("expired"), "{error:?}");
    let cut = &link.as_str().unwrap()[..100];
    assert!(world.ask(2, "people.join", &join(cut)).is_err());
    let known = world.ask(2, "people.list", "null").unwrap();
    assert_eq!(known[0]["relation"], "unknown", "nobody is a friend: {known}");
}

#[test]
fn a_device_becomes_one_of_a_person_and_is_taken_out_again() {
    let mut world = World::new(4);
    world.befriend(0, 1, ("ada", "bob"));
    world.adopt(0, 2);
    let me = |world: &mut World, at| world.ask(at, "people.me", "null").unwrap();
    assert_eq!(me(&mut world, 0)["identity"], me(&mut world, 2)["identity"]);
    assert_eq!(me(&mut world, 2)["key"], "elsewhere");
    assert_eq!(me(&mut world, 2)["listed"], true);
    let friends = world.ask(2, "people.list", "null").unwrap();
    assert_eq!(friends[0]["petname"], "bob", "it knows the circle: {friends}");

    world.publish(0, "self", "note.new", "milk");
    assert_eq!(world.take_inbox(2), ["- self.note.new \"milk\""]);
    world.publish(2, "self", "note.new", "eggs");
    assert_eq!(world.take_inbox(0), ["- self.note.new \"eggs\""]);
    // Bob has seen the new card, and both devices get what is for Ada.
    world.link(1, 2);
    world.settle();
    world.publish(1, "ada", "chess.move", "d4");
    assert_eq!(world.take_inbox(0), ["bob friends.chess.move \"d4\""]);
    assert_eq!(world.take_inbox(2), ["bob friends.chess.move \"d4\""]);
    world.publish(2, "bob", "chess.move", "d5");
    assert_eq!(world.take_inbox(1), ["ada friends.chess.move \"d5\""]);
    world.publish(1, "ada/device-2", "chess.move", "c4");
    assert_eq!(world.take_inbox(0).len() + 10 * world.take_inbox(2).len(), 10);

    world.ask(0, "people.removeDevice", r#"{"device": "device-2"}"#).unwrap();
    assert!(!world.is_linked(0, 2), "hung up");
    world.publish(1, "ada", "chess.move", "Nf3");
    world.publish(0, "self", "note.new", "bread");
    assert_eq!(world.take_inbox(0), ["bob friends.chess.move \"Nf3\""]);
    assert_eq!(world.take_inbox(2).len(), 0, "nothing more gets there");
    world.publish(2, "bob", "chess.move", "mine");
    assert_eq!(world.take_inbox(1).len(), 0, "nor from there");
}

#[test]
fn who_is_rejected_reaches_nobody_and_who_is_removed_is_a_stranger() {
    let mut world = World::new(2);
    world.befriend(0, 1, ("ada", "bob"));
    world.ask(0, "people.remove", r#"{"person": "bob"}"#).unwrap();
    world.publish(1, "ada", "chess.move", "e4");
    assert_eq!(world.take_inbox(0), ["- public.chess.move \"e4\""]);
    let bob = world.ask(1, "people.me", "null").unwrap()["identity"].clone();
    world.ask(0, "people.reject", &format!(r#"{{"person": {bob}}}"#)).unwrap();
    assert!(!world.is_linked(0, 1));
    world.publish(1, "ada", "chess.move", "e5");
    world.link(0, 1);
    world.settle();
    assert_eq!(world.take_inbox(0).len(), 0);
}

#[test]
fn an_identity_can_be_locked_unlocked_and_restored_from_its_words() {
    let mut world = World::new(2);
    let words = world.ask(0, "people.recovery", "null").unwrap()["words"].clone();
    world.ask(0, "people.lock", r#"{"passphrase": "correct horse"}"#).unwrap();
    assert!(world.ask(0, "people.recovery", "null").is_err());
    world.kill(0);
    world.start(0, false);
    assert_eq!(world.ask(0, "people.me", "null").unwrap()["key"], "locked");
    assert!(world.ask(0, "people.unlock", r#"{"passphrase": "wrong"}"#).is_err());
    world.ask(0, "people.unlock", r#"{"passphrase": "correct horse"}"#).unwrap();
    assert_eq!(world.ask(0, "people.recovery", "null").unwrap()["words"], words);
    let person = world.ask(1, "people.recover", &format!(r#"{{"words": {words}}}"#)).unwrap();
    let me = world.ask(0, "people.me", "null").unwrap();
    assert_eq!(person["identity"], me["identity"]);
}

#[test]
fn a_copy_of_the_state_is_another_device() {
    let mut world = World::new(2);
    world.befriend(0, 1, ("ada", "bob"));
    let before = world.device(0);
    world.kill(0);
    world.start(0, true);
    assert_ne!(world.device(0), before);
    let me = world.ask(0, "people.me", "null").unwrap();
    assert_eq!((&me["listed"], &me["key"]), (&false.into(), &"here".into()));
    world.ask(0, "people.init", "{}").unwrap();
    assert_eq!(world.ask(0, "people.me", "null").unwrap()["listed"], true);
    world.link(0, 1);
    world.settle();
    world.publish(0, "bob", "chess.move", "e4");
    assert_eq!(world.take_inbox(1), ["ada friends.chess.move \"e4\""]);
}
