//! `docs/hostile.md` lists every test of this folder, and no other, with codes that exist.

use crate::house::markdown::tables;
use kith_wire::Code;
use std::collections::BTreeSet;
use std::fs;

const PAGE: &str = include_str!("../../../docs/hostile.md");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile");

/// The names of all tests of this folder but the one here.
fn cases() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in fs::read_dir(FOLDER).unwrap() {
        let path = file.unwrap().path();
        if path.file_name() == Some("page.rs".as_ref()) {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        for rest in source.split("#[test]\nfn ").skip(1) {
            let (name, _) = rest.split_once("()").unwrap();
            assert!(found.insert(name.to_owned()), "two tests are called `{name}`");
        }
    }
    found
}

#[test]
fn the_page_lists_every_case() {
    let mut listed = BTreeSet::new();
    for table in tables(PAGE) {
        assert!(table.begins_with(&["what it does", "codes", "closed", "test"]), "{table:?}");
        for (line, cells) in table.rows {
            let [_, codes, _, name] = cells.as_slice() else { panic!("line {line}: {cells:?}") };
            for code in codes.split(", ").filter_map(|codes| codes.split_whitespace().next()) {
                let code = code.trim_matches('`');
                assert!(
                    code == "–" || Code::from_name(code).is_some(),
                    "line {line}: there is no code {code}"
                );
            }
            assert!(listed.insert(name.clone()), "line {line}: `{name}` is there twice");
        }
    }
    assert_eq!(listed, cases());
}
