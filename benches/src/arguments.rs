//! The command line of `kith-bench-peers`, and the plan that it makes.

use crate::peers::{self, Programs};
use crate::placement::Placement;
use crate::suites::{self, Plan, Suite};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

/// Kith beside other local brokers, under one load.
#[derive(Parser)]
#[command(name = "kith-bench-peers", version)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Measure, with progress on standard error, and print aims and tables.
    Run(Box<RunArguments>),
    /// Print aims and tables of a run that was kept.
    Report {
        /// What `run --out` wrote.
        file: PathBuf,
    },
    /// Draw a run that was kept.
    Plot {
        /// What `run --out` wrote.
        file: PathBuf,
        /// The SVG file to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Print the names of the peers.
    List,
}

#[derive(Args)]
pub(crate) struct RunArguments {
    /// What the aims speak of alone, shorter and less often: about 8 minutes.
    #[arg(long)]
    quick: bool,
    /// Peers to measure; all but those over TCP if left out.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Suites to run; all if left out.
    #[arg(long, value_delimiter = ',', value_enum)]
    suites: Vec<Suite>,
    /// Payload sizes of `thr`, in bytes.
    #[arg(long, value_delimiter = ',', default_values_t = suites::PAYLOADS_BYTES)]
    payloads: Vec<usize>,
    /// Payload sizes of `fan`, in bytes.
    #[arg(long, value_delimiter = ',', default_values_t = suites::FAN_PAYLOADS_BYTES)]
    fan_payloads: Vec<usize>,
    /// Numbers of subscribers of `fan`; 10 and 100 if left out.
    #[arg(long, value_delimiter = ',')]
    fans: Vec<usize>,
    /// Numbers of held subscriptions of `subs`; 1, 1k, 100k and 1M if left out.
    #[arg(long, value_delimiter = ',')]
    held: Vec<u64>,
    /// Where brokers and clients of `lat` and `desktop` run; all three if left out.
    #[arg(long, value_delimiter = ',', value_enum)]
    placements: Vec<Placement>,
    /// How often everything is measured; 5 if left out, 3 when quick.
    #[arg(long)]
    reps: Option<usize>,
    /// How long a load run sends; 0.7 if left out, 0.4 when quick.
    #[arg(long)]
    secs: Option<f64>,
    /// Runs during which others used more cores than this are left out.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) foreign: f64,
    /// File for everything measured, as one JSON document, for `report` and `plot`.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// SVG file to draw.
    #[arg(long)]
    pub(crate) plot: Option<PathBuf>,
    /// File to which each single run is appended as a JSON line, as it happens.
    #[arg(long)]
    pub(crate) runs: Option<PathBuf>,
    /// Directory for sockets and logs, kept afterwards; a temporary one if left out.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Directory for what `store` stores, on a disk; that for sockets if left out.
    #[arg(long)]
    store_dir: Option<PathBuf>,
    /// The nats-server that stores: 2.10 or newer.
    #[arg(long, default_value = "nats-server")]
    nats_stored: PathBuf,
    /// The daemon; `kith-busd` beside this program if left out.
    #[arg(long)]
    kith: Option<PathBuf>,
    /// Zenoh's router.
    #[arg(long, default_value = "zenohd")]
    zenohd: PathBuf,
    /// The client for it, built in `benches/zenoh`.
    #[arg(long, default_value = "benches/zenoh/target/release/kith-bench-zenoh")]
    zenoh_client: PathBuf,
}

impl RunArguments {
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// `temporary`: where sockets go unless something else was said.
    pub(crate) fn plan(&self, temporary: &Path) -> anyhow::Result<Plan> {
        let quick = self.quick;
        let kith = self.kith.clone().map_or_else(|| crate::beside_us("kith-busd"), Ok)?;
        let programs = Programs {
            kith,
            nats_stored: self.nats_stored.clone(),
            zenoh_router: self.zenohd.clone(),
            zenoh_client: self.zenoh_client.clone(),
        };
        let directory = self.dir.clone().unwrap_or_else(|| temporary.to_path_buf());
        let plan = Plan {
            peers: peers::named(&self.peers, &programs)?,
            aims_only: quick && self.peers.is_empty(),
            suites: or(&self.suites, Suite::value_variants(), quick, &Suite::OF_AIMS),
            payloads_bytes: self.payloads.clone(),
            fan_payloads_bytes: self.fan_payloads.clone(),
            fans: or(&self.fans, &suites::FANS, quick, &[100]),
            held: or(&self.held, &suites::HELD, quick, &[1, 1_000_000]),
            placements: or(&self.placements, &Placement::ALL, quick, &[Placement::OneCore]),
            repetitions: self.reps.unwrap_or(if quick { 3 } else { 5 }),
            seconds: self.secs.unwrap_or(if quick { 0.4 } else { 0.7 }),
            store_directory: self.store_dir.clone().unwrap_or_else(|| directory.clone()),
            directory,
        };
        plan.check()?;
        Ok(plan)
    }
}

/// What was asked for, or else what is usual.
fn or<T: Clone>(asked: &[T], usual: &[T], quick: bool, usual_when_quick: &[T]) -> Vec<T> {
    match asked {
        [] if quick => usual_when_quick.to_vec(),
        [] => usual.to_vec(),
        asked => asked.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_MINUTES: f64 = 30.0;
    const QUICK_MINUTES: f64 = 8.0;

    fn plan(words: &[&str]) -> anyhow::Result<Plan> {
        let words = ["kith-bench-peers", "run"].iter().chain(words);
        match CommandLine::try_parse_from(words)?.command {
            Verb::Run(arguments) => arguments.plan(Path::new("/nowhere")),
            _ => anyhow::bail!("another verb"),
        }
    }

    #[test]
    fn quick_changes_what_is_usual_and_nothing_that_was_asked_for() {
        let (full, quick) = (plan(&[]).unwrap(), plan(&["--quick"]).unwrap());
        assert_eq!((full.repetitions, quick.repetitions), (5, 3));
        assert_eq!((full.held.len(), quick.held.len()), (4, 2));
        assert!(quick.aims_only && !full.aims_only);
        let asked = plan(&["--quick", "--reps", "9", "--held", "5", "--peers", "kith"]).unwrap();
        assert_eq!((asked.repetitions, asked.held.as_slice()), (9, &[5][..]));
        assert!(!asked.aims_only);
    }

    #[test]
    fn the_durations_that_documents_name_are_those_of_the_plan() {
        let minutes = |words: &[&str]| {
            let mut progress = crate::results::Progress::default();
            plan(words).unwrap().announce(&mut progress);
            progress.left().as_secs_f64() / 60.0
        };
        let is_about = |minutes: f64, named: f64| (0.8..1.2).contains(&(minutes / named));
        let (full, quick) = (minutes(&[]), minutes(&["--quick"]));
        assert!(is_about(full, FULL_MINUTES), "{full}");
        assert!(is_about(quick, QUICK_MINUTES), "{quick}");
        let wording =
            format!("about {FULL_MINUTES} minutes, or about {QUICK_MINUTES} with `--quick`");
        for text in [include_str!("../README.md"), include_str!("../../docs/performance.md")] {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(&wording), "{wording}");
        }
        let own = include_str!("arguments.rs");
        assert!(own.contains(&format!("less often: about {QUICK_MINUTES} minutes.")));
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(plan(&["--secs", "0"]).is_err());
        assert!(plan(&["--payloads", "1"]).is_err());
        assert!(plan(&["--peers", "nobody"]).is_err());
    }
}
