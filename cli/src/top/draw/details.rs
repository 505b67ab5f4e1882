//! The chosen client: what it did since it came, and what it listens to.

use super::clients::process;
use super::fitting;
use super::look::Look;
use crate::limits::PATTERNS_SHOWN_MAX;
use crate::show::columns::{left, right};
use crate::show::harmless::harmless;
use crate::show::quantity;
use crate::top::facts::{Patterns, Subscription};
use crate::top::rates::Row;
use crate::top::state::State;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Paragraph};

/// How many lines it takes: what it has to say, and at most a third of the screen.
pub(super) fn height(state: &State, room: u16) -> u16 {
    let patterns = patterns(state).map_or(1, |patterns| match &patterns.found {
        Ok(found) => found.len().max(1),
        Err(_) => 1,
    });
    u16::try_from(patterns).unwrap_or(u16::MAX).saturating_add(3).min(room / 3)
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, look: Look) {
    let Some(row) = state.chosen() else { return };
    let title = match &row.client.name {
        Some(name) => format!(" client {}: {} ", row.client.client, harmless(name)),
        None => format!(" client {} ", row.client.client),
    };
    let block = Block::new().borders(Borders::TOP).title(title).border_style(look.faint());
    let room = usize::from(block.inner(area).height);
    let mut lines = Vec::from(facts(row, area.width));
    lines.extend(listens(state, row, room.saturating_sub(lines.len()), look));
    frame.render_widget(Paragraph::new(Text::from(lines)).block(block), area);
}

/// Who it is and what it does; then what it did since it came, what went wrong before the rest.
fn facts(row: &Row, columns: u16) -> [Line<'static>; 2] {
    let client = &row.client;
    let counters = &client.counters;
    let framing = client.framing.as_deref().map_or_else(
        || "has said nothing yet".to_owned(),
        |framing| format!("speaks {}", harmless(framing)),
    );
    let process = match client.pid {
        Some(pid) => format!("process {pid}, {}", process(row)),
        None => "process unknown".to_owned(),
    };
    let amount =
        |number, bytes| format!("{} ({})", quantity::count(number), quantity::bytes(bytes));
    let rates = row.flow.map_or_else(String::new, |flow| {
        let bytes = |rate| quantity::bytes(rate / 1000);
        format!(", {}/s in, {}/s out", bytes(flow.published_bytes), bytes(flow.delivered_bytes))
    });
    let counted = [
        format!("dropped {}", quantity::count(counters.dropped)),
        format!("queued {}", amount(client.queued_messages, client.queued_bytes)),
        format!("delivered {}", amount(counters.delivered, counters.delivered_bytes)),
        format!("published {}", amount(counters.published, counters.published_bytes)),
    ];
    let counted = fitting(counted.map(|text| (text, Style::new())), columns);
    [Line::raw(format!("{process}; {framing}{rates}")), counted]
}

/// What was heard of the chosen client's subscriptions, and not of another's.
fn patterns(state: &State) -> Option<&Patterns> {
    let chosen = state.chosen()?.client.client;
    state.patterns.as_ref().filter(|patterns| patterns.client == chosen)
}

fn listens(state: &State, row: &Row, room: usize, look: Look) -> Vec<Line<'static>> {
    let note = |text: String| vec![Line::styled(text, look.faint())];
    let found = match patterns(state).map(|patterns| &patterns.found) {
        None => return note("its patterns are asked for".to_owned()),
        Some(Err(text)) => return note(format!("its patterns are not known: {}", harmless(text))),
        Some(Ok(found)) if found.is_empty() => return note("subscribes to nothing".to_owned()),
        Some(Ok(found)) => found,
    };
    // There may be more than were asked for.
    let all = match found.len() < PATTERNS_SHOWN_MAX {
        true => found.len(),
        false => usize::try_from(row.client.subscriptions).unwrap_or(usize::MAX).max(found.len()),
    };
    let shown = if all <= room { found.len() } else { room.saturating_sub(1).min(found.len()) };
    let mut lines: Vec<_> = found.iter().take(shown).map(|one| Line::raw(line(one))).collect();
    if shown < all {
        let more = u64::try_from(all - shown).unwrap_or(u64::MAX);
        lines.extend(note(format!("and {} more", quantity::count(more))));
    }
    lines
}

fn line(subscription: &Subscription) -> String {
    let pattern = subscription.pattern.as_deref().unwrap_or("-");
    let number = right(&subscription.sub.to_string(), 6);
    let pattern = harmless(pattern);
    let role = match &subscription.group {
        Some(group) => format!("group {}", harmless(group)),
        None if subscription.monitor => "monitor".to_owned(),
        None => return format!("{number}  {pattern}"),
    };
    format!("{number}  {}  {role}", left(&pattern, 40))
}
