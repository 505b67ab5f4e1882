//! The options of the commands about people and devices: who one is, whom one knows, who one's
//! devices are.
//!
//! What changes something takes the administration key, so each of these also says where the daemon
//! keeps it (`StateArguments`). A link and a passphrase are never arguments: what stands on a
//! command line can be read by every program of the machine, and stays in the history of the shell.

use super::{StateArguments, values};
use clap::{Args, Subcommand};
use std::time::Duration;

/// What every command about people takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AnswerArguments {
    /// Print what the daemon answers as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Args, Debug)]
pub(crate) struct InitArguments {
    /// What you call yourself; whoever you become friends with sees it
    #[arg(long, value_name = "NAME", value_parser = values::person_name)]
    pub(crate) name: Option<String>,
    /// What this device is called
    #[arg(long, value_name = "NAME", value_parser = values::person_name)]
    pub(crate) device_name: Option<String>,
    /// Enable these services, which connect to other devices, such as quic,mdns
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "no_services")]
    pub(crate) services: Vec<String>,
    /// Enable none, and don't ask
    #[arg(long)]
    pub(crate) no_services: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct IdArguments {
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct InviteArguments {
    /// Whoever joins becomes a friend; so it is if nothing is said
    #[arg(long, conflicts_with = "device")]
    pub(crate) friend: bool,
    /// This new device becomes one of the person's who joins: run it on the new device
    #[arg(long, conflicts_with_all = ["uses", "called"])]
    pub(crate) device: bool,
    /// How long it can be used, such as 10m or 7d
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "1d")]
    pub(crate) expires: Duration,
    /// How many devices may join with it
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) uses: u16,
    /// What you call whoever joins
    #[arg(long = "as", value_name = "NAME", value_parser = values::petname)]
    pub(crate) called: Option<String>,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct JoinArguments {
    /// Not here: paste the link where you are asked for it, or pipe it in
    #[arg(hide = true)]
    pub(crate) link: Option<String>,
    /// What you call the person who invites you
    #[arg(long = "as", value_name = "NAME", value_parser = values::petname)]
    pub(crate) called: Option<String>,
    /// The link is that of a new device of yours: take it into your card without asking
    #[arg(long, conflicts_with = "called")]
    pub(crate) device: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FriendsArguments {
    #[command(subcommand)]
    pub(crate) command: Option<FriendsCommand>,
    /// Show all who are known: removed people and strangers too
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FriendsCommand {
    /// Show your friends, or everything about one
    List(FriendsListArguments),
    /// Make somebody a friend whose identity you know, without an invite
    Add(FriendAddArguments),
    /// Compare the safety number, and remember that you have
    Verify(FriendArguments),
    /// Call somebody otherwise
    Rename(FriendRenameArguments),
    /// Open nothing of theirs any more, and have no links with them
    Reject(FriendArguments),
    /// Make a friend, or somebody whom you have rejected, a stranger again
    Remove(FriendArguments),
}

#[derive(Args, Debug)]
pub(crate) struct FriendsListArguments {
    /// Who; your friends if nobody is named
    pub(crate) person: Option<String>,
    /// Show all who are known: removed people and strangers too
    #[arg(long, conflicts_with = "person")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct FriendAddArguments {
    /// Their identity, did:key:z6Mk…, as `kith id` prints it there
    pub(crate) person: String,
    /// What you call them
    #[arg(long = "as", value_name = "NAME", value_parser = values::petname)]
    pub(crate) called: Option<String>,
    /// Where a device of theirs is, such as 192.0.2.7:4711; can be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) at: Vec<String>,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct FriendArguments {
    /// Who, as `kith friends` lists them, or an identity
    pub(crate) person: String,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct FriendRenameArguments {
    /// Who, as `kith friends` lists them, or an identity
    pub(crate) person: String,
    /// What you call them from now on
    #[arg(value_parser = values::petname)]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DevicesArguments {
    #[command(subcommand)]
    pub(crate) command: Option<DevicesCommand>,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DevicesCommand {
    /// Take this device into your card, where its files are a copy of another device's
    Add(DeviceAddArguments),
    /// Take a device out of your card: it is not yours any more
    Remove(DeviceRemoveArguments),
}

#[derive(Args, Debug)]
pub(crate) struct DeviceAddArguments {
    /// What this device is called
    #[arg(long, value_name = "NAME", value_parser = values::person_name)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct DeviceRemoveArguments {
    /// Which, as `kith devices` lists it, or its id
    pub(crate) device: String,
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct KeyArguments {
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

#[derive(Args, Debug)]
pub(crate) struct RecoveryArguments {
    /// Only try whether you have the words: it asks for some of them
    #[arg(long)]
    pub(crate) drill: bool,
    /// Print the words to standard output, whoever reads that
    #[arg(long, conflicts_with = "drill")]
    pub(crate) print: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArguments,
}

pub(super) const INIT_NOTES: &str = "\
This device has an identity as soon as anybody asks for one; `init` gives it names that others can
read, and says what it takes to be reached. On a terminal it asks for all that, and offers to write
down the recovery words. Without one it asks nothing, and does what its options say.

`quic` connects to other devices, straight over the network; `mdns` finds those that are near. What
they do, and what others see of it: docs/services-built-in.md.

Examples:
  kith init
  kith init --name Ada --device-name laptop --services quic,mdns";

pub(super) const ID_NOTES: &str = "\
The identity is the key by which others know you. It is public, and never changes.

Examples:
  kith id
  kith id --json | jq -r .device";

pub(super) const INVITE_NOTES: &str = "\
The link is a secret: who has it can join, as often and as long as it says. Send it as you would
send a password. On a terminal it is shown as a QR code too.

Exit codes: 1 if nobody could reach this device, since no service that connects is enabled.

Examples:
  kith invite
  kith invite --as bob --expires 10m
  kith invite --uses 20 --expires 7d
  kith invite --device";

pub(super) const JOIN_NOTES: &str = "\
The link is read from standard input, or asked for on a terminal; on a command line every program of
this machine could read it. Whoever joins by a friend's link becomes a friend of theirs, and they
become one of yours. The link of a new device makes that device one of yours, so that is asked
first, or wants --device.

Exit codes: 65 if that is no link, or it has expired, 75 if the other side can't be reached now.

Examples:
  kith join --as ada
  kith join --device < link.txt";

pub(super) const FRIENDS_NOTES: &str = "\
Names of friends are yours: nobody else sees them, and nobody can give themselves one here. What
they call themselves stands beside it. Verified is who read you the same safety number as you see.

Exit codes: 67 if nobody has that name.

Examples:
  kith friends
  kith friends list bob
  kith friends add did:key:z6Mk… --as bob --at 192.0.2.7:4711
  kith friends verify bob
  kith friends rename bob robert
  kith friends reject mallory";

pub(super) const DEVICES_NOTES: &str = "\
A new device joins with a link: run `kith invite --device` on it, and `kith join` on the device that
has your identity key. A device that was lost is taken out with `kith devices remove`; nothing that
it says counts from then on, with anybody who has heard of it.

Examples:
  kith devices
  kith devices remove phone
  kith devices add --name laptop-2";

pub(super) const LOCK_NOTES: &str = "\
Without its key nobody can add or remove devices of yours; messages go on. The passphrase is asked
for on a terminal, or is the first line of standard input. Nobody can restore it: `kith recovery`
first.

Examples:
  kith lock
  kith unlock < passphrase";

pub(super) const RECOVERY_NOTES: &str = "\
Whoever has the 24 words is you. They are shown on a screen of their own that is gone afterwards;
then some of them are asked for, to see whether they were written down.

Examples:
  kith recovery
  kith recovery --drill";

pub(super) const RECOVER_NOTES: &str = "\
The 24 words are asked for on a terminal, or read from standard input. They bring back your identity
key on a device that has no people and no devices yet; it does not bring back messages, nor friends.

Exit codes: 65 if the words are not right.

Examples:
  kith recover
  kith recover < words.txt";
