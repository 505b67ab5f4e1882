//! What is no operation, and what it is refused with.

use crate::broker::Framing;
use kith_wire::Code;

/// How many of each framing there are.
pub(super) const COUNT: usize = 14;

/// Something that is refused: its bytes, the code, the number under which, and whether that is the
/// end of the connection.
pub(super) struct Bad {
    pub(super) bytes: Vec<u8>,
    pub(super) code: Code,
    pub(super) number: Option<u32>,
    pub(super) fatal: bool,
}

/// The one of this number.
pub(super) fn bad(framing: Framing, which: usize, payload_bytes_max: usize) -> Bad {
    match framing {
        Framing::JsonLines => bad_line(which, payload_bytes_max),
        Framing::Binary => bad_frame(which, payload_bytes_max),
    }
}

fn bad_line(which: usize, payload_bytes_max: usize) -> Bad {
    let long = "x".repeat(payload_bytes_max);
    let (line, code, number) = match which {
        0 => (r#"{not JSON"#.to_owned(), Code::BadJson, None),
        1 => (r#"{"op":"nothing","id":3}"#.to_owned(), Code::BadOp, Some(3)),
        2 => (r#"{"id":3}"#.to_owned(), Code::BadField, Some(3)),
        3 => (
            r#"{"op":"pub","id":3,"topic":"a..b","payload":1}"#.to_owned(),
            Code::BadTopic,
            Some(3),
        ),
        4 => (r#"{"op":"sub","id":3,"pattern":"mine.a"}"#.to_owned(), Code::BadPattern, Some(3)),
        5 => {
            (r#"{"op":"pub","topic":"a","payload_b64":"/w=="}"#.to_owned(), Code::BadPayload, None)
        }
        6 => {
            let line = r#"{"op":"pub","topic":"a","protocol":"B","payload_b64":"/w=="}"#;
            (line.to_owned(), Code::BadProtocol, None)
        }
        7 => {
            let line = r#"{"op":"pub","topic":"a","payload":1,"headers":{"A":"b"}}"#;
            (line.to_owned(), Code::BadHeader, None)
        }
        8 => (r#"{"op":"pub","topic":"a","payload":1,"msg_id":"1"}"#.to_owned(), Code::BadId, None),
        9 => {
            let line = r#"{"op":"sub","id":4,"pattern":"self.a","group":"a.b"}"#;
            (line.to_owned(), Code::BadGroup, Some(4))
        }
        10 => {
            let line = r#"{"op":"sub","id":4,"pattern":"self.a","group":"g","monitor":true}"#;
            (line.to_owned(), Code::BadField, Some(4))
        }
        11 => {
            let line = format!(r#"{{"op":"pub","id":2,"topic":"a","payload":"{long}"}}"#);
            (line, Code::TooLarge, Some(2))
        }
        12 => (r#"{"op":"ping","id":1,"tpoic":"a"}"#.to_owned(), Code::BadField, Some(1)),
        _ => {
            // A client that says this first speaks JSON lines, too.
            let mut bytes = vec![b'{'];
            bytes.resize(kith_wire::limits::line_bytes_max(payload_bytes_max) + 1, b' ');
            return Bad { bytes, code: Code::TooLarge, number: None, fatal: true };
        }
    };
    Bad { bytes: format!("{line}\n").into_bytes(), code, number, fatal: false }
}

fn bad_frame(which: usize, payload_bytes_max: usize) -> Bad {
    let frame = |kind: u8, flags: u8, a: u8, b: u8, number: u8, body: &[u8]| {
        let length = u32::try_from(8 + body.len()).unwrap();
        [&length.to_le_bytes()[..], &[kind, flags, a, b, number, 0, 0, 0], body].concat()
    };
    let long = vec![b'x'; payload_bytes_max + 2];
    let (bytes, code, number) = match which {
        0 => (frame(0x7f, 0, 0, 0, 3, b""), Code::BadOp, Some(3)),
        1 => (frame(0x08, 0x80, 0, 0, 3, b""), Code::BadFrame, Some(3)),
        2 => (frame(0x08, 0, 0, 0, 0, b"more"), Code::BadFrame, None),
        3 => (frame(0x04, 0, 4, 0, 3, b"a..b1"), Code::BadTopic, Some(3)),
        4 => (frame(0x02, 0, 0, 0, 3, b"mine.a"), Code::BadPattern, Some(3)),
        5 => (frame(0x04, 0, 1, 0, 0, b"a\xff"), Code::BadPayload, None),
        6 => (frame(0x04, 0, 1, 1, 0, b"aB\xff"), Code::BadProtocol, None),
        7 => (frame(0x04, 1, 1, 0, 0, b"a\x06\0\x07\x03\0\x01Ab1"), Code::BadHeader, None),
        8 => (
            frame(0x04, 1, 1, 2, 0, &[b"abt\x13\0\x01\x10\0".as_slice(), &[0; 16]].concat()),
            Code::BadId,
            None,
        ),
        9 => (frame(0x02, 0, 3, 0, 4, b"a.bself.a"), Code::BadGroup, Some(4)),
        10 => (frame(0x02, 2, 1, 0, 4, b"gself.a"), Code::BadField, Some(4)),
        11 => {
            (frame(0x04, 0, 1, 2, 2, &[b"abt".as_slice(), &long].concat()), Code::TooLarge, Some(2))
        }
        12 => (frame(0x05, 0, 1, 0, 0, b"a1"), Code::BadField, None),
        _ => {
            let bytes = vec![7, 0, 0, 0, 0, 0, 0, 0];
            return Bad { bytes, code: Code::BadFrame, number: None, fatal: true };
        }
    };
    Bad { bytes, code, number, fatal: false }
}
