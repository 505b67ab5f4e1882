//! By which addresses others reach this device, and word when they have changed.
//!
//! The kernel says so on a netlink socket; nothing is looked at again and again. Addresses that
//! mean something on one line alone (`fe80::`) are left out: who is on that line finds this device
//! by discovery.

use crate::carrying::{Event, Events};
use crate::limits::NETWORK_SETTLES_MS;
use crate::settings::Settings;
use kith_plugins_api::Bus;
use kith_plugins_api::contract::limits::ENDPOINTS_MAX;
use quinn::Endpoint;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// Groups of netlink that tell of addresses: `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const ADDRESS_GROUPS: u32 = 0x10 | 0x100;

/// The addresses to be told: those of the settings, and those of this machine on which a socket
/// listens, the best first.
pub(crate) fn all(settings: &Settings, sockets: &[Endpoint]) -> Vec<String> {
    let here = match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.iter().map(if_addrs::Interface::ip).collect(),
        Err(error) => {
            tracing::warn!("the addresses of this machine: {error}");
            Vec::new()
        }
    };
    let listening: Vec<_> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    chosen(settings, &listening, here)
}

fn chosen(settings: &Settings, listening: &[SocketAddr], mut here: Vec<IpAddr>) -> Vec<String> {
    here.retain(|ip| !is_of_one_line(ip) && (settings.loopback || !ip.is_loopback()));
    here.sort_by_key(rank);
    let mut all: Vec<SocketAddr> = settings.endpoints.clone();
    for at in listening.iter().filter(|at| !at.ip().is_unspecified()) {
        if settings.loopback || !at.ip().is_loopback() {
            all.push(*at);
        }
    }
    for ip in here {
        let same =
            listening.iter().find(|at| at.ip().is_unspecified() && at.is_ipv4() == ip.is_ipv4());
        all.extend(same.map(|at| SocketAddr::new(ip, at.port())));
    }
    let mut seen = BTreeSet::new();
    all.retain(|address| seen.insert(*address));
    all.into_iter().take(ENDPOINTS_MAX).map(|address| address.to_string()).collect()
}

/// Addresses of the whole internet come first, those of this machine last.
fn rank(ip: &IpAddr) -> u8 {
    match ip {
        _ if ip.is_loopback() => 3,
        IpAddr::V4(ip) if ip.is_private() => 1,
        IpAddr::V6(ip) if ip.is_unique_local() => 2,
        _ => 0,
    }
}

fn is_of_one_line(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

/// Says when the addresses of this machine have changed, as long as the kernel does.
pub(crate) async fn watch(bus: Bus, events: Events) {
    let socket = match open() {
        Ok(socket) => socket,
        Err(error) => {
            tracing::info!("changes of the network are not seen: {error}");
            return;
        }
    };
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        drain(&socket);
        // A network that comes up has several addresses, one after the other.
        if bus.sleep(Duration::from_millis(NETWORK_SETTLES_MS)).await.is_err() {
            return;
        }
        drain(&socket);
        if events.send(Event::Network).await.is_err() {
            return;
        }
    }
}

/// A netlink socket in the clothes of a UDP socket: both are only read from.
fn open() -> io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // No protocol is `NETLINK_ROUTE`, whose number is 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, ADDRESS_GROUPS))?;
    UdpSocket::from_std(socket.into())
}

/// What stands in the messages doesn't matter: all is looked at anew. An overflow is news as well.
fn drain(socket: &UdpSocket) {
    let mut buffer = [0; 4096];
    while socket.try_recv(&mut buffer).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(settings: &Settings, listening: &[&str], here: &[&str]) -> Vec<String> {
        let listening: Vec<_> = listening.iter().map(|text| text.parse().unwrap()).collect();
        let here = here.iter().map(|text| text.parse().unwrap()).collect();
        chosen(settings, &listening, here)
    }

    #[test]
    fn the_best_addresses_come_first() {
        let here =
            ["127.0.0.1", "fd00::7", "192.168.1.7", "fe80::1", "::1", "2001:db8::7", "192.0.2.7"];
        let settings =
            Settings { endpoints: vec!["198.51.100.1:9".parse().unwrap()], ..Settings::default() };
        let expected =
            ["198.51.100.1:9", "[2001:db8::7]:6", "192.0.2.7:4", "192.168.1.7:4", "[fd00::7]:6"];
        assert_eq!(shown(&settings, &["0.0.0.0:4", "[::]:6"], &here), expected);
        assert_eq!(shown(&settings, &["0.0.0.0:4"], &here)[1..], ["192.0.2.7:4", "192.168.1.7:4"]);
    }

    #[test]
    fn this_machine_alone_is_told_only_if_it_should_be() {
        let here = ["127.0.0.1", "192.0.2.7"];
        let listen = ["127.0.0.1:4"];
        assert!(shown(&Settings::default(), &listen, &here).is_empty());
        let settings = Settings { loopback: true, ..Settings::default() };
        assert_eq!(shown(&settings, &listen, &here), ["127.0.0.1:4"]);
        assert_eq!(shown(&settings, &["0.0.0.0:4"], &here), ["192.0.2.7:4", "127.0.0.1:4"]);
    }

    #[test]
    fn no_more_are_told_than_there_is_room_for() {
        let here: Vec<_> = (1..=20).map(|n| format!("192.0.2.{n}")).collect();
        let here: Vec<_> = here.iter().map(String::as_str).collect();
        assert_eq!(shown(&Settings::default(), &["0.0.0.0:4"], &here).len(), ENDPOINTS_MAX);
    }
}
