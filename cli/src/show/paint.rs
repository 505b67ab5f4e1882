//! Colours: what each thing looks like, and whether there are any.
//!
//! The sixteen colours that every terminal has and every user may have changed to their liking.
//! Nothing is said by colour alone.

use kith_wire::Scope;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// What is there to be seen second: times, units, notes.
    Faint,
    /// Something went wrong.
    Fault,
    /// A heading.
    Heading,
    /// Something was missed, or is about to go wrong.
    Loss,
    /// A message's scope; how far from home it comes.
    Scope(Scope),
    /// Something was seen to work.
    Success,
    /// What a message is about.
    Topic,
}

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    is_colored: bool,
}

impl Paint {
    pub(crate) fn new(is_colored: bool) -> Self {
        Self { is_colored }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self::new(false)
    }

    pub(crate) fn is_colored(self) -> bool {
        self.is_colored
    }

    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if !self.is_colored || text.is_empty() {
            return text.to_owned();
        }
        let code = match style {
            Style::Faint => "2",
            Style::Fault => "1;31",
            Style::Heading | Style::Topic => "1",
            Style::Loss => "33",
            Style::Scope(Scope::Own) => "32",
            Style::Scope(Scope::Friends) => "36",
            Style::Scope(Scope::Public) => "35",
            Style::Success => "32",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_colours_of_their_own() {
        let paint = Paint::new(true);
        let mut painted = Scope::ALL.map(|scope| paint.paint(Style::Scope(scope), "x"));
        painted.sort();
        assert!(painted.iter().all(|text| text.ends_with("mx\x1b[0m")));
        assert!(painted.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn without_colours_text_stays_as_it_is() {
        assert_eq!(Paint::plain().paint(Style::Fault, "x"), "x");
        assert_eq!(Paint::new(true).paint(Style::Fault, ""), "");
    }
}
