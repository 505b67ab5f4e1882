//! The program around a service: the whole `main.rs` of one that runs as a process of its own.
//!
//! ```no_run
//! # use kith_plugins_api::{Bus, Manifest, Service, ServiceError, async_trait};
//! # #[derive(Default)]
//! # struct Weather;
//! # #[async_trait]
//! # impl Service for Weather {
//! #     fn manifest(&self) -> Manifest { Manifest::new("weather", "1.0.0") }
//! #     async fn run(self: Box<Self>, _: Bus) -> Result<(), ServiceError> { Ok(()) }
//! # }
//! fn main() -> std::process::ExitCode {
//!     kith_plugins_api::process::main::<Weather>()
//! }
//! ```
//!
//! The daemon starts it with everything in its environment, as it does any program. What it is to
//! do is decided in `plan.rs`, from the command line and the environment; here it is done.
//!
//! It logs to standard error, one line an event and without times, since the daemon adds them. It
//! takes no notice of signals: the bus says when to end, and a signal is for who doesn't.

mod plan;

use crate::error::on_one_line;
use crate::{Bus, Service, Start, run};
use kith_client::ConnectError;
use plan::{Environment, Plan, plan};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// It ended because the bus did, or there was nothing more to do.
pub const STOPPED: u8 = 0;
/// It failed; to start it again may help.
pub const FAILED: u8 = 1;
/// The command line is wrong, or it was not started by a daemon.
pub const USAGE: u8 = 64;
/// Only a person can mend this: it is not started again.
pub const FATAL: u8 = 78;

/// How long threads of a service that has ended may go on: they have no bus any more.
const LEFTOVERS: Duration = Duration::from_millis(crate::limits::LEFTOVERS_MS);

/// Runs a service as this process: says what it is if it is asked to, and else does what it does.
#[must_use]
pub fn main<S: Service + Default>() -> ExitCode {
    let service = S::default();
    let arguments: Vec<_> = std::env::args_os().collect();
    let variable = |name: &str| std::env::var_os(name);
    let environment = Environment {
        here: std::env::current_dir().unwrap_or_default(),
        token: variable("KITH_TOKEN"),
        service: variable("KITH_SERVICE"),
        data_dir: variable("KITH_DATA_DIR"),
        settings: variable("KITH_SETTINGS"),
    };
    match plan(&service.manifest(), &arguments, environment) {
        Plan::Say(text) => {
            // If nobody reads it, there is nobody to tell.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::from(STOPPED)
        }
        Plan::Refuse { code, text } => {
            let _ = io::stderr().write_all(text.as_bytes());
            ExitCode::from(code)
        }
        Plan::Run(start) => ExitCode::from(serve(Box::new(service), *start)),
    }
}

fn serve(service: Box<dyn Service>, start: Start) -> u8 {
    let lines = tracing_subscriber::fmt().without_time().with_target(false).with_ansi(false);
    // It fails only where the log goes somewhere already.
    let _ = lines.with_writer(io::stderr).with_max_level(tracing::Level::INFO).try_init();
    let start = Start { seed: RandomState::new().hash_one(std::process::id()), ..start };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return FAILED;
        }
    };
    let code = runtime.block_on(async {
        let bus = match connect(start).await {
            Ok(bus) => bus,
            Err(why) => {
                tracing::error!("{why}");
                return FAILED;
            }
        };
        match run(service, bus).await {
            Ok(()) => STOPPED,
            Err(error) if error.is_fatal() => {
                tracing::error!("{error}; to start it again would not help");
                FATAL
            }
            Err(error) => {
                tracing::error!("{error}");
                FAILED
            }
        }
    });
    runtime.shutdown_timeout(LEFTOVERS);
    code
}

async fn connect(start: Start) -> Result<Bus, String> {
    let socket: Result<PathBuf, ConnectError> = kith_client::socket_path();
    let socket = socket.map_err(|error| on_one_line(&error))?;
    Bus::connect_to(&socket, start).await.map_err(|error| on_one_line(&error))
}
