//! Other ends that are not who they should be, or send what they should not.

use crate::device::{Device, LATER_MS, record};
use crate::stranger::{Stranger, accept, closed_with, open};
use kith_plugins_api::contract::envelope::Lane;
use kith_plugins_api::contract::transports::Ending;
use kith_plugins_api::testkit::TestBus;
use kith_service_quic::hello::{Frame, Hello};
use kith_service_quic::key::TlsKey;
use kith_service_quic::limits::{HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX};
use kith_service_quic::tls;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_hello_needs_the_key_that_its_record_names() {
    TestBus::run(1, async |bus| {
        let mut device = Device::ready(bus, 1).await;
        let (stranger, other) = (Stranger::new(20), Stranger::new(30));
        let good = stranger.hello();
        let mut forged = good.record.clone();
        *forged.last_mut().unwrap() ^= 1;
        let named = stranger.key.public();
        let now = device.bus.now().unix_ms();
        let records = [
            other.hello().record,
            record(&stranger.keys, other.key.public(), 1, LATER_MS).bytes().to_vec(),
            record(&stranger.keys, named, 1, now - 2 * 24 * 60 * 60 * 1000).bytes().to_vec(),
            // The device's own.
            record(&device.keys, named, 1, LATER_MS).bytes().to_vec(),
            forged,
        ];
        for record in records {
            let hello = Hello { record, ..good.clone() };
            let (connection, _control) = stranger.say(&device, hello).await;
            assert_eq!(closed_with(&connection).await, 2);
        }
        let (connection, _control) = stranger.say(&device, good).await;
        let up = device.up.next().await.unwrap();
        assert_eq!((up.device, up.link), (stranger.id(), 6), "the first that is a link");
        assert_eq!(accept(&connection).await.0, 0, "it answers now");
    });
}

#[test]
fn who_only_knocks_learns_nothing_and_is_closed() {
    TestBus::run(2, async |bus| {
        let device = Device::ready(bus, 1).await;
        let before = device.bus.now();
        let connection = Stranger::new(20).connect(&device).await;
        assert_eq!(closed_with(&connection).await, 3);
        assert!(device.bus.now().since(before) < Duration::from_secs(6));
        assert!(connection.accept_uni().await.is_err(), "nothing was said");
        // And one whose first words are none.
        for first in [&b"GET / HTTP/1.1\r\n"[..], &[1], &[0, 0, 0, 0, 0], &[0, 255, 0, 0, 0]] {
            let connection = Stranger::new(20).connect(&device).await;
            let _stream = open(&connection, first).await;
            assert_eq!(closed_with(&connection).await, 3, "{first:?}");
        }
        assert!(device.service.is_alive().await);
    });
}

#[test]
fn nobody_is_let_in_before_the_daemon_has_certified_the_key() {
    TestBus::run(3, async |bus| {
        let mut device = Device::start(bus, 1).await;
        let stranger = Stranger::new(20);
        let config = || tls::client(&stranger.key, None).unwrap();
        assert!(stranger.connect_with(config(), &device).await.is_err());
        // A record that names another key counts for nothing.
        device.certify([9; 32], 1).await;
        assert!(stranger.connect_with(config(), &device).await.is_err());
        device.certify(device.tls_key, 2).await;
        let (_connection, _control) = stranger.say(&device, stranger.hello()).await;
        let link = device.up.next().await.unwrap().link;
        device.certify([9; 32], 3).await;
        assert_eq!(device.down.next().await.unwrap().link, link);
    });
}

#[test]
fn what_is_no_letter_ends_the_link() {
    TestBus::run(4, async |bus| {
        let mut device = Device::ready(bus, 1).await;
        let stranger = Stranger::new(20);
        let bad: [(&[u8], bool); 6] = [
            (&[2, 0, 0x10, 0, 1], false),
            (&[2, 0, 0, 0, 0], false),
            (&[0], false),
            (&[5], false),
            (&[3], true),
            (b"nonsense", false),
        ];
        for (bytes, is_finished) in bad {
            let (connection, _control) = stranger.say(&device, stranger.hello()).await;
            let link = device.up.next().await.unwrap().link;
            let mut stream = open(&connection, bytes).await;
            if is_finished {
                stream.finish().unwrap();
            }
            assert_eq!(closed_with(&connection).await, 3, "{bytes:?}");
            let down = device.down.next().await.unwrap();
            assert_eq!((down.link, down.reason), (link, Ending::Refused));
        }
        // On the control stream: what is no frame, and the hello of somebody else.
        let other = Stranger::new(30);
        let of_other = Hello { record: other.hello().record, ..stranger.hello() };
        for bytes in [b"nonsense".to_vec(), Frame::Hello(of_other).written()] {
            let (connection, mut control) = stranger.say(&device, stranger.hello()).await;
            device.up.next().await.unwrap();
            control.write_all(&bytes).await.unwrap();
            assert_eq!(closed_with(&connection).await, 3);
            device.down.next().await.unwrap();
        }
        assert!(device.service.is_alive().await);
    });
}

