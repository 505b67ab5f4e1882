//! Two devices and the links between them.

use crate::device::{Device, two};
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
