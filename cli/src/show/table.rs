//! Tables as wide as what is in them.
//!
//! Cells have to be harmless already. What is said of a row behind its cells (`note`) is no column:
//! most rows have none.

use crate::show::columns;
use crate::show::paint::{Paint, Style};

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A row of `N` cells.
#[derive(Clone, Debug)]
pub(crate) struct Row<const N: usize> {
    pub(crate) cells: [String; N],
    /// How the whole row is shown, where it is special.
    pub(crate) style: Option<Style>,
    pub(crate) note: Option<String>,
}

impl<const N: usize> Row<N> {
    pub(crate) fn plain(cells: [String; N]) -> Self {
        Self { cells, style: None, note: None }
    }
}

/// The table, each line indented by two. The last column is not filled up.
pub(crate) fn table<const N: usize>(
    heading: [(&str, Side); N],
    rows: Vec<Row<N>>,
    paint: Paint,
) -> String {
    let sides = heading.map(|(_, side)| side);
    let head = heading.map(|(name, _)| name.to_owned());
    let head = Row { cells: head, style: Some(Style::Heading), note: None };
    let rows: Vec<Row<N>> = std::iter::once(head).chain(rows).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column));
        cells.map(|cell| columns::width(cell)).max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in rows {
        let cells = row.cells.iter().zip(widths).zip(sides);
        let cells = cells.map(|((cell, width), side)| match side {
            Side::Left => columns::left(cell, width),
            Side::Right => columns::right(cell, width),
        });
        let mut line = cells.collect::<Vec<_>>().join("  ");
        if let Some(note) = &row.note {
            line.push_str("  ");
            line.push_str(note);
        }
        let line = line.trim_end();
        text.push_str("  ");
        text.push_str(&row.style.map_or_else(|| line.to_owned(), |style| paint.paint(style, line)));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| Row::plain([a.to_owned(), b.to_owned()]);
        let mut last = row("漢字", "5");
        last.note = Some("late".to_owned());
        let rows = vec![row("a", "1,000"), last, row("", "")];
        let text = table([("NAME", Side::Left), ("N", Side::Right)], rows, Paint::plain());
        assert_eq!(text, "  NAME      N\n  a     1,000\n  漢字      5  late\n  \n");
    }
}
