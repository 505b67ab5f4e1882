//! What can go wrong, one type for each operation.
//!
//! An operation fails in one of three ways: what was asked can't be written as a frame
//! ([`InvalidMessage`] and the like, found before anything is sent), the daemon refuses it
//! (`Refused`, with the code for programs and the sentence for people), or the connection is gone
//! ([`Loss`]). A refusal's `code` is `None` where the daemon is newer than this library and uses a
//! code that it doesn't know.
//!
//! Deliberately absent: one error type for everything, which would make callers match what cannot
//! happen to them.

use kith_wire::{
    Code, HeadersError, MessageId, PatternError, ProtocolError, Refusal, TextError, TopicError,
    binary,
};
use std::io;
use std::path::PathBuf;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Neither was a path given nor does the environment name one.
    #[error("no path to the daemon's socket: set KITH_SOCKET or XDG_RUNTIME_DIR, or give a path")]
    NoPath,
    /// The name given to the builder can't be a client's name.
    #[error("the client's name: {0}")]
    Name(#[from] TextError),
    /// There is no socket at the path, or nobody behind it: the daemon is not running.
    #[error("no daemon listens at {}", path.display())]
    NotListening {
        /// Where it was looked for.
        path: PathBuf,
        /// `NotFound` or `ConnectionRefused`.
        source: io::Error,
    },
    /// The daemon answered, and doesn't want this connection.
    #[error("the daemon refuses the connection: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The daemon speaks another version of the protocol.
    #[error(
        "the daemon speaks version {theirs} of the protocol, this program version {ours}: \
         update the older one"
    )]
    Version {
        /// What this library speaks.
        ours: u8,
        /// What the daemon speaks.
        theirs: u8,
    },
    /// The socket can't be used, for example because it belongs to another user.
    #[error("can't connect to {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The connection ended before the daemon had answered the greeting.
    #[error("the connection was lost while it was set up")]
    Lost(#[source] Loss),
}

impl ConnectError {
    /// What the system says about `path`.
    pub(crate) fn from_io(path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Self::NotListening { path, source }
            }
            _ => Self::Io { path, source },
        }
    }

    /// How setting up a connection ended.
    pub(crate) fn from_loss(loss: Loss) -> Self {
        match loss {
            Loss::Refused { code, text } => Self::Refused { code, text },
            Loss::Version { theirs } => Self::Version { ours: binary::VERSION, theirs },
            loss => Self::Lost(loss),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// This program closed it ([`Client::close`](crate::Client::close)).
    #[error("this program closed the connection")]
    Closed,
    /// The daemon closed it without a word: it crashed, or was killed.
    #[error("the daemon hung up")]
    HungUp,
    /// The system reports an error.
    #[error("the socket failed: {text}")]
    Io {
        /// Which, for a program.
        kind: io::ErrorKind,
        /// Which, for a person.
        text: String,
    },
    /// There was none when the operation was asked for; the library is trying to connect again.
    #[error("not connected to the daemon just now")]
    NotConnected,
    /// The daemon closed it and said why.
    #[error("the daemon closed the connection: {text}")]
    Refused {
        /// Why, for a program; for example [`Code::ShuttingDown`].
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The daemon didn't answer in time.
    #[error("the daemon doesn't answer")]
    Silent,
    /// What the daemon sent is not the protocol; the connection was given up.
    #[error("what the daemon sends can't be read: {0}")]
    Unreadable(Refusal),
    /// The daemon speaks another version of the protocol.
    #[error("the daemon speaks version {theirs} of the protocol")]
    Version {
        /// Which.
        theirs: u8,
    },
}

impl Loss {
    pub(crate) fn from_io(error: &io::Error) -> Self {
        Self::Io { kind: error.kind(), text: error.to_string() }
    }

    /// Whether connecting again would end the same way.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Closed | Self::Version { .. } => true,
            Self::Refused { code, .. } => {
                matches!(code, Some(Code::NotAllowed | Code::UnsupportedVersion))
            }
            _ => false,
        }
    }
}

/// What makes a message one that can't be sent; found before anything is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMessage {
    /// The topic.
    #[error(transparent)]
    Topic(TopicError),
    /// The topic for answers.
    #[error("the topic for answers: {0}")]
    ReplyTo(#[source] TopicError),
    /// Where it is to go.
    #[error(transparent)]
    Destination(TextError),
    /// The protocol's name.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A header.
    #[error(transparent)]
    Header(#[from] HeadersError),
    /// The payload's size.
    #[error("a payload of {bytes} bytes, the daemon takes {bytes_max}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large the daemon lets one be.
        bytes_max: usize,
    },
    /// A value that has no JSON; for whoever writes payloads before they come here.
    #[error("the value can't be written as JSON: {text}")]
    Unwritable {
        /// Why not.
        text: String,
    },
    /// The memory of a sealed payload can't be read.
    #[error("the payload can't be read: {text}")]
    Unreadable {
        /// Why not.
        text: String,
    },
}

