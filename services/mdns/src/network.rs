//! The hands on the network: `mdns-sd`, and word from the kernel when addresses have changed.
//!
//! What it hears comes by a thread that waits for it, and costs nothing while nothing is heard. The
//! library's own look at the interfaces every few seconds is off: the kernel says when they have
//! changed, and then everything begins anew, which also mends what the library does not by itself
//! when an interface was down for a while.

use crate::announce::{Announcement, Shown, VERSION, tag_of, tag_text};
use crate::limits::{GOODBYE_MS, HEARD_MAX, NETWORK_SETTLES_MS};
use crate::settings::Settings;
use mdns_sd::{
    IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo,
};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::thread;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// The kind of service.
const SERVICE: &str = "_kith._udp.local.";

/// Groups of netlink that tell of addresses: `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const ADDRESS_GROUPS: u32 = 0x10 | 0x100;

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    Shown(Shown),
    Gone(String),
}

/// A part in what goes on on the network.
pub(crate) struct Network {
    daemon: ServiceDaemon,
    shown: Option<String>,
    pub(crate) heard: mpsc::Receiver<Heard>,
}

impl Network {
    /// Joins in.
    pub(crate) fn join(settings: &Settings) -> mdns_sd::Result<Self> {
        let daemon = ServiceDaemon::new_with_port(settings.port)?;
        daemon.set_ip_check_interval(0)?;
        if settings.loopback {
            daemon.disable_interface(IfKind::All)?;
            daemon.enable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        } else {
            daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        }
        let (sender, heard) = mpsc::channel(HEARD_MAX);
        if settings.loud {
            let listener = daemon.clone();
            let first = listener.browse(SERVICE)?;
            thread::Builder::new()
                .name("mdns-heard".to_owned())
                .spawn(move || listen(&listener, first, &sender))
                .map_err(|error| mdns_sd::Error::Msg(error.to_string()))?;
        }
        Ok(Self { daemon, shown: None, heard })
    }

    /// Shows this, and nothing else.
    pub(crate) fn show(&mut self, announcement: &Announcement) -> mdns_sd::Result<()> {
        self.hide();
        let Announcement { name, host, tag, port } = announcement;
        let text = [("v", VERSION.to_owned()), ("tag", tag_text(tag))];
        let host = format!("{host}.local.");
        let service = ServiceInfo::new(SERVICE, name, &host, "", *port, &text[..])?;
        let service = service.enable_addr_auto();
        let fullname = service.get_fullname().to_owned();
        self.daemon.register(service)?;
        self.shown = Some(fullname);
        Ok(())
    }

    /// Shows nothing.
    pub(crate) fn hide(&mut self) {
        if let Some(name) = self.shown.take() {
            // Nobody waits for what it says; whoever has not heard it forgets us in a while.
            let _ = self.daemon.unregister(&name);
        }
    }

    /// Takes no part any more, and says so to the others.
    pub(crate) fn leave(self) {
        if let Ok(status) = self.daemon.shutdown() {
            let _ = status.recv_timeout(Duration::from_millis(GOODBYE_MS));
        }
    }
}

/// Hands on what is heard, until nobody wants to know.
fn listen(daemon: &ServiceDaemon, first: Receiver<ServiceEvent>, heard: &mpsc::Sender<Heard>) {
    let mut events = first;
    loop {
        while let Ok(event) = events.recv() {
            let heard_now = match event {
                ServiceEvent::ServiceResolved(service) => shown(&service).map(Heard::Shown),
                ServiceEvent::ServiceRemoved(_, name) => Some(Heard::Gone(name)),
                _ => None,
            };
            if heard_now.is_some_and(|one| heard.blocking_send(one).is_err()) {
                return;
            }
        }
        // It was read too slowly, and is closed; or the network is left.
        match daemon.browse(SERVICE) {
            Ok(again) if !heard.is_closed() => events = again,
            _ => return,
        }
    }
}

/// What a service shows, if it is one of ours.
fn shown(service: &ResolvedService) -> Option<Shown> {
    if service.get_property_val_str("v") != Some(VERSION) {
        return None;
    }
    let tag = tag_of(service.get_property_val_str("tag")?)?;
    let port = service.get_port();
    let mut addresses: Vec<_> =
        service.get_addresses().iter().filter_map(|ip| address(ip, port)).collect();
    addresses.sort();
    let name = service.get_fullname().to_owned();
    (port != 0).then_some(Shown { name, tag, addresses })
}

/// An address as it can be dialled: one of a line alone with the number of the interface.
fn address(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    match ip {
        ScopedIp::V4(ip) => Some(SocketAddr::from((*ip.addr(), port))),
        ScopedIp::V6(ip) => {
            let is_of_one_line = ip.addr().is_unicast_link_local();
            let scope = if is_of_one_line { ip.scope_id().index } else { 0 };
            Some(SocketAddr::V6(SocketAddrV6::new(*ip.addr(), port, 0, scope)))
        }
        _ => None,
    }
}

/// Word from the kernel that addresses have changed.
pub(crate) struct Changes(Option<UdpSocket>);

impl Changes {
    pub(crate) fn watch() -> Self {
        Self(open().inspect_err(|error| tracing::info!("changes are not seen: {error}")).ok())
    }

    /// Waits for a change, and until it has come to an end. Nothing is lost if it is dropped before
    /// that: what was not waited for is still there.
    pub(crate) async fn next(&self) {
        let Some(socket) = &self.0 else { return std::future::pending().await };
        if socket.readable().await.is_err() {
            return std::future::pending().await;
        }
        tokio::time::sleep(Duration::from_millis(NETWORK_SETTLES_MS)).await;
        // What stands in the messages doesn't matter: all is looked at anew.
        let mut buffer = [0; 4096];
        while socket.try_recv(&mut buffer).is_ok() {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// A port that nobody has: all of a network share one.
    fn free_port() -> u16 {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.local_addr().unwrap().port()
    }

    #[test]
    fn who_shows_a_tag_is_heard_and_who_leaves_is_gone() {
        let port = free_port();
        let settings = Settings { port, loopback: true, ..Settings::default() };
        let quiet = Settings { loud: false, ..settings.clone() };
        let mut here = Network::join(&settings).unwrap();
        let mut there = Network::join(&quiet).unwrap();
        let announcement = Announcement {
            name: "00000000000000aa".to_owned(),
            host: "00000000000000bb".to_owned(),
            tag: [7; 16],
            port: 4711,
        };
        there.show(&announcement).unwrap();
        let Some(Heard::Shown(shown)) = here.heard.blocking_recv() else { panic!() };
        assert_eq!(shown.tag, [7; 16]);
        assert!(shown.name.starts_with("00000000000000aa."), "{}", shown.name);
        assert!(!shown.addresses.is_empty());
        assert!(shown.addresses.iter().all(|at| at.ip().is_loopback() && at.port() == 4711));
        there.leave();
        while let Some(heard) = here.heard.blocking_recv() {
            if matches!(heard, Heard::Gone(name) if name == shown.name) {
                break;
            }
        }
        here.leave();
    }
}
