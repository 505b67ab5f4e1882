//! Links, by calls alone.

use super::*;

const ME: Key = [5; 32];
const LOWER: Key = [3; 32];
const HIGHER: Key = [8; 32];
const TLS: Key = [9; 32];
const START: Moment = Moment::from_unix_ms(1_000_000);

fn after(ms: u64) -> Moment {
    START + Duration::from_millis(ms)
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 4711))
}

fn peer(device: Key) -> Peer {
    Peer { device, life: 1 }
}

fn links() -> Links {
    let mut links = Links::new(7);
    links.set_me(Some(ME), START);
    links
}

fn acts(links: &mut Links) -> Vec<Act> {
    std::iter::from_fn(|| links.next_act()).collect()
}

fn dial_to(number: Number, n: u8, expected: Option<Key>) -> Act {
    Act::Dial { number, address: address(n), expected }
}

/// A link to `device` that we have dialled.
fn dialled(links: &mut Links, device: Key, now: Moment) -> Number {
    links.dial(Some(device), Some(TLS), vec![address(1)], now);
    let Some(&Act::Dial { number, .. }) = acts(links).first() else { panic!() };
    links.proved(number);
    links.shown(number, peer(device), now);
    assert_eq!(acts(links), [Act::Greet(number), Act::Up(number)]);
    number
}

/// A link that the other end has dialled.
fn taken(links: &mut Links, device: Key, now: Moment) -> Number {
    let number = links.taken(address(1).ip(), now);
    links.shown(number, peer(device), now);
    assert_eq!(acts(links), [Act::Up(number)]);
    number
}

#[test]
fn nobody_is_dialled_or_let_in_before_the_key_is_certified() {
    let mut links = Links::new(7);
    links.dial(Some(LOWER), None, vec![address(1)], START);
    assert_eq!((acts(&mut links), links.wakes_at()), (vec![], None));
    assert_eq!(links.admit(address(1).ip(), true), Admission::Refuse);
    links.set_me(Some(ME), after(5));
    assert_eq!(acts(&mut links), [dial_to(1, 1, None)]);
    assert_eq!(links.admit(address(1).ip(), false), Admission::Take);
    let link = taken(&mut links, HIGHER, after(5));
    links.set_me(None, after(6));
    assert_eq!(acts(&mut links), [Act::Drop(1, Goodbye::Closed), Act::Down(link, Goodbye::Closed)]);
}

#[test]
fn all_addresses_are_dialled_and_one_is_greeted() {
    let mut links = links();
    links.dial(Some(LOWER), Some(TLS), vec![address(1), address(2), address(3)], START);
    let expected = [dial_to(1, 1, Some(TLS)), dial_to(2, 2, Some(TLS)), dial_to(3, 3, Some(TLS))];
    assert_eq!(acts(&mut links), expected);
    links.proved(2);
    links.proved(3);
    assert_eq!(acts(&mut links), [Act::Greet(2)]);
    // The first one is not who it should be after all.
    links.shown(2, peer(HIGHER), after(9));
    assert_eq!(acts(&mut links), [Act::Drop(2, Goodbye::Refused), Act::Greet(3)]);
    links.shown(3, peer(LOWER), after(9));
    assert_eq!(acts(&mut links), [Act::Drop(1, Goodbye::Slower), Act::Up(3)]);
    assert_eq!((links.link_to(&LOWER), links.count()), (Some(3), 1));
    assert_eq!(links.wakes_at(), None, "a link that is up needs no time");
}

#[test]
fn whoever_answers_is_taken_and_never_tried_again() {
    let mut links = links();
    links.dial(None, None, vec![address(1)], START);
    links.dial(None, None, vec![address(2)], START);
    let Some(&Act::Dial { number, .. }) = acts(&mut links).first() else { panic!() };
    links.proved(number);
    links.shown(number, peer(HIGHER), START);
    assert_eq!(acts(&mut links), [Act::Greet(number), Act::Up(number)]);
    links.tick(after(DIAL_MS));
    assert_eq!(acts(&mut links).len(), 1, "the other one is dropped");
    assert_eq!(links.wakes_at(), None);
    // Nor when it was lost: the daemon knows the device by now.
    links.ended(number, Ending::Lost, after(DIAL_MS));
    assert_eq!((acts(&mut links), links.wakes_at()), (vec![], None));
}

