//! Circles: merging in any order comes to the same, and names stay apart.

use proptest::prelude::*;

use super::{NOW, device, person};
use crate::limits::{CIRCLE_BYTES_MAX, CIRCLE_ENTRIES_MAX, NUMBER_MAX};
use crate::{
    Circle, CircleError, Domain, PersonId, Petname, RecordError, Relation, SignedCircle, TagSecret,
};

fn own() -> PersonId {
    person(1).id()
}

fn name(text: &str) -> Petname {
    Petname::new(text).unwrap()
}

fn somebody(number: u8) -> PersonId {
    PersonId::new([number; 32])
}

fn befriend(circle: &mut Circle, at: u64, number: u8, petname: &str) -> Result<(), CircleError> {
    circle.update(at, somebody(number), |entry| {
        entry.relation = Relation::Friend;
        entry.petname = Some(name(petname));
    })
}

#[test]
fn what_is_signed_is_read_as_the_same() {
    let mut circle = Circle::new(own());
    circle.set_tag_secret(NOW, TagSecret::new([5; 32]));
    befriend(&mut circle, NOW, 7, "ada").unwrap();
    circle.update(NOW, somebody(8), |entry| entry.relation = Relation::Rejected).unwrap();
    circle
        .update(NOW, somebody(7), |entry| entry.tag_secret = Some(TagSecret::new([6; 32])))
        .unwrap();
    circle.update(NOW, somebody(7), |entry| entry.verified = true).unwrap();
    let signed = circle.signed_by(&device(10)).unwrap();
    let read = SignedCircle::parse(signed.bytes()).unwrap();
    assert_eq!((read.signer(), &*read), (device(10).sign_id(), &circle));
    assert_eq!(read, signed);
    assert_eq!(read.person("ada"), Some(somebody(7)));
    assert_eq!((read.version(), read.entry(&somebody(7)).unwrap().at), (NOW + 4, NOW + 2));
    for at in 0..signed.bytes().len() {
        let mut changed = signed.bytes().to_vec();
        changed[at] ^= 1 << (at % 8);
        assert!(SignedCircle::parse(&changed).is_err(), "byte {at} may be anything");
        assert!(SignedCircle::parse(&signed.bytes()[..at]).is_err());
    }
    // Signed by one device, in the name of another.
    let body = &signed.bytes()[64..];
    let forged = [device(11).sign(Domain::Circle, body).as_slice(), body].concat();
    assert_eq!(SignedCircle::parse(&forged), Err(RecordError::Signature));
    // Every entry twice.
    let mut one = Circle::new(own());
    befriend(&mut one, NOW, 7, "ada").unwrap();
    let body = one.signed_by(&device(10)).unwrap().bytes()[64..].to_vec();
    let at = body.windows(2).rposition(|pair| pair == [0x05, 0x81]).unwrap();
    let twice = [&body[..=at], &[0x82], &body[at + 2..], &body[at + 2..]].concat();
    let twice = [device(10).sign(Domain::Circle, &twice).as_slice(), &twice].concat();
    assert!(matches!(
        SignedCircle::parse(&twice),
        Err(RecordError::Field { field: "entries", .. })
    ));
}

#[test]
fn names_are_one_persons() {
    let mut circle = Circle::new(own());
    befriend(&mut circle, NOW, 7, "ada").unwrap();
    assert_eq!(befriend(&mut circle, NOW, 8, "ada"), Err(CircleError::PetnameTaken(somebody(7))));
    assert_eq!(circle.relation(&somebody(8)), Relation::Removed);
    befriend(&mut circle, NOW, 7, "Ada").unwrap();
    befriend(&mut circle, NOW, 8, "ada").unwrap();
    assert_eq!(
        (circle.person("Ada"), circle.person("ada")),
        (Some(somebody(7)), Some(somebody(8)))
    );
    circle.update(NOW, somebody(8), |entry| entry.relation = Relation::Removed).unwrap();
    assert_eq!((circle.person("ada"), circle.petname(&somebody(8))), (None, None));
    befriend(&mut circle, NOW, 9, "ada").unwrap();
    let back = circle.update(NOW, somebody(8), |entry| entry.relation = Relation::Friend);
    assert_eq!(back, Err(CircleError::PetnameTaken(somebody(9))));
    assert_eq!(circle.update(NOW, own(), |_| ()), Err(CircleError::Own));
}

#[test]
fn one_name_for_two_people_is_nobodys() {
    let (mut here, mut there) = (Circle::new(own()), Circle::new(own()));
    befriend(&mut here, NOW, 7, "ada").unwrap();
    befriend(&mut there, NOW, 8, "ada").unwrap();
    here.merge(&there).unwrap();
    there.merge(&here).unwrap();
    assert_eq!(here, there);
    assert_eq!(here.person("ada"), None);
    for number in [7, 8] {
        let called = here.petname(&somebody(number)).unwrap().to_string();
        let id = somebody(number).to_string();
        assert_eq!(called, format!("ada-{}", &id[id.len() - 4..]));
        assert_eq!(here.person(&called), Some(somebody(number)));
    }
    // Either can be rejected, and renamed to what it is called; then the other has the name.
    here.update(NOW, somebody(7), |entry| entry.relation = Relation::Rejected).unwrap();
    let taken = here.petname(&somebody(8)).unwrap().to_string();
    assert_eq!(befriend(&mut here, NOW, 9, &taken), Err(CircleError::PetnameTaken(somebody(8))));
    befriend(&mut here, NOW, 7, "eve").unwrap();
    assert_eq!(here.person("ada"), Some(somebody(8)));
}

