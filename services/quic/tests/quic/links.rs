//! Two devices and the links between them.

use crate::device::{Device, two};
use crate::stranger::{Stranger, closed_with};
use crate::wire::Wire;
use kith_plugins_api::contract::HANG_UP;
use kith_plugins_api::contract::envelope::{Failure, Lane};
use kith_plugins_api::contract::transports::{Ending, HangUp};
use kith_plugins_api::testkit::TestBus;
use std::time::Duration;

#[test]
fn letters_go_both_ways() {
    TestBus::run(1, async |bus| {
        let (mut here, mut there) = two(bus).await;
        here.dial(&there).await;
        let up = here.up.next().await.unwrap();
        assert_eq!((up.device, up.endpoint.as_ref()), (there.id(), there.endpoints.first()));
        assert_eq!((up.mtu_bytes, up.card_hash), (1 << 20, Some([7; 32])));
        let record = up.record.as_ref().unwrap().0.clone();
        assert_eq!(record, there.record(there.tls_key, 1).bytes());
        let back = there.up.next().await.unwrap();
        assert_eq!(back.device, here.id());

        let envelope = here.send(there.id(), b"sealed", Lane::Normal).await;
        let received = there.received.next().await.unwrap();
        assert_eq!(received.letter.0, b"sealed");
        assert_eq!((received.device, received.link), (Some(here.id()), Some(back.link)));
        let sent = here.sent.next().await.unwrap();
        assert_eq!((sent.envelope, sent.link), (envelope, Some(up.link)));

        let large: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
        there.send(here.id(), &large, Lane::Bulk).await;
        there.send(here.id(), b"quick", Lane::Realtime).await;
        let mut letters = [
            here.received.next().await.unwrap().value.letter.0,
            here.received.next().await.unwrap().value.letter.0,
        ];
        letters.sort_by_key(Vec::len);
        assert!(letters == [b"quick".to_vec(), large]);

        there.service.stop().await.unwrap();
        let down = here.down.next().await.unwrap();
        assert_eq!((down.link, down.reason), (up.link, Ending::ClosedByPeer));
        here.send(there.keys.sign_id().as_bytes().to_owned(), b"late", Lane::High).await;
        let failed = here.failed.next().await.unwrap();
        assert_eq!((failed.reason, failed.retry), (Failure::Unreachable, true));
        here.service.stop().await.unwrap();
    });
}

#[test]
fn hanging_up_refuses_until_a_dial() {
    TestBus::run(2, async |bus| {
        let (mut here, mut there) = two(bus).await;
        here.dial(&there).await;
        here.up.next().await.unwrap();
        there.up.next().await.unwrap();
        let hang_up = HangUp { device: here.id(), refuse: true };
        there.bus.as_daemon(HANG_UP, &hang_up).await;
        assert_eq!(there.down.next().await.unwrap().reason, Ending::Closed);
        assert_eq!(here.down.next().await.unwrap().reason, Ending::Refused);
        here.dial(&there).await;
        here.bus.advance(Duration::from_secs(60)).await;
        there.dial(&here).await;
        assert_eq!(here.up.next().await.unwrap().device, there.id());
        assert_eq!(there.up.next().await.unwrap().device, here.id());
    });
}

#[test]
fn two_that_dial_at_once_end_with_one_link() {
    for seed in 0..8 {
        TestBus::run(seed, async |bus| {
            let (mut here, mut there) = two(bus).await;
            let (one, other) = if seed % 2 == 0 { (&here, &there) } else { (&there, &here) };
            tokio::join!(one.dial(other), other.dial(one));
            here.bus.advance(Duration::from_secs(30)).await;
            let (ours, theirs) = (here.live_links().await, there.live_links().await);
            assert_eq!((ours.len(), theirs.len()), (1, 1), "{seed}: {ours:?} {theirs:?}");
            here.send(there.id(), b"sealed", Lane::Normal).await;
            assert_eq!(there.received.next().await.unwrap().link, Some(theirs[0]));
            there.send(here.id(), b"sealed", Lane::Normal).await;
            assert_eq!(here.received.next().await.unwrap().link, Some(ours[0]));
        });
    }
}

