//! The Kith daemon: the process around `kith-core`.
//!
//! It has the socket, the configuration, the clock and the one thread on which the broker lives;
//! what it should do with the bytes it reads is decided in `kith-core`, without it.
//!
//! - `arguments`, `configuration`, `exit_code`: what the daemon is told, and how it ends;
//! - `state`, `directory`, `lock_file`, `listen`: what it needs before anything can happen;
//! - `daemon`: the order of it all, from start to stop;
//! - `embedded`: the same inside another program, for that program's tests;
//! - `hub`: the broker and its connections; `door`: the connections; `fairness`: whose turn it is;
//! - `dbus`: the door on the session bus;
//! - `keeper`: the store beside the broker; `store`: the same while no daemon runs on it;
//! - `post`: people, devices and what goes to others, on a thread beside the broker's;
//! - `metrics`: the counters, for monitoring systems;
//! - `services`: the host of services; `grants`, `peer`, `key`: who may do what; `saved`: what of
//!   that is kept;
//! - `notify`: telling systemd how the daemon is; `reload`: reading the configuration again;
//! - `clock`, `log`, `limits`; `fuzzing` lets `fuzz/` at what takes text from outside.
//!
//! `kith-busd` and `kith daemon` are both [`run`].

pub mod arguments;
pub mod configuration;
pub mod exit_code;

mod clock;
mod daemon;
mod dbus;
mod directory;
mod door;
mod embedded;
mod fairness;
#[doc(hidden)]
pub mod fuzzing;
mod grants;
mod hub;
mod keeper;
pub mod key;
mod limits;
mod listen;
mod lock_file;
mod log;
mod metrics;
mod notify;
mod peer;
mod post;
mod reload;
mod saved;
mod services;
mod state;
pub mod store;

pub use clock::Offset;
pub use daemon::run;
pub use embedded::{Builder, EmbedError, Embedded};
