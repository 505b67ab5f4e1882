//! Why a command failed: a sentence for a person, what to do about it, and a code for a script.
//!
//! Every error of the libraries becomes one here, so that the same thing ends with the same code
//! whichever command meets it. Texts may repeat what came from outside; they are made harmless when
//! they are shown, in this one place.

use crate::exit_code;
use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use kith_client::{
    AcknowledgeError, InvalidMessage, PingError, PostError, PublishError, ReplyError, RequestError,
    SubscribeError,
};
use std::error::Error;
use std::io;

/// Why a command ends without having done what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit_code: u8,
    /// Empty where there is nothing to say.
    text: String,
    /// What can be done, each on a line of its own.
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit_code: u8, text: impl Into<String>) -> Self {
        Self { exit_code, text: text.into(), hints: Vec::new() }
    }

    /// An end that needs no words: a signal, or a reader that has gone.
    pub(crate) fn quiet(exit_code: u8) -> Self {
        Self::new(exit_code, "")
    }

    /// The same, with what can be done about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same, with further lines of the sentence below the first, as they are.
    pub(crate) fn by_lines(mut self) -> Self {
        let mut lines = self.text.lines().map(str::to_owned);
        let first = lines.next().unwrap_or_default();
        let further: Vec<_> = lines.collect();
        self.hints.splice(0..0, further);
        self.text = first;
        self
    }

    /// The same, said of something: `subject: text`.
    pub(crate) fn about(mut self, subject: &str) -> Self {
        self.text = format!("{subject}: {}", self.text);
        self
    }

    /// The sentence, as it came.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Whether it needs no words.
    pub(crate) fn is_quiet(&self) -> bool {
        self.text.is_empty()
    }

    /// What is shown on standard error, with its line feeds; nothing if it is quiet.
    pub(crate) fn shown(&self, paint: Paint) -> String {
        if self.is_quiet() {
            return String::new();
        }
        let mut shown = notice(&self.text, paint);
        for hint in &self.hints {
            shown.push_str("  ");
            shown.push_str(&harmless(hint));
            shown.push('\n');
        }
        shown
    }

    /// Writing to standard output failed. If its reader has gone, it has got what it wanted.
    pub(crate) fn from_output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::quiet(exit_code::OK);
        }
        Self::new(exit_code::INPUT_OUTPUT, format!("can't write to standard output: {error}"))
    }

    /// The system failed at something that doesn't depend on what was asked.
    pub(crate) fn system(what: &str, error: &io::Error) -> Self {
        Self::new(exit_code::INPUT_OUTPUT, format!("{what}: {error}"))
    }

    fn of(exit_code: u8, error: &dyn Error) -> Self {
        Self::new(exit_code, with_sources(error))
    }
}

/// A line for standard error.
pub(crate) fn notice(text: &str, paint: Paint) -> String {
    format!("{} {}\n", paint.paint(Style::Fault, "kith:"), harmless(text))
}

/// An error and what is behind it, in one line.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}

impl From<InvalidMessage> for Failure {
    fn from(error: InvalidMessage) -> Self {
        let exit_code = match error {
            InvalidMessage::TooLarge { .. } => exit_code::BAD_DATA,
            _ => exit_code::USAGE,
        };
        Self::of(exit_code, &error)
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Invalid(error) => error.into(),
            PublishError::Disconnected(_) => Self::of(exit_code::UNAVAILABLE, &error),
            PublishError::NotStored { duplicate: true, .. } => {
                let hint = "it was published under this id before, and nobody has it stored";
                Self::of(exit_code::TRY_AGAIN, &error).hint(hint)
            }
            PublishError::NotStored { .. } => Self::of(exit_code::TRY_AGAIN, &error),
            PublishError::Refused { code: Some(code), .. } => {
                Self::of(exit_code::of_refusal(code), &error)
            }
            error => Self::of(exit_code::FAILED, &error),
        }
    }
}

impl From<PostError> for Failure {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Invalid(error) => error.into(),
            error => Self::of(exit_code::UNAVAILABLE, &error),
        }
    }
}

impl From<PingError> for Failure {
    fn from(error: PingError) -> Self {
        Self::of(exit_code::UNAVAILABLE, &error)
    }
}

