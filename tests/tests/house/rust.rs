//! A Rust source file as the rules see it: just enough of a lexer to tell code from comments and
//! strings, and shipped code from test code.
//!
//! Everything that is taken out is replaced by spaces, one for each character, so that all views
//! of a file have the same lines. Searching the right view is what keeps a rule from being set
//! off by its own documentation: a comment may say "unsafe", and a sample in a string may hold
//! anything.
//!
//! Not a parser: macros, attributes and generics are text like any other. Brackets are balanced
//! in every Rust file that compiles, and that is all that the rules lean on.

/// One `.rs` file in four views.
pub(super) struct RustFile {
    /// Relative to the workspace, with `/`.
    pub(super) path: String,
    /// As written.
    pub(super) text: String,
    /// Without the contents of strings.
    pub(super) prose: String,
    /// Without comments either.
    pub(super) code: String,
    /// Without test code either: items under `#[cfg(test)]`, and whole files of tests.
    pub(super) shipped: String,
}

impl RustFile {
    /// Prepares all views of `text`.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (prose, code) = views(text);
        let shipped = if is_test_file(path) || code.contains("#![cfg(test)]") {
            blank(&code)
        } else {
            without_tests(&code)
        };
        Self { path: path.to_owned(), text: text.to_owned(), prose, code, shipped }
    }

    /// The file's name without its folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The line of a byte offset, counted from 1.
pub(super) fn line_at(view: &str, offset: usize) -> usize {
    view.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Where `needle` stands in `view` as a word of its own: offsets in bytes. A path that goes on to
/// the left (`crate::rand` for `rand`) is another word.
pub(super) fn words(view: &str, needle: &str) -> Vec<usize> {
    let is_whole = |at: usize| {
        let before = view.get(..at).and_then(|text| text.chars().next_back());
        let after = view.get(at + needle.len()..).and_then(|text| text.chars().next());
        let goes_on_left = before.is_some_and(|c| is_word(c) || c == ':');
        let goes_on_right = after.is_some_and(is_word);
        !(needle.starts_with(is_word) && goes_on_left || needle.ends_with(is_word) && goes_on_right)
    };
    view.match_indices(needle).map(|(at, _)| at).filter(|at| is_whole(*at)).collect()
}

/// Where the item ends that begins at `start`: after its closing brace, or after the semicolon if
/// it has no body. The flag says whether it has one.
pub(super) fn item_end(code: &str, start: usize) -> (usize, bool) {
    let mut depth = 0_usize;
    let mut in_body = false;
    for (at, c) in code.get(start..).unwrap_or_default().char_indices() {
        match c {
            ';' if depth == 0 => return (start + at + 1, false),
            '{' => {
                in_body |= depth == 0;
                depth += 1;
            }
            '(' | '[' => depth += 1,
            // What encloses the item ends: it was a field or a variant.
            '}' if depth == 0 => return (start + at, false),
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == '}' && depth == 0 && in_body {
            return (start + at + 1, true);
        }
    }
    (code.len(), in_body)
}

/// The name that follows at the start of `rest`, after white space.
pub(super) fn name_after(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    rest.get(..end).filter(|name| !name.is_empty())
}

/// Every path that `use` declarations in `view` bring in, braces spread out, with the line of the
/// declaration: `use a::{b, c::d as e};` is `a::b` and `a::c::d`.
pub(super) fn imports(view: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(view, "use") {
        let rest = view.get(at + "use".len()..).unwrap_or_default();
        let Some((tree, _)) = rest.split_once(';') else { continue };
        // `use<'a>` in a type is not an import.
        if tree.starts_with(char::is_whitespace) && !tree.trim_start().starts_with('<') {
            let mut paths = Vec::new();
            spread("", tree, &mut paths);
            found.extend(paths.into_iter().map(|path| (line_at(view, at), path)));
        }
    }
    found
}

/// Whether `c` can be part of an identifier.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn spread(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    if let Some((head, rest)) = tree.split_once('{') {
        let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
        let prefix = format!("{prefix}{}", head.trim());
        for branch in branches(inner) {
            spread(&prefix, branch, paths);
        }
    } else if !tree.is_empty() {
        let path = tree.split(" as ").next().unwrap_or(tree);
        let path = format!("{prefix}{path}");
        let path = path.trim_start_matches("::");
        paths.push(path.strip_suffix("::self").unwrap_or(path).to_owned());
    }
}