#[test]
fn a_dial_that_fails_is_tried_again_later_and_later() {
    let mut links = links();
    links.dial(Some(LOWER), None, vec![address(1)], START);
    let (mut now, mut waits) = (START, Vec::new());
    while let Some(&Act::Dial { number, .. }) = acts(&mut links).first() {
        links.failed(number, now);
        let Some(next) = links.wakes_at() else { break };
        waits.push(next.since(now).as_secs());
        now = next;
        links.tick(now);
    }
    assert_eq!(waits.len(), 17, "{waits:?}");
    assert!(waits.first() <= Some(&1) && waits.iter().all(|wait| *wait <= 600), "{waits:?}");
    assert!(waits.last() >= Some(&300), "{waits:?}");
    // A new wish wakes it.
    links.dial(Some(LOWER), None, vec![], now);
    assert!(matches!(acts(&mut links)[..], [Act::Dial { .. }]));
}

#[test]
fn a_dial_ends_in_time_and_a_lost_link_is_dialled_at_once() {
    let mut links = links();
    links.dial(Some(LOWER), None, vec![address(1), address(2)], START);
    acts(&mut links);
    assert_eq!(links.wakes_at(), Some(after(DIAL_MS)));
    links.tick(after(DIAL_MS));
    let garbled = |number| Act::Drop(number, Goodbye::Garbled);
    assert_eq!(acts(&mut links), [garbled(1), garbled(2)]);

    let mut links = self::links();
    let link = dialled(&mut links, LOWER, START);
    assert!(links.ended(link, Ending::Lost, after(60_000)));
    assert!(matches!(acts(&mut links)[..], [Act::Dial { .. }]));
    assert!(!links.ended(link, Ending::Lost, after(60_000)));

    // What the other end has closed is given a moment.
    let mut links = self::links();
    let link = dialled(&mut links, LOWER, START);
    links.ended(link, Ending::ClosedByPeer, after(60_000));
    assert_eq!(acts(&mut links), []);
    assert!(links.wakes_at().is_some_and(|at| at > after(60_000) && at <= after(61_000)));
}

#[test]
fn two_that_crossed_settle_by_the_lower_key() {
    for (device, ours_stays) in [(HIGHER, true), (LOWER, false)] {
        // Ours is first, then theirs; and the other way round.
        let mut links = links();
        let ours = dialled(&mut links, device, START);
        let theirs = links.taken(address(1).ip(), after(9));
        links.shown(theirs, peer(device), after(9));
        let expected = if ours_stays {
            vec![Act::Drop(theirs, Goodbye::Replaced)]
        } else {
            vec![Act::Down(ours, Goodbye::Replaced), Act::Up(theirs)]
        };
        assert_eq!(acts(&mut links), expected);
        let stays = if ours_stays { ours } else { theirs };
        assert_eq!((links.link_to(&device), links.count()), (Some(stays), 1));

        let mut links = self::links();
        links.dial(Some(device), None, vec![address(1)], START);
        links.proved(1);
        acts(&mut links);
        let theirs = taken(&mut links, device, after(9));
        links.shown(1, peer(device), after(9));
        let expected = if ours_stays {
            vec![Act::Down(theirs, Goodbye::Replaced), Act::Up(1)]
        } else {
            vec![Act::Drop(1, Goodbye::Replaced)]
        };
        assert_eq!(acts(&mut links), expected);
        assert_eq!(links.wakes_at(), None);
    }
}

#[test]
fn one_that_has_said_nothing_is_given_up_for_theirs() {
    let mut links = links();
    links.dial(Some(LOWER), None, vec![address(1)], START);
    acts(&mut links);
    let theirs = links.taken(address(1).ip(), START);
    links.shown(theirs, peer(LOWER), START);
    assert_eq!(acts(&mut links), [Act::Drop(1, Goodbye::Slower), Act::Up(theirs)]);
    assert_eq!(links.wakes_at(), None);
}

