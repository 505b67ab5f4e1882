//! Direct links between devices, by QUIC.
//!
//! It has the role `transport`: it says where it listens and which key it shows in TLS, dials whom
//! the daemon wants to be reached, lets in whoever proves to be a device, takes
//! `envelope.send.quic`, carries the letters, and says what became of each. What it carries it
//! can't read, and it knows no key but its own.
//!
//! The parts: `hello.rs` and `letters.rs` are what goes over a link, `record.rs` what a NodeInfo
//! proves there, `links.rs` which links there are, `queue.rs` what waits on one; they know neither
//! sockets nor the bus, and are tested with bytes and calls. `key.rs` and `tls.rs` say how keys are
//! proved. `carrying.rs`, `shell.rs` and this file do what there is to do.
//!
//! Nothing is sent or let in before the daemon has certified the key in our NodeInfo.
//!
//! Deliberately absent: ways through routers that let nothing in; and relays, which are a transport
//! of their own.

mod addresses;
mod carrying;
pub mod hello;
pub mod key;
pub mod letters;
pub mod limits;
pub mod links;
pub mod queue;
pub mod record;
mod settings;
mod shell;
mod sockets;
pub mod tls;

use key::{KeyError, TlsKey};
use kith_plugins_api::contract::{DIAL, HANG_UP, MY_NODE_INFO, Role, SEND};
use kith_plugins_api::{Bus, Manifest, Service, ServiceError, async_trait};
use limits::EVENTS_MAX;
use quinn::{EndpointConfig, TokioRuntime};
use settings::Settings;
use shell::{Next, Shell};
use std::future::{pending, poll_fn};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The service's name, which is also in the topic of what it is to carry.
const NAME: &str = "quic";

/// The service.
#[derive(Debug, Default)]
pub struct Quic;

#[async_trait]
impl Service for Quic {
    fn manifest(&self) -> Manifest {
        Manifest::new(NAME, env!("CARGO_PKG_VERSION"))
            .about("Carries sealed messages straight to other devices, by QUIC")
            .role(Role::Transport)
            .subscribes_to(DIAL)
            .subscribes_to(HANG_UP)
            .subscribes_to(MY_NODE_INFO)
            .subscribes_to((SEND, NAME))
            .network()
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let settings: Settings = bus.settings()?;
        settings.check()?;
        let key = TlsKey::load(bus.data_dir()).map_err(|error| match error {
            KeyError::NoKey { .. } => ServiceError::fatal(error),
            _ => ServiceError::restart(error),
        })?;
        let mut sends = bus.subscribe_to((SEND, NAME)).await?;
        let mut dials = bus.subscribe_to(DIAL).await?;
        let mut hang_ups = bus.subscribe_to(HANG_UP).await?;
        let mut mine = bus.subscribe_to(MY_NODE_INFO).await?;
        let sockets = listen(&settings, &key, &bus)?;
        let (sender, mut events) = mpsc::channel(EVENTS_MAX);
        let mut shell = Shell::new(bus.clone(), key, sockets, sender);
        let mut told = None;
        loop {
            shell.say().await?;
            shell.announce(&settings, &mut told).await?;
            let wakes_at = shell.links.wakes_at();
            let sleep = async {
                match wakes_at {
                    Some(moment) => bus.sleep_until(moment).await,
                    None => pending().await,
                }
            };
            let next = tokio::select! {
                biased;
                event = events.recv() => event.map(Next::Event),
                dial = dials.next() => dial.map(|dial| Next::Dial(dial.value)),
                hang_up = hang_ups.next() => hang_up.map(|hang_up| Next::HangUp(hang_up.value)),
                mine = mine.next() => mine.map(|mine| Next::Mine(mine.value)),
                send = sends.next() => send.map(|send| Next::Send(Box::new(send.value))),
                () = poll_fn(|context| shell.poll_write(context)) => Some(Next::Said),
                slept = sleep => slept.ok().map(|()| Next::Late),
            };
            match next {
                Some(next) => shell.handle(&settings, next),
                None => {
                    shell.leave().await;
                    return Ok(());
                }
            }
        }
    }
}

/// Opens the sockets.
fn listen(
    settings: &Settings,
    key: &TlsKey,
    bus: &Bus,
) -> Result<Vec<quinn::Endpoint>, ServiceError> {
    let sockets = sockets::open(&settings.listen, bus.data_dir())?;
    let server = tls::server(key)?;
    let runtime: Arc<dyn quinn::Runtime> = Arc::new(TokioRuntime);
    let open = |socket| {
        let config = EndpointConfig::default();
        quinn::Endpoint::new(config, Some(server.clone()), socket, Arc::clone(&runtime))
    };
    Ok(sockets.into_iter().map(open).collect::<Result<_, _>>()?)
}