impl From<ReplyError> for Failure {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Publish(error) => error.into(),
            error => Self::of(exit_code::FAILED, &error),
        }
    }
}

impl From<SubscribeError> for Failure {
    fn from(error: SubscribeError) -> Self {
        let exit_code = match error {
            SubscribeError::Pattern(_) | SubscribeError::Group(_) | SubscribeError::Consumer(_) => {
                exit_code::USAGE
            }
            SubscribeError::Disconnected(_) => exit_code::UNAVAILABLE,
            _ => exit_code::FAILED,
        };
        Self::of(exit_code, &error)
    }
}

impl From<AcknowledgeError> for Failure {
    fn from(error: AcknowledgeError) -> Self {
        let exit_code = match error {
            AcknowledgeError::Disconnected(_) => exit_code::UNAVAILABLE,
            _ => exit_code::FAILED,
        };
        Self::of(exit_code, &error)
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        let exit_code = match error {
            RequestError::Invalid(error) => return error.into(),
            RequestError::NoResponders => exit_code::NOBODY,
            RequestError::Timeout | RequestError::Busy => exit_code::TRY_AGAIN,
            RequestError::Disconnected(_) => exit_code::UNAVAILABLE,
            RequestError::Refused { code: Some(code), .. } => exit_code::of_refusal(code),
            _ => exit_code::FAILED,
        };
        Self::of(exit_code, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_client::{Code, Loss, MessageId};

    #[test]
    fn what_is_shown_can_harm_no_terminal() {
        let failure = Failure::new(1, "bad \u{1b}[2J topic").hint("try \u{202e}this");
        let shown = failure.shown(Paint::plain());
        assert_eq!(shown, "kith: bad \\u001b[2J topic\n  try \\u202ethis\n");
        assert_eq!(Failure::quiet(130).shown(Paint::plain()), "");
        let failure = Failure::new(1, "a.toml:1:1: no\n 1 | \u{1b}").by_lines().hint("mend it");
        assert_eq!(
            failure.shown(Paint::plain()),
            "kith: a.toml:1:1: no\n   1 | \\u001b\n  mend it\n"
        );
    }

    #[test]
    fn each_error_has_its_code() {
        let refused = PublishError::Refused { code: Some(Code::ReservedTopic), text: "no".into() };
        let lost = PublishError::Disconnected(Loss::HungUp);
        let large = PublishError::Invalid(InvalidMessage::TooLarge { bytes: 2, bytes_max: 1 });
        let codes = [refused, lost.clone(), large].map(|error| Failure::from(error).exit_code);
        assert_eq!(codes, [1, 69, 65]);
        let codes =
            [Code::NoConsumers, Code::NotStored, Code::UnknownRecipient, Code::NotDelivered];
        let refused = |code| PublishError::Refused { code: Some(code), text: "no".into() };
        assert_eq!(codes.map(|code| Failure::from(refused(code)).exit_code), [68, 75, 67, 76]);
        let refused = |code| RequestError::Refused { code: Some(code), text: "no".into() };
        assert_eq!(codes.map(|code| Failure::from(refused(code)).exit_code), [68, 75, 67, 76]);
        let id = MessageId::from_parts(1, &[0; 10]);
        for duplicate in [false, true] {
            let failure = Failure::from(PublishError::NotStored { id, duplicate });
            assert_eq!((failure.exit_code, failure.hints.len()), (75, usize::from(duplicate)));
        }
        let text = Failure::from(lost).text;
        assert!(text.ends_with("confirmed the message: the daemon hung up"), "{text}");
        let errors = [
            RequestError::NoResponders,
            RequestError::Timeout,
            RequestError::Busy,
            RequestError::Disconnected(Loss::Silent),
        ];
        assert_eq!(errors.map(|error| Failure::from(error).exit_code), [68, 75, 75, 69]);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        let failure = Failure::from_output(&io::ErrorKind::BrokenPipe.into());
        assert_eq!(failure, Failure::quiet(0));
        assert_eq!(Failure::from_output(&io::ErrorKind::StorageFull.into()).exit_code, 74);
    }
}
