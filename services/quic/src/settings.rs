//! `[services.quic.settings]`, and which addresses are worth a dial.

use kith_plugins_api::ServiceError;
use kith_plugins_api::contract::limits::{ENDPOINT_BYTES_MAX, ENDPOINTS_MAX};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where to listen. Port 0 is the one of the last time, or any.
    pub(crate) listen: Vec<SocketAddr>,
    /// Addresses by which others reach this device as well, such as a router's.
    pub(crate) endpoints: Vec<SocketAddr>,
    /// Whether addresses of this machine alone are told and dialled: for tests and trials.
    pub(crate) loopback: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            ],
            endpoints: Vec::new(),
            loopback: false,
        }
    }
}

impl Settings {
    /// What makes no sense.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        if self.listen.is_empty() || self.listen.len() > ENDPOINTS_MAX {
            let why = format!("settings.listen has to have 1 to {ENDPOINTS_MAX} addresses");
            return Err(ServiceError::fatal(why));
        }
        if self.endpoints.len() > ENDPOINTS_MAX {
            let why = format!("settings.endpoints has at most {ENDPOINTS_MAX} addresses");
            return Err(ServiceError::fatal(why));
        }
        match self.endpoints.iter().find(|address| !is_somebody(address)) {
            Some(address) => {
                let why = format!("settings.endpoints: nobody can be reached at {address}");
                Err(ServiceError::fatal(why))
            }
            None => Ok(()),
        }
    }

    /// Those of a device's addresses that are dialled. Names are not: to look one up would ask
    /// somebody else.
    pub(crate) fn dialled(&self, endpoints: &[String]) -> Vec<SocketAddr> {
        let parsed = endpoints.iter().filter(|text| text.len() <= ENDPOINT_BYTES_MAX);
        let parsed = parsed.filter_map(|text| text.parse::<SocketAddr>().ok());
        let mut addresses: Vec<_> = parsed
            .filter(is_somebody)
            .filter(|address| self.loopback || !address.ip().to_canonical().is_loopback())
            .take(ENDPOINTS_MAX)
            .collect();
        addresses.dedup();
        addresses
    }
}

/// Whether one device, and not all or none, may be at this address.
fn is_somebody(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_one_device_are_dialled() {
        let texts = [
            "192.0.2.7:4711",
            "[fe80::1%2]:7",
            "example.org:1",
            "127.0.0.1:9",
            "[::ffff:127.0.0.1]:9",
            "224.0.0.1:9",
            "0.0.0.0:9",
            "255.255.255.255:9",
            "192.0.2.7:0",
            "[::1]:5",
        ]
        .map(str::to_owned);
        let shown = |settings: Settings| -> Vec<_> {
            settings.dialled(&texts).iter().map(SocketAddr::to_string).collect()
        };
        let plain = ["192.0.2.7:4711", "[fe80::1%2]:7"];
        assert_eq!(shown(Settings::default()), plain);
        let local = shown(Settings { loopback: true, ..Settings::default() });
        assert_eq!(local.len(), 5, "{local:?}");
    }

    #[test]
    fn settings_have_to_make_sense() {
        assert!(Settings::default().check().is_ok());
        let endpoint =
            |text: &str| Settings { endpoints: vec![text.parse().unwrap()], ..Settings::default() };
        assert!(endpoint("192.0.2.7:1").check().is_ok());
        assert!(endpoint("192.0.2.7:0").check().is_err());
        assert!(Settings { listen: Vec::new(), ..Settings::default() }.check().is_err());
    }
}