#[test]
fn who_comes_again_has_lost_the_first() {
    // Dialled by the same end; in another life; and long after.
    for (device, life, later) in [(LOWER, 1, 9), (LOWER, 2, 9), (HIGHER, 2, 9)] {
        let mut links = links();
        let first = taken(&mut links, device, START);
        let second = links.taken(address(1).ip(), after(later));
        links.shown(second, Peer { device, life }, after(later));
        assert_eq!(acts(&mut links), [Act::Down(first, Goodbye::Replaced), Act::Up(second)]);
    }
    for (life, later) in [(2, 9), (1, SETTLE_MS)] {
        let mut links = links();
        let first = dialled(&mut links, HIGHER, START);
        let second = links.taken(address(1).ip(), after(later));
        links.shown(second, Peer { device: HIGHER, life }, after(later));
        assert_eq!(acts(&mut links), [Act::Down(first, Goodbye::Replaced), Act::Up(second)]);
        links.ended(first, Ending::Lost, after(later));
        assert_eq!(links.link_to(&HIGHER), Some(second));
    }
}

#[test]
fn a_handshake_without_a_hello_touches_no_link() {
    let mut links = links();
    let link = dialled(&mut links, HIGHER, START);
    for _ in 0..3 {
        let number = links.taken(address(1).ip(), after(9));
        links.failed(number, after(9));
    }
    let number = links.taken(address(1).ip(), after(9));
    links.tick(after(9 + HELLO_MS));
    assert_eq!(acts(&mut links), [Act::Drop(number, Goodbye::Garbled)]);
    assert_eq!(links.link_to(&HIGHER), Some(link));
}

#[test]
fn a_dial_beside_a_link_asks_it_first() {
    let mut links = links();
    let link = dialled(&mut links, LOWER, START);
    links.dial(Some(LOWER), None, vec![address(2)], after(100_000));
    assert_eq!(acts(&mut links), [Act::Probe(link)]);
    links.answered(link);
    assert_eq!(acts(&mut links), [Act::Still(link)]);
    assert_eq!(links.wakes_at(), None);

    // It says nothing: it is dialled beside, within a second.
    links.dial(Some(LOWER), None, vec![address(2)], after(200_000));
    assert_eq!(acts(&mut links), [Act::Probe(link)]);
    assert_eq!(links.wakes_at(), Some(after(200_000 + PROBE_MS)));
    links.tick(after(200_000 + PROBE_MS));
    let Some(&Act::Dial { number, .. }) = acts(&mut links).first() else { panic!() };
    links.proved(number);
    links.shown(number, peer(LOWER), after(200_800));
    let expected = [Act::Greet(number), Act::Down(link, Goodbye::Replaced), Act::Up(number)];
    assert_eq!(acts(&mut links), expected);
}

#[test]
fn when_the_network_has_changed_all_are_asked() {
    let mut links = links();
    let link = dialled(&mut links, LOWER, START);
    links.dial(Some(HIGHER), None, vec![address(2)], START);
    let Some(&Act::Dial { number, .. }) = acts(&mut links).first() else { panic!() };
    links.failed(number, START);
    links.look_around(after(1));
    let acted = acts(&mut links);
    assert!(matches!(acted[..], [Act::Probe(one), Act::Dial { .. }] if one == link), "{acted:?}");
    links.answered(link);
    assert_eq!(acts(&mut links), [], "nobody has asked for it");
}

#[test]
fn who_was_hung_up_on_is_refused_until_dialled() {
    let mut links = links();
    let link = dialled(&mut links, LOWER, START);
    links.hang_up(LOWER, true);
    assert_eq!(acts(&mut links), [Act::Down(link, Goodbye::Refused)]);
    let number = links.taken(address(1).ip(), START);
    links.shown(number, peer(LOWER), START);
    assert_eq!(acts(&mut links), [Act::Drop(number, Goodbye::Refused)]);
    assert_eq!(links.wakes_at(), None, "it is not dialled again");
    links.dial(Some(LOWER), None, vec![], START);
    taken(&mut links, LOWER, START);

    let mut links = self::links();
    let link = dialled(&mut links, LOWER, START);
    links.hang_up(LOWER, false);
    assert_eq!(acts(&mut links), [Act::Down(link, Goodbye::Closed)]);
    taken(&mut links, LOWER, START);
}

