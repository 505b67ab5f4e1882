//! Which links are up, to which devices.
//!
//! Transports say so, and are believed as far as it goes: a transport that lies about a link can
//! make letters go nowhere, which it could do anyway. One word of theirs counts for more: on a link
//! of the built-in `quic` service that has shown the device's own NodeInfo, messages may go without
//! their seal, since the link is encrypted to that very device.

use kith_contract::transports::{Connection, Path};
use kith_people::DeviceId;
use std::collections::BTreeMap;

/// The one transport whose links may carry what is not sealed.
pub(crate) const BARE_TRANSPORT: &str = "quic";

/// A link to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) transport: String,
    pub(crate) number: u64,
    pub(crate) mtu_bytes: usize,
    pub(crate) is_direct: bool,
    /// Whether the link has proved whose device it is.
    pub(crate) may_carry_bare: bool,
    pub(crate) endpoint: Option<String>,
    pub(crate) rtt_us: Option<u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Links(BTreeMap<DeviceId, Vec<Link>>);

impl Links {
    /// A link is up, or its figures have changed. Whether it is a new one.
    pub(crate) fn up(&mut self, connection: &Connection, may_carry_bare: bool) -> bool {
        let link = Link {
            transport: connection.transport.clone(),
            number: connection.link,
            mtu_bytes: usize::try_from(connection.mtu_bytes).unwrap_or(usize::MAX),
            is_direct: connection.path == Path::Direct,
            may_carry_bare,
            endpoint: connection.endpoint.clone(),
            rtt_us: connection.rtt_us,
        };
        let links = self.0.entry(DeviceId::new(connection.device)).or_default();
        let known = links.iter_mut().find(|known| known.is(&link.transport, link.number));
        let is_new = known.is_none();
        match known {
            Some(known) => *known = link,
            None => links.push(link),
        }
        // The direct and fast ones first; among equals the newest.
        links.sort_by_key(|link| (!link.is_direct, !link.may_carry_bare));
        is_new
    }

    /// A link is down. Whether it was up.
    pub(crate) fn down(&mut self, device: DeviceId, transport: &str, number: u64) -> bool {
        let Some(links) = self.0.get_mut(&device) else { return false };
        let before = links.len();
        links.retain(|link| !link.is(transport, number));
        let is_down = links.len() < before;
        if links.is_empty() {
            self.0.remove(&device);
        }
        is_down
    }

    /// A transport is gone: with whom it had links.
    pub(crate) fn gone(&mut self, transport: &str) -> Vec<DeviceId> {
        let mut devices = Vec::new();
        self.0.retain(|device, links| {
            let before = links.len();
            links.retain(|link| link.transport != transport);
            if links.len() < before {
                devices.push(*device);
            }
            !links.is_empty()
        });
        devices
    }

    /// The best link to a device.
    pub(crate) fn best(&self, device: DeviceId) -> Option<&Link> {
        self.0.get(&device)?.first()
    }

    /// Whether what came by this link may be without a seal.
    pub(crate) fn is_proved(&self, device: DeviceId, transport: &str, number: u64) -> bool {
        self.of(device).iter().any(|link| link.is(transport, number) && link.may_carry_bare)
    }

    /// The links to a device.
    pub(crate) fn of(&self, device: DeviceId) -> &[Link] {
        self.0.get(&device).map_or(&[], Vec::as_slice)
    }

    /// With whom there are links.
    pub(crate) fn devices(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.0.keys().copied()
    }
}

impl Link {
    fn is(&self, transport: &str, number: u64) -> bool {
        self.transport == transport && self.number == number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_contract::transports::Cost;

    fn connection(transport: &str, link: u64, path: Path) -> Connection {
        Connection {
            transport: transport.to_owned(),
            device: [7; 32],
            link,
            endpoint: None,
            rtt_us: None,
            mtu_bytes: 1000,
            cost: Cost::Free,
            path,
            record: None,
            card_hash: None,
        }
    }

    #[test]
    fn the_best_link_is_direct_and_a_transport_takes_its_own_along() {
        let device = DeviceId::new([7; 32]);
        let mut links = Links::default();
        assert!(links.up(&connection("relay", 1, Path::Relayed), false));
        assert!(links.up(&connection("lora", 1, Path::Direct), false));
        assert!(links.up(&connection("quic", 4, Path::Direct), true));
        assert!(!links.up(&connection("quic", 4, Path::Direct), true), "known already");
        assert_eq!(links.best(device).unwrap().transport, "quic");
        assert!(links.is_proved(device, "quic", 4) && !links.is_proved(device, "lora", 1));
        assert!(!links.down(device, "quic", 5) && links.down(device, "quic", 4));
        assert_eq!(links.best(device).unwrap().transport, "lora");
        assert_eq!(links.gone("lora"), [device]);
        assert_eq!(links.best(device).unwrap().transport, "relay");
        assert_eq!(links.gone("relay"), [device]);
        assert!(links.best(device).is_none() && links.devices().next().is_none());
    }
}
