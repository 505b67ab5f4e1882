//! The options of `kith services` and `kith grants`: what runs beside the bus, and who may what.

use super::values;
use clap::{Args, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ServicesArguments {
    #[command(subcommand)]
    pub(crate) command: Option<ServicesCommand>,
    /// Print one JSON object for each service
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServicesCommand {
    /// Show all services, or everything about one
    List(ServicesListArguments),
    /// Grant a service what its manifest asks for, and start it
    #[command(after_help = ENABLE_NOTES)]
    Enable(EnableArguments),
    /// Stop a service, and start it no more
    Disable(ServiceArguments),
    /// Stop a service and start it again, also one that has failed
    Restart(ServiceArguments),
    /// Print what a service has said
    Logs(LogsArguments),
    /// Try a program as a service, with everything that a bus can do to it
    #[command(after_help = TEST_NOTES)]
    Test(TestArguments),
}

#[derive(Args, Debug)]
pub(crate) struct ServicesListArguments {
    /// Which; all of them if none is named
    pub(crate) name: Option<String>,
    /// Print one JSON object for each service
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ServiceArguments {
    /// Which, as `kith services` lists it
    pub(crate) name: String,
    /// Print how it is then, as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Args, Debug)]
pub(crate) struct EnableArguments {
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
    /// Grant what it asks for without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LogsArguments {
    /// Which, as `kith services` lists it
    pub(crate) name: String,
    /// Print so many of its last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) lines: u32,
    /// Go on printing what it says
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TestArguments {
    /// Its manifest [default: the file beside the program, with .toml at its end]
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Its settings, a JSON object, as [services.NAME.settings] gives them
    #[arg(long, value_name = "JSON", value_parser = values::object, default_value = "{}")]
    pub(crate) settings: String,
    /// Play only this scenario; can be given several times
    #[arg(long, value_name = "SCENARIO")]
    pub(crate) only: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// The program and its arguments
    #[arg(
        required = true,
        value_name = "PROGRAM",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<OsString>,
}

/// Where the daemon keeps what has to survive, the administration key among it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StateArguments {
    /// The daemon's state directory, where its key and its store are
    /// [default: what its configuration says, or $XDG_STATE_HOME/kith]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The daemon's configuration file, if it was started with another than the usual one
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GrantsArguments {
    #[command(subcommand)]
    pub(crate) command: Option<GrantsCommand>,
    /// Print one JSON object for each grant
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GrantsCommand {
    /// Grant a program a right, for an hour unless told otherwise
    #[command(after_help = GRANT_EXAMPLES)]
    Add(GrantArguments),
    /// Take back a right of a program, or all of them
    Revoke(RevokeArguments),
}

#[derive(Args, Debug)]
pub(crate) struct GrantArguments {
    /// Whom: flatpak:APP_ID, snap:NAME, exe:/PATH, or `sandbox` for sandboxes without a name
    pub(crate) subject: String,
    /// What
    #[arg(value_enum)]
    pub(crate) right: Right,
    /// For so long
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration,
        default_value = "1h")]
    pub(crate) lasts: Duration,
    /// Until it is revoked
    #[arg(long, conflicts_with = "lasts")]
    pub(crate) until_revoked: bool,
    /// Print the grant as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Args, Debug)]
pub(crate) struct RevokeArguments {
    /// Whom, as `kith grants` lists it
    pub(crate) subject: String,
    /// What; everything if it is left out
    #[arg(value_enum)]
    pub(crate) right: Option<Right>,
    /// Print one JSON object for each grant that was taken back
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

/// What can be granted to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Right {
    /// Subscribe to reserved topics and ask for the daemon's lists, although it is sandboxed
    Reserved,
    /// Enable and stop services, read what they say, and grant rights
    Administer,
}

impl Right {
    /// As the daemon calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Administer => "administer",
        }
    }
}

pub(super) const SERVICES_NOTES: &str = "\
A service is a program that the daemon starts, watches over and stops. On the bus it may do what its
manifest asks for and nothing more. Some are built into the daemon; others are programs in any
language, which the daemon's configuration names in [services.NAME].

IN/s and OUT/s are messages a second to and from the service; REFUSED counts what it was not
allowed, LOST what it did not read in time.

Exit codes: 1 if a service does not run afterwards as it should, 66 if the administration key can't
be read, 75 if it takes longer than 15 s.

Examples:
  kith services
  kith services list weather
  kith services enable weather
  kith services logs -f weather
  kith services test ./weather.py --city Oslo";

const ENABLE_NOTES: &str = "\
On a terminal it shows what the service asks for, and asks whether that is granted. Otherwise it
needs --yes. If the manifest changes later, the service is refused until it is enabled again.";

const TEST_NOTES: &str = "\
The program gets a bus of its own, in a directory that is gone afterwards; no daemon has to run, and
none notices. On that bus everything happens that can happen to a service: the bus stops, goes away
without a word, refuses, says too much, says nonsense, and has its clock changed.

As under the daemon it runs in a directory of its own, so name files with their whole paths.

Exit codes: 0 if it does all that a service should, 1 if not, 2 if it could not be tried.

Examples:
  kith services test ./weather.py --city Oslo
  kith services test --only stop --only lag --json target/debug/weather";

pub(super) const GRANTS_NOTES: &str = "\
Your programs need no grant to use the bus: to publish and subscribe to what is not reserved, and to
look at everything. One is needed for two things. A sandboxed program may not subscribe to reserved
topics nor ask for the daemon's lists, unless it has `reserved`. And services and grants are changed
by whoever can read the administration key in the daemon's state directory, as `kith` can if you run
it; any other program needs `administer`.

The daemon tells a sandboxed program by what the kernel says of its process: the control group of a
Flatpak (flatpak:org.example.App) or a snap (snap:example), or file systems of its own, which gives
it no name (sandbox). A program that is not sandboxed is told by its file (exe:/usr/bin/example).

Examples:
  kith grants
  kith grants add flatpak:org.example.App reserved
  kith grants revoke flatpak:org.example.App";

const GRANT_EXAMPLES: &str = "\
Examples:
  kith grants add flatpak:org.example.App reserved --for 8h
  kith grants add exe:/usr/bin/dashboard administer --until-revoked";