/// Why a message was not published, or not certainly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It can't be sent as it is.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
    /// The daemon refused it.
    #[error("the daemon refuses the message: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The daemon took the message and does not say that it is stored, though it was asked for that
    /// ([`Publish::until_stored`](crate::Publish::until_stored)). So it may be where the same id
    /// was published before, when nobody had it stored.
    #[error("the message was published, but the daemon did not store it")]
    NotStored {
        /// Its id.
        id: MessageId,
        /// Whether it had been published under this id before.
        duplicate: bool,
    },
    /// The connection is gone for good, or the answer took too long to be sure that repeating the
    /// message would not double it. It may have been published or not.
    #[error("the connection was lost before the daemon confirmed the message")]
    Disconnected(#[source] Loss),
}

/// Why a message was not taken for sending.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// It can't be sent as it is.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
    /// The connection is gone for good.
    #[error("there is no connection any more")]
    Disconnected(#[source] Loss),
}

/// Why a message was not taken for sending at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryPostError {
    /// It can't be sent as it is.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
    /// As much as may be is on its way already.
    #[error("too much is on its way to the daemon already")]
    Full,
    /// The connection is gone for good.
    #[error("there is no connection any more")]
    Disconnected(#[source] Loss),
}

/// Why a reply was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The message names no topic for answers.
    #[error("the message on `{topic}` asks for no reply")]
    NoReplyTopic {
        /// The message's topic.
        topic: String,
    },
    /// As any other publish. The daemon refuses with [`Code::UnknownRequest`] what comes late, or
    /// second.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Why there is no subscription, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The name of a durable subscription's consumer is none.
    #[error("the consumer: {0}")]
    Consumer(#[source] TextError),
    /// The group's name is none.
    #[error("the group: {0}")]
    Group(#[source] TextError),
    /// The daemon refused it.
    #[error("the daemon refuses the subscription: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The connection is gone for good.
    #[error("there is no connection any more")]
    Disconnected(#[source] Loss),
}

/// Why a message was not acknowledged, or not certainly. Then it is delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcknowledgeError {
    /// It did not come from a durable subscription.
    #[error(
        "the message on `{topic}` is of no durable subscription: there is nothing to acknowledge"
    )]
    NotDurable {
        /// The message's topic.
        topic: String,
    },
    /// As many acknowledgements as may be are on their way already.
    #[error("too many acknowledgements are on their way to the daemon already")]
    Full,
    /// The daemon refused it: with [`Code::UnknownMessage`] where the message was acknowledged
    /// before, or has become a dead letter.
    #[error("the daemon refuses the acknowledgement: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The connection was lost before the daemon answered, or there was none.
    #[error("the connection was lost before the daemon confirmed the acknowledgement")]
    Disconnected(#[source] Loss),
}

/// Why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It can't be sent as it is.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
    /// Nobody subscribes to its topic.
    #[error("nobody is there to answer the request")]
    NoResponders,
    /// No reply came in time.
    #[error("no reply came in time")]
    Timeout,
    /// The queue of everybody who subscribes to its topic is full.
    #[error("everybody who could answer the request is too busy to take it")]
    Busy,
    /// The daemon refused it.
    #[error("the daemon refuses the request: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The connection was lost while it waited, or there was none. It is not repeated by the
    /// library: somebody may have acted on it already.
    #[error("the connection was lost while the request waited")]
    Disconnected(#[source] Loss),
}

/// Why a will was not left, or not taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WillError {
    /// It can't be sent as it is.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
    /// The daemon refused it.
    #[error("the daemon refuses the will: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The connection was lost before the daemon answered.
    #[error("the connection was lost before the daemon confirmed it")]
    Disconnected(#[source] Loss),
}

/// Why a ping has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PingError {
    /// The daemon refused it.
    #[error("the daemon refuses a ping: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The connection was lost before the answer came, or there was none.
    #[error("the daemon can't be reached")]
    Disconnected(#[source] Loss),
}

/// Why a connection was not closed in good order. It is closed all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The connection was lost before the daemon confirmed the goodbye, or there was none: what was
    /// posted last may not have arrived, and the will, if there was one, is published.
    #[error("the connection was lost before it was closed in good order")]
    Disconnected(#[source] Loss),
}

/// What went wrong with something that nobody waits for. Comes from
/// [`Client::errors`](crate::Client::errors).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackgroundError {
    /// The daemon refused acknowledgements that nobody waited for. Those messages that still wait
    /// come again.
    #[error("the daemon refuses an acknowledgement: {text}")]
    Acknowledge {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The daemon refused a message that was posted.
    #[error("the daemon refuses a message that was posted: {text}")]
    Refused {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// The connection was lost, and the daemon had not confirmed the messages posted last.
    #[error("up to {count} messages that were posted did not arrive")]
    Lost {
        /// At most so many of them did not arrive.
        count: u64,
    },
    /// The daemon refused the will after a reconnect; there is none now.
    #[error("the daemon refuses the will: {text}")]
    Will {
        /// Why, for a program.
        code: Option<Code>,
        /// Why, for a person.
        text: String,
    },
    /// These errors were not read fast enough, and the oldest were dropped.
    #[error("{count} errors were not read and are lost")]
    Missed {
        /// Exactly so many.
        count: u64,
    },
}
