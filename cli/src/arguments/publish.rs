//! The options of `kith pub`: one message, to programs here or to people.

use super::{ExtraArguments, PayloadArguments, values};
use clap::{Args, ValueEnum};
use kith_wire::{MessageId, Topic};
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct PublishArguments {
    /// What it is about, such as chess.move
    #[arg(value_parser = values::topic)]
    pub(crate) topic: Topic<'static>,
    #[command(flatten)]
    pub(crate) payload: PayloadArguments,
    /// Keep it as the topic's last value, for those who subscribe later
    #[arg(long)]
    pub(crate) retain: bool,
    /// Remove the topic's kept value; publishes nothing
    #[arg(long, conflicts_with_all =
        ["payload", "file", "text", "lines", "retain", "expire", "reply_to", "priority", "header"])]
    pub(crate) clear: bool,
    /// Do not deliver it later than this, such as 10s
    #[arg(long, value_name = "DURATION", value_parser = values::expiry)]
    pub(crate) expire: Option<Duration>,
    /// Name the topic on which answers should be published
    #[arg(long, value_name = "TOPIC", value_parser = values::topic)]
    pub(crate) reply_to: Option<Topic<'static>>,
    #[command(flatten)]
    pub(crate) extras: ExtraArguments,
    /// Publish it under this id, a UUID of version 7
    #[arg(long, value_name = "UUID", value_parser = MessageId::from_text)]
    pub(crate) id: Option<MessageId>,
    /// To whom: a friend's name, NAME/DEVICE, an identity did:key:…, `self` for your other devices,
    /// `friends` for all friends, `public` for whoever is connected
    #[arg(long, value_name = "WHOM", value_parser = values::destination,
        conflicts_with_all = ["retain", "clear"])]
    pub(crate) to: Option<String>,
    /// When it is done: with `stored`, once it is on the disk for somebody
    #[arg(long, value_name = "STATE", value_enum)]
    pub(crate) until: Option<StateChoice>,
    /// With `--until sent` or `delivered`: wait so long [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, requires = "until")]
    pub(crate) timeout: Option<Duration>,
    /// Worth something now or never: it is stored nowhere, and not sent again
    #[arg(long, requires = "to")]
    pub(crate) realtime: bool,
    /// Your other devices get a copy
    #[arg(long, requires = "to")]
    pub(crate) echo: bool,
    /// Publish each line of the input as a message
    #[arg(long, conflicts_with_all = ["payload", "id"])]
    pub(crate) lines: bool,
    /// Print {"msg_id":…} for each message, with its state
    #[arg(long)]
    pub(crate) json: bool,
}

/// What has become of a message when `kith pub` is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateChoice {
    /// The daemon has it, and stored it where a durable subscription matches
    Accepted,
    /// It is on the disk for a durable subscription, or as a kept value
    Stored,
    /// It is on its way to a device of whom it is for
    Sent,
    /// A device of whom it is for has it on its disk
    Delivered,
}

pub(super) const PUBLISH_EXAMPLES: &str = "\
Without PAYLOAD and --file the payload is read from standard input, unless that is a terminal.
With `--until stored` it ends with 68 if no durable subscription matches, and with 75 if the store
can't take the message.

With `--to` it goes to other people, or to your other devices, and nobody on this bus gets it. It is
sent as soon as a device of theirs can be reached, for a week, or as long as --expire says. With
`--until delivered` it is waited for; ending that, or this machine's sleep, does not call it back.
Ends with 67 if nobody is called so, and with 76 if the message was not delivered in time, or is
not taken there.

Examples:
  kith pub chess.move '{\"from\":\"e2\",\"to\":\"e4\"}'
  kith pub --text log.note 'back at five'
  kith pub --retain lamp.state --file lamp.json
  kith pub --until stored jobs.resize '{\"picture\":7}'
  kith pub --to bob --until delivered chess.move '{\"from\":\"e2\",\"to\":\"e4\"}'
  kith pub --to self/phone --text note.new 'buy milk'
  tail -f access.log | kith pub --text --lines web.access";