#[test]
fn later_hellos_bring_news_and_pings_are_answered() {
    TestBus::run(5, async |bus| {
        let mut device = Device::ready(bus, 1).await;
        let stranger = Stranger::new(20);
        let (connection, mut control) = stranger.say(&device, stranger.hello()).await;
        let link = device.up.next().await.unwrap().link;
        let newer = record(&stranger.keys, stranger.key.public(), 2, LATER_MS).bytes().to_vec();
        let news = Hello { record: newer.clone(), card_hash: Some([6; 32]), ..stranger.hello() };
        let frames = [
            Frame::Unknown,
            Frame::Hello(news),
            // Older than that.
            Frame::Hello(stranger.hello()),
            Frame::Ping(77),
        ];
        for frame in frames {
            control.write_all(&frame.written()).await.unwrap();
        }
        let up = device.up.next().await.unwrap();
        let record = up.record.as_ref().map(|record| record.0.clone());
        assert_eq!((up.link, record, up.card_hash), (link, Some(newer), Some([6; 32])));
        let (first, mut theirs) = accept(&connection).await;
        assert_eq!(first, 0);
        let frame = |length: usize| vec![0; length];
        let mut hello = frame(4);
        theirs.read_exact(&mut hello).await.unwrap();
        let mut rest = frame(usize::from(hello[2]) << 8 | usize::from(hello[3]));
        theirs.read_exact(&mut rest).await.unwrap();
        let mut pong = frame(13);
        theirs.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong, Frame::Pong(77).written());
    });
}

#[test]
fn handshakes_are_bounded_and_a_link_does_not_notice() {
    TestBus::run(6, async |bus| {
        let mut device = Device::ready(bus, 1).await;
        let stranger = Stranger::new(20);
        let (connection, _control) = stranger.say(&device, stranger.hello()).await;
        device.up.next().await.unwrap();
        let flood = Stranger::new(30);
        let (mut open_ones, mut refused) = (Vec::new(), 0);
        for _ in 0..2 * HANDSHAKES_MAX {
            let config = tls::client(&flood.key, None).unwrap();
            match flood.connect_with(config, &device).await {
                Ok(connection) => open_ones.push(connection),
                Err(_) => refused += 1,
            }
        }
        let live = open_ones.iter().filter(|one| one.close_reason().is_none()).count();
        assert!(live <= HANDSHAKES_PER_ADDRESS_MAX && refused > 0, "{live} {refused}");
        device.send(stranger.id(), b"still there", Lane::High).await;
        loop {
            let (first, mut stream) = accept(&connection).await;
            if first == 2 {
                let mut letter = [0; 15];
                stream.read_exact(&mut letter).await.unwrap();
                assert_eq!(&letter[4..], b"still there");
                break;
            }
        }
        // And when their time is over, others may come.
        device.bus.advance(Duration::from_secs(10)).await;
        let other = Stranger::new(40);
        let (_connection, _control) = other.say(&device, other.hello()).await;
        assert_eq!(device.up.next().await.unwrap().device, other.id());
    });
}

#[test]
fn only_bare_keys_and_this_protocol_come_in() {
    TestBus::run(7, async |bus| {
        let mut device = Device::ready(bus, 1).await;
        let stranger = Stranger::new(20);
        let certified = |bytes: &[u8]| {
            let key = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..]];
            let key = [key[0], &[20; 32]].concat();
            let key = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(key));
            let shown = vec![CertificateDer::from(bytes.to_vec())];
            Arc::new(CertifiedKey::new(shown, key.unwrap()))
        };
        let spki = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..]];
        let own = [spki[0], &stranger.key.public()].concat();
        let others = [spki[0], &TlsKey::from_seed([30; 32]).unwrap().public()].concat();
        let bare = |bytes: &[u8]| -> Option<Arc<dyn ResolvesClientCert>> {
            Some(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(bytes))))
        };
        let x509: Arc<dyn ResolvesClientCert> = Arc::new(Certificate(certified(b"certificate")));
        let cases = [
            (bare(&own), &b"kith/1"[..], true),
            (bare(&own), b"kith/2", false),
            (bare(&own), b"h3", false),
            // A key that it does not have.
            (bare(&others), b"kith/1", false),
            (bare(b"no key"), b"kith/1", false),
            (Some(x509), b"kith/1", false),
            (None, b"kith/1", false),
        ];
        for (shown, alpn, is_let_in) in cases {
            let config = client(shown, alpn);
            // A client that is refused may hear of it only later.
            let closed = match stranger.connect_with(config, &device).await {
                Ok(connection) => connection.closed().await,
                Err(error) => error,
            };
            let by_hello = matches!(closed, quinn::ConnectionError::ApplicationClosed(_));
            assert_eq!(by_hello, is_let_in, "{closed}");
        }
        let (_connection, _control) = stranger.say(&device, stranger.hello()).await;
        assert_eq!(device.up.next().await.unwrap().device, stranger.id());
    });
}

fn client(shown: Option<Arc<dyn ResolvesClientCert>>, alpn: &[u8]) -> quinn::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let mut tls = match shown {
        Some(shown) => builder.with_client_cert_resolver(shown),
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

/// Shows a certificate, and no bare key.
#[derive(Debug)]
struct Certificate(Arc<CertifiedKey>);

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Takes any server.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
