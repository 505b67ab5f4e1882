//! From what is known to what is on the screen: a function of the state and of the room there is.
//!
//! What there is room for is shown in the order of its use: the rows of clients always, then the
//! totals, then what the chosen client listens to. Texts of other programs come in through
//! [`harmless`](crate::show::harmless::harmless) alone.

mod clients;
mod details;
mod head;
mod help;
mod look;

pub(crate) use look::Look;

use super::state::{Mode, State};
use crate::limits::{TOP_COLUMNS_MIN, TOP_LINES_MIN};
use crate::show::columns::width;
use crate::show::harmless::harmless;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, TableState};

/// Draws everything. `scroll`: how far the table is scrolled, which only the drawing knows.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, scroll: &mut TableState, look: Look) {
    let area = frame.area();
    if area.width < TOP_COLUMNS_MIN || area.height < TOP_LINES_MIN {
        let text = format!("kith top needs {TOP_COLUMNS_MIN}×{TOP_LINES_MIN}");
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let metrics_height = if area.height < 14 { 0 } else { head::metrics_height(area) };
    let is_roomy = area.height >= 20 && state.has_details && state.chosen().is_some();
    let details_height = if is_roomy { details::height(state, area.height) } else { 0 };
    let rows = [
        Constraint::Length(2),
        Constraint::Length(metrics_height),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(details_height),
        Constraint::Length(1),
    ];
    let [title, metrics, totals, table, detail, keys] = Layout::vertical(rows).areas(area);
    head::title(frame, title, state, look);
    if metrics_height > 0 {
        head::metrics(frame, metrics, state, look);
    }
    head::totals(frame, totals, state, look);
    clients::draw(frame, table, state, scroll, look);
    if details_height > 0 {
        details::draw(frame, detail, state, look);
    }
    last_line(frame, keys, state, look);
    if state.mode == Mode::Helping {
        help::draw(frame, area, look);
    }
}

/// What is being typed, or which keys there are.
fn last_line(frame: &mut Frame<'_>, area: Rect, state: &State, look: Look) {
    let filter = harmless(&state.order.filter);
    let line = match state.mode {
        Mode::Filtering => {
            let typed = format!("/{filter}");
            let columns = u16::try_from(width(&typed)).unwrap_or(u16::MAX);
            frame.set_cursor_position((area.x.saturating_add(columns), area.y));
            Line::from(vec![
                Span::raw(typed),
                Span::styled("    enter keeps it, esc takes it back", look.faint()),
            ])
        }
        _ if !filter.is_empty() => Line::from(vec![
            Span::styled(format!("/{filter}"), look.heading()),
            Span::styled("    esc shows all again", look.faint()),
        ]),
        _ => fitting(KEYS.map(|key| (key.to_owned(), look.faint())), area.width),
    };
    frame.render_widget(line, area);
}

/// The keys that are told: all of them in 80 columns, else the first.
const KEYS: [&str; 8] = [
    "q quit",
    "? help",
    "/ filter",
    "< > sort",
    "r reverse",
    "space pause",
    "+ - pace",
    "enter more",
];

/// The first of these texts, whole, as many as there is room for beside each other.
fn fitting(texts: impl IntoIterator<Item = (String, Style)>, columns: u16) -> Line<'static> {
    const GAP: &str = "  ";
    let mut room = usize::from(columns) + GAP.len();
    let mut spans = Vec::new();
    for (text, style) in texts {
        let Some(rest) = room.checked_sub(width(&text) + GAP.len()) else { break };
        room = rest;
        if !spans.is_empty() {
            spans.push(Span::raw(GAP));
        }
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests;
