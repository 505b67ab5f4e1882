//! The configuration: where it comes from, in which order, and what comes out of it.
//!
//! Command line goes before environment, environment before file, file before default. Each source
//! is read once and whole; what comes out is a plain value.
//! Apart from the one read of the file everything here is a function of its arguments.
//!
//! A file that is named has to be there; the one at the usual place may be absent, since every key
//! has a default. Whatever is wrong is said with its place, and then nothing starts: a daemon that
//! runs with half of a configuration is harder to understand than one that does not run.
//!
//! Reading it again while the daemon runs is the same reading; what becomes of it is in
//! `reload.rs`.

mod address;
mod environment;
mod fault;
mod level;
mod quantity;
mod services;
mod settings;
mod similar;
mod store;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kith_core::Limits;

use crate::arguments::Arguments;
use crate::exit_code;
use crate::limits::CONFIGURATION_BYTES_MAX;
pub use address::AddressError;
pub use environment::Environment;
pub use fault::{Fault, Hint, PathError, Problem};
pub use level::LogLevel;
pub use quantity::QuantityError;
pub use services::{Configured, Services};
pub use settings::{Dbus, Metrics, Settings};
pub use store::StoreKind;

/// Every key with its meaning, range and default; itself a configuration file that changes nothing.
pub const DEFAULT: &str = include_str!("default.toml");

/// What the daemon runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Where the socket is, unless systemd passes one.
    pub socket: PathBuf,
    /// The directory for what has to survive.
    pub state: PathBuf,
    /// Where durable messages and kept values are.
    pub store: StoreKind,
    /// How much is logged.
    pub log_level: LogLevel,
    /// What the broker allows.
    pub limits: Limits,
    /// Where its counters are served, if they are.
    pub metrics: Metrics,
    /// Whether and where it is on a session bus.
    pub dbus: Dbus,
    /// The services that it says something of.
    pub services: Services,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
}

/// Why there is no configuration to run with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// The file is there, or was named, and can't be read.
    #[error("can't read the configuration file {}: {source}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// More than any configuration.
    #[error(
        "{} has more than {CONFIGURATION_BYTES_MAX} bytes: is it a configuration file?",
        file.display()
    )]
    Length {
        /// Which file.
        file: PathBuf,
    },
    /// The file says something wrong.
    #[error("{}", fault::Report { file, problems })]
    Invalid {
        /// Which file.
        file: PathBuf,
        /// What and where, in the order of the file.
        problems: Vec<Problem>,
    },
    /// `KITH_LOG` is no level.
    #[error("KITH_LOG is {value:?}, but has to be {}", LogLevel::NAMES)]
    Level {
        /// What it is.
        value: String,
    },
    /// `KITH_STORE` is no store.
    #[error("KITH_STORE is {value:?}, but has to be {}", StoreKind::NAMES)]
    Store {
        /// What it is.
        value: String,
    },
    /// The socket's path, from elsewhere than the file, can't be used.
    #[error("the socket {}: {source} (--socket PATH or KITH_SOCKET)", path.display())]
    Socket {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: PathError,
    },
    /// Nothing says where the socket should be.
    #[error(
        "no place for the socket: XDG_RUNTIME_DIR is not set to an absolute path, as it is after a \
         login; set it, or give --socket PATH or KITH_SOCKET"
    )]
    NoRuntimeDirectory,
    /// Nothing says where to keep what has to survive.
    #[error(
        "no place for the state: neither XDG_STATE_HOME nor HOME is set to an absolute path; set \
         one of them, or give --state DIR"
    )]
    NoStateDirectory,
}

impl ConfigurationError {
    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        exit_code::CONFIGURATION
    }
}

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// This file is right.
    File(PathBuf),
    /// There is no file at the usual place, and none was named.
    Absent(Option<PathBuf>),
}

