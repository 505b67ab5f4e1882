//! The command line: what `kith` understands, and how it explains itself.
//!
//! Options and their help stand here once; completions and manual pages are made of the same.
//! Whatever can be wrong with a word is found while it is read (`values`), so that a mistyped
//! topic needs no daemon to be told. The daemon's own options are the daemon's
//! (`kith_busd::arguments`).

mod asking;
mod install;
mod looking;
mod people;
mod publish;
mod services;
mod store;
pub(crate) mod values;

pub(crate) use asking::{ReplyArguments, RequestArguments};
pub(crate) use install::{InstallArguments, Places, UninstallArguments};
pub(crate) use looking::{BenchArguments, StatusArguments, TapArguments, TopArguments};
pub(crate) use people::{
    AnswerArguments, DeviceAddArguments, DeviceRemoveArguments, DevicesArguments, DevicesCommand,
    FriendAddArguments, FriendArguments, FriendRenameArguments, FriendsArguments, FriendsCommand,
    IdArguments, InitArguments, InviteArguments, JoinArguments, KeyArguments, RecoveryArguments,
};
pub(crate) use publish::{PublishArguments, StateChoice};
pub(crate) use services::{
    EnableArguments, GrantArguments, GrantsArguments, GrantsCommand, LogsArguments,
    RevokeArguments, ServiceArguments, ServicesArguments, ServicesCommand, StateArguments,
    TestArguments,
};
pub(crate) use store::{
    CheckArguments, ConsumersArguments, ConsumersCommand, ExportArguments, PurgeArguments,
    RemoveArguments, StoreArguments, StoreCommand,
};

use crate::exit_code;
use crate::limits::JOBS_MAX;
use clap::{Args, Parser, Subcommand, ValueEnum};
use kith_wire::{Pattern, Priority, Protocol, Since};
use std::path::PathBuf;
use std::time::Duration;

/// One bus for you, your devices and your friends
#[derive(Debug, Parser)]
#[command(name = "kith", version, after_help = exit_code::help(), max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Everywhere {
    /// Use the bus at this path [default: $KITH_SOCKET, or $XDG_RUNTIME_DIR/kith/bus.sock]
    #[arg(long, global = true, value_name = "PATH", help_heading = EVERYWHERE)]
    pub(crate) socket: Option<PathBuf>,
    /// Colour the output; `auto` does on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value = "auto",
        help_heading = EVERYWHERE)]
    pub(crate) color: ColorChoice,
}

const EVERYWHERE: &str = "Options of every command";

/// When there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish a message
    #[command(after_help = publish::PUBLISH_EXAMPLES)]
    Pub(PublishArguments),
    /// Print messages as they come, or run a command for each
    #[command(after_help = SUBSCRIBE_EXAMPLES)]
    Sub(SubscribeArguments),
    /// Ask, and print the reply
    #[command(after_help = asking::REQUEST_EXAMPLES)]
    Req(RequestArguments),
    /// Answer requests
    #[command(after_help = asking::REPLY_EXAMPLES)]
    Reply(ReplyArguments),
    /// Watch every message that passes, with its scope, sender, size and delay
    Tap(TapArguments),
    /// Show the daemon, its counters and its clients
    Status(StatusArguments),
    /// Measure what a running daemon gives to programs, and that nothing is lost on the way
    #[command(after_help = looking::BENCH_EXAMPLES)]
    Bench(BenchArguments),
    /// Watch the bus at work: rates, queues, and who does what
    #[command(after_help = looking::TOP_NOTES)]
    Top(TopArguments),
    /// Give this device names, and have it reached by others
    #[command(after_help = people::INIT_NOTES)]
    Init(InitArguments),
    /// Print your identity, by which others know you
    #[command(after_help = people::ID_NOTES)]
    Id(IdArguments),
    /// Show what others are told of you: your name and your devices
    Card(IdArguments),
    /// Make a link by which somebody becomes a friend, or this device one of yours
    #[command(after_help = people::INVITE_NOTES)]
    Invite(InviteArguments),
    /// Use such a link
    #[command(after_help = people::JOIN_NOTES)]
    Join(JoinArguments),
    /// Show friends; add, verify, rename, reject and remove them
    #[command(after_help = people::FRIENDS_NOTES)]
    Friends(FriendsArguments),
    /// Show your devices; remove one
    #[command(after_help = people::DEVICES_NOTES)]
    Devices(DevicesArguments),
    /// Put your identity key under a passphrase
    #[command(after_help = people::LOCK_NOTES)]
    Lock(KeyArguments),
    /// Have your identity key at hand until it is locked again or the daemon ends
    #[command(after_help = people::LOCK_NOTES)]
    Unlock(KeyArguments),
    /// Show the words that bring back your identity key, and ask for some of them
    #[command(after_help = people::RECOVERY_NOTES)]
    Recovery(RecoveryArguments),
    /// Bring back your identity key from these words
    #[command(after_help = people::RECOVER_NOTES)]
    Recover(KeyArguments),
    /// Show services; enable, stop, restart and try them
    #[command(after_help = services::SERVICES_NOTES)]
    Services(ServicesArguments),
    /// Show what waits on the disk, and for whom; throw it away
    #[command(after_help = store::CONSUMERS_NOTES)]
    Consumers(ConsumersArguments),
    /// Verify or print what is on the disk, while no daemon runs on it
    #[command(after_help = store::STORE_NOTES)]
    Store(StoreArguments),
    /// Show what was granted to programs; grant and revoke
    #[command(after_help = services::GRANTS_NOTES)]
    Grants(GrantsArguments),
    /// Run the daemon
    #[command(after_help = DAEMON_EXIT_CODES)]
    Daemon(kith_busd::arguments::Arguments),
    /// Show what the bus does, with a daemon of its own that is gone afterwards
    Demo(DemoArguments),
    /// Put units, D-Bus activation, completions and manual pages in place
    #[command(after_help = install::INSTALL_NOTES)]
    Install(InstallArguments),
    /// Remove what `kith install` has put in place
    #[command(after_help = install::UNINSTALL_NOTES)]
    Uninstall(UninstallArguments),
    /// Print the completions for a shell
    Completions(CompletionsArguments),
    /// Print the manual page, or write all of them to a directory
    Man(ManualArguments),
}

