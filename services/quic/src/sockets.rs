//! The UDP sockets: one for each address to listen at, on the same port where that is free.
//!
//! A port that was drawn is kept in the service's directory, so that addresses which others know
//! are still right after a restart.

use kith_plugins_api::ServiceError;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

const FILE: &str = "port";

/// Opens a socket for each address. Where the machine has no IPv6, or no IPv4, the others do.
///
/// # Errors
/// If none can be opened, or a port that was asked for is taken.
pub(crate) fn open(
    listen: &[SocketAddr],
    directory: &Path,
) -> Result<Vec<UdpSocket>, ServiceError> {
    let path = directory.join(FILE);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let last = text.trim().parse().unwrap_or(0);
    let mut port = last;
    let mut sockets = Vec::new();
    for address in listen {
        let opened = if address.port() == 0 {
            let same = SocketAddr::new(address.ip(), port);
            open_one(same).or_else(|_| open_one(*address))
        } else {
            open_one(*address)
        };
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) if is_family_missing(&error) => {
                tracing::info!("not listening at {address}: {error}");
                continue;
            }
            Err(error) => {
                let why = format!("{address}: {error}");
                // It may be free again in a while.
                return Err(ServiceError::restart(why));
            }
        };
        if address.port() == 0 {
            port = socket.local_addr()?.port();
        }
        sockets.push(socket);
    }
    if sockets.is_empty() {
        return Err(ServiceError::restart("the machine has none of the addresses to listen at"));
    }
    if port != last
        && let Err(error) = fs::write(&path, port.to_string())
    {
        tracing::warn!("{}: {error}; the port will be another one next time", path.display());
    }
    Ok(sockets)
}

fn open_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(UdpSocket::from(socket))
}

fn is_family_missing(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_port_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let any = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let port = |sockets: &[UdpSocket]| sockets[0].local_addr().unwrap().port();
        let first = open(&any, directory.path()).unwrap();
        let text = fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert_eq!(text, port(&first).to_string());
        // While it is taken it is another one.
        let second = open(&any, directory.path()).unwrap();
        assert_ne!(port(&first), port(&second));
    }
}
