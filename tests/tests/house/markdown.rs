//! The tables of a Markdown document, as far as the rules read them: GitHub's pipe tables.

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    /// What stands in its first row, cell by cell.
    pub(crate) header: Vec<String>,
    /// The other rows: line in the document, counted from 1, and cells.
    pub(crate) rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// Whether its first columns are called `names`.
    pub(crate) fn begins_with(&self, names: &[&str]) -> bool {
        self.header.iter().zip(names).filter(|(cell, name)| cell == name).count() == names.len()
    }
}

/// All tables of `document`, from top to bottom.
pub(crate) fn tables(document: &str) -> Vec<Table> {
    let mut found: Vec<Table> = Vec::new();
    let mut is_inside = false;
    for (at, line) in document.lines().enumerate() {
        let Some(cells) = cells(line) else {
            is_inside = false;
            continue;
        };
        let is_rule = cells.iter().all(|cell| cell.trim_matches([':', '-']).is_empty());
        match found.last_mut() {
            Some(_) if is_inside && is_rule => {}
            Some(table) if is_inside => table.rows.push((at + 1, cells)),
            _ => found.push(Table { header: cells, rows: Vec::new() }),
        }
        is_inside = true;
    }
    found
}

/// The cells of one row, trimmed and without the backticks of code; `\|` is a pipe.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let inner = inner.replace("\\|", "\u{0}");
    let plain = |cell: &str| cell.trim().trim_matches('`').replace('\u{0}', "|");
    Some(inner.split('|').map(plain).collect())
}

#[test]
fn tables_are_found() {
    let document = "text\n\n| a | b |\n| --- | :-: |\n| `1` | x\\|y |\n| 2 | |\n\n| c |\n| --- |\n";
    let found = tables(document);
    let rows: Vec<_> = found.iter().map(|table| table.rows.len()).collect();
    assert_eq!(rows, [2, 0]);
    let first = &found[0];
    assert!(first.begins_with(&["a"]) && first.begins_with(&["a", "b"]));
    assert!(!first.begins_with(&["b"]) && !first.begins_with(&["a", "b", "c"]));
    let expected =
        [(5, vec!["1".to_owned(), "x|y".to_owned()]), (6, vec!["2".to_owned(), String::new()])];
    assert_eq!(first.rows, expected);
}
