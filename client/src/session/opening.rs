//! The daemon's first bytes: its magic, or what it says to a connection that it doesn't want.
//!
//! Before the daemon has read anything it doesn't know our framing, so that a refusal at that point
//! comes as a JSON line (`docs/protocol.md`, "Connecting"). Two of its fields are picked out by
//! hand: a JSON parser for this one line would be the library's only use of one.

use crate::Loss;
use kith_wire::binary::{MAGIC, VERSION};
use kith_wire::{Code, Refusal};

/// How many bytes of the connection the magic takes; `None` if more have to come first.
pub(super) fn read(bytes: &[u8]) -> Result<Option<usize>, Loss> {
    if bytes.first() == Some(&b'{') {
        return match bytes.iter().position(|byte| *byte == b'\n') {
            None if bytes.len() < kith_wire::limits::ENVELOPE_BYTES_MAX => Ok(None),
            end => Err(refusal(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes))),
        };
    }
    let [k, t, h, _] = MAGIC;
    match bytes.first_chunk() {
        None => Ok(None),
        Some(&MAGIC) => Ok(Some(MAGIC.len())),
        Some(&[a, b, c, theirs]) if [a, b, c] == [k, t, h] && theirs != VERSION => {
            Err(Loss::Version { theirs })
        }
        Some(_) => {
            let text = "it doesn't begin as a Kith daemon does; is it one?";
            Err(Loss::Unreadable(Refusal::fatal(Code::BadFrame, text).at(0)))
        }
    }
}

/// The `err` line of a daemon that hangs up at once.
fn refusal(line: &[u8]) -> Loss {
    let line = String::from_utf8_lossy(line);
    let text = field(&line, "text").unwrap_or(&line).to_owned();
    Loss::Refused { code: field(&line, "code").and_then(Code::from_name), text }
}

/// The string in this field, if there is one without escapes.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("\"{name}\":\"");
    let (_, rest) = line.split_once(&start)?;
    let (value, _) = rest.split_once('"')?;
    (!value.contains('\\')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_magic_is_taken_once_it_is_whole() {
        assert_eq!(read(b""), Ok(None));
        assert_eq!(read(b"KTH"), Ok(None));
        assert_eq!(read(b"KTH\x01\x08"), Ok(Some(4)));
        assert_eq!(read(b"KTH\x02"), Err(Loss::Version { theirs: 2 }));
        assert!(matches!(read(b"HTTP/1.1"), Err(Loss::Unreadable(_))));
    }

    #[test]
    fn a_refusal_before_the_magic_is_understood() {
        let line = br#"{"op":"err","code":"not-allowed","text":"another user","fatal":true}"#;
        assert_eq!(read(line), Ok(None));
        let whole = [&line[..], b"\n"].concat();
        let text = "another user".to_owned();
        assert_eq!(read(&whole), Err(Loss::Refused { code: Some(Code::NotAllowed), text }));

        let text = r#"{"code":"x","text":"a\"b"}"#.to_owned();
        let line = format!("{text}\n");
        assert_eq!(read(line.as_bytes()), Err(Loss::Refused { code: None, text }));
        assert!(read(&[b'{'; 20_000]).is_err());
    }
}
