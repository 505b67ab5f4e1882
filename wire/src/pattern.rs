//! Patterns: what a subscription asks for.
//!
//! `[protocol/]scope.topic-pattern`. The scope stands in the pattern, so a subscription to `self.…`
//! can't be reached by what somebody else sent: the broker looks such a message up under its own
//! scope only. The matcher here is the naive one, for single patterns; the broker's index is tested
//! against it.

use crate::limits::{PATTERN_BYTES_MAX, REASON_CHARS_MAX, SHOWN_CHARS_MAX, TOPIC_BYTES_MAX};
use crate::text::shown;
use crate::topic::is_inert;
use crate::{Protocol, ProtocolError, Scope};
use std::borrow::Cow;

/// Which scopes a subscription asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeSelector {
    /// Any of them: `*`.
    Any,
    /// This one.
    Only(Scope),
}

impl ScopeSelector {
    /// Whether a message of this scope is asked for.
    #[must_use]
    pub fn matches(self, scope: Scope) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == scope,
        }
    }
}

/// Which protocols a subscription asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolSelector<'a> {
    /// Any of them: `*/`.
    Any,
    /// This one.
    Only(Protocol<'a>),
}

impl ProtocolSelector<'_> {
    /// Whether a message of this protocol is asked for.
    #[must_use]
    pub fn matches(&self, protocol: &Protocol<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only.as_str() == protocol.as_str(),
        }
    }
}

/// A valid pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern<'a> {
    protocol: ProtocolSelector<'a>,
    scope: ScopeSelector,
    topic: Cow<'a, str>,
}

impl<'a> Pattern<'a> {
    /// Checks `text` and takes it as a pattern.
    ///
    /// # Errors
    /// Says what is wrong, and at which byte.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, PatternError> {
        match text.into() {
            Cow::Borrowed(text) => Self::parse(text),
            Cow::Owned(text) => Pattern::parse(&text).map(Pattern::into_owned),
        }
    }

    fn parse(text: &'a str) -> Result<Self, PatternError> {
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Length(text.len()));
        }
        let (protocol, rest) = match text.split_once('/') {
            Some((protocol, rest)) if !protocol.contains('.') => (protocol, rest),
            _ => ("ms", text),
        };
        let protocol = match protocol {
            "*" => ProtocolSelector::Any,
            name => ProtocolSelector::Only(Protocol::new(name).map_err(PatternError::Protocol)?),
        };
        let bad_scope = |name| {
            let at = text.len() - rest.len();
            PatternError::Scope(at, shown(name, SHOWN_CHARS_MAX), Meant::by(text, rest))
        };
        let (scope, topic) = rest.split_once('.').ok_or_else(|| bad_scope(rest))?;
        let scope = match scope {
            "*" => ScopeSelector::Any,
            name => ScopeSelector::Only(Scope::from_name(name).ok_or_else(|| bad_scope(name))?),
        };
        let offset = text.len() - topic.len();
        check_topic_pattern(topic, offset)?;
        Ok(Self { protocol, scope, topic: Cow::Borrowed(topic) })
    }

    /// Which protocols it asks for.
    #[must_use]
    pub fn protocol(&self) -> &ProtocolSelector<'a> {
        &self.protocol
    }

    /// Which scopes it asks for.
    #[must_use]
    pub fn scope(&self) -> ScopeSelector {
        self.scope
    }

    /// The part that topics are matched with.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Whether the topic part has a wildcard.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.topic.split('.').any(|token| token == "*" || token == ">")
    }

    /// Whether a message with these marks is asked for.
    #[must_use]
    pub fn matches(&self, protocol: &Protocol<'_>, scope: Scope, topic: &str) -> bool {
        self.scope.matches(scope) && self.protocol.matches(protocol) && self.matches_topic(topic)
    }

    /// Whether the topic part matches `topic`.
    #[must_use]
    pub fn matches_topic(&self, topic: &str) -> bool {
        let mut tokens = topic.split('.');
        for wanted in self.topic.split('.') {
            match (wanted, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// The same pattern, owned.
    #[must_use]
    pub fn into_owned(self) -> Pattern<'static> {
        Pattern {
            protocol: match self.protocol {
                ProtocolSelector::Any => ProtocolSelector::Any,
                ProtocolSelector::Only(only) => ProtocolSelector::Only(only.into_owned()),
            },
            scope: self.scope,
            topic: Cow::Owned(self.topic.into_owned()),
        }
    }
}

impl std::fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.protocol {
            ProtocolSelector::Any => f.write_str("*/")?,
            ProtocolSelector::Only(only) if only.is_ms() => {}
            ProtocolSelector::Only(only) => write!(f, "{only}/")?,
        }
        match self.scope {
            ScopeSelector::Any => f.write_str("*")?,
            ScopeSelector::Only(scope) => f.write_str(scope.name())?,
        }
        write!(f, ".{}", self.topic)
    }
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Empty, or longer than [`PATTERN_BYTES_MAX`], or its topic part than [`TOPIC_BYTES_MAX`].
    #[error(
        "a pattern has 1 to {PATTERN_BYTES_MAX} bytes, its topic {TOPIC_BYTES_MAX}; this has {0}"
    )]
    Length(usize),
    /// The part before the slash.
    #[error("the pattern's protocol: {0}")]
    Protocol(#[source] ProtocolError),
    /// The part before the first dot.
    #[error(
        "a pattern begins with its scope, `self.`, `friends.`, `public.` or `*.`, not `{1}`{2}"
    )]
    Scope(usize, String, Meant),
    /// Two dots in a row, or one at an end.
    #[error("empty token at byte {0} of the pattern")]
    EmptyToken(usize),
    /// White space or a control character.
    #[error("white space or control character at byte {0} of the pattern")]
    Space(usize),
    /// A wildcard that shares its token with something.
    #[error("`{1}` at byte {0} of the pattern: a wildcard is a whole token")]
    PartOfToken(usize, char),
    /// A `>` that is not last.
    #[error("`>` at byte {0} of the pattern: it can only be the last token")]
    NotLast(usize),
    /// Not UTF-8.
    #[error("the pattern is not UTF-8 from byte {0}")]
    Utf8(usize),
}

