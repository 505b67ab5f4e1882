//! Finds devices on the local network, by mDNS (`_kith._udp.local`).
//!
//! It has the role `discovery`: it shows the tag that the daemon says, with the port at which the
//! transport listens, and tells the daemon which tags others show, and where. Whose tag that is the
//! daemon alone can tell; here are no secrets, no names and no keys.
//!
//! `announce.rs` decides and knows neither sockets nor the bus; `network.rs` has hands on the
//! network; here both are joined to the bus. Before the daemon has said a tag, no packet is sent.
//!
//! Deliberately absent: proof. Anybody on the network can show any tag, or repeat one; whoever is
//! dialled then has to prove a key.

pub mod announce;
pub mod limits;
mod network;
mod settings;

use announce::{Act, Announcer};
use kith_plugins_api::contract::transports::{Beacon, Endpoint, Sighting};
use kith_plugins_api::contract::{BEACON, ENDPOINT, Role, SIGHTING};
use kith_plugins_api::{
    Bus, Health, Manifest, Message, Moment, PostError, Reserved, Service, ServiceError, Subscribe,
    async_trait,
};
use limits::RETRY_MS;
use network::{Changes, Heard, Network};
use settings::Settings;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

/// The service's name.
const NAME: &str = "mdns";

/// The service.
#[derive(Debug, Default)]
pub struct Mdns;

#[async_trait]
impl Service for Mdns {
    fn manifest(&self) -> Manifest {
        Manifest::new(NAME, env!("CARGO_PKG_VERSION"))
            .about("Finds your devices and friends on the local network, by mDNS")
            .role(Role::Discovery)
            .subscribes_to(BEACON)
            .subscribes_to(ENDPOINT)
            .network()
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let settings: Settings = bus.settings()?;
        settings.check()?;
        // With what was said last, since it may have been said before this service came.
        let (beacons, endpoints) = (BEACON.pattern(), ENDPOINT.pattern());
        let mut beacons = bus.subscribe_with(Subscribe::new(&beacons).retained()).await?;
        let mut endpoints = bus.subscribe_with(Subscribe::new(&endpoints).retained()).await?;
        let changes = Changes::watch();
        let mut mdns = Shell::new(bus.clone(), settings);
        bus.report(Health::ok().text("waiting for a tag to show")).await?;
        loop {
            mdns.act().await?;
            let wakes_at = mdns.wakes_at();
            let sleep = async {
                match wakes_at {
                    Some(moment) => bus.sleep_until(moment).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                beacon = beacons.next() => match beacon {
                    Some(beacon) => mdns.said(&beacon),
                    None => return mdns.leave(),
                },
                endpoint = endpoints.next() => match endpoint {
                    Some(endpoint) => mdns.said(&endpoint),
                    None => return mdns.leave(),
                },
                heard = next_heard(&mut mdns.network) => match heard {
                    Heard::Shown(shown) => mdns.announcer.heard(shown, bus.now()),
                    Heard::Gone(name) => mdns.announcer.gone(&name),
                },
                () = changes.next() => mdns.announcer.moved(),
                slept = sleep => match slept {
                    Ok(()) => mdns.tick(),
                    Err(_) => return mdns.leave(),
                },
            }
        }
    }
}

/// What is heard next; nothing, while no part is taken.
async fn next_heard(network: &mut Option<Network>) -> Heard {
    match network {
        Some(network) => match network.heard.recv().await {
            Some(heard) => heard,
            None => pending().await,
        },
        None => pending().await,
    }
}

/// The announcer, and its part in the network.
struct Shell {
    bus: Bus,
    settings: Settings,
    announcer: Announcer,
    network: Option<Network>,
    /// When to try again what the network would not do.
    retry_at: Option<Moment>,
    /// How many others were seen when the health was last said.
    reported: Option<usize>,
}

impl Shell {
    fn new(bus: Bus, settings: Settings) -> Self {
        let announcer = Announcer::default();
        Self { bus, settings, announcer, network: None, retry_at: None, reported: None }
    }

    /// Deals with a message of the two topics.
    fn said(&mut self, message: &Message) {
        let (protocol, payload) = (message.protocol(), message.payload());
        if message.topic() == BEACON.topic() {
            if let Ok(beacon) = Reserved::read(&BEACON, protocol, payload) {
                self.beacon(&beacon);
            }
        } else if let Ok(endpoint) = Reserved::read(&ENDPOINT, protocol, payload) {
            self.endpoint(&endpoint);
        }
    }

    fn beacon(&mut self, beacon: &Beacon) {
        let (until, random) = (Moment::from_unix_ms(beacon.until), self.random());
        self.announcer.beacon(beacon.tag, until, random, self.bus.now());
        self.announcer.tick(self.random(), self.bus.now());
    }

    fn endpoint(&mut self, endpoint: &Endpoint) {
        if endpoint.transport == self.settings.transport {
            let addresses = endpoint.endpoints.iter();
            let port = addresses.filter_map(|text| text.parse::<SocketAddr>().ok()).next();
            let (port, random) = (port.map(|address| address.port()), self.random());
            self.announcer.port(port, random, self.bus.now());
        }
    }

    fn wakes_at(&self) -> Option<Moment> {
        self.announcer.wakes_at().into_iter().chain(self.retry_at).min()
    }

    fn tick(&mut self) {
        let now = self.bus.now();
        self.announcer.tick(self.random(), now);
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.announcer.moved();
        }
    }

    /// Does what is to be done.
    async fn act(&mut self) -> Result<(), PostError> {
        while let Some(act) = self.announcer.next_act() {
            let done = match act {
                Act::Join => Network::join(&self.settings).map(|network| {
                    self.network = Some(network);
                }),
                Act::Leave => {
                    self.drop_network();
                    Ok(())
                }
                Act::Show(announcement) => match &mut self.network {
                    Some(network) => network.show(&announcement),
                    None => Ok(()),
                },
                Act::Hide => {
                    if let Some(network) = &mut self.network {
                        network.hide();
                    }
                    Ok(())
                }
                Act::Tell(tag, endpoints) => {
                    let discovery = NAME.to_owned();
                    let sighting = Sighting { discovery, tag, endpoints };
                    self.bus.post_to(SIGHTING, &sighting).await?;
                    Ok(())
                }
            };
            if let Err(error) = done {
                tracing::warn!("mDNS: {error}");
                self.bus.report(Health::failing(error.to_string())).await?;
                self.retry_at = Some(self.bus.now() + Duration::from_millis(RETRY_MS));
                self.reported = None;
            }
        }
        self.report().await
    }

    async fn report(&mut self) -> Result<(), PostError> {
        let seen = self.announcer.count();
        if self.network.is_none() || self.retry_at.is_some() || self.reported == Some(seen) {
            return Ok(());
        }
        self.reported = Some(seen);
        let figure = i64::try_from(seen).unwrap_or(i64::MAX);
        self.bus.report(Health::ok().figure("seen", figure)).await
    }

    fn drop_network(&mut self) {
        if let Some(network) = self.network.take() {
            network.leave();
        }
    }

    fn leave(mut self) -> Result<(), ServiceError> {
        self.drop_network();
        Ok(())
    }

    fn random(&self) -> [u64; 2] {
        [self.bus.random(), self.bus.random()]
    }
}
