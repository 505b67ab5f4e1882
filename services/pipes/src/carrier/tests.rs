//! The decisions of a transport, without pipes and without a bus.

use super::{Carrier, Peer, Said};
use crate::frames::{Frame, Frames, VERSION, written};
use crate::limits::WAITING_LETTERS_MAX;
use kith_plugins_api::Moment;
use kith_plugins_api::contract::envelope::{Failure, Lane, Send};
use kith_plugins_api::contract::transports::Ending;

const NOW: Moment = Moment::from_unix_ms(1_000);
const DEVICE: [u8; 32] = [7; 32];

fn carrier() -> Carrier {
    let peer = Peer { transport: "pipes".to_owned(), device: DEVICE, mtu_bytes: 100 };
    Carrier::new(peer, 1)
}

fn greeting(life: u64) -> Vec<u8> {
    written(&Frame::Greeting { version: VERSION, life })
}

/// One whose link is up, with all that was said and written about that taken out.
fn up() -> Carrier {
    let mut carrier = carrier();
    carrier.opened();
    assert_eq!(carrier.next_frame(NOW), Some(greeting(1)));
    carrier.was_written();
    carrier.read(&greeting(70));
    assert!(matches!(carrier.next_said(), Some(Said::Connection(up)) if up.link == 1));
    assert_eq!((carrier.next_said(), carrier.next_frame(NOW)), (None, None));
    carrier
}

/// A letter; `n` is in its first byte, and in its envelope's id.
fn letter(n: u8, lane: Lane) -> Send {
    let envelope = kith_plugins_api::MessageId::from_parts(1, &[n; 10]);
    Send {
        envelope,
        device: DEVICE,
        letter: vec![n; 10].into(),
        lane,
        expires_at: 2_000,
        relays: None,
        delete_hash: None,
    }
}

fn first_byte(frame: &[u8]) -> u8 {
    let mut frames = Frames::new(100);
    frames.read(frame);
    match frames.take() {
        Ok(Some(Frame::Letter(letter))) => letter[0],
        other => panic!("{other:?}"),
    }
}

fn failure(carrier: &mut Carrier) -> (Failure, bool) {
    match carrier.next_said() {
        Some(Said::Failed(failed)) => (failed.reason, failed.retry),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_link_is_up_when_both_have_greeted() {
    up();
    // The other way round.
    let mut carrier = carrier();
    carrier.read(&greeting(70));
    assert_eq!(carrier.next_said(), None);
    carrier.opened();
    assert!(matches!(carrier.next_said(), Some(Said::Connection(_))));
    assert_eq!(carrier.next_frame(NOW), Some(greeting(1)));
}

#[test]
fn letters_go_by_lane_and_are_sent_when_they_are_written() {
    let mut carrier = up();
    let lanes = [Lane::Bulk, Lane::Normal, Lane::High, Lane::Realtime, Lane::Normal];
    for (n, lane) in (1..).zip(lanes) {
        carrier.send(letter(n, lane), NOW);
    }
    let mut order = Vec::new();
    while let Some(frame) = carrier.next_frame(NOW) {
        assert_eq!(carrier.next_said(), None);
        carrier.was_written();
        assert!(matches!(carrier.next_said(), Some(Said::Sent(sent)) if sent.link == Some(1)));
        order.push(first_byte(&frame));
    }
    assert_eq!(order, [4, 3, 2, 5, 1]);
}

#[test]
fn what_can_not_be_carried_is_said_at_once() {
    let mut carrier = up();
    carrier.send(Send { device: [8; 32], ..letter(1, Lane::High) }, NOW);
    assert_eq!(failure(&mut carrier), (Failure::Unreachable, false));
    carrier.send(Send { letter: vec![1; 101].into(), ..letter(1, Lane::High) }, NOW);
    assert_eq!(failure(&mut carrier), (Failure::TooBig, false));
    carrier.send(Send { expires_at: 1_000, ..letter(1, Lane::High) }, NOW);
    assert_eq!(failure(&mut carrier), (Failure::Expired, false));
    for _ in 0..WAITING_LETTERS_MAX {
        carrier.send(letter(1, Lane::High), NOW);
    }
    assert_eq!(carrier.next_said(), None);
    carrier.send(letter(1, Lane::High), NOW);
    assert_eq!(failure(&mut carrier), (Failure::Quota, true));
    // And what expired while it waited.
    assert_eq!(carrier.next_frame(Moment::from_unix_ms(2_000)), None);
    assert_eq!(failure(&mut carrier), (Failure::Expired, false));
}

#[test]
fn what_waits_when_the_pipe_breaks_has_failed() {
    let mut carrier = up();
    carrier.send(letter(1, Lane::High), NOW);
    carrier.send(letter(2, Lane::High), NOW);
    assert!(carrier.next_frame(NOW).is_some());
    carrier.broke("broken pipe".to_owned());
    assert_eq!(failure(&mut carrier), (Failure::Interrupted, true));
    assert_eq!(failure(&mut carrier), (Failure::Unreachable, true));
    assert!(matches!(
        carrier.next_said(),
        Some(Said::Disconnected(down)) if down.reason == Ending::Lost && down.link == 1
    ));
    carrier.send(letter(3, Lane::High), NOW);
    assert_eq!(failure(&mut carrier), (Failure::Unreachable, true));
    assert!(!carrier.is_open());

    // And again, with another life and another link.
    carrier.opened();
    assert_eq!(carrier.next_frame(NOW), Some(greeting(2)));
    carrier.read(&greeting(71));
    assert!(matches!(carrier.next_said(), Some(Said::Connection(up)) if up.link == 2));
}

#[test]
fn another_life_replaces_the_link_and_the_same_does_not() {
    let mut carrier = up();
    carrier.read(&greeting(70));
    assert_eq!(carrier.next_said(), None);
    carrier.read(&greeting(71));
    assert!(matches!(
        carrier.next_said(),
        Some(Said::Disconnected(down)) if down.reason == Ending::Replaced
    ));
    assert!(matches!(carrier.next_said(), Some(Said::Connection(up)) if up.link == 2));
    assert_eq!(carrier.next_frame(NOW), Some(greeting(2)), "it hasn't heard ours");
}

#[test]
fn what_comes_in_is_handed_on_and_nonsense_ends_the_link() {
    let mut carrier = up();
    carrier.read(&written(&Frame::Letter(b"sealed".to_vec())));
    assert!(matches!(
        carrier.next_said(),
        Some(Said::Received(received)) if received.letter.0 == b"sealed"
    ));
    carrier.read(b"nonsense");
    assert!(matches!(
        carrier.next_said(),
        Some(Said::Disconnected(down)) if down.reason == Ending::Refused
    ));

    let mut carrier = up();
    carrier.read(&written(&Frame::Goodbye));
    assert!(matches!(
        carrier.next_said(),
        Some(Said::Disconnected(down)) if down.reason == Ending::ClosedByPeer
    ));

    let mut carrier = up();
    assert_eq!(carrier.leave(), Some(written(&Frame::Goodbye)));
    assert_eq!(carrier.leave(), None);
}

#[test]
fn a_dial_says_again_that_the_link_is_up() {
    let mut carrier = up();
    assert!(!carrier.dial(&DEVICE));
    assert!(matches!(carrier.next_said(), Some(Said::Connection(up)) if up.link == 1));
    assert!(!carrier.dial(&[8; 32]));
    assert_eq!(carrier.next_said(), None);
    carrier.broke(String::new());
    assert!(carrier.dial(&DEVICE));
}
