//! One file per peer: how it is started, and its protocol in about 100 lines.
//!
//! To add a broker, write a file with a `Peer` and a `Codec` and list it in `all`. Zenoh is left
//! out: its protocol is too large to be spoken raw here, and its library too large to be built
//! with this workspace.

mod dbus;
mod kith;
mod mqtt;
mod nats;
mod redis;
pub(crate) mod relay;

use crate::peer::Peer;
use anyhow::bail;
use kith::{Framing, Kith};
use std::path::Path;

/// All peers. `kith`: the daemon's binary.
pub(crate) fn all(kith: &Path) -> Vec<Box<dyn Peer>> {
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(Kith { program: kith.to_path_buf(), framing: Framing::Raw }),
        Box::new(Kith { program: kith.to_path_buf(), framing: Framing::Ms }),
        Box::new(Kith { program: kith.to_path_buf(), framing: Framing::Json }),
        Box::new(nats::Nats),
        Box::new(mqtt::Mosquitto { tcp: false }),
        Box::new(mqtt::Mosquitto { tcp: true }),
        Box::new(redis::Redis { tcp: false }),
        Box::new(redis::Redis { tcp: true }),
        Box::new(dbus::DbusBroker::default()),
        Box::new(dbus::DbusDaemon),
    ];
    for mode in relay::Mode::ALL {
        peers.push(Box::new(relay::Relay { mode }));
    }
    peers
}

/// The peers of some names, in the order of `all`; all of them for no name.
pub(crate) fn named(names: &[String], kith: &Path) -> anyhow::Result<Vec<Box<dyn Peer>>> {
    let mut peers = all(kith);
    for name in names {
        if !peers.iter().any(|peer| peer.name() == name) {
            bail!("no peer is called {name}; `list` prints them");
        }
    }
    peers.retain(|peer| names.is_empty() || names.iter().any(|name| name == peer.name()));
    Ok(peers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{Codec, Counts};

    #[test]
    fn names_are_unique_and_checked() {
        let kith = Path::new("kith-busd");
        let mut names: Vec<&str> = all(kith).iter().map(|peer| peer.name()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(named(&["nobody".to_string()], kith).is_err());
        let two = named(&["redis".to_string(), "kith".to_string()], kith).unwrap();
        assert_eq!(two.iter().map(|peer| peer.name()).collect::<Vec<_>>(), ["kith", "redis"]);
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