/// Splits at the commas that are in no brace.
fn branches(inner: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    inner
        .split(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .collect()
}

fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

fn without_tests(code: &str) -> String {
    let mut shipped = String::with_capacity(code.len());
    let mut rest = 0;
    let marks = ["#[cfg(test)]", "#[cfg(all(test,"];
    let mut starts: Vec<usize> =
        marks.iter().flat_map(|mark| code.match_indices(mark).map(|(at, _)| at)).collect();
    starts.sort_unstable();
    for start in starts {
        if start >= rest {
            let (end, _) = item_end(code, start);
            shipped.push_str(code.get(rest..start).unwrap_or_default());
            shipped.push_str(&blank(code.get(start..end).unwrap_or_default()));
            rest = end;
        }
    }
    shipped.push_str(code.get(rest..).unwrap_or_default());
    shipped
}

/// The views without strings, and without strings and comments.
fn views(text: &str) -> (String, String) {
    let (mut prose, mut code) = (String::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (kind, length) = piece(rest);
        let (piece, after) = rest.split_at(length);
        let space = blank(piece);
        prose.push_str(if kind == Piece::Text { &space } else { piece });
        code.push_str(if kind == Piece::Code { piece } else { &space });
        rest = after;
    }
    (prose, code)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Code,
    Comment,
    Text,
}

/// What `rest`, which is not empty, begins with, and its length in bytes.
fn piece(rest: &str) -> (Piece, usize) {
    if rest.starts_with("//") {
        return (Piece::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Piece::Comment, block_comment(rest));
    }
    if let Some(length) = string(rest) {
        return (Piece::Text, length);
    }
    // A whole word at a time: the `r` at the end of `for` opens no raw string.
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let first = rest.chars().next().map_or(0, char::len_utf8);
    (Piece::Code, end.max(first))
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of the string, byte string, C string or character that `rest` begins with.
fn string(rest: &str) -> Option<usize> {
    let bare = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - bare.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = bare.strip_prefix('r') {
        let opened = raw.trim_start_matches('#');
        let fence = raw.len() - opened.len();
        let body = opened.strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(fence));
        let end = body.find(&close).map_or(body.len(), |at| at + close.len());
        return Some(rest.len() - body.len() + end);
    }
    if bare.starts_with('"') {
        return Some(prefix + quoted(bare, '"'));
    }
    let inner = bare.strip_prefix('\'')?;
    let mut chars = inner.chars();
    let is_escape = chars.next()? == '\\';
    let is_character = is_escape || chars.next() == Some('\'');
    // Otherwise it is a lifetime.
    is_character.then(|| prefix + quoted(bare, '\''))
}

/// The length of what stands between two `quote`s, with them.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

#[test]
fn strings_and_comments_are_told_from_code() {
    let text = "let a = \"x // \\\" y\"; // said \"so\"\nlet b = r#\"{\"q\"}\"#; \
                /* { /* { */ */ z\n\
                let c = ('\"', b'\\'', '{'); fn d<'a>(for_r: &'a str) {}\nlet e = b\"}\";";
    let file = RustFile::new("sample/src/lib.rs", text);
    assert!(!file.code.contains("said") && file.prose.contains("said"));
    assert!(!file.prose.contains('x') && !file.prose.contains('q'));
    assert!(file.code.contains("; ") && file.code.contains('z'));
    assert!(file.code.contains("fn d<'a>(for_r: &'a str) {}"));
    assert_eq!(file.code.matches('{').count(), 1);
    assert_eq!(file.code.matches('}').count(), 1);
    for view in [&file.prose, &file.code, &file.shipped] {
        assert_eq!(view.lines().count(), 4);
    }
}

#[test]
fn test_code_does_not_ship() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nmod more;\n\
                fn c() {}\n#[cfg(not(test))]\nfn d() {}\n";
    let shipped = RustFile::new("wire/src/lib.rs", text).shipped;
    assert!(!shipped.contains("fn b") && !shipped.contains("more"));
    assert!(shipped.contains("fn a") && shipped.contains("fn c") && shipped.contains("fn d"));
    for path in ["wire/src/topic/tests.rs", "wire/tests/vectors.rs"] {
        assert!(RustFile::new(path, text).shipped.trim().is_empty());
    }
}

#[test]
fn an_item_ends_where_its_brace_closes() {
    let code = "fn a(b: [u8; 4]) -> [u8; 2] { if c { d } else { e } } fn f();";
    let (end, has_body) = item_end(code, 0);
    assert_eq!((code.get(..end), has_body), (code.strip_suffix(" fn f();"), true));
    assert_eq!(item_end(code, end), (code.len(), false));
}

#[test]
fn words_are_whole() {
    assert_eq!(words("a rand::b, crate::rand::c, operand::d", "rand::"), [2]);
    assert_eq!(words("unsafe_code unsafe {", "unsafe"), [12]);
    assert_eq!(line_at("a\nb\nc", 4), 3);
    assert_eq!(name_after("  NAME: u8"), Some("NAME"));
    assert_eq!(name_after("(u8)"), None);
}

#[test]
fn imports_are_spread_out() {
    let view = "use std::{fs as files, collections::{BTreeMap, HashMap}};\n\
                fn a() -> impl B + use<> {}\n\
                pub(crate) use ::c::{self, D};";
    let found: Vec<_> =
        imports(view).into_iter().map(|(line, path)| format!("{line} {path}")).collect();
    let expected = [
        "1 std::fs",
        "1 std::collections::BTreeMap",
        "1 std::collections::HashMap",
        "3 c",
        "3 c::D",
    ];
    assert_eq!(found, expected);
}
