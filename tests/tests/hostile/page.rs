//! `docs/hostile.md` lists every test of this folder, and no other, with codes that exist.

use crate::house::markdown::tables;
use kith_wire::Code;
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/hostile.md");
const SOURCES: [&str; 7] = [
    include_str!("crowd.rs"),
    include_str!("descriptors.rs"),
    include_str!("garbage.rs"),
    include_str!("greedy.rs"),
    include_str!("lengths.rs"),
    include_str!("slow.rs"),
    include_str!("stubborn.rs"),
];

fn tests(source: &str) -> impl Iterator<Item = &str> {
    let after = source.split("#[test]\nfn ").skip(1);
    after.filter_map(|rest| rest.split_once("()").map(|(name, _)| name))
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
    let all: BTreeSet<String> = SOURCES.into_iter().flat_map(tests).map(str::to_owned).collect();
    assert_eq!(listed, all);
}
