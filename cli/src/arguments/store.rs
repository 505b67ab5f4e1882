//! The options of `kith consumers`: what waits on the disk, and for whom.

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

pub(super) const CONSUMERS_NOTES: &str = "\
A consumer is the name of a durable subscription. It is made by subscribing (`kith sub --durable
NAME`), and stays until it is removed. DEPTH is what waits for it, IN FLIGHT what was delivered of
that and is not acknowledged yet, LAG the others; OLDEST is how long the first of them waits.

Examples:
  kith consumers
  kith consumers --json | jq '.consumers[] | select(.dead > 0) | .name'
  kith consumers purge mail --dead --yes";
