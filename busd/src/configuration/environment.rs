//! The environment variables that the daemon looks at, read once.
//!
//! Everything behind this struct is a function of its arguments: a test says what `HOME` is, and
//! two of them can run side by side. An empty variable counts as none, and so does a relative path
//! in a variable of the XDG base directory specification, which says to ignore those
//! (<https://specifications.freedesktop.org/basedir-spec/latest/>).

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the environment says, as it says it. The default is an empty environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `XDG_CONFIG_HOME`: where configuration files lie.
    pub xdg_config_home: Option<OsString>,
    /// `XDG_RUNTIME_DIR`: where the user's sockets lie until they log out.
    pub xdg_runtime_dir: Option<OsString>,
    /// `XDG_STATE_HOME`: where programs keep what has to survive.
    pub xdg_state_home: Option<OsString>,
    /// `DBUS_SESSION_BUS_ADDRESS`: where the session bus is, as D-Bus writes addresses.
    pub dbus_session_bus_address: Option<OsString>,
    /// `DBUS_STARTER_ADDRESS`: set by a session bus for what it starts, its own address.
    pub dbus_starter_address: Option<OsString>,
    /// `HOME`: below it are the places that stand in for those of XDG.
    pub home: Option<OsString>,
    /// `KITH_SOCKET`: the path of the socket, for daemon and clients alike.
    pub kith_socket: Option<OsString>,
    /// `KITH_LOG`: how much is logged.
    pub kith_log: Option<OsString>,
    /// `KITH_STORE`: where durable messages and kept values are.
    pub kith_store: Option<OsString>,
    /// `JOURNAL_STREAM`: set by systemd, `device:inode` of the pipe to the journal.
    pub journal_stream: Option<OsString>,
    /// `NOTIFY_SOCKET`: set by systemd, where to tell how the daemon is (`sd_notify(3)`).
    pub notify_socket: Option<OsString>,
    /// `WATCHDOG_USEC`: set by systemd, after what silence it takes the daemon for hung.
    pub watchdog_usec: Option<OsString>,
    /// `WATCHDOG_PID`: set by systemd, whose silence.
    pub watchdog_pid: Option<OsString>,
    /// `NO_COLOR`: no colours, whatever the value (<https://no-color.org>).
    pub no_color: Option<OsString>,
}

impl Environment {
    /// Reads this process's environment. The only place of the crate that does.
    #[must_use]
    pub fn read() -> Self {
        Self {
            xdg_config_home: env::var_os("XDG_CONFIG_HOME"),
            xdg_runtime_dir: env::var_os("XDG_RUNTIME_DIR"),
            xdg_state_home: env::var_os("XDG_STATE_HOME"),
            dbus_session_bus_address: env::var_os("DBUS_SESSION_BUS_ADDRESS"),
            dbus_starter_address: env::var_os("DBUS_STARTER_ADDRESS"),
            home: env::var_os("HOME"),
            kith_socket: env::var_os("KITH_SOCKET"),
            kith_log: env::var_os("KITH_LOG"),
            kith_store: env::var_os("KITH_STORE"),
            journal_stream: env::var_os("JOURNAL_STREAM"),
            notify_socket: env::var_os("NOTIFY_SOCKET"),
            watchdog_usec: env::var_os("WATCHDOG_USEC"),
            watchdog_pid: env::var_os("WATCHDOG_PID"),
            no_color: env::var_os("NO_COLOR"),
        }
    }

    /// The configuration file that is read where none is named, whether or not it exists.
    #[must_use]
    pub fn configuration_file(&self) -> Option<PathBuf> {
        self.directory(self.xdg_config_home.as_ref(), ".config").map(|at| at.join("config.toml"))
    }

    /// Where the daemon keeps what has to survive, unless told otherwise.
    pub(super) fn state_directory(&self) -> Option<PathBuf> {
        self.directory(self.xdg_state_home.as_ref(), ".local/state")
    }

    /// The socket's path, unless told otherwise.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        absolute(self.xdg_runtime_dir.as_ref()).map(|at| at.join("kith/bus.sock"))
    }

    /// The address of the session bus, if it is told.
    pub(crate) fn session_bus(&self) -> Option<String> {
        let address = set(self.dbus_session_bus_address.as_ref())?;
        // An address is ASCII; one that isn't even text can't be used, which is said later.
        Some(address.to_string_lossy().into_owned())
    }

    /// Whether the session bus at `address` has started this process, and not by systemd.
    pub(crate) fn is_started_by(&self, address: &str) -> bool {
        let starter = set(self.dbus_starter_address.as_ref());
        starter.is_some_and(|starter| starter == address)
            && set(self.notify_socket.as_ref()).is_none()
    }

    /// Where the session bus of a login is, whether or not it exists.
    pub(crate) fn usual_session_bus(&self) -> Option<PathBuf> {
        absolute(self.xdg_runtime_dir.as_ref()).map(|at| at.join("bus"))
    }

    /// Our directory below one of XDG's, or below what stands in for it in the home directory.
    fn directory(&self, xdg: Option<&OsString>, below_home: &str) -> Option<PathBuf> {
        let base = absolute(xdg).map(Path::to_owned);
        let base = base.or_else(|| absolute(self.home.as_ref()).map(|home| home.join(below_home)));
        base.map(|base| base.join("kith"))
    }
}

/// The value of a variable that is set to something.
pub(super) fn set(variable: Option<&OsString>) -> Option<&OsString> {
    variable.filter(|value| !value.is_empty())
}

fn absolute(variable: Option<&OsString>) -> Option<&Path> {
    variable.map(Path::new).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<OsString> {
        Some(text.into())
    }

    #[test]
    fn xdg_goes_before_home() {
        let mut environment = Environment { home: text("/home/a"), ..Environment::default() };
        let places = |environment: &Environment| {
            let file = environment.configuration_file().unwrap();
            let state = environment.state_directory().unwrap();
            (file.to_str().unwrap().to_owned(), state.to_str().unwrap().to_owned())
        };
        let file = "/home/a/.config/kith/config.toml".to_owned();
        assert_eq!(places(&environment), (file, "/home/a/.local/state/kith".to_owned()));

        environment.xdg_config_home = text("/c");
        environment.xdg_state_home = text("/s");
        assert_eq!(places(&environment), ("/c/kith/config.toml".into(), "/s/kith".into()));
    }

    #[test]
    fn empty_and_relative_directories_are_ignored() {
        for wrong in ["", "run", "./run", "~/run"] {
            let environment = Environment {
                xdg_config_home: text(wrong),
                xdg_runtime_dir: text(wrong),
                xdg_state_home: text(wrong),
                home: text(wrong),
                ..Environment::default()
            };
            assert_eq!(environment.configuration_file(), None, "{wrong:?}");
            assert_eq!(environment.state_directory(), None, "{wrong:?}");
            assert_eq!(environment.socket(), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_empty_variable_is_none() {
        assert_eq!(set(text("").as_ref()), None);
        assert_eq!(set(None), None);
        assert_eq!(set(text("x").as_ref()), text("x").as_ref());
    }
}
