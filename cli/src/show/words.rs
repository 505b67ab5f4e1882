//! Recovery words, as they are shown and asked for.

use kith_people::RECOVERY_WORDS;

/// How many stand in a line.
const IN_A_LINE: usize = 4;

/// The words with their numbers, in lines of four.
pub(crate) fn numbered(words: &str) -> String {
    let words: Vec<_> = words.split_whitespace().collect();
    let mut text = String::new();
    for (line, of_line) in words.chunks(IN_A_LINE).enumerate() {
        for (at, word) in of_line.iter().enumerate() {
            let number = line * IN_A_LINE + at + 1;
            text.push_str(&format!("  {number:>2} {word:<10}"));
        }
        let kept = text.trim_end().len();
        text.truncate(kept);
        text.push('\n');
    }
    text
}

/// The number-th word, from 1.
pub(crate) fn word_at(words: &str, number: usize) -> Option<&str> {
    number.checked_sub(1).and_then(|at| words.split_whitespace().nth(at))
}

/// Whether that is what was typed.
pub(crate) fn is_word_at(words: &str, number: usize, typed: &str) -> bool {
    word_at(words, number).is_some_and(|word| word.eq_ignore_ascii_case(typed.trim()))
}

/// The same words with another one at this place.
pub(crate) fn replaced(words: &str, number: usize, word: &str) -> String {
    let replace = |(at, old)| if at + 1 == number { word } else { old };
    let words: Vec<_> = words.split_whitespace().enumerate().map(replace).collect();
    words.join(" ")
}

/// Which words are still to be typed, as a question; none if all are there.
pub(crate) fn next_question(words: &str) -> Option<String> {
    let typed = words.split_whitespace().count();
    (typed < RECOVERY_WORDS).then(|| format!("words {} to {RECOVERY_WORDS}", typed + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_numbers() {
        let words = "a b c d e";
        assert_eq!(
            numbered(words),
            "   1 a            2 b            3 c            4 d\n   5 e\n"
        );
        assert_eq!(
            (word_at(words, 5), word_at(words, 6), word_at(words, 0)),
            (Some("e"), None, None)
        );
        assert!(is_word_at(words, 1, " A\n") && !is_word_at(words, 1, "b"));
        assert_eq!(replaced(words, 2, "x"), "a x c d e");
    }

    #[test]
    fn it_is_asked_for_what_is_missing() {
        assert_eq!(next_question("").as_deref(), Some("words 1 to 24"));
        assert_eq!(next_question("a b\nc").as_deref(), Some("words 4 to 24"));
        assert_eq!(next_question(&"a ".repeat(24)), None);
        assert_eq!(next_question(&"a ".repeat(30)), None);
    }
}
