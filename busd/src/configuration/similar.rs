//! The word that was probably meant: the nearest one by edit distance, if it is near enough.
//!
//! Counts letters that were changed, left out, added, or swapped with their neighbour (optimal
//! string alignment). One slip for every three letters is near; more is a guess, and a wrong guess
//! is worse than none.

use crate::limits::SIMILAR_CHARS_MAX;

/// The one of `known` that is nearest to `word`, if it is near. The first of equals.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(SIMILAR_CHARS_MAX + 1).collect();
    if word.len() > SIMILAR_CHARS_MAX {
        return None;
    }
    let near = |known: &'a str| {
        let letters: Vec<char> = known.chars().collect();
        let slips = distance(&word, &letters);
        (slips <= letters.len().max(word.len()).div_ceil(3)).then_some((slips, known))
    };
    known.filter_map(near).min_by_key(|(slips, _)| *slips).map(|(_, known)| known)
}

/// Edits between `a` and `b`, row by row of the usual table; three rows are enough.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut a_before = None;
    for (y, a_now) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        let mut left = y + 1;
        row.push(left);
        let mut b_before = None;
        for (x, (b_now, corner)) in b.iter().zip(above.windows(2)).enumerate() {
            let [diagonal, up] = *corner else { continue };
            let mut least = (diagonal + usize::from(a_now != b_now)).min(up + 1).min(left + 1);
            if a_before == Some(b_now) && b_before == Some(a_now) {
                let swapped = x.checked_sub(1).and_then(|x| before.get(x));
                least = swapped.map_or(least, |swapped| least.min(swapped + 1));
            }
            row.push(least);
            left = least;
            b_before = Some(b_now);
        }
        before = above;
        above = row;
        a_before = Some(a_now);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(a: &str, b: &str) -> usize {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        distance(&letters(a), &letters(b))
    }

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [
            ("", "", 0),
            ("", "abc", 3),
            ("path", "path", 0),
            ("path", "paht", 1),
            ("apth", "path", 1),
            ("pat", "path", 1),
            ("spath", "path", 1),
            ("bath", "path", 1),
            ("ca", "abc", 3),
            ("kitten", "sitting", 3),
            ("größe", "große", 1),
        ] {
            assert_eq!(between(a, b), slips, "{a} {b}");
            assert_eq!(between(b, a), slips, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_proposed() {
        let known = || ["payload_bytes_max", "path", "interval"].into_iter();
        assert_eq!(nearest("payload_byte_max", known()), Some("payload_bytes_max"));
        assert_eq!(nearest("payload_max", known()), Some("payload_bytes_max"));
        assert_eq!(nearest("pth", known()), Some("path"));
        assert_eq!(nearest("colour", known()), None);
        assert_eq!(nearest("", known()), None);
        assert_eq!(nearest(&"p".repeat(100_000), known()), None);
    }
}
