//! `[services.mdns.settings]`: what its user may set. All of it can be left out.

use crate::limits::PORT;
use kith_plugins_api::ServiceError;
use serde::Deserialize;

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Whether others are looked for, and not only answered.
    pub(crate) loud: bool,
    /// Whose port is shown: the transport of this name.
    pub(crate) transport: String,
    /// Another port than that of mDNS, for a network of one's own or a trial.
    pub(crate) port: u16,
    /// Whether this machine alone is the network, for trials.
    pub(crate) loopback: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { loud: true, transport: "quic".to_owned(), port: PORT, loopback: false }
    }
}

impl Settings {
    /// What makes no sense.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        match self.port {
            0 => Err(ServiceError::fatal("settings.port has to be a port, such as 5353")),
            _ => Ok(()),
        }
    }
}
