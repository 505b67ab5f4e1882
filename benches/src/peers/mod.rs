//! One file per peer: how it is started, and its protocol in about 100 lines.
//!
//! To add a broker, write a file with a `Peer` and a `Codec` and list it in `all`. Zenoh's protocol
//! is too large to be spoken raw here, and its library too large to be built with this workspace;
//! it is driven by a program that is built apart.

mod dbus;
mod desktop;
mod jetstream;
pub(crate) mod kith;
mod mqtt;
mod nats;
mod redis;
pub(crate) mod relay;
mod zenoh;

use crate::peer::{Peer, Sealing};
use crate::results::PeerVersion;
use anyhow::bail;
pub(crate) use desktop::{Echo, OnSessionBus};
use kith::{Framing, Kith};
use std::path::PathBuf;

/// Where programs lie that are not simply looked for in `PATH`.
#[derive(Default)]
pub(crate) struct Programs {
    /// The daemon.
    pub(crate) kith: PathBuf,
    /// The nats-server that stores; one before 2.10 can't be told when to.
    pub(crate) nats_stored: PathBuf,
    pub(crate) zenoh_router: PathBuf,
    pub(crate) zenoh_client: PathBuf,
}

/// All peers.
pub(crate) fn all(programs: &Programs) -> Vec<Box<dyn Peer>> {
    let kith = |framing| Box::new(Kith { program: programs.kith.clone(), framing });
    let mut peers: Vec<Box<dyn Peer>> = vec![
        kith(Framing::Raw),
        kith(Framing::Ms),
        kith(Framing::Json),
        kith(Framing::Sealed(Sealing::Fresh)),
        kith(Framing::Sealed(Sealing::Again)),
        Box::new(nats::Nats),
        Box::new(jetstream::JetStream { program: programs.nats_stored.clone() }),
        Box::new(mqtt::Mosquitto { tcp: false }),
        Box::new(mqtt::Mosquitto { tcp: true }),
        Box::new(redis::Redis { tcp: false }),
        Box::new(redis::Redis { tcp: true }),
        Box::new(dbus::DbusBroker::default()),
        Box::new(dbus::DbusDaemon),
        Box::new(zenoh::Zenoh {
            router: programs.zenoh_router.clone(),
            client: programs.zenoh_client.clone(),
        }),
    ];
    for mode in relay::Mode::ALL {
        peers.push(Box::new(relay::Relay { mode }));
    }
    peers
}

/// The session bus that most desktops have.
pub(crate) fn session_bus() -> impl Peer {
    dbus::DbusDaemon
}

/// The peers of some names, in the order of `all`. For no name all of them, but those over TCP
/// that can do without.
pub(crate) fn named(names: &[String], programs: &Programs) -> anyhow::Result<Vec<Box<dyn Peer>>> {
    let mut peers = all(programs);
    for name in names {
        if !peers.iter().any(|peer| peer.name() == name) {
            bail!("no peer is called {name}; `list` prints them");
        }
    }
    peers.retain(|peer| match names {
        [] => !peer.name().ends_with("-tcp"),
        _ => names.iter().any(|name| name == peer.name()),
    });
    Ok(peers)
}

/// The version that a peer's program prints, or why there is none.
pub(crate) fn version(peer: &dyn Peer) -> PeerVersion {
    let name = peer.name().to_string();
    let missing =
        |why: String| PeerVersion { name: name.clone(), version: None, missing: Some(why) };
    if let Some(client) = peer.client_program()
        && !client.exists()
    {
        return missing(format!("{} is not built", client.display()));
    }
    let Some(mut command) = peer.version() else {
        let version = Some(env!("CARGO_PKG_VERSION").to_string());
        return PeerVersion { name, version, missing: None };
    };
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Err(error) => missing(format!("{program}: {error}")),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let version = said.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()));
            let version = version.unwrap_or("of no known version").trim().to_string();
            PeerVersion { name, version: Some(version), missing: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{Codec, Counts};

    #[test]
    fn names_are_unique_and_checked() {
        let programs = Programs::default();
        let mut names: Vec<&str> = all(&programs).iter().map(|peer| peer.name()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(named(&["nobody".to_string()], &programs).is_err());
        let two = named(&["redis".to_string(), "kith".to_string()], &programs).unwrap();
        assert_eq!(two.iter().map(|peer| peer.name()).collect::<Vec<_>>(), ["kith", "redis"]);
        let usual = named(&[], &programs).unwrap();
        assert!(usual.iter().all(|peer| !peer.name().ends_with("-tcp")));
    }

    #[test]
    fn what_is_not_there_is_missing_and_what_is_built_in_is_not() {
        let programs = Programs { kith: "/nowhere/kith-busd".into(), ..Programs::default() };
        let of = |name: &str| {
            let peers = named(&[name.to_string()], &programs).unwrap();
            version(&*peers[0])
        };
        assert!(of("kith").missing.unwrap().starts_with("/nowhere/kith-busd: "));
        assert!(of("zenohd").missing.unwrap().ends_with("is not built"));
        assert_eq!(of("limit-epoll").missing, None);
    }

    /// Decodes a stream cut at every offset into two reads.
    pub(super) fn counted_at_every_cut(codec: &dyn Codec, stream: &[u8]) -> Counts {
        let mut whole = Counts::default();
        assert_eq!(codec.decode(stream, &mut whole), stream.len(), "all is consumed");
        for cut in 0..stream.len() {
            let mut counts = Counts::default();
            let used = codec.decode(&stream[..cut], &mut counts);
            assert!(used <= cut, "cut at {cut}: consumed {used}");
            let rest = codec.decode(&stream[used..], &mut counts);
            assert_eq!(used + rest, stream.len(), "cut at {cut}");
            assert_eq!(counts, whole, "cut at {cut}");
        }
        whole
    }
}
