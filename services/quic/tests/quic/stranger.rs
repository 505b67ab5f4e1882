//! An end of a link that a test has in its hands, to do with it what the service never would.

use crate::device::{Device, LATER_MS, record};
use kith_people::DeviceKeys;
use kith_plugins_api::contract::Key;
use kith_service_quic::hello::{CONTROL, Frame, Hello};
use kith_service_quic::key::TlsKey;
use kith_service_quic::tls;
use quinn::{Connection, ConnectionError, Endpoint, EndpointConfig, RecvStream, SendStream};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;

/// The other end.
pub(crate) struct Stranger {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: TlsKey,
    pub(crate) keys: DeviceKeys,
}

impl Stranger {
    pub(crate) fn new(seed: u8) -> Self {
        let key = TlsKey::from_seed([seed; 32]).unwrap();
        let keys = DeviceKeys::from_seeds([seed; 32], [seed + 100; 32]);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = Some(tls::server(&key).unwrap());
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = Endpoint::new(EndpointConfig::default(), server, socket, runtime).unwrap();
        Self { endpoint, key, keys }
    }

    pub(crate) fn id(&self) -> Key {
        *self.keys.sign_id().as_bytes()
    }

    /// A hello that is as it should be.
    pub(crate) fn hello(&self) -> Hello {
        let record = record(&self.keys, self.key.public(), 1, LATER_MS).bytes().to_vec();
        Hello { life: 9, record, card_hash: None }
    }

    /// Connects to a device, and says nothing.
    pub(crate) async fn connect(&self, device: &Device) -> Connection {
        let config = tls::client(&self.key, Some(device.tls_key)).unwrap();
        self.connect_with(config, device).await.unwrap()
    }

    pub(crate) async fn connect_with(
        &self,
        config: quinn::ClientConfig,
        device: &Device,
    ) -> Result<Connection, ConnectionError> {
        let address = device.endpoints[0].parse().unwrap();
        self.endpoint.connect_with(config, address, "any").unwrap().await
    }

    /// Connects and says this; the stream is the control stream.
    pub(crate) async fn say(&self, device: &Device, hello: Hello) -> (Connection, SendStream) {
        let connection = self.connect(device).await;
        let first = [&[CONTROL], Frame::Hello(hello).written().as_slice()].concat();
        let control = open(&connection, &first).await;
        (connection, control)
    }
}

/// Opens a stream that begins with these bytes.
pub(crate) async fn open(connection: &Connection, bytes: &[u8]) -> SendStream {
    let mut stream = connection.open_uni().await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// The first byte of the next stream, and the stream.
pub(crate) async fn accept(connection: &Connection) -> (u8, RecvStream) {
    let mut stream = connection.accept_uni().await.unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).await.unwrap();
    (first[0], stream)
}

/// The number with which the other end closes a connection.
pub(crate) async fn closed_with(connection: &Connection) -> u64 {
    match connection.closed().await {
        ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("{other}"),
    }
}
