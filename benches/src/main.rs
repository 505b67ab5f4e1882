//! `kith-bench-peers`: Kith beside other local brokers, under one load.
//!
//! A number for a broker says little alone: it depends on the machine, the client and the window.
//! So every broker here is driven by the same raw clients in the same minute, in turns, and next to
//! relays that do almost nothing (the limit of the machine). Only the codec differs, about 100
//! lines a protocol. Kith's codec is written from the protocol document and shares no code with
//! the daemon, so that a mistake in one is not hidden by the same mistake in the other.
//!
//! Deliberately absent: Kith's own client library and those of the others (their cost would be
//! mixed with the broker's), statistics beyond median and range, and zenoh, whose wire protocol
//! cannot be spoken in a hundred lines and whose library would outweigh this workspace.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measuring tool fed by our own brokers and figures: a bound checked twice would be \
              measured, and a panic ends one measurement, not somebody's bus"
)]

mod deliveries;
mod interrupt;
mod limit;
mod load;
mod machine;
mod peer;
mod peers;
mod process;
mod raw;
mod report;
mod results;
mod socket;
mod suites;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use suites::{Plan, Suite};

/// Kith beside other local brokers, under one load.
#[derive(Parser)]
#[command(name = "kith-bench-peers", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure, with one JSON line a run on standard error, and print the tables.
    Run(RunArguments),
    /// Print Markdown tables from files of JSON lines: median, and half the range.
    Report {
        /// What `run --out` wrote.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the names of the peers.
    List,
}

#[derive(Args)]
struct RunArguments {
    /// Peers to measure; all if left out.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Suites to run.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Suite::ALL)]
    suites: Vec<Suite>,
    /// Payload sizes of `thr` and `fan`, in bytes.
    #[arg(long, value_delimiter = ',', default_values_t = suites::PAYLOADS_BYTES)]
    payloads: Vec<usize>,
    /// Numbers of subscribers of `fan`.
    #[arg(long, value_delimiter = ',', default_values_t = suites::FANS)]
    fans: Vec<usize>,
    /// Numbers of held subscriptions of `subs`.
    #[arg(long, value_delimiter = ',', default_values_t = suites::HELD)]
    held: Vec<u64>,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    reps: usize,
    /// How long a load run sends.
    #[arg(long, default_value_t = 1.0)]
    secs: f64,
    /// File to which the JSON lines are appended, for `report`.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Directory for sockets and logs, kept afterwards; a temporary one if left out.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The daemon; `kith-busd` beside this program if left out.
    #[arg(long)]
    kith: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    match CommandLine::parse().command {
        Verb::Run(arguments) => run(arguments),
        Verb::Report { files } => {
            print!("{}", report::render(&results::read(&files)?)?);
            Ok(())
        }
        Verb::List => {
            for peer in peers::all(&PathBuf::new()) {
                println!("{}", peer.name());
            }
            Ok(())
        }
    }
}

fn run(arguments: RunArguments) -> anyhow::Result<()> {
    interrupt::watch()?;
    let kith = match arguments.kith {
        Some(path) => path,
        None => beside_us("kith-busd")?,
    };
    let temporary = tempfile::Builder::new().prefix("kith-bench-").tempdir()?;
    let plan = Plan {
        peers: peers::named(&arguments.peers, &kith)?,
        suites: arguments.suites,
        payloads_bytes: arguments.payloads,
        fans: arguments.fans,
        held: arguments.held,
        repetitions: arguments.reps,
        seconds: arguments.secs,
        directory: arguments.dir.unwrap_or_else(|| temporary.path().to_path_buf()),
    };
    plan.check()?;
    let mut log = results::Log::open(arguments.out.as_deref())?;
    let outcome = suites::run(&plan, &mut log);
    print!("{}", report::render(log.rows())?);
    outcome
}

/// Path of another program that the same build put beside this one.
pub(crate) fn beside_us(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("where this program lies")?;
    Ok(own.with_file_name(name))
}
