//! The keys, over everything else, until one is pressed.

use super::look::Look;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph};

const KEYS: [(&str, &str); 12] = [
    ("↑ ↓  k j", "choose a client"),
    ("PgUp PgDn g G", "ten rows, first, last"),
    ("enter d", "the chosen client: on, off"),
    ("< >", "sort by another column"),
    ("r", "the other way round"),
    ("/", "filter by name, process, number"),
    ("esc", "show all again, or quit"),
    ("space p", "pause, go on"),
    ("+ -", "a longer, a shorter interval"),
    ("Ctrl-L", "draw anew"),
    ("Ctrl-Z", "back to the shell"),
    ("q Ctrl-C", "quit"),
];

const NOTE: &str = "Rates leave this kith top out.";

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, look: Look) {
    let keys = KEYS.map(|(key, meaning)| {
        Line::from(vec![Span::styled(format!(" {key:<14}"), look.heading()), Span::raw(meaning)])
    });
    let mut lines = Vec::from(keys);
    lines.push(Line::styled(format!(" {NOTE}"), look.faint()));
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let area = area.centered(Constraint::Max(52), Constraint::Max(height));
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(" Keys ");
    frame.render_widget(Paragraph::new(Text::from(lines)).block(block), area);
}