/// Where a payload comes from, and what it is.
#[derive(Args, Debug)]
pub(crate) struct PayloadArguments {
    /// The payload, a JSON value; `-` reads standard input
    #[arg(allow_negative_numbers = true)]
    pub(crate) payload: Option<String>,
    /// Read the payload from a file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArguments,
}

/// What a payload is, where it isn't JSON.
#[derive(Args, Debug)]
pub(crate) struct FormatArguments {
    /// The payload is text: publish it as a JSON string, without the line feed at its end
    #[arg(long, conflicts_with = "protocol")]
    pub(crate) text: bool,
    /// The payload is bytes of this protocol, such as `bt` or a name of your own
    #[arg(long, value_name = "NAME", value_parser = values::protocol)]
    pub(crate) protocol: Option<Protocol<'static>>,
}

/// What a message and a request may add.
#[derive(Args, Debug)]
pub(crate) struct ExtraArguments {
    /// What it overtakes in a queue
    #[arg(long, value_name = "PRIORITY", value_enum)]
    pub(crate) priority: Option<PriorityChoice>,
    /// Add a header; can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::header)]
    pub(crate) header: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PriorityChoice {
    High,
    Normal,
    Bulk,
}

impl From<PriorityChoice> for Priority {
    fn from(choice: PriorityChoice) -> Self {
        match choice {
            PriorityChoice::High => Self::High,
            PriorityChoice::Normal => Self::Normal,
            PriorityChoice::Bulk => Self::Bulk,
        }
    }
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("beginning").args(["durable", "retained"]).multiple(true))]
pub(crate) struct SubscribeArguments {
    /// What to subscribe to: [PROTOCOL/]SCOPE.TOPIC, such as 'self.chess.>' or '*/friends.*'
    #[arg(required = true, value_name = "PATTERN", value_parser = values::pattern)]
    pub(crate) patterns: Vec<Pattern<'static>>,
    /// Print one JSON object a line
    #[arg(long, conflicts_with_all = ["raw", "exec"])]
    pub(crate) json: bool,
    /// Print payloads only, as they are: JSON with a line feed after each, other bytes without
    #[arg(long, conflicts_with = "exec")]
    pub(crate) raw: bool,
    /// Print this after each payload instead; \n, \r, \t, \0 and \\ are understood
    #[arg(long, value_name = "TEXT", requires = "raw", value_parser = values::separator)]
    pub(crate) separator: Option<values::Separator>,
    #[command(flatten)]
    pub(crate) until: UntilArguments,
    /// Share the messages with all other subscriptions of this group: each goes to one of them
    #[arg(long, value_name = "NAME", value_parser = values::group)]
    pub(crate) group: Option<String>,
    /// Get the kept values first
    #[arg(long)]
    pub(crate) retained: bool,
    /// Subscribe as this consumer: messages wait for it on the disk until they are acknowledged,
    /// each once it is printed, or its command has ended with 0
    #[arg(long, value_name = "NAME", value_parser = values::consumer, conflicts_with = "group")]
    pub(crate) durable: Option<String>,
    /// A consumer that is new begins with the oldest message that is left
    #[arg(long, requires = "durable", conflicts_with = "since")]
    pub(crate) from_start: bool,
    /// A consumer that is new begins there: a moment such as 2h (ago) or '2026-01-31 08:00', or a
    /// message's id, behind it. With --retained alone: only values kept since
    #[arg(long, value_name = "MOMENT", requires = "beginning", value_parser = values::since)]
    pub(crate) since: Option<Since>,
    /// Run this command with `sh -c` for each message: the payload on its standard input, the rest
    /// in KITH_TOPIC, KITH_SCOPE, KITH_SENDER, KITH_PETNAME, KITH_MSG_ID, KITH_PROTOCOL,
    /// KITH_REPLY_TO and KITH_ATTEMPT
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,
    #[command(flatten)]
    pub(crate) jobs: JobsArguments,
}

