//! The options of `kith consumers` and `kith store`: what waits on the disk, and for whom.

use super::StateArguments;
use clap::{Args, Subcommand};

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ConsumersArguments {
    #[command(subcommand)]
    pub(crate) command: Option<ConsumersCommand>,
    /// Print what the daemon answers as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConsumersCommand {
    /// Throw away what waits for a consumer; it stays, and gets what comes next
    Purge(PurgeArguments),
    /// Remove a consumer that nobody uses, with all that waits for it
    Remove(RemoveArguments),
}

#[derive(Args, Debug)]
pub(crate) struct PurgeArguments {
    #[command(flatten)]
    pub(crate) consumer: RemoveArguments,
    /// Throw away its dead letters instead
    #[arg(long)]
    pub(crate) dead: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    /// Which, as `kith consumers` lists it
    pub(crate) name: String,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print what the daemon answers as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StoreArguments {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Verify every record of the store, while no daemon runs on it
    Check(CheckArguments),
    /// Print every record of the store as one JSON object a line, while no daemon runs on it
    Export(ExportArguments),
}

#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// Remove what is damaged, and keep the file as it was beside the repaired one
    #[arg(long)]
    pub(crate) repair: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

pub(super) const CONSUMERS_NOTES: &str = "\
A consumer is the name of a durable subscription. It is made by subscribing (`kith sub --durable
NAME`), and stays until it is removed. DEPTH is what waits for it, IN FLIGHT what was delivered of
that and is not acknowledged yet, LAG the others; OLDEST is how long the first of them waits.

Examples:
  kith consumers
  kith consumers --json | jq '.consumers[] | select(.dead > 0) | .name'
  kith consumers purge mail --dead --yes";

pub(super) const STORE_NOTES: &str = "\
The daemon has its store for itself, so stop it first: systemctl --user stop kith.service
kith.socket, or end it where it was started.

Exit codes of `check`: 0 all is well (or is now), 1 something is damaged, 69 a daemon runs on it.";
