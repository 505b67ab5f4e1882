//! A circle, as another device sends it.
//!
//! What is read is the same when it is written again, merges with others in any order to the same,
//! gives each petname to one person, and changes nobody's book unless one of their devices signed
//! it. An input is a circle, or two of them with a blank line between, to be merged.

use crate::records::{NOW, device, is_harmless, is_name, person, read, reader, records};
use kith_people::{Book, Circle, CircleRefusal, Domain, Relation, SignedCircle};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let cut = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (first, second) = match cut {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, bytes),
    };
    let circles: Vec<_> = [bytes, first, second].into_iter().flat_map(circles).collect();
    circles.iter().for_each(holds);
    for one in &circles {
        circles.iter().for_each(|other| merging(one, other));
    }
}

fn circles(bytes: &[u8]) -> Vec<SignedCircle> {
    let records = records(bytes, |body| device().sign(Domain::Circle, body));
    let read = |record: Vec<u8>| {
        let circle = read(&record, SignedCircle::parse)?;
        assert_eq!(circle.bytes(), record);
        Some(circle)
    };
    records.into_iter().filter_map(read).collect()
}

fn holds(circle: &SignedCircle) {
    named(circle);
    if circle.signer() == device().sign_id() {
        let again = circle.signed_by(&device()).expect("what was read can be signed");
        assert_eq!(again.bytes()[64..], circle.bytes()[64..]);
    }
    let mut book = Book::new(reader());
    let refused = book.accept_circle(NOW, circle).unwrap_err();
    is_harmless(&refused);
    let mut book = Book::new(circle.identity());
    assert_eq!(book.accept_circle(NOW, circle), Err(CircleRefusal::MayNot));
    assert_eq!(book, Book::new(circle.identity()));
}

/// Each petname is one person's, and each person who was given one has one.
fn named(circle: &Circle) {
    for (person, entry) in circle.entries() {
        assert_ne!(person, circle.identity());
        let is_named = entry.petname.is_some() && entry.relation != Relation::Removed;
        assert_eq!(circle.petname(&person).is_some(), is_named);
        if let Some(petname) = circle.petname(&person) {
            is_name(petname.as_str());
            assert_eq!(circle.person(petname.as_str()), Some(person));
        }
    }
}

fn merging(one: &Circle, other: &Circle) {
    let merged = |one: &Circle, other: &Circle| {
        let mut merged = one.clone();
        merged.merge(other).map(|_| merged)
    };
    let Ok(both) = merged(one, other) else {
        assert!(one.identity() != other.identity() || merged(other, one).is_err());
        return;
    };
    assert_eq!(merged(other, one).as_ref(), Ok(&both));
    assert_eq!(merged(&both, one).as_ref(), Ok(&both));
    assert_eq!(merged(&both, other).as_ref(), Ok(&both));
    named(&both);
    // A rejection is lost to nothing but what is later.
    for (person, entry) in one.entries().chain(other.entries()) {
        let after = both.entry(&person).expect("nothing is lost");
        let is_kept = entry.relation != Relation::Rejected || after.relation == entry.relation;
        assert!(is_kept || entry.at < after.at);
    }
    if both.identity() == person().id() {
        let signed = both.signed_by(&device()).expect("what was merged can be signed");
        assert_eq!(SignedCircle::parse(signed.bytes()).as_deref(), Ok(&both));
    }
}