#[test]
fn whoever_answers_may_be_anybody_but_oneself_or_another() {
    TestBus::run(3, async |bus| {
        let (mut here, mut there) = two(bus).await;
        here.dial_as(None, None, &here.endpoints).await;
        here.bus.advance(Duration::from_secs(30)).await;
        assert!(here.live_links().await.is_empty(), "no link to itself");
        // Another device, and another key than the one that was looked for.
        here.dial_as(Some([9; 32]), None, &there.endpoints).await;
        here.dial_as(Some(there.id()), Some([9; 32]), &there.endpoints).await;
        here.bus.advance(Duration::from_secs(30)).await;
        assert!(here.live_links().await.is_empty() && there.live_links().await.is_empty());
        here.dial_as(None, None, &there.endpoints).await;
        assert_eq!(here.up.next().await.unwrap().device, there.id());
        assert_eq!(there.up.next().await.unwrap().device, here.id());
    });
}

#[test]
fn a_recorded_handshake_touches_no_link() {
    TestBus::run(4, async |bus| {
        let (mut here, mut there) = two(bus).await;
        let wire = Wire::to(&there.endpoints[0]).await;
        here.dial_as(Some(there.id()), Some(there.tls_key), &[wire.address.to_string()]).await;
        let link = there.up.next().await.unwrap().link;
        here.up.next().await.unwrap();
        // From the same place, and from another.
        wire.again().await;
        wire.again_from_elsewhere().await;
        here.bus.advance(Duration::from_secs(30)).await;
        assert!(there.live_links().await.is_empty(), "nothing came up");
        here.send(there.id(), b"sealed", Lane::Normal).await;
        assert_eq!(there.received.next().await.unwrap().link, Some(link));
    });
}

#[test]
fn beside_a_link_that_is_half_dead_another_one_delivers_within_a_second() {
    TestBus::run(5, async |bus| {
        let (mut here, mut there) = two(bus).await;
        let wire = Wire::to(&there.endpoints[0]).await;
        here.dial_as(Some(there.id()), Some(there.tls_key), &[wire.address.to_string()]).await;
        let dead = here.up.next().await.unwrap().link;
        there.up.next().await.unwrap();
        wire.cut();
        let before = here.bus.now();
        here.dial(&there).await;
        assert_eq!(here.down.next().await.unwrap().reason, Ending::Replaced);
        let up = here.up.next().await.unwrap();
        assert_ne!(up.link, dead);
        here.send(there.id(), b"sealed", Lane::Normal).await;
        there.received.next().await.unwrap();
        let took = here.bus.now().since(before);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(there.live_links().await.len(), 1);
    });
}

#[test]
fn a_link_of_which_nothing_is_heard_is_lost_and_dialled_again() {
    TestBus::run(6, async |bus| {
        let (mut here, mut there) = two(bus).await;
        let wire = Wire::to(&there.endpoints[0]).await;
        here.dial_as(Some(there.id()), Some(there.tls_key), &[wire.address.to_string()]).await;
        here.up.next().await.unwrap();
        there.up.next().await.unwrap();
        here.bus.advance(Duration::from_secs(600)).await;
        assert!(here.live_links().await.is_empty(), "it is kept while nothing is said");
        wire.cut();
        assert_eq!(here.down.next().await.unwrap().reason, Ending::Lost);
        here.bus.advance(Duration::from_secs(60)).await;
        wire.mend();
        assert_eq!(here.up.next().await.unwrap().device, there.id());
    });
}

#[test]
fn another_daemon_on_the_other_device_replaces_the_link() {
    TestBus::run(7, async |bus| {
        let mut here = Device::ready(bus, 1).await;
        let stranger = Stranger::new(20);
        let (first, _control) = stranger.say(&here, stranger.hello()).await;
        let old = here.up.next().await.unwrap().link;
        let (second, _control) = stranger.say(&here, stranger.hello()).await;
        let down = here.down.next().await.unwrap();
        assert_eq!((down.link, down.reason), (old, Ending::Replaced));
        assert_eq!(closed_with(&first).await, 1);
        assert_eq!(here.up.next().await.unwrap().device, stranger.id());
        assert!(second.close_reason().is_none());
    });
}