#[test]
fn later_wins_and_of_one_moment_rejection() {
    let at = |relation, at| {
        let mut circle = Circle::new(own());
        circle.update(at, somebody(7), |entry| entry.relation = relation).unwrap();
        circle
    };
    let merged = |one: &Circle, other: &Circle| {
        let mut one = one.clone();
        one.merge(other).unwrap();
        one.relation(&somebody(7))
    };
    use Relation::{Friend, Rejected, Removed};
    for (one, other, wins) in [
        (at(Friend, NOW), at(Rejected, NOW), Rejected),
        (at(Removed, NOW), at(Rejected, NOW), Rejected),
        (at(Removed, NOW), at(Friend, NOW), Friend),
        (at(Friend, NOW + 1), at(Rejected, NOW), Friend),
        (at(Removed, NOW + 1), at(Friend, NOW), Removed),
    ] {
        assert_eq!((merged(&one, &other), merged(&other, &one)), (wins, wins));
    }
    let mut other = Circle::new(person(2).id());
    assert_eq!(other.merge(&at(Friend, NOW)), Err(CircleError::OtherPerson));
}

#[test]
fn a_full_circle_fits_and_takes_no_more() {
    let mut circle = Circle::new(own());
    circle.set_tag_secret(NUMBER_MAX, TagSecret::new([5; 32]));
    let numbered = |number: usize| {
        let mut bytes = [0xee; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        PersonId::new(bytes)
    };
    // In parts, since each merge goes over all names.
    for part in 0..CIRCLE_ENTRIES_MAX / 32 {
        let mut some = Circle::new(own());
        for number in part * 32..(part + 1) * 32 {
            let change = |entry: &mut crate::CircleEntry| {
                entry.relation = Relation::Friend;
                entry.verified = true;
                entry.petname = Some(name(&format!("{number:064}")));
                entry.tag_secret = Some(TagSecret::new([1; 32]));
            };
            some.update(NUMBER_MAX, numbered(number), change).unwrap();
        }
        assert_eq!(circle.merge(&some).unwrap().len(), 32);
    }
    let signed = circle.signed_by(&device(10)).unwrap();
    assert!(signed.bytes().len() <= CIRCLE_BYTES_MAX, "{}", signed.bytes().len());
    assert_eq!(&*SignedCircle::parse(signed.bytes()).unwrap(), &circle);
    let mut more = Circle::new(own());
    befriend(&mut more, NOW, 7, "ada").unwrap();
    assert_eq!(circle.merge(&more), Err(CircleError::Full));
    assert_eq!(befriend(&mut circle, NOW, 7, "ada"), Err(CircleError::Full));
}

type Step = (u64, u8, u8, Option<u8>, bool);

fn circle(steps: &[Step], secret: Option<u8>) -> Circle {
    let mut circle = Circle::new(own());
    for (at, number, relation, petname, verified) in steps {
        let relations = [Relation::Removed, Relation::Friend, Relation::Rejected];
        // What is refused for its name is no matter here.
        drop(circle.update(NOW + at, somebody(*number), |entry| {
            entry.relation = relations[usize::from(*relation)];
            entry.petname = petname.map(|petname| name(&format!("n{petname}")));
            entry.verified = *verified;
        }));
    }
    if let Some(secret) = secret {
        circle.set_tag_secret(NOW + u64::from(secret % 3), TagSecret::new([secret; 32]));
    }
    circle
}

fn circles() -> impl Strategy<Value = Circle> {
    let petname = proptest::option::of(0..3_u8);
    let step = (0..4_u64, 0..5_u8, 0..3_u8, petname, any::<bool>());
    let steps = proptest::collection::vec(step, 0..8);
    (steps, proptest::option::of(any::<u8>())).prop_map(|(steps, secret)| circle(&steps, secret))
}

fn merged(one: &Circle, other: &Circle) -> Circle {
    let mut one = one.clone();
    one.merge(other).unwrap();
    one
}

proptest! {
    // Signing takes long without optimisation.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_merging_makes_no_difference(a in circles(), b in circles(), c in circles()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(&merged(&a, &a), &a);
        prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
        let all = merged(&merged(&a, &b), &c);
        let names: Vec<_> = all.entries().filter_map(|(one, _)| all.petname(&one)).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        prop_assert_eq!(names.len(), distinct.len());
        for (one, entry) in all.entries() {
            let is_named = entry.relation != Relation::Removed && entry.petname.is_some();
            prop_assert_eq!(all.petname(&one).is_some(), is_named);
            if let Some(called) = all.petname(&one) {
                prop_assert_eq!(all.person(called.as_str()), Some(one));
            }
        }
        let signed = all.signed_by(&device(10)).unwrap();
        prop_assert_eq!(&*SignedCircle::parse(signed.bytes()).unwrap(), &all);
    }

    #[test]
    fn merging_what_is_old_changes_nothing(
        steps in proptest::collection::vec(
            (0..3_u64, 0..4_u8, 0..3_u8, Just(None), any::<bool>()),
            1..12,
        ),
        cut in 0..12_usize,
    ) {
        let old = circle(&steps[..cut.min(steps.len())], None);
        let mut new = circle(&steps, None);
        let before = new.clone();
        prop_assert_eq!(new.merge(&old).unwrap(), []);
        prop_assert_eq!(new, before);
    }
}
