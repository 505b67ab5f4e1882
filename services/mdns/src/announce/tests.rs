//! What is shown and told, by calls alone.

use super::*;

const TAG: Tag = [7; 16];
const OTHER: Tag = [8; 16];
const NOW: Moment = Moment::from_unix_ms(1_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn acts(announcer: &mut Announcer) -> Vec<Act> {
    std::iter::from_fn(|| announcer.next_act()).collect()
}

fn announcement(n: u64, tag: Tag, port: u16) -> Announcement {
    Announcement { name: format!("{n:016x}"), host: format!("{:016x}", n + 1), tag, port }
}

fn shown(name: &str, tag: Tag, addresses: &[&str]) -> Shown {
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Shown { name: name.to_owned(), tag, addresses }
}

/// One that shows [`TAG`].
fn showing() -> Announcer {
    let mut announcer = Announcer::default();
    announcer.port(Some(4), [1, 2], NOW);
    assert_eq!((acts(&mut announcer), announcer.wakes_at()), (vec![], None));
    announcer.beacon(Some(TAG), NOW + DAY, [3, 4], NOW);
    assert_eq!(acts(&mut announcer), [Act::Join, Act::Show(announcement(3, TAG, 4))]);
    assert_eq!(announcer.wakes_at(), Some(NOW + DAY));
    announcer
}

#[test]
fn a_new_tag_comes_with_new_names() {
    let mut announcer = showing();
    announcer.beacon(Some(TAG), NOW + DAY, [9, 10], NOW);
    assert_eq!(acts(&mut announcer), [], "the same again");
    announcer.beacon(Some(OTHER), NOW + DAY, [5, 6], NOW);
    assert_eq!(acts(&mut announcer), [Act::Show(announcement(5, OTHER, 4))]);
    announcer.port(Some(5), [7, 8], NOW);
    assert_eq!(acts(&mut announcer), [Act::Show(announcement(7, OTHER, 5))]);
    announcer.port(None, [7, 8], NOW);
    assert_eq!(acts(&mut announcer), [Act::Hide]);
}

#[test]
fn without_a_tag_nothing_is_said() {
    let mut announcer = showing();
    announcer.beacon(None, NOW + DAY, [5, 6], NOW);
    assert_eq!(acts(&mut announcer), [Act::Leave]);
    announcer.heard(shown("a", OTHER, &["192.0.2.7:1"]), NOW);
    assert_eq!((announcer.wakes_at(), announcer.count()), (None, 0));

    let mut announcer = showing();
    announcer.tick([5, 6], NOW + DAY);
    assert_eq!(acts(&mut announcer), [Act::Leave], "it does not hold any more");
    announcer.beacon(Some(OTHER), NOW + DAY + DAY, [5, 6], NOW + DAY);
    assert_eq!(acts(&mut announcer), [Act::Join, Act::Show(announcement(5, OTHER, 4))]);
}

#[test]
fn who_is_seen_is_told_once_with_all_addresses() {
    let mut announcer = showing();
    announcer.heard(shown("a", OTHER, &["[fe80::7%2]:1"]), NOW);
    announcer.heard(shown("a", OTHER, &["[fd00::7]:1", "192.0.2.7:1", "[fe80::7%2]:1"]), NOW);
    let soon = NOW + Duration::from_millis(GATHER_MS);
    assert_eq!(announcer.wakes_at(), Some(soon));
    announcer.tick([5, 6], soon);
    let endpoints = ["192.0.2.7:1", "[fd00::7]:1", "[fe80::7%2]:1"].map(str::to_owned);
    assert_eq!(acts(&mut announcer), [Act::Tell(OTHER, endpoints.to_vec())]);
    announcer.heard(shown("a", OTHER, &["192.0.2.7:1"]), soon);
    assert_eq!(announcer.wakes_at(), Some(NOW + DAY), "nothing new");
    // Another tag under the same name, and the same one after it had gone.
    announcer.heard(shown("a", [9; 16], &["192.0.2.7:1"]), soon);
    announcer.tick([5, 6], soon + DAY / 2);
    let told = |tag| Act::Tell(tag, vec!["192.0.2.7:1".to_owned()]);
    assert_eq!(acts(&mut announcer), [told([9; 16])]);
    announcer.gone("a");
    announcer.heard(shown("a", [9; 16], &["192.0.2.7:1"]), soon);
    announcer.tick([5, 6], soon + DAY / 2);
    assert_eq!(acts(&mut announcer), [told([9; 16])]);
    // And all of them when the daemon has another tag.
    announcer.beacon(Some([1; 16]), NOW + DAY, [5, 6], NOW);
    announcer.tick([5, 6], NOW);
    assert_eq!(acts(&mut announcer)[1..], [told([9; 16])]);
}

#[test]
fn this_device_is_nobody_to_tell_of() {
    let mut announcer = showing();
    announcer.heard(shown("a", TAG, &["192.0.2.7:1"]), NOW);
    assert_eq!(announcer.count(), 0);
}

#[test]
fn on_another_network_everything_is_anew() {
    let mut announcer = showing();
    announcer.heard(shown("a", OTHER, &["192.0.2.7:1"]), NOW);
    announcer.moved();
    let expected = [Act::Leave, Act::Join, Act::Show(announcement(3, TAG, 4))];
    assert_eq!(acts(&mut announcer), expected);
    assert_eq!(announcer.count(), 0);
    let mut silent = Announcer::default();
    silent.moved();
    assert_eq!(acts(&mut silent), []);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut announcer = showing();
    for n in 0..=SEEN_MAX {
        announcer.heard(shown(&n.to_string(), OTHER, &[]), NOW);
    }
    assert_eq!(announcer.count(), SEEN_MAX);
    for n in 0..100 {
        announcer.heard(shown("0", OTHER, &[&format!("192.0.2.{n}:1")]), NOW);
    }
    announcer.tick([5, 6], NOW + DAY / 2);
    let told = acts(&mut announcer);
    assert!(matches!(&told[..], [Act::Tell(_, endpoints)] if endpoints.len() == ADDRESSES_MAX));
}

#[test]
fn tags_are_written_one_way() {
    assert_eq!(tag_text(&TAG), "07".repeat(16));
    assert_eq!(tag_of(&tag_text(&TAG)), Some(TAG));
    assert_eq!((tag_of("07"), tag_of(&"0A".repeat(16)), tag_of("")), (None, None, None));
}
