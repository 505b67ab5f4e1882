//! The options of `kith req` and `kith reply`: asking, and answering.

use super::{ExtraArguments, JobsArguments, PayloadArguments, UntilArguments, values};
use clap::Args;
use kith_wire::{Pattern, Topic};
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct RequestArguments {
    /// What to ask, such as clock.now
    #[arg(value_parser = values::topic)]
    pub(crate) topic: Topic<'static>,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
    /// Whom to ask: a friend's name, NAME/DEVICE, an identity did:key:…, or self/DEVICE
    #[arg(long, value_name = "WHOM", value_parser = values::destination)]
    pub(crate) to: Option<String>,
    /// Wait so long for the reply
    #[arg(long, value_name = "DURATION", value_parser = values::patience, default_value = "5s")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) extras: ExtraArguments,
    /// Print the whole reply as a JSON object
    #[arg(long, conflicts_with = "raw")]
    pub(crate) json: bool,
    /// Print the reply's payload as it is, on a terminal too
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("answer").args(["payload", "file", "exec"]).required(true))]
pub(crate) struct ReplyArguments {
    /// Which requests to answer, such as self.clock.now
    #[arg(value_parser = values::pattern)]
    pub(crate) pattern: Pattern<'static>,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
    /// Run this command with `sh -c` for each request, and reply with what it prints; it finds the
    /// request's payload on its standard input, the rest in KITH_TOPIC and so on
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,
    #[command(flatten)]
    pub(crate) jobs: JobsArguments,
    #[command(flatten)]
    pub(crate) until: UntilArguments,
    /// Share the requests with all other subscriptions of this group: each goes to one of them
    #[arg(long, value_name = "NAME", value_parser = values::group)]
    pub(crate) group: Option<String>,
}

pub(super) const REQUEST_EXAMPLES: &str = "\
Without PAYLOAD and --file the payload is null. On a terminal the reply's payload is shown so that
it can do no harm; otherwise, and with --raw, it is printed as it is.

Exit codes: 67 if nobody is called as `--to` says, 68 if nobody subscribes to TOPIC, 69 if no daemon
listens, 75 if no reply came in time.

Examples:
  kith req bus.stats
  kith req --timeout 30s shop.order '{\"cups\":2}'
  kith req --to bob clock.now";

pub(super) const REPLY_EXAMPLES: &str = "\
What a command prints has to be a JSON value; with --text it is sent as a JSON string, with
--protocol as bytes. A command that fails, or prints something else, leaves its request without
a reply, says so on standard error, and lets `kith reply` end with 1.

Examples:
  kith reply self.clock.now --text --exec date
  kith reply 'self.shop.>' --group shop --exec ./shop.py";
