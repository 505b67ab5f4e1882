//! What standard output and standard error are: how wide, and whether they show colours.

use crate::arguments::ColorChoice;
use crate::show::paint::Paint;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};

/// What there is to print on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Whether a person reads standard output.
    pub(crate) is_read_by_a_person: bool,
    /// For standard output.
    pub(crate) paint: Paint,
    /// For standard error.
    pub(crate) notice_paint: Paint,
}

impl Terminal {
    /// Looks at both, and at `NO_COLOR`.
    pub(crate) fn look(choice: ColorChoice) -> Self {
        let no_color = std::env::var_os("NO_COLOR");
        let paint = |is_terminal| Paint::new(is_colored(choice, is_terminal, no_color.as_deref()));
        let is_read_by_a_person = io::stdout().is_terminal();
        let notice_paint = paint(io::stderr().is_terminal());
        Self { is_read_by_a_person, paint: paint(is_read_by_a_person), notice_paint }
    }

    /// Its columns at this moment; nothing where standard output is no terminal, or one that
    /// doesn't tell.
    pub(crate) fn columns(&self) -> Option<usize> {
        self.size().map(|(columns, _)| columns)
    }

    /// The same with its lines.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        if !self.is_read_by_a_person {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
    }
}

/// Whether there are colours (<https://no-color.org>: the variable counts if it isn't empty).
fn is_colored(choice: ColorChoice, is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => is_terminal && no_color.is_none_or(OsStr::is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_and_for_those_who_want_them() {
        let one = Some(OsStr::new("1"));
        for (choice, is_terminal, no_color, expected) in [
            (ColorChoice::Auto, true, None, true),
            (ColorChoice::Auto, true, Some(OsStr::new("")), true),
            (ColorChoice::Auto, true, one, false),
            (ColorChoice::Auto, false, None, false),
            (ColorChoice::Always, false, one, true),
            (ColorChoice::Never, true, None, false),
        ] {
            assert_eq!(is_colored(choice, is_terminal, no_color), expected, "{choice:?}");
        }
    }
}
