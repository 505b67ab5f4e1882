//! Queues, with letters alone.

use super::*;
use kith_plugins_api::contract::envelope::Lane;

const NOW: Moment = Moment::from_unix_ms(1_000);

fn letter(n: u8, lane: Lane, bytes: usize) -> Send {
    Send {
        envelope: id(n),
        device: [7; 32],
        letter: vec![n; bytes].into(),
        lane,
        expires_at: 2_000,
        relays: None,
        delete_hash: None,
    }
}

fn id(n: u8) -> MessageId {
    MessageId::from_parts(1, &[n; 10])
}

fn failed(n: u8, reason: Failure, retry: bool) -> NotCarried {
    NotCarried { envelope: id(n), reason, retry }
}

#[test]
fn one_alone_goes_at_once_and_those_that_wait_go_together() {
    let mut queue = Queue::default();
    queue.push(letter(1, Lane::Normal, 2)).unwrap();
    assert_eq!(queue.next(2, NOW), [0, 0, 0, 2, 1, 1]);
    queue.push(letter(2, Lane::Normal, 1)).unwrap();
    queue.push(letter(3, Lane::Normal, 1)).unwrap();
    assert_eq!(queue.wrote(2, 5), []);
    assert_eq!(queue.next(2, NOW), [1]);
    assert_eq!(queue.wrote(2, 1), [id(1)]);
    assert_eq!(queue.next(2, NOW), [0, 0, 0, 1, 2, 0, 0, 0, 1, 3]);
    assert_eq!(queue.wrote(2, 6), [id(2)]);
    assert_eq!(queue.wrote(2, 4), [id(3)]);
    assert!(queue.is_empty() && queue.bytes() == 0);
    assert_eq!(queue.next(2, NOW), [0; 0]);
}

#[test]
fn lanes_do_not_wait_for_each_other() {
    let mut queue = Queue::default();
    queue.push(letter(1, Lane::Bulk, 1 << 20)).unwrap();
    queue.push(letter(2, Lane::Realtime, 1)).unwrap();
    assert_eq!(queue.next(3, NOW).len(), (1 << 20) + 4);
    assert_eq!(queue.next(0, NOW).len(), 5);
    assert_eq!(queue.wrote(0, 5), [id(2)]);
    assert_eq!(queue.next(1, NOW), [0; 0]);
}

#[test]
fn a_batch_is_no_longer_than_it_should_be() {
    let mut queue = Queue::default();
    for n in 0..3 {
        queue.push(letter(n, Lane::High, 40_000)).unwrap();
    }
    assert_eq!(queue.next(1, NOW).len(), 40_004);
    assert_eq!(queue.wrote(1, 40_004), [id(0)]);
}

#[test]
fn what_can_not_be_carried_is_said() {
    assert_eq!(objection(&letter(1, Lane::High, 1 << 20), NOW), None);
    let large = letter(1, Lane::High, (1 << 20) + 1);
    assert_eq!(objection(&large, NOW), Some(failed(1, Failure::TooBig, false)));
    let late = Moment::from_unix_ms(2_000);
    let small = letter(1, Lane::High, 1);
    assert_eq!(objection(&small, late), Some(failed(1, Failure::Expired, false)));

    let mut queue = Queue::default();
    queue.push(small).unwrap();
    queue.push(letter(2, Lane::High, 9)).unwrap();
    assert_eq!(queue.next(1, late), [0; 0]);
    let expected = [failed(1, Failure::Expired, false), failed(2, Failure::Expired, false)];
    assert!(queue.take_not_carried().eq(expected));
    assert!(queue.is_empty() && queue.bytes() == 0);
}

#[test]
fn it_holds_so_many_letters_and_bytes() {
    let mut queue = Queue::default();
    for _ in 0..WAITING_LETTERS_MAX {
        queue.push(letter(1, Lane::High, 1)).unwrap();
    }
    let refused = queue.push(letter(2, Lane::Bulk, 1));
    assert_eq!(refused, Err(failed(2, Failure::Quota, true)));

    let mut queue = Queue::default();
    for _ in 0..8 {
        queue.push(letter(1, Lane::High, 1 << 20)).unwrap();
    }
    let refused = queue.push(letter(2, Lane::Bulk, 1));
    assert_eq!(refused, Err(failed(2, Failure::Quota, true)));
}

#[test]
fn the_end_of_a_link_fails_what_waits() {
    let mut queue = Queue::default();
    queue.push(letter(1, Lane::High, 1)).unwrap();
    queue.push(letter(3, Lane::Bulk, 1)).unwrap();
    assert_eq!(queue.next(1, NOW).len(), 5);
    queue.push(letter(2, Lane::High, 1)).unwrap();
    queue.wrote(1, 4);
    let expected = [
        failed(1, Failure::Interrupted, true),
        failed(2, Failure::Unreachable, true),
        failed(3, Failure::Unreachable, true),
    ];
    assert_eq!(queue.end(), expected);
}
