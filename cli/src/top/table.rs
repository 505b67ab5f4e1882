//! Which clients are shown, and in which order.
//!
//! Each column knows what it sorts by and which way round is of use first: the busiest, the longest
//! queue, but names from A. Equal ones stand in the order in which they connected, so that rows
//! don't dance.

use super::rates::Row;
use clap::ValueEnum;
use std::cmp::Ordering;

/// What can be sorted by, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Column {
    Id,
    Name,
    Process,
    Published,
    Delivered,
    Dropped,
    Queued,
    Bytes,
    Subscriptions,
    Waiting,
}

impl Column {
    /// Every column, from left to right.
    pub(crate) const ALL: [Self; 10] = [
        Self::Id,
        Self::Name,
        Self::Process,
        Self::Published,
        Self::Delivered,
        Self::Dropped,
        Self::Queued,
        Self::Bytes,
        Self::Subscriptions,
        Self::Waiting,
    ];

    /// What stands above it.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Name => "NAME",
            Self::Process => "PROCESS",
            Self::Published => "PUB/s",
            Self::Delivered => "DEL/s",
            Self::Dropped => "DROPPED",
            Self::Queued => "QUEUED",
            Self::Bytes => "BYTES",
            Self::Subscriptions => "SUBS",
            Self::Waiting => "WAIT",
        }
    }

    /// The column so many places to the right, round and round.
    pub(crate) fn moved(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|column| *column == self).unwrap_or_default();
        let by = by.rem_euclid(Self::ALL.len().cast_signed());
        let moved = at.checked_add_signed(by).unwrap_or_default() % Self::ALL.len();
        Self::ALL.get(moved).copied().unwrap_or(self)
    }

    /// Whether small comes before large: what has a name or a number of its own is looked up.
    const fn is_ascending(self) -> bool {
        matches!(self, Self::Id | Self::Name | Self::Process)
    }

    fn compare(self, one: &Row, other: &Row) -> Ordering {
        let (a, b) = (&one.client, &other.client);
        let flows = || (one.flow.unwrap_or_default(), other.flow.unwrap_or_default());
        match self {
            Self::Id => a.client.cmp(&b.client),
            Self::Name => texts(a.name.as_deref(), b.name.as_deref()),
            Self::Process => texts(one.command.as_deref(), other.command.as_deref())
                .then_with(|| a.pid.cmp(&b.pid)),
            Self::Published => {
                let (now, then) = flows();
                now.published.cmp(&then.published)
            }
            Self::Delivered => {
                let (now, then) = flows();
                now.delivered.cmp(&then.delivered)
            }
            Self::Dropped => a.counters.dropped.cmp(&b.counters.dropped),
            Self::Queued => a.queued_messages.cmp(&b.queued_messages),
            Self::Bytes => a.queued_bytes.cmp(&b.queued_bytes),
            Self::Subscriptions => a.subscriptions.cmp(&b.subscriptions),
            Self::Waiting => a.requests_waiting.cmp(&b.requests_waiting),
        }
    }
}

/// By letters, whatever their case; what has no name comes last.
fn texts(one: Option<&str>, other: Option<&str>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => one.to_lowercase().cmp(&other.to_lowercase()),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// Which rows, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) column: Column,
    /// The other way round than the column's own.
    pub(crate) is_reversed: bool,
    /// Empty: all rows.
    pub(crate) filter: String,
}

impl Order {
    /// Puts rows in order.
    pub(crate) fn sort(&self, rows: &mut [Row]) {
        rows.sort_by(|one, other| {
            let order = self.column.compare(one, other);
            let is_downward = self.column.is_ascending() == self.is_reversed;
            let order = if is_downward { order.reverse() } else { order };
            order.then_with(|| one.client.client.cmp(&other.client.client))
        });
    }

    /// Whether a row is to be shown: one of its texts and numbers holds what is looked for.
    pub(crate) fn shows(&self, row: &Row) -> bool {
        let wanted = self.filter.trim().to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&wanted);
        wanted.is_empty()
            || row.client.name.as_deref().is_some_and(holds)
            || row.command.as_deref().is_some_and(holds)
            || row.client.framing.as_deref().is_some_and(|framing| framing == wanted)
            || row.client.pid.is_some_and(|pid| pid.to_string() == wanted)
            || row.client.client.to_string() == wanted
    }

    /// An arrow for the heading of the column that is sorted by.
    pub(crate) fn arrow(&self) -> char {
        if self.column.is_ascending() == self.is_reversed { '▼' } else { '▲' }
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Client;
    use super::super::rates::Flow;
    use super::*;

    fn row(client: u64, name: Option<&str>, queued_messages: u64, published: u64) -> Row {
        let name = name.map(str::to_owned);
        Row {
            client: Client { client, name, queued_messages, ..Client::default() },
            flow: Some(Flow { published, ..Flow::default() }),
            ..Row::default()
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row(0, None, 5, 3),
            row(1, Some("beta"), 5, 0),
            row(2, Some("Alpha"), 9, 100),
            Row { command: Some("python3".into()), flow: None, ..row(3, Some("gamma"), 0, 0) },
        ]
    }

    fn sorted(column: Column, is_reversed: bool) -> Vec<u64> {
        let mut rows = rows();
        Order { column, is_reversed, filter: String::new() }.sort(&mut rows);
        rows.iter().map(|row| row.client.client).collect()
    }

    #[test]
    fn each_column_sorts_the_way_that_is_of_use() {
        assert_eq!(sorted(Column::Id, false), [0, 1, 2, 3]);
        assert_eq!(sorted(Column::Id, true), [3, 2, 1, 0]);
        assert_eq!(sorted(Column::Name, false), [2, 1, 3, 0]);
        assert_eq!(sorted(Column::Queued, false), [2, 0, 1, 3]);
        // Equal ones keep their order whichever way round.
        assert_eq!(sorted(Column::Queued, true), [3, 0, 1, 2]);
        assert_eq!(sorted(Column::Published, false), [2, 0, 1, 3]);
        assert_eq!(sorted(Column::Process, false), [3, 0, 1, 2]);
    }

    #[test]
    fn rows_are_found_by_name_process_and_number() {
        let found = |filter: &str| {
            let filter = filter.to_owned();
            let order = Order { column: Column::Id, is_reversed: false, filter };
            let rows = rows();
            let shown = rows.iter().filter(|row| order.shows(row));
            shown.map(|row| row.client.client).collect::<Vec<_>>()
        };
        assert_eq!(found(""), [0, 1, 2, 3]);
        assert_eq!(found("ALPHA "), [2]);
        assert_eq!(found("a"), [1, 2, 3]);
        assert_eq!(found("pyth"), [3]);
        assert_eq!(found("1"), [1]);
        assert!(found("nobody").is_empty());
    }

    #[test]
    fn columns_go_round() {
        assert_eq!(Column::Id.moved(-1), Column::Waiting);
        assert_eq!(Column::Waiting.moved(1), Column::Id);
        assert_eq!(Column::Name.moved(1), Column::Process);
        let order = |column, is_reversed| Order { column, is_reversed, filter: String::new() };
        let arrows = [order(Column::Id, false), order(Column::Queued, false)];
        assert_eq!(arrows.map(|order| order.arrow()), ['▲', '▼']);
        assert_eq!(order(Column::Queued, true).arrow(), '▲');
    }
}