impl Configuration {
    /// Reads the file and puts everything together.
    ///
    /// # Errors
    /// Says what is wrong, where, and what to do.
    pub fn load(
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<Self, ConfigurationError> {
        let (file, settings) = match read(arguments, environment)? {
            Found::File(file, settings) => (Some(file), *settings),
            Found::Absent(_) => (None, Settings::default()),
        };
        Self::resolve(arguments, environment, settings, file)
    }

    /// Reads the file for where the state is and what the store is, alone: whoever looks at what a
    /// daemon has left needs no place for a socket.
    ///
    /// # Errors
    /// Says what is wrong, where, and what to do.
    pub fn load_store(
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<(PathBuf, StoreKind), ConfigurationError> {
        let settings = match read(arguments, environment)? {
            Found::File(_, settings) => *settings,
            Found::Absent(_) => Settings::default(),
        };
        let store = store(environment)?.unwrap_or(settings.store);
        Ok((state(arguments, environment, settings.state)?, store))
    }

    /// Puts everything together.
    fn resolve(
        arguments: &Arguments,
        environment: &Environment,
        settings: Settings,
        file: Option<PathBuf>,
    ) -> Result<Self, ConfigurationError> {
        let Settings { socket, store, state, log_level, limits, metrics, dbus, services } =
            settings;
        let variable = environment::set(environment.kith_socket.as_ref()).map(PathBuf::from);
        let socket = arguments.socket.clone().or(variable).or(socket);
        let socket = socket.or_else(|| environment.socket());
        let socket = socket.ok_or(ConfigurationError::NoRuntimeDirectory)?;
        if let Err(source) = settings::check_socket_path(&socket) {
            return Err(ConfigurationError::Socket { path: socket, source });
        }
        let state = self::state(arguments, environment, state)?;
        let log_level = match arguments.log {
            Some(level) => level,
            None => level(environment)?.unwrap_or(log_level),
        };
        let store = self::store(environment)?.unwrap_or(store);
        Ok(Self { socket, state, store, log_level, limits, metrics, dbus, services, file })
    }
}

/// Reads the file alone, for `--check-config`: whether there is a place for the socket depends on
/// who starts the daemon, not on who checks its file.
///
/// # Errors
/// Those of the file.
pub fn check(
    arguments: &Arguments,
    environment: &Environment,
) -> Result<Checked, ConfigurationError> {
    Ok(match read(arguments, environment)? {
        Found::File(file, _) => Checked::File(file),
        Found::Absent(usual) => Checked::Absent(usual),
    })
}

/// The directory for what has to survive.
fn state(
    arguments: &Arguments,
    environment: &Environment,
    configured: Option<PathBuf>,
) -> Result<PathBuf, ConfigurationError> {
    let state = arguments.state.clone().or(configured).or_else(|| environment.state_directory());
    state.ok_or(ConfigurationError::NoStateDirectory)
}

/// The level that the environment asks for.
fn level(environment: &Environment) -> Result<Option<LogLevel>, ConfigurationError> {
    let Some(value) = environment::set(environment.kith_log.as_ref()) else { return Ok(None) };
    let level = value.to_str().and_then(LogLevel::from_name);
    let value = || value.to_string_lossy().into_owned();
    level.map(Some).ok_or_else(|| ConfigurationError::Level { value: value() })
}

/// The store that the environment asks for.
fn store(environment: &Environment) -> Result<Option<StoreKind>, ConfigurationError> {
    let Some(value) = environment::set(environment.kith_store.as_ref()) else { return Ok(None) };
    let kind = value.to_str().and_then(StoreKind::from_name);
    let value = || value.to_string_lossy().into_owned();
    kind.map(Some).ok_or_else(|| ConfigurationError::Store { value: value() })
}

/// What became of looking for the file.
enum Found {
    /// The file and what it says.
    File(PathBuf, Box<Settings>),
    /// None was named, and there is none at the usual place, if there is such a place.
    Absent(Option<PathBuf>),
}

fn read(arguments: &Arguments, environment: &Environment) -> Result<Found, ConfigurationError> {
    let usual = || environment.configuration_file();
    let Some(file) = arguments.config.clone().or_else(usual) else {
        return Ok(Found::Absent(None));
    };
    let bytes = match read_bytes(&file) {
        Ok(bytes) => bytes,
        Err(source) if source.kind() == io::ErrorKind::NotFound && arguments.config.is_none() => {
            return Ok(Found::Absent(Some(file)));
        }
        Err(source) => return Err(ConfigurationError::Read { file, source }),
    };
    if bytes.len() as u64 > CONFIGURATION_BYTES_MAX {
        return Err(ConfigurationError::Length { file });
    }
    match parse(&bytes) {
        Ok(settings) => Ok(Found::File(file, Box::new(settings))),
        Err(problems) => Err(ConfigurationError::Invalid { file, problems }),
    }
}

fn parse(bytes: &[u8]) -> Result<Settings, Vec<Problem>> {
    match str::from_utf8(bytes) {
        Ok(text) => Settings::parse(text),
        Err(error) => {
            // What comes before is kept as it is, so that the place is right.
            let text = String::from_utf8_lossy(bytes);
            let at = error.valid_up_to();
            Err(vec![Problem::new(&text, &(at..at), Fault::Utf8)])
        }
    }
}

/// The bytes of the file; more than [`CONFIGURATION_BYTES_MAX`] only to show that they are.
fn read_bytes(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(CONFIGURATION_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
