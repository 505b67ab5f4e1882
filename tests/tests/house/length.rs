//! One story per file, a function on a screen, a line without scrolling.
//!
//! A file of 300 lines is the aim and 600 the end; in between it should have a reason, which is
//! why the longest are listed (`cargo test -p kith-tests house::length -- --nocapture`). A function
//! is counted from the line of its `fn` to its closing brace; test functions may be longer,
//! since they are read from top to bottom. A comment that holds nothing but a link may be as
//! wide as the link.

use super::rust::{RustFile, item_end, line_at, name_after, words};
use super::tree::Tree;
use super::{Violation, keep};

const FILE_LINES_MAX: usize = 600;
/// From here on a file is listed.
const FILE_LINES_NOTED: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;

fn check(file: &RustFile) -> Vec<Violation> {
    let mut found = long_functions(file);
    let n_lines = file.text.lines().count();
    if n_lines > FILE_LINES_MAX {
        let what = format!("{n_lines} lines, at most {FILE_LINES_MAX}: part it by subject");
        found.push(Violation::new(&file.path, n_lines, what));
    }
    for (at, line) in file.text.lines().enumerate() {
        let n_chars = line.chars().count();
        if n_chars > LINE_CHARS_MAX && !is_lone_link(line) {
            let what = format!("{n_chars} characters, at most {LINE_CHARS_MAX}: break the line");
            found.push(Violation::new(&file.path, at + 1, what));
        }
    }
    found
}

fn long_functions(file: &RustFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for start in words(&file.shipped, "fn") {
        let rest = file.shipped.get(start + "fn".len()..).unwrap_or_default();
        // Without a name it is a function pointer's type.
        let Some(name) = name_after(rest) else { continue };
        let (end, has_body) = item_end(&file.shipped, start);
        let (first, last) = (line_at(&file.shipped, start), line_at(&file.shipped, end));
        let n_lines = last - first + 1;
        if has_body && n_lines > FUNCTION_LINES_MAX {
            let what = format!(
                "`fn {name}` has {n_lines} lines, at most {FUNCTION_LINES_MAX}: \
                 give its parts names of their own"
            );
            found.push(Violation::new(&file.path, first, what));
        }
    }
    found
}

fn is_lone_link(line: &str) -> bool {
    let comment = line.trim_start().trim_start_matches(['/', '!']).trim();
    line.trim_start().starts_with("//") && comment.contains("://") && !comment.contains(' ')
}

#[test]
fn files_functions_and_lines_have_a_length_that_can_be_read() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let mut sizes: Vec<_> =
        tree.rust.iter().map(|file| (file.text.lines().count(), &file.path)).collect();
    sizes.sort();
    let median = sizes.get(sizes.len() / 2).map_or(0, |(n_lines, _)| *n_lines);
    println!("{} files, half of them up to {median} lines; the longest:", sizes.len());
    for (n_lines, path) in sizes.iter().rev().take_while(|(n, _)| *n > FILE_LINES_NOTED) {
        println!("{n_lines:>5} {path}");
    }
    keep("files, functions and lines fit", tree.rust.iter().flat_map(check));
    Ok(())
}

#[test]
fn what_is_too_long_is_seen() {
    let body = "    let a = \"}\"; // }\n".repeat(FUNCTION_LINES_MAX - 1);
    let long = format!(
        "//! Long.\nimpl A {{\n    pub async fn b(\n        c: [u8; 4],\n    ) {{\n\
         {body}    }}\n}}\n"
    );
    let found = check(&RustFile::new("core/src/long.rs", &long));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].line, 3);
    assert!(found[0].what.contains("`fn b` has 73 lines"), "{}", found[0].what);
    assert_eq!(check(&RustFile::new("core/src/long/tests.rs", &long)), []);

    let fits = format!("fn b() {{\n{}}}\nfn c();\n", "    d();\n".repeat(FUNCTION_LINES_MAX - 2));
    assert_eq!(check(&RustFile::new("core/src/fits.rs", &fits)), []);

    let file = "x\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(check(&RustFile::new("core/tests/file.rs", &file))[0].line, FILE_LINES_MAX + 1);

    let wide =
        format!("// {}\n// https://{}\nä{}", "x ".repeat(50), "x".repeat(100), "x".repeat(99));
    let found = check(&RustFile::new("core/src/wide.rs", &wide));
    assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [1], "{found:#?}");
}
