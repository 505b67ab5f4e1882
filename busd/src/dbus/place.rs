//! Where the session bus is.

use crate::configuration::{Dbus, Environment};

/// Where the session bus is, as D-Bus writes addresses, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address.
    pub(crate) address: String,
    /// For people: where it comes from.
    pub(crate) source: &'static str,
    /// Whether that bus has started this daemon itself, and not by systemd. Then nobody else ends
    /// it: it would stand in the way of the daemon that the next session's bus starts.
    pub(crate) has_started_us: bool,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error("`dbus.enabled` is false in the configuration")]
    Disabled,
    #[error(
        "DBUS_SESSION_BUS_ADDRESS is not set, and XDG_RUNTIME_DIR has no `bus`, as is normal on a \
         server and in a container"
    )]
    Nowhere,
    #[error("DBUS_SESSION_BUS_ADDRESS is {0:?}, where no session bus can be")]
    Unusable(String),
}

impl Place {
    /// The place that the configuration names, or else the environment, or the one where a login
    /// has it. `exists` tells whether a path is there.
    pub(crate) fn find(
        dbus: &Dbus,
        environment: &Environment,
        exists: impl FnOnce(&std::path::Path) -> bool,
    ) -> Result<Self, NoPlace> {
        if !dbus.enabled {
            return Err(NoPlace::Disabled);
        }
        if let Some(address) = dbus.address.clone() {
            return Ok(Self::elsewhere(address, "`dbus.address`"));
        }
        if let Some(address) = environment.session_bus() {
            // `disabled:` is what some set for programs that should have none.
            if zbus::Address::try_from(address.as_str()).is_err() {
                return Err(NoPlace::Unusable(address));
            }
            let has_started_us = environment.is_started_by(&address);
            return Ok(Self { address, source: "DBUS_SESSION_BUS_ADDRESS", has_started_us });
        }
        match environment.usual_session_bus().filter(|path| exists(path)) {
            // A path in an address is escaped where it has more than these characters.
            Some(path) => Ok(Self::elsewhere(address_of(&path), "XDG_RUNTIME_DIR")),
            None => Err(NoPlace::Nowhere),
        }
    }

    /// One that had nothing to do with the start of this daemon.
    fn elsewhere(address: String, source: &'static str) -> Self {
        Self { address, source, has_started_us: false }
    }
}

/// The address of a Unix socket: bytes other than these are escaped (D-Bus Specification, "Server
/// Addresses").
fn address_of(path: &std::path::Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut address = "unix:path=".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'/' | b'.' => {
                address.push(char::from(*byte));
            }
            // Writing to a string can't fail.
            _ => {
                let _ = write!(address, "%{byte:02x}");
            }
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn the_configuration_goes_before_the_environment_and_that_before_the_usual_place() {
        let asked = Dbus { enabled: true, address: Some("unix:path=/a".to_owned()) };
        let environment = Environment {
            dbus_session_bus_address: Some("unix:path=/b".into()),
            xdg_runtime_dir: Some("/run/user/1".into()),
            ..Environment::default()
        };
        let find = |dbus: &Dbus, environment: &Environment, exists: bool| {
            Place::find(dbus, environment, |_| exists).map(|place| place.address)
        };
        assert_eq!(find(&asked, &environment, true).unwrap(), "unix:path=/a");
        let usual = Dbus::default();
        assert_eq!(find(&usual, &environment, true).unwrap(), "unix:path=/b");
        let login = Environment { dbus_session_bus_address: Some(OsString::new()), ..environment };
        assert_eq!(find(&usual, &login, true).unwrap(), "unix:path=/run/user/1/bus");
        assert_eq!(find(&usual, &login, false), Err(NoPlace::Nowhere));
        assert_eq!(find(&usual, &Environment::default(), true), Err(NoPlace::Nowhere));
        for wrong in ["disabled:", "nonsense"] {
            let wrong =
                Environment { dbus_session_bus_address: Some(wrong.into()), ..login.clone() };
            assert!(matches!(find(&usual, &wrong, true), Err(NoPlace::Unusable(_))));
        }
        let off = Dbus { enabled: false, ..asked };
        assert_eq!(find(&off, &login, true), Err(NoPlace::Disabled));
    }

    #[test]
    fn a_daemon_belongs_to_the_bus_that_started_it_unless_systemd_has_it() {
        let bus = Some(OsString::from("unix:path=/b"));
        let find = |environment: &Environment| {
            Place::find(&Dbus::default(), environment, |_| true).unwrap().has_started_us
        };
        let mut environment = Environment {
            dbus_session_bus_address: bus.clone(),
            dbus_starter_address: bus,
            ..Environment::default()
        };
        assert!(find(&environment));
        environment.notify_socket = Some("/run/user/1/systemd/notify".into());
        assert!(!find(&environment));
        environment.notify_socket = None;
        // It was inherited by way of some other program.
        environment.dbus_session_bus_address = Some("unix:path=/c".into());
        assert!(!find(&environment));
    }

    #[test]
    fn a_path_is_escaped() {
        assert_eq!(address_of("/a b/ä,".as_ref()), "unix:path=/a%20b/%c3%a4%2c");
    }
}
