//! The notation of the vector files; it is explained at the top of `vectors/binary.txt`.
//!
//! Whatever can't be read is a panic with its line: a vector that is passed over tests nothing.

use kith_wire::Code;

/// One vector.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) way: Way,
    pub(crate) ruling: Ruling,
    pub(crate) bytes: Vec<u8>,
}

/// Which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToDaemon,
    FromDaemon,
    Both,
}

/// How it is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Taken, and written just so.
    Exact,
    /// Taken, but not written so.
    ReadOnly,
    /// More is waited for.
    Incomplete,
    Refused(Refused),
}

/// What is said to a vector that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) at: Option<usize>,
    pub(crate) number: Option<u32>,
    pub(crate) fatal: bool,
}

/// All vectors of a file.
pub(crate) fn vectors(file: &'static str) -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    let mut expects_ruling = false;
    for (index, line) in file.lines().enumerate() {
        let place = |what: &str| format!("line {}: {what}: {line}", index + 1);
        if let Some(name) = line.strip_prefix("==") {
            let is_new = vectors.iter().all(|vector| vector.name != name);
            assert!(is_new, "{}", place("a name is given twice"));
            let ruling = Ruling::Exact;
            vectors.push(Vector { name, way: Way::Both, ruling, bytes: Vec::new() });
            expects_ruling = true;
        } else if line.is_empty() || line.starts_with('#') {
            assert!(!expects_ruling, "{}", place("a vector without a way"));
        } else if expects_ruling {
            let vector = vectors.last_mut().unwrap();
            (vector.way, vector.ruling) =
                ruling(line).unwrap_or_else(|| panic!("{}", place("no such way")));
            expects_ruling = false;
        } else if let Some(content) = line.strip_prefix("  ") {
            let vector = vectors.last_mut().unwrap();
            let is_plain = file.starts_with("# JSON") && !content.starts_with('~');
            if is_plain {
                vector.bytes.extend(content.as_bytes());
            } else {
                let content = content.strip_prefix('~').unwrap_or(content);
                let read = bytes(content, &mut vector.bytes);
                assert!(read.is_some(), "{}", place("no bytes"));
            }
        }
    }
    vectors
}

fn ruling(line: &str) -> Option<(Way, Ruling)> {
    let (way, rest) = line.split_once(", ").unwrap_or((line, ""));
    let way = match way {
        "to daemon" => Way::ToDaemon,
        "from daemon" => Way::FromDaemon,
        "both ways" => Way::Both,
        _ => return None,
    };
    let ruling = match rest {
        "" => Ruling::Exact,
        "decoded only" | "received only" => Ruling::ReadOnly,
        "incomplete" => Ruling::Incomplete,
        _ => Ruling::Refused(refused(rest.strip_prefix("refused: ")?)?),
    };
    Some((way, ruling))
}

/// `CODE[ at N][, number N][, fatal]`
fn refused(text: &str) -> Option<Refused> {
    let mut parts = text.split(", ");
    let first = parts.next()?;
    let (code, at) = match first.split_once(" at ") {
        Some((code, at)) => (code, Some(at.parse().ok()?)),
        None => (first, None),
    };
    let mut refused = Refused { code: Code::from_name(code)?, at, number: None, fatal: false };
    for part in parts {
        match part.strip_prefix("number ") {
            Some(number) => refused.number = Some(number.parse().ok()?),
            None if part == "fatal" => refused.fatal = true,
            None => return None,
        }
    }
    Some(refused)
}

fn bytes(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text.trim_start();
    while !rest.is_empty() && !rest.starts_with('|') {
        let bytes;
        (bytes, rest) = match rest.strip_prefix('\'') {
            Some(quoted) => {
                let (text, rest) = quoted.split_once('\'')?;
                (text.as_bytes().to_vec(), rest)
            }
            None => {
                let (digits, rest) = rest.split_at_checked(2)?;
                (vec![u8::from_str_radix(digits, 16).ok()?], rest)
            }
        };
        let mut times = 1;
        if let Some(counted) = rest.strip_prefix('*') {
            let digits = counted.find(|c: char| !c.is_ascii_digit()).unwrap_or(counted.len());
            times = counted[..digits].parse().ok()?;
            rest = &counted[digits..];
        }
        out.extend(bytes.repeat(times));
        rest = rest.trim_start();
    }
    Some(())
}

#[test]
fn the_notation_is_read() {
    let file = "# A file.\n\n==one\nto daemon\nText\n  01 fF*2 | 03\n  'a b'*2'' 'c|' 0D\n\
                ==two\nfrom daemon, refused: bad-op at 4, number 7, fatal\n";
    let [one, two] = vectors(file).try_into().unwrap();
    assert_eq!((one.name, one.way, one.ruling), ("one", Way::ToDaemon, Ruling::Exact));
    assert_eq!(one.bytes, b"\x01\xff\xffa ba bc|\r");
    let refused = Refused { code: Code::BadOp, at: Some(4), number: Some(7), fatal: true };
    assert_eq!((two.way, two.ruling), (Way::FromDaemon, Ruling::Refused(refused)));
    assert_eq!(two.bytes, b"");

    let file =
        "# JSON.\n==one\nto daemon, incomplete\n  {\"a\": '1'}\n==two\nto daemon\n  ~ 'a' 0A";
    let [one, two] = vectors(file).try_into().unwrap();
    assert_eq!((one.bytes, one.ruling), (b"{\"a\": '1'}".to_vec(), Ruling::Incomplete));
    assert_eq!(two.bytes, b"a\n");
    assert_eq!(ruling("to daemon, refused: bad-cop"), None);
    assert_eq!(ruling("to demon"), None);
    assert_eq!(bytes("0", &mut Vec::new()), None);
    assert_eq!(bytes("'a", &mut Vec::new()), None);
}