#[test]
fn there_is_no_link_to_oneself() {
    let mut links = links();
    links.dial(Some(ME), None, vec![address(1)], START);
    assert_eq!(acts(&mut links), []);
    links.dial(None, None, vec![address(1)], START);
    let Some(&Act::Dial { number: ours, .. }) = acts(&mut links).first() else { panic!() };
    links.proved(ours);
    links.shown(ours, peer(ME), START);
    let number = links.taken(address(1).ip(), START);
    links.shown(number, peer(ME), START);
    let refused = |number| Act::Drop(number, Goodbye::Refused);
    assert_eq!(acts(&mut links), [Act::Greet(ours), refused(ours), refused(number)]);
}

#[test]
fn handshakes_are_bounded() {
    let mut links = links();
    let one = address(1).ip();
    for n in 0..HANDSHAKES_PER_ADDRESS_MAX {
        assert_eq!(links.admit(one, false), Admission::Take, "{n}");
        links.taken(one, START);
    }
    assert_eq!(links.admit(one, false), Admission::Challenge, "it may be another's address");
    assert_eq!(links.admit(one, true), Admission::Refuse);
    assert_eq!(links.admit("::ffff:192.0.2.1".parse().unwrap(), true), Admission::Refuse);
    let mut from = 2;
    while links.admit(address(from).ip(), true) == Admission::Take {
        links.taken(address(from).ip(), START);
        from += 1;
        let all = HANDSHAKES_PER_ADDRESS_MAX + usize::from(from) - 2;
        let is_busy = (HANDSHAKES_TRUSTED_MAX..HANDSHAKES_MAX).contains(&all);
        let unproved = links.admit(address(from).ip(), false);
        assert_eq!(is_busy, unproved == Admission::Challenge, "{all}: {unproved:?}");
    }
    assert_eq!(usize::from(from) - 2 + HANDSHAKES_PER_ADDRESS_MAX, HANDSHAKES_MAX);
    // They end.
    links.tick(after(HELLO_MS));
    assert_eq!(links.admit(one, false), Admission::Take);

    let network = |text: &str| network(text.parse().unwrap());
    assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2::"));
    assert_ne!(network("2001:db8:1:2::4"), network("2001:db8:1:3::4"));
}

#[test]
fn links_are_bounded_and_some_are_kept_for_whom_we_dial() {
    let mut links = links();
    let device = |n: usize| {
        let mut device = [7; 32];
        device[..2].copy_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
        device
    };
    for n in 0..LINKS_TAKEN_MAX {
        taken(&mut links, device(n), START);
    }
    let number = links.taken(address(1).ip(), START);
    links.shown(number, peer(device(LINKS_TAKEN_MAX)), START);
    assert_eq!(acts(&mut links), [Act::Drop(number, Goodbye::Busy)]);
    for n in LINKS_TAKEN_MAX..LINKS_MAX {
        dialled(&mut links, device(n), START);
    }
    assert_eq!(links.count(), LINKS_MAX);
    // Who has a link may still change it.
    let number = links.taken(address(1).ip(), START);
    links.shown(number, Peer { device: device(0), life: 2 }, START);
    assert!(matches!(acts(&mut links)[..], [Act::Down(..), Act::Up(_)]));
}

#[test]
fn dials_are_bounded_and_the_others_wait() {
    let mut links = links();
    for n in 0..=DIALS_MAX {
        let mut device = LOWER;
        device[0] = u8::try_from(n).unwrap();
        links.dial(Some(device), None, vec![address(1)], START);
    }
    assert_eq!(acts(&mut links).len(), DIALS_MAX);
    assert_eq!(links.wakes_at(), Some(after(DIAL_MS)), "not before one ends");
    links.failed(1, after(1));
    links.tick(after(1));
    assert_eq!(acts(&mut links).len(), 1);
}