/// When to end.
#[derive(Args, Debug)]
pub(crate) struct UntilArguments {
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End after this time, such as 10s; with 75 if `--count` was not reached
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct JobsArguments {
    /// Run so many commands at once
    #[arg(long, value_name = "N", default_value_t = 1, requires = "exec",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    pub(crate) jobs: u16,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Print one JSON object for each step
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsArguments {
    /// For which
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManualArguments {
    /// Write kith.1, kith-pub.1 and so on, and kith-busd.1, to this directory
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

const SUBSCRIBE_EXAMPLES: &str = "\
`*` stands for one token of a topic, `>` at the end for one or more. A message that matches two of
the patterns comes twice.

Examples:
  kith sub 'self.chess.>'
  kith sub --json '*.presence.>' | jq .payload
  kith sub self.lamp.state --retained --count 1 --raw
  kith sub self.mail.new --durable inbox --from-start --exec ./sort-mail
  kith sub self.photo.new --exec 'convert - -resize 50% \"small-$KITH_MSG_ID.png\"'";

const DAEMON_EXIT_CODES: &str = "\
Exit codes: 0 stopped as asked, 64 wrong command line, 69 another daemon runs, 71 the system
refused something, 74 a file could not be read or written, 78 wrong configuration.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_socket_can_stand_before_and_after_the_command() {
        for line in ["kith --socket /s status", "kith status --socket /s"] {
            assert_eq!(parse(line).unwrap().everywhere.socket, Some("/s".into()), "{line}");
        }
        for line in ["kith --socket /s daemon", "kith daemon --socket /s"] {
            let CommandLine { command: Command::Daemon(arguments), .. } = parse(line).unwrap()
            else {
                panic!("{line}");
            };
            assert_eq!(arguments.socket, Some("/s".into()), "{line}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            "kith",
            "kith what",
            "kith pub",
            "kith pub a..b 1",
            "kith pub a 1 --text --protocol x",
            "kith pub a 1 --clear",
            "kith pub a 1 --file f",
            "kith pub a --lines --id 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "kith pub a 1 --id 7",
            "kith pub a 1 --expire 10",
            "kith pub a 1 --header x",
            "kith sub",
            "kith sub chess.>",
            "kith sub self.a --raw --json",
            "kith sub self.a --separator x",
            "kith sub self.a --jobs 2",
            "kith sub self.a --exec x --jobs 0",
            "kith sub self.a --count 0",
            "kith sub self.a --group a.b",
            "kith sub self.a --durable a.b",
            "kith sub self.a --durable a --group b",
            "kith sub self.a --since 2h",
            "kith sub self.a --from-start",
            "kith sub self.a --durable a --from-start --since 2h",
            "kith sub self.a --durable a --since yesterday",
            "kith pub a 1 --timeout x --to bob",
            "kith pub a 1 --realtime",
            "kith pub a 1 --echo",
            "kith pub a 1 --to bob --retain",
            "kith init --services quic --no-services",
            "kith invite --friend --device",
            "kith invite --uses 0",
            "kith invite --as self",
            "kith invite --device --as bob",
            "kith join --device --as bob",
            "kith friends --json list",
            "kith friends add",
            "kith friends rename bob did:key:x",
            "kith friends verify",
            "kith devices remove",
            "kith recovery --drill --print",
            "kith reply self.a",
            "kith reply self.a 1 --exec x",
            "kith req a --raw --json",
            "kith tap a",
            "kith bench --secs 0",
            "kith bench --payload 1",
            "kith bench --fan 0",
            "kith bench --quick --secs 2",
            "kith top --interval 10ms",
            "kith top --interval 2h",
            "kith top --count 3",
            "kith top --json --count 0",
            "kith top --sort colour",
            "kith install --user --system",
            "kith install --prefix /opt",
            "kith uninstall --force",
            "kith services what",
            "kith services --json list",
            "kith services enable",
            "kith services test",
            "kith services logs a -n x",
            "kith grants add sandbox",
            "kith grants add sandbox everything",
            "kith grants add sandbox reserved --for 1h --until-revoked",
            "kith grants revoke",
            "kith consumers --json purge a",
            "kith consumers remove",
            "kith store",
            "kith store export --repair",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(exit_code::of_usage(&error), exit_code::USAGE, "{line}");
        }
    }

    #[test]
    fn payloads_may_look_like_options() {
        let CommandLine { command: Command::Pub(arguments), .. } = parse("kith pub a -5").unwrap()
        else {
            panic!("no publish");
        };
        assert_eq!(arguments.payload.payload.as_deref(), Some("-5"));
    }
}
