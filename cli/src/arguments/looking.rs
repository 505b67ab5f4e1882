//! The options of the commands that only look: `kith tap`, `status`, `top` and `bench`.

use super::{UntilArguments, values};
use crate::limits::{
    BENCH_PAYLOAD_BYTES_MAX, BENCH_PAYLOAD_BYTES_MIN, BENCH_SUBSCRIBERS_MAX, SNAPSHOTS_MAX,
};
use crate::top::state::FIRST_COLUMN;
use crate::top::table::Column;
use clap::Args;
use kith_wire::Pattern;
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct TapArguments {
    /// What to watch
    #[arg(value_name = "PATTERN", value_parser = values::pattern, default_value = "*/*.>")]
    pub(crate) patterns: Vec<Pattern<'static>>,
    /// Print one JSON object a line, with `received_at` and `bytes`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) until: UntilArguments,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArguments {
    /// Print what the daemon answers as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    /// Measure each thing for so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, default_value = "1")]
    pub(crate) secs: Duration,
    /// Payloads of so many bytes, quotation marks included
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_value = "128,4096,65536",
        value_parser = clap::value_parser!(u32).range(
            i64::from(BENCH_PAYLOAD_BYTES_MIN)..=i64::from(BENCH_PAYLOAD_BYTES_MAX)))]
    pub(crate) payload: Vec<u32>,
    /// Subscribers of the fan-out
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(BENCH_SUBSCRIBERS_MAX)))]
    pub(crate) fan: u16,
    /// The same as --secs 0.2 --payload 128
    #[arg(long, conflicts_with_all = ["secs", "payload"])]
    pub(crate) quick: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TopArguments {
    /// Look so often, from 100ms to 1h; + and - change it
    #[arg(long, value_name = "DURATION", value_parser = values::interval, default_value = "1s")]
    pub(crate) interval: Duration,
    /// Sort the clients by this column
    #[arg(long, value_name = "COLUMN", value_enum, default_value_t = FIRST_COLUMN)]
    pub(crate) sort: Column,
    /// Sort the other way round
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Show only clients with this in their name, their process or its number
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Print a snapshot as one JSON object, with rates over one interval, and end
    #[arg(long)]
    pub(crate) json: bool,
    /// Print so many snapshots, one a line
    #[arg(long, value_name = "N", default_value_t = 1, requires = "json",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(SNAPSHOTS_MAX)))]
    pub(crate) count: u32,
}

pub(super) const BENCH_EXAMPLES: &str = "\
It publishes below kith-bench., where nobody else listens, and through the client library: what it
measures is what your programs would get. One publisher sends to one subscriber and to N of them, no
faster than they read; the fan-out uses the first payload. A round trip is measured one at a time.

Every message has to arrive, once and in its turn, or to be reported as missed. If one is missing
without a word or comes twice, it ends with 1.

Examples:
  kith bench
  kith bench --quick
  kith bench --secs 5 --payload 16,1024,1048576 --fan 100 --json";

pub(super) const TOP_NOTES: &str = "\
Keys: ? shows all of them. q quits, / filters, < and > sort by another column, r the other way
round, space pauses, + and - change the interval, enter shows or hides the chosen client.

Rates leave out what `kith top` asks itself. If the daemon goes, what was seen last stays, and
`kith top` waits for it to come back.

Examples:
  kith top --sort queued
  kith top --json --interval 10s | jq '.rates, (.clients[] | select(.lagging) | .name)'";
