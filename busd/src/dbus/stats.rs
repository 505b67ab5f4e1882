//! How much waits in the session bus for a program, as the session bus tells it.
//!
//! The two that are in use tell it in two ways: dbus-daemon for one connection, dbus-broker for all
//! of them at once. Neither has to: then nobody knows.

use std::collections::HashMap;
use zbus::message::Body;
use zbus::{Dict, Variant};

/// The interface on which it is asked.
pub(super) const INTERFACE: &str = "org.freedesktop.DBus.Debug.Stats";

/// Which way a session bus tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `GetConnectionStats`, of dbus-daemon.
    Connection,
    /// `GetStats`, of dbus-broker.
    Accounting,
    /// Not at all.
    None,
}

impl Way {
    /// The way to be tried where this one does not work.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Connection => Self::Accounting,
            Self::Accounting | Self::None => Self::None,
        }
    }

    /// The bytes that wait for `program`, if the answer tells.
    pub(super) fn read(self, answer: &Body, program: &str) -> Option<u64> {
        let all: HashMap<&str, Variant<'_>> = answer.deserialize().ok()?;
        match self {
            Self::Connection => number(all.get("OutgoingBytes")?),
            Self::Accounting => {
                let peers = all.get("org.bus1.DBus.Debug.Stats.PeerAccounting")?;
                let Variant::Array(peers) = peers else { return None };
                peers.inner().iter().find_map(|peer| of_peer(peer, program))
            }
            Self::None => None,
        }
    }
}

/// The bytes that wait for this peer, if it is `program`: its name, its credentials, its numbers.
fn of_peer(peer: &Variant<'_>, program: &str) -> Option<u64> {
    let Variant::Structure(peer) = peer else { return None };
    let [Variant::Str(name), _, Variant::Dict(numbers)] = peer.fields() else { return None };
    if name.as_str() == program { outgoing(numbers) } else { None }
}

fn outgoing(numbers: &Dict<'_, '_>) -> Option<u64> {
    let is_it = |key: &Variant<'_>| matches!(key, Variant::Str(key) if *key == "OutgoingBytes");
    numbers.iter().find(|(key, _)| is_it(key)).and_then(|(_, bytes)| number(bytes))
}

fn number(value: &Variant<'_>) -> Option<u64> {
    match value {
        Variant::U32(number) => Some(u64::from(*number)),
        Variant::U64(number) => Some(*number),
        Variant::Variant(inner) => number(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use zbus::Message;
    use zbus::wire::DynamicType;

    fn answer(body: &(impl serde::Serialize + DynamicType)) -> Body {
        Message::signal("/", "a.b", "C").build(body).unwrap().body()
    }

    #[test]
    fn each_session_bus_tells_it_in_its_way() {
        let all = BTreeMap::from([
            ("OutgoingBytes", Variant::from(7_u32)),
            ("UniqueName", Variant::from(":1.5")),
        ]);
        let daemon = answer(&all);
        assert_eq!(Way::Connection.read(&daemon, ":1.5"), Some(7));
        assert_eq!(Way::Accounting.read(&daemon, ":1.5"), None);

        let peer = |name: &'static str, bytes: u32| {
            let credentials = BTreeMap::from([("ProcessID", Variant::from(1_u32))]);
            (
                name,
                credentials,
                BTreeMap::from([("IncomingBytes", 1_u32), ("OutgoingBytes", bytes)]),
            )
        };
        let peers = Variant::new(vec![peer(":1.5", 5), peer(":1.55", 55)]);
        let broker = answer(&BTreeMap::from([("org.bus1.DBus.Debug.Stats.PeerAccounting", peers)]));
        assert_eq!(Way::Accounting.read(&broker, ":1.55"), Some(55));
        assert_eq!(Way::Accounting.read(&broker, ":1.6"), None);
        assert_eq!(Way::Connection.read(&broker, ":1.5"), None);
        assert_eq!(Way::None.read(&broker, ":1.5"), None);
    }
}