impl PatternError {
    /// Offset of the offending byte in the pattern.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Length(_) => 0,
            Self::Protocol(error) => error.at(),
            Self::Scope(at, ..)
            | Self::EmptyToken(at)
            | Self::Space(at)
            | Self::PartOfToken(at, _)
            | Self::NotLast(at)
            | Self::Utf8(at) => *at,
        }
    }
}

/// The pattern that was probably meant where a scope is missing, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant(Option<String>);

impl Meant {
    /// For the pattern `text`, of which `rest` follows the protocol.
    fn by(text: &str, rest: &str) -> Self {
        let protocol = text.strip_suffix(rest).unwrap_or_default();
        let meant = match rest {
            "self" | "friends" | "public" | "*" => format!("{protocol}{rest}.>"),
            _ => format!("{protocol}self.{rest}"),
        };
        // What would have to be cut or escaped could not be typed as it is shown.
        let is_one = shown(&meant, REASON_CHARS_MAX) == meant && Pattern::parse(&meant).is_ok();
        Self(is_one.then_some(meant))
    }
}

impl std::fmt::Display for Meant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(meant) => write!(f, "; did you mean `{meant}`?"),
            None => Ok(()),
        }
    }
}

fn check_topic_pattern(topic: &str, offset: usize) -> Result<(), PatternError> {
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(PatternError::Length(topic.len()));
    }
    let mut start = 0;
    for token in topic.split('.') {
        let at = offset + start;
        if token.is_empty() {
            return Err(PatternError::EmptyToken(at));
        }
        if let Some((inert, _)) = token.char_indices().find(|(_, c)| is_inert(*c)) {
            return Err(PatternError::Space(at + inert));
        }
        let wildcard = token.char_indices().find(|(_, c)| matches!(c, '*' | '>'));
        if let Some((inside, c)) = wildcard {
            if token.len() > 1 {
                return Err(PatternError::PartOfToken(at + inside, c));
            }
            if c == '>' && start + 1 != topic.len() {
                return Err(PatternError::NotLast(at));
            }
        }
        start += token.len() + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_written_as_they_are_read() {
        for text in ["self.a", "friends.chess.*", "*.presence.>", "bt/self.*", "*/*.>", "self.a/b"]
        {
            assert_eq!(Pattern::new(text).unwrap().to_string(), text);
        }
        assert_eq!(Pattern::new("ms/self.a").unwrap().to_string(), "self.a");
    }

    #[test]
    fn wildcards_match_as_in_nats() {
        for (pattern, topic, matches) in [
            ("self.a.b", "a.b", true),
            ("self.a.b", "a.b.c", false),
            ("self.a.*", "a.b", true),
            ("self.a.*", "a", false),
            ("self.a.*", "a.b.c", false),
            ("self.a.>", "a", false),
            ("self.a.>", "a.b", true),
            ("self.a.>", "a.b.c", true),
            ("self.>", "a", true),
            ("self.*.b", "a.b", true),
            ("self.*.*", "a", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches_topic(topic),
                matches,
                "{pattern} {topic}"
            );
        }
    }

    #[test]
    fn scope_and_protocol_are_matched_too() {
        let pattern = Pattern::new("friends.a").unwrap();
        assert!(pattern.matches(&Protocol::MS, Scope::Friends, "a"));
        assert!(!pattern.matches(&Protocol::MS, Scope::Own, "a"));
        assert!(!pattern.matches(&Protocol::BT, Scope::Friends, "a"));
        assert!(Pattern::new("*/*.a").unwrap().matches(&Protocol::BT, Scope::Public, "a"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_at_its_byte() {
        let meant = |text: &str| Meant(Some(text.to_owned()));
        for (text, error) in [
            ("", PatternError::Length(0)),
            ("a.b", PatternError::Scope(0, "a".into(), meant("self.a.b"))),
            ("self", PatternError::Scope(0, "self".into(), meant("self.>"))),
            ("bt/\n.a", PatternError::Scope(3, "\\n".into(), Meant(None))),
            ("self.", PatternError::EmptyToken(5)),
            ("self.a..b", PatternError::EmptyToken(7)),
            ("self.a*", PatternError::PartOfToken(6, '*')),
            ("self.>.a", PatternError::NotLast(5)),
            ("bt/self.a b", PatternError::Space(9)),
        ] {
            assert_eq!(Pattern::new(text), Err(error), "{text:?}");
        }
        assert!(matches!(Pattern::new("B/self.a"), Err(PatternError::Protocol(_))));
    }

    #[test]
    fn where_the_scope_is_missing_the_error_says_what_was_meant() {
        for (text, meant) in [
            ("chess.>", "self.chess.>"),
            ("chess", "self.chess"),
            ("bt/chess.*", "bt/self.chess.*"),
            ("*", "*.>"),
            ("*/friends", "*/friends.>"),
        ] {
            let error = Pattern::new(text).unwrap_err().to_string();
            assert!(error.ends_with(&format!("; did you mean `{meant}`?")), "{text}: {error}");
        }
        let long = "a".repeat(REASON_CHARS_MAX);
        for text in ["", "a..b", "a b", "chess.>.a", "B/self.a", "\u{202e}.a", &long] {
            let error = Pattern::new(text).unwrap_err().to_string();
            assert!(!error.contains("did you mean"), "{text}: {error}");
        }
    }
}
