//! Wills: what is published when a connection ends without a goodbye.

use crate::door::{Client, Door, Event, Operation, Publication, new_id};
use kith_wire::Code;

on_every_door! {
    a_will_is_published_when_its_client_is_gone,
    a_will_is_not_published_after_a_goodbye,
    a_will_that_was_taken_back_is_not_published,
    the_last_will_counts,
    a_will_comes_after_all_else_that_its_client_said,
    a_will_can_be_kept,
    a_will_that_could_not_be_published_is_refused,
    a_will_that_was_published_already_is_not_published_again,
}

fn will(publication: Publication) -> Operation {
    Operation::Will(publication)
}

/// A client that hears wills, and that others are gone.
fn watcher(client: &mut Client) {
    client.subscribe(1, "self.gone");
    client.subscribe(2, "self.bus.client");
}

/// What comes on `gone` until the next client is gone.
fn until_gone(watcher: &mut Client) -> Vec<String> {
    loop {
        let (number, delivery) = watcher.message();
        assert_eq!(number, 2, "the will comes last");
        if delivery.value()["event"] == "disconnected" {
            break;
        }
    }
    let payload = |event| match event {
        Event::Message { subscription: 1, delivery } => delivery.text().to_owned(),
        other => panic!("{other:?}"),
    };
    watcher.pending().into_iter().map(payload).collect()
}

fn a_will_is_published_when_its_client_is_gone(door: &dyn Door) {
    let bus = door.open("");
    let mut mortal = bus.connect();
    mortal.done(&will(Publication::json("gone", r#"{"who":"mortal"}"#)));
    let mut watcher = bus.connect();
    self::watcher(&mut watcher);
    assert_eq!(watcher.pending(), []);
    drop(mortal);
    assert_eq!(until_gone(&mut watcher), [r#"{"who":"mortal"}"#]);
}

fn a_will_is_not_published_after_a_goodbye(door: &dyn Door) {
    let bus = door.open("");
    let mut mortal = bus.connect();
    mortal.done(&will(Publication::json("gone", "1")));
    let mut watcher = bus.connect();
    self::watcher(&mut watcher);
    mortal.done(&Operation::Bye);
    drop(mortal);
    assert_eq!(until_gone(&mut watcher), [""; 0]);
}

fn a_will_that_was_taken_back_is_not_published(door: &dyn Door) {
    let bus = door.open("");
    let mut mortal = bus.connect();
    // There is nothing to take back, and that is no error.
    mortal.done(&Operation::Unwill);
    mortal.done(&will(Publication::json("gone", "1")));
    mortal.done(&Operation::Unwill);
    let mut watcher = bus.connect();
    self::watcher(&mut watcher);
    drop(mortal);
    assert_eq!(until_gone(&mut watcher), [""; 0]);
}

fn the_last_will_counts(door: &dyn Door) {
    let bus = door.open("");
    let mut mortal = bus.connect();
    for payload in ["1", "2", "3"] {
        mortal.done(&will(Publication::json("gone", payload)));
    }
    // One that is refused replaces nothing.
    mortal.refused(&will(Publication::json("bus.gone", "4")));
    let mut watcher = bus.connect();
    self::watcher(&mut watcher);
    drop(mortal);
    assert_eq!(until_gone(&mut watcher), ["3"]);
}

fn a_will_comes_after_all_else_that_its_client_said(door: &dyn Door) {
    let bus = door.open("");
    let mut watcher = bus.connect();
    watcher.subscribe(1, "self.gone");
    let mut mortal = bus.connect();
    mortal.tell(&will(Publication::json("gone", "\"will\"")));
    for n in 0..200 {
        mortal.tell(&Operation::Publish(Publication::json("gone", &n.to_string())));
    }
    drop(mortal);
    for n in 0..200 {
        assert_eq!(watcher.message_on(1).text(), n.to_string());
    }
    assert_eq!(watcher.message_on(1).text(), "\"will\"");
}

fn a_will_can_be_kept(door: &dyn Door) {
    let bus = door.open("");
    let mut watcher = bus.connect();
    watcher.subscribe(1, "self.status");
    let mut mortal = bus.connect();
    mortal.publish_it(Publication::json("status", "\"there\"").retained());
    mortal.done(&will(Publication::json("status", "\"gone\"").retained()));
    drop(mortal);
    assert_eq!(watcher.message_on(1).text(), "\"there\"");
    assert_eq!(watcher.message_on(1).text(), "\"gone\"");
    watcher.subscribe_retained(2, "self.status");
    let kept = watcher.message_on(2);
    assert_eq!((kept.text(), kept.retained), ("\"gone\"", true));
}

fn a_will_that_could_not_be_published_is_refused(door: &dyn Door) {
    let bus = door.open("");
    let mut mortal = bus.connect();
    for (publication, code) in [
        (Publication::json("people.gone", "1"), Code::ReservedTopic),
        (Publication::json("a..b", "1"), Code::BadTopic),
        (Publication::json("gone", "{"), Code::BadPayload),
    ] {
        assert_eq!(mortal.refused(&will(publication)), code);
    }
}

fn a_will_that_was_published_already_is_not_published_again(door: &dyn Door) {
    let bus = door.open("");
    let mut mortal = bus.connect();
    let last_words = Publication::json("gone", "1").with_id(new_id());
    mortal.done(&will(last_words.clone()));
    mortal.publish_it(last_words);
    let mut watcher = bus.connect();
    self::watcher(&mut watcher);
    drop(mortal);
    assert_eq!(until_gone(&mut watcher), [""; 0]);
}
