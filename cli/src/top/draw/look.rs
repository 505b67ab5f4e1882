//! What each thing looks like on the screen.
//!
//! The same colours as everywhere else in `kith`, and none without them: then what matters is told
//! apart by weight and by being turned round, which every terminal can and which is no colour.
//! Nothing is said by colour alone.

use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    is_colored: bool,
}

impl Look {
    pub(crate) fn new(is_colored: bool) -> Self {
        Self { is_colored }
    }

    /// What is read first.
    pub(super) fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What is there to be seen second.
    pub(super) fn faint(self) -> Style {
        if self.is_colored { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
    }

    /// The row that keys are about.
    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Something was missed.
    pub(super) fn loss(self) -> Style {
        self.colored(Color::Yellow)
    }

    /// Something is wrong.
    pub(super) fn fault(self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// How a number went.
    pub(super) fn line(self) -> Style {
        self.colored(Color::Green)
    }

    fn colored(self, color: Color) -> Style {
        if self.is_colored { Style::new().fg(color) } else { Style::new() }
    }
}
