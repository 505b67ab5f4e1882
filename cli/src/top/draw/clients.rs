//! The table of clients, with as many columns as there is room for.

use super::look::Look;
use crate::limits::NAME_CHARS_MAX;
use crate::show::columns::{cut, left, right, width};
use crate::show::harmless::harmless;
use crate::show::quantity;
use crate::top::rates::Row;
use crate::top::state::State;
use crate::top::table::Column;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::widgets::{self, Table, TableState};

/// Names have at least so many columns: `kith top (this)`.
const NAME_WIDTH: usize = 15;
/// And at most so many: the longest name, and that it lags.
const NAME_WIDTH_MOST: usize = NAME_CHARS_MAX + " (lags)".len();

/// Processes have at least so many columns: `kith-busd`.
const PROCESS_WIDTH: usize = 9;
/// And at most so many: the system knows no longer names.
const PROCESS_WIDTH_MOST: usize = 15;

/// Which columns go first where there is no room for all of them.
const FIRST_TO_GO: [Column; 7] = [
    Column::Waiting,
    Column::Subscriptions,
    Column::Bytes,
    Column::Process,
    Column::Id,
    Column::Queued,
    Column::Published,
];

/// How wide a column is at least; names and processes take of what is left.
const fn columns_of(column: Column) -> usize {
    match column {
        Column::Name => NAME_WIDTH,
        Column::Process => PROCESS_WIDTH,
        Column::Id | Column::Waiting => 5,
        Column::Published | Column::Delivered => 7,
        Column::Dropped | Column::Bytes => 8,
        Column::Queued => 7,
        Column::Subscriptions => 6,
    }
}

/// The columns for which there is room, and how wide they are.
fn fitting(room: usize) -> Vec<(Column, usize)> {
    let mut columns = Column::ALL.to_vec();
    let taken = |columns: &[Column]| -> usize {
        columns.iter().map(|column| columns_of(*column) + 1).sum::<usize>().saturating_sub(1)
    };
    for column in FIRST_TO_GO {
        if taken(&columns) <= room {
            break;
        }
        columns.retain(|one| *one != column);
    }
    let spare = room.saturating_sub(taken(&columns));
    let process = match columns.contains(&Column::Process) {
        true => (PROCESS_WIDTH + spare / 2).min(PROCESS_WIDTH_MOST),
        false => PROCESS_WIDTH,
    };
    let name = (NAME_WIDTH + spare - (process - PROCESS_WIDTH)).min(NAME_WIDTH_MOST);
    let wide = |column| match column {
        Column::Name => (column, name),
        Column::Process => (column, process),
        column => (column, columns_of(column)),
    };
    columns.into_iter().map(wide).collect()
}

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    scroll: &mut TableState,
    look: Look,
) {
    let columns = fitting(usize::from(area.width));
    let heading = columns.iter().map(|(column, width)| {
        let is_sorted = *column == state.order.column;
        let arrow = if is_sorted { state.order.arrow().to_string() } else { String::new() };
        let text = format!("{}{arrow}", column.heading());
        if is_text(*column) { text } else { right(&text, *width) }
    });
    let rows = state.rows().map(|row| {
        let cells = columns.iter().map(|(column, width)| cell(*column, row, *width));
        widgets::Row::new(cells.collect::<Vec<_>>()).style(style(row, look))
    });
    let widths = columns
        .iter()
        .map(|(_, width)| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)));
    let table = Table::new(rows, widths)
        .header(widgets::Row::new(heading).style(look.heading()))
        .row_highlight_style(look.chosen());
    scroll.select(state.chosen_at());
    frame.render_stateful_widget(table, area, scroll);
}

fn is_text(column: Column) -> bool {
    matches!(column, Column::Name | Column::Process)
}

fn style(row: &Row, look: Look) -> Style {
    if row.client.lagging {
        look.loss()
    } else if row.is_this {
        look.faint()
    } else {
        Style::new()
    }
}

fn cell(column: Column, row: &Row, columns: usize) -> String {
    let client = &row.client;
    let rate = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), quantity::rate);
    let text = match column {
        Column::Id => client.client.to_string(),
        Column::Name => return name(row, columns),
        Column::Process => return left(&process(row), columns),
        Column::Published => rate(row.flow.map(|flow| flow.published)),
        Column::Delivered => rate(row.flow.map(|flow| flow.delivered)),
        Column::Dropped => short(client.counters.dropped),
        Column::Queued => short(client.queued_messages),
        Column::Bytes => quantity::bytes(client.queued_bytes),
        Column::Subscriptions => short(client.subscriptions),
        Column::Waiting => short(client.requests_waiting),
    };
    right(&text, columns)
}

/// A count, in thousands or millions where it is long.
fn short(number: u64) -> String {
    quantity::rate(number.saturating_mul(1000))
}

/// The name, and what there is to be said of it, which is not cut off.
fn name(row: &Row, columns: usize) -> String {
    let name = row
        .client
        .name
        .as_deref()
        .map_or_else(|| "-".to_owned(), |name| harmless(name).into_owned());
    let note = if row.is_this {
        " (this)"
    } else if row.client.lagging {
        " (lags)"
    } else {
        ""
    };
    left(&format!("{}{note}", cut(&name, columns.saturating_sub(width(note)))), columns)
}

/// The name of its process, or its number where there is none.
pub(super) fn process(row: &Row) -> String {
    match (&row.command, row.client.pid) {
        (Some(command), _) => harmless(command).into_owned(),
        (None, Some(pid)) => pid.to_string(),
        (None, None) => "-".to_owned(),
    }
}
