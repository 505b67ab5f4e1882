//! The last line of an installed file: that it is ours, and whether it still is as it was written.
//!
//! The last and not the first, since a completion for zsh has to begin with `#compdef`. The
//! checksum is there to notice an editor, not an attacker: whoever can write the file can run
//! programs as its owner already.

use std::path::Path;

const BEGIN: &str = "Installed by kith ";
const CHECKSUM: &str = ", checksum ";
const END: &str = ": `kith uninstall` removes this file unless it was changed.";

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Installed, by some version, and not changed since.
    Ours,
    /// Installed, and changed by somebody.
    Changed,
    /// Never installed.
    Foreign,
}

/// `text` with its last line, which is a comment in the language of the file at `path`.
pub(super) fn marked(path: &Path, text: &str) -> String {
    let is_manual = path.extension().is_some_and(|extension| extension == "1");
    let comment = if is_manual { ".\\\"" } else { "#" };
    let checksum = checksum(text.as_bytes());
    let version = env!("CARGO_PKG_VERSION");
    format!("{text}{comment} {BEGIN}{version}{CHECKSUM}{checksum:016x}{END}\n")
}

/// Whose the file is that has these bytes.
pub(super) fn origin(bytes: &[u8]) -> Origin {
    let Ok(text) = str::from_utf8(bytes) else { return Origin::Foreign };
    let body = text.strip_suffix('\n').unwrap_or(text);
    let begin = body.rfind('\n').map_or(0, |at| at + 1);
    let (above, last) = text.split_at(begin);
    if !last.contains(BEGIN) {
        // Somebody may have written below it.
        return if text.contains(BEGIN) { Origin::Changed } else { Origin::Foreign };
    }
    let found = last.split_once(CHECKSUM).and_then(|(_, rest)| rest.split_once(END));
    let expected = format!("{:016x}", checksum(above.as_bytes()));
    let is_same = found.is_some_and(|(checksum, _)| checksum == expected);
    if is_same { Origin::Ours } else { Origin::Changed }
}

/// FNV-1a of 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_known_again_and_every_change_seen() {
        let text = marked(Path::new("/u/kith.service"), "[Unit]\nA=b\n");
        assert!(text.starts_with("[Unit]\nA=b\n# Installed by kith "), "{text}");
        assert_eq!(origin(text.as_bytes()), Origin::Ours);
        for changed in [
            text.replace("A=b", "A=c"),
            text.replace("checksum ", "checksum 0"),
            format!("{text}\n"),
            format!("{text}# mine\n"),
            format!("# mine\n{text}"),
        ] {
            assert_eq!(origin(changed.as_bytes()), Origin::Changed, "{changed}");
        }
        for foreign in ["", "\n", "[Unit]\n", "# Installed by hand\n"] {
            assert_eq!(origin(foreign.as_bytes()), Origin::Foreign, "{foreign:?}");
        }
        assert_eq!(origin(b"\xff\xfe"), Origin::Foreign);
    }

    #[test]
    fn it_is_a_comment_in_its_file() {
        assert!(marked(Path::new("/m/kith-pub.1"), ".TH x\n").contains("\n.\\\" Installed"));
        assert!(marked(Path::new("/z/_kith"), "#compdef kith\n").contains("\n# Installed"));
    }

    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(checksum(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
