//! `kith-bench-peers`: Kith beside other local brokers, under one load.
//!
//! A number for a broker says little alone: it depends on the machine, the client and the window.
//! So every broker here is driven by the same raw clients in the same minute, in turns, and next to
//! relays that do almost nothing (the limit of the machine). Only the codec differs, about 100
//! lines a protocol. Kith's codec is written from the protocol document and shares no code with
//! the daemon, so that a mistake in one is not hidden by the same mistake in the other.
//!
//! Deliberately absent: Kith's own client library and those of the others (their cost would be
//! mixed with the broker's; zenoh alone is driven by its library, in a program built apart), and
//! statistics beyond median and range.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measuring tool fed by our own brokers and figures: a bound checked twice would be \
              measured, and a panic ends one measurement, not somebody's bus"
)]

mod arguments;
mod client_program;
mod deliveries;
mod disk;
mod interrupt;
mod limit;
mod load;
mod machine;
mod peer;
mod peers;
mod placement;
mod plot;
mod process;
mod raw;
mod report;
mod results;
mod socket;
mod suites;

use anyhow::Context;
use arguments::{CommandLine, RunArguments, Verb};
use clap::Parser;
use results::{Cells, Document, Settings};
use std::path::{Path, PathBuf};
use std::time::Instant;
use suites::Plan;

fn main() -> anyhow::Result<()> {
    match CommandLine::parse().command {
        Verb::Run(arguments) => run(&arguments),
        Verb::Report { file } => {
            print!("{}", report::render(&Document::read(&file)?)?);
            Ok(())
        }
        Verb::Plot { file, out } => draw(&Document::read(&file)?, &out),
        Verb::List => {
            for peer in peers::all(&peers::Programs::default()) {
                println!("{}", peer.name());
            }
            Ok(())
        }
    }
}

/// Measures. What was measured is kept and shown even if something ended it early.
fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    interrupt::watch()?;
    let began = Instant::now();
    let temporary = tempfile::Builder::new().prefix("kith-bench-").tempdir()?;
    let mut plan = arguments.plan(temporary.path())?;
    let mut peers = std::mem::take(&mut plan.peers);
    peers.retain(|peer| plan.uses(peer.name()));
    let versions: Vec<_> = peers.iter().map(|peer| peers::version(&**peer)).collect();
    let mut is_there = versions.iter().map(|version| version.missing.is_none());
    peers.retain(|_| is_there.next().unwrap_or(false));
    plan.peers = peers;
    for peer in &versions {
        if let Some(why) = &peer.missing {
            eprintln!("{} is left out: {why}", peer.name);
        }
    }
    let mut log = results::Log::open(arguments.runs.as_deref(), arguments.foreign)?;
    let outcome = suites::run(&plan, &mut log);
    let document = Document {
        kith: env!("CARGO_PKG_VERSION").to_string(),
        date: date()?,
        machine: machine::Description::read(),
        settings: settings(arguments, &plan, began),
        peers: versions,
        cells: Cells::of(log.rows(), arguments.foreign),
    };
    if let Some(path) = &arguments.out {
        document.write(path)?;
    }
    print!("{}", report::render(&document)?);
    if let Some(path) = &arguments.plot {
        draw(&document, path)?;
    }
    outcome
}

fn settings(arguments: &RunArguments, plan: &Plan, began: Instant) -> Settings {
    Settings {
        quick: arguments.is_quick(),
        repetitions: plan.repetitions,
        seconds: plan.seconds,
        took_seconds: began.elapsed().as_secs(),
        foreign_cores_max: arguments.foreign,
    }
}

/// Now, by the machine's clock, in UTC.
fn date() -> anyhow::Result<String> {
    let now = jiff::Timestamp::now().round(jiff::Unit::Second)?;
    Ok(now.to_string())
}

fn draw(document: &Document, path: &Path) -> anyhow::Result<()> {
    std::fs::write(path, plot::render(document)?)
        .with_context(|| format!("can't write {}", path.display()))
}

/// Path of another program that the same build put beside this one.
pub(crate) fn beside_us(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("where this program lies")?;
    Ok(own.with_file_name(name))
}
