//! A QR code of half blocks: two modules above each other in one character.
//!
//! Cameras want dark on light with a light border. A terminal may be either, so the code brings its
//! own black and white. Where there are to be no colours, what is light is drawn and what is dark
//! is left out, which is right on the dark terminals that most people have.

use qrcode::{Color, EcLevel, QrCode};

/// The light border that readers want, in modules.
const BORDER: usize = 4;

/// A code, and how much room it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// Whether a module is dark, row by row, with the border.
    dark: Vec<bool>,
    width: usize,
}

impl Code {
    /// The code of a text; none if it is too long for one.
    pub(crate) fn of(text: &str) -> Option<Self> {
        // What is on a screen is whole: the least redundancy makes the largest modules.
        let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let inner = code.width();
        let width = inner + 2 * BORDER;
        let colors = code.to_colors();
        let is_dark = |at: usize| {
            let (row, column) = (at / width, at % width);
            let inside = BORDER..BORDER + inner;
            if !inside.contains(&row) || !inside.contains(&column) {
                return false;
            }
            colors.get((row - BORDER) * inner + column - BORDER) == Some(&Color::Dark)
        };
        Some(Self { dark: (0..width * width).map(is_dark).collect(), width })
    }

    pub(crate) fn columns(&self) -> usize {
        self.width
    }

    pub(crate) fn lines(&self) -> usize {
        self.width.div_ceil(2)
    }

    /// The lines, each with its line feed.
    pub(crate) fn lines_text(&self, is_colored: bool) -> String {
        let is_dark = |row: usize, column: usize| {
            self.dark.get(row * self.width + column).copied().unwrap_or_default()
        };
        let mut text = String::new();
        for row in (0..self.width).step_by(2) {
            // What is drawn, the foreground, is what is light.
            text.push_str(if is_colored { "\x1b[97;40m" } else { "" });
            for column in 0..self.width {
                // Below the last row there is nothing, so nothing light is drawn.
                let below_is_dark = row + 1 >= self.width || is_dark(row + 1, column);
                text.push(match (is_dark(row, column), below_is_dark) {
                    (true, true) => ' ',
                    (true, false) => '▄',
                    (false, true) => '▀',
                    (false, false) => '█',
                });
            }
            text.push_str(if is_colored { "\x1b[0m\n" } else { "\n" });
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_modules_are_in_one_character() {
        let code = Code::of("kith").unwrap();
        // The smallest code has 21 modules.
        assert_eq!((code.columns(), code.lines()), (29, 15));
        let text = code.lines_text(false);
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        assert_eq!(lines.len(), 15);
        assert!(lines.iter().all(|line| line.len() == 29));
        // Two lines of border, then the corner that readers look for: a dark frame of 7 modules
        // around a light one and a dark core of 3.
        assert!(lines[..2].concat().iter().all(|c| *c == '█'));
        let corner = |line: usize| lines[line][4..11].iter().collect::<String>();
        assert_eq!(
            [corner(2), corner(3), corner(4), corner(5)].map(|line| line.replace(' ', ".")),
            [".▄▄▄▄▄.", ".█...█.", ".█▄▄▄█.", "▄▄▄▄▄▄▄"].map(str::to_owned)
        );
    }

    #[test]
    fn colours_are_its_own() {
        let code = Code::of("kith").unwrap();
        let text = code.lines_text(true);
        assert!(
            text.lines()
                .all(|line| { line.starts_with("\x1b[97;40m") && line.ends_with("\x1b[0m") })
        );
        let plain = text.replace("\x1b[97;40m", "").replace("\x1b[0m", "");
        assert_eq!(plain, code.lines_text(false));
    }

    #[test]
    fn a_text_may_be_too_long() {
        assert!(Code::of(&"x".repeat(1_650)).is_some());
        assert!(Code::of(&"x".repeat(3_000)).is_none());
    }
}
