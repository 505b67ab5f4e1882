//! Addresses on which the daemon may serve something by TCP: this machine's own.
//!
//! What is served there asks nobody who they are. On a loopback address that is every user of the
//! machine; on any other it would be everybody who can send a packet here, so any other is refused
//! when the configuration is read. Names are not looked up: what `localhost` means is up to a
//! resolver, and what is checked has to be what is used.

use std::net::SocketAddr;

/// Why an address can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not an address and a port.
    #[error(
        "write an IP address and a port, such as \"127.0.0.1:9464\" or \"[::1]:9464\" (names are \
         not looked up)"
    )]
    Shape,
    /// Others could reach it.
    #[error(
        "{0} is no loopback address: other machines could read there, without a password, which \
         programs run here and how busy they are. Use 127.0.0.1 or [::1], and where others should \
         read it, a proxy with authentication"
    )]
    Reachable(SocketAddr),
}

/// Reads an address that only this machine can reach.
pub(super) fn parse_loopback(text: &str) -> Result<SocketAddr, AddressError> {
    let address: SocketAddr = text.parse().map_err(|_| AddressError::Shape)?;
    // `::ffff:127.0.0.1` is 127.0.0.1, and `::ffff:192.0.2.1` is not of this machine.
    if !address.ip().to_canonical().is_loopback() {
        return Err(AddressError::Reachable(address));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_taken() {
        for text in ["127.0.0.1:9464", "127.9.8.7:1", "[::1]:0", "[::ffff:127.0.0.1]:65535"] {
            assert_eq!(parse_loopback(text).unwrap().to_string(), text);
        }
        for text in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:1", "[::ffff:192.0.2.1]:1"] {
            let address = text.parse().unwrap();
            assert_eq!(parse_loopback(text), Err(AddressError::Reachable(address)), "{text}");
        }
        for text in ["", "9464", ":9464", "127.0.0.1", "localhost:9464", "::1:9464", "127.1:1"] {
            assert_eq!(parse_loopback(text), Err(AddressError::Shape), "{text}");
        }
    }
}
