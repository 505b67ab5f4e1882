//! Reading payloads: from the command line, a file, or standard input.
//!
//! Lines are read by a thread of their own, because a read from a terminal or a pipe can't be
//! broken off; a command that ends doesn't wait for it.

use crate::arguments::PayloadArguments;
use crate::exit_code;
use crate::failure::Failure;
use crate::limits::{LINES_ON_THEIR_WAY_MAX, PAYLOAD_BYTES_MAX};
use crate::payload::Format;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Where a payload comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Argument(String),
    File(PathBuf),
    StandardInput,
}

/// A line of the input as a payload.
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) payload: Vec<u8>,
}

impl Source {
    /// What the command line says; nothing if it says nothing. `-` is standard input.
    pub(crate) fn given(arguments: &PayloadArguments) -> Option<Self> {
        match (&arguments.payload, &arguments.file) {
            (Some(dash), _) if dash == "-" => Some(Self::StandardInput),
            (Some(payload), _) => Some(Self::Argument(payload.clone())),
            (None, Some(dash)) if dash == Path::new("-") => Some(Self::StandardInput),
            (None, Some(file)) => Some(Self::File(file.clone())),
            (None, None) => None,
        }
    }

    /// The same, or else standard input, if it isn't a terminal at which nobody knows that they
    /// should type.
    pub(crate) fn given_or_input(arguments: &PayloadArguments) -> Result<Self, Failure> {
        match Self::given(arguments) {
            Some(source) => Ok(source),
            None if io::stdin().is_terminal() => Err(no_payload()),
            None => Ok(Self::StandardInput),
        }
    }

    /// Reads all of it.
    pub(crate) fn read(self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Argument(text) => Ok(text.into_bytes()),
            Self::File(path) => read_all(open(&path)?, &path.display().to_string()),
            Self::StandardInput => read_all(io::stdin().lock(), "standard input"),
        }
    }

    /// Reads it line by line, in the background; ends after the first failure.
    pub(crate) fn read_lines(
        self,
        format: Format,
    ) -> Result<mpsc::Receiver<Result<Line, Failure>>, Failure> {
        let (sender, receiver) = mpsc::channel(LINES_ON_THEIR_WAY_MAX);
        let reader: Box<dyn BufRead + Send> = match self {
            Self::Argument(text) => Box::new(io::Cursor::new(text)),
            Self::File(path) => Box::new(BufReader::new(open(&path)?)),
            Self::StandardInput => Box::new(BufReader::new(io::stdin())),
        };
        let work = move || {
            for line in Lines::new(reader, format) {
                let is_last = line.is_err();
                if sender.blocking_send(line).is_err() || is_last {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("input".to_owned()).spawn(work);
        thread.map_err(|error| Failure::system("can't read in the background", &error))?;
        Ok(receiver)
    }
}

fn no_payload() -> Failure {
    Failure::new(
        exit_code::USAGE,
        "a message needs a payload: give one, or --file FILE, or pipe it in",
    )
    .hint("`-` reads what you type until Ctrl-D; --text takes text instead of JSON")
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| {
        Failure::new(exit_code::NO_INPUT, format!("can't open {}: {error}", path.display()))
    })
}

fn read_all(reader: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX);
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| cannot_read(name, &error))?;
    if bytes.len() > PAYLOAD_BYTES_MAX { Err(too_large(name)) } else { Ok(bytes) }
}

fn cannot_read(name: &str, error: &io::Error) -> Failure {
    // A directory can be opened, and that is all.
    let is_file = error.kind() == io::ErrorKind::IsADirectory;
    let exit_code = if is_file { exit_code::NO_INPUT } else { exit_code::INPUT_OUTPUT };
    Failure::new(exit_code, format!("can't read {name}: {error}"))
}

fn too_large(name: &str) -> Failure {
    let text = format!("{name} has more than {PAYLOAD_BYTES_MAX} bytes, which no daemon takes");
    Failure::new(exit_code::BAD_DATA, text)
}

/// Payloads, one a line. Empty lines are no JSON and are passed over; otherwise they count.
pub(crate) struct Lines<R> {
    reader: R,
    format: Format,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, format: Format) -> Self {
        Self { reader, format, number: 0 }
    }

    /// The next line without its line feed; nothing at the end.
    fn read_line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        let limit = u64::try_from(PAYLOAD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut line);
        let n_bytes = read.map_err(|error| cannot_read("the input", &error))?;
        if n_bytes == 0 {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large(&format!("line {}", self.number)));
        }
        Ok(Some(line))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.read_line() {
                Ok(line) => line?,
                Err(failure) => return Some(Err(failure)),
            };
            if self.format == Format::Json && line.trim_ascii().is_empty() {
                continue;
            }
            let number = self.number;
            let payload = self.format.payload(line).map_err(Failure::from);
            let payload = payload.map_err(|failure| failure.about(&format!("line {number}")));
            return Some(payload.map(|payload| Line { number, payload }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_wire::Protocol;

    fn lines(format: Format, text: &[u8]) -> Vec<(u64, Result<String, u8>)> {
        let mut number = 0;
        let read = Lines::new(text, format).map(|line| match line {
            Ok(line) => {
                number = line.number;
                (number, Ok(String::from_utf8_lossy(&line.payload).into_owned()))
            }
            Err(failure) => (number + 1, Err(failure.exit_code())),
        });
        read.collect()
    }

    #[test]
    fn each_line_is_a_payload() {
        let read = lines(Format::Json, b"1\n\n \r\n{\"a\": 2}\n3");
        let expected = [(1, "1"), (4, "{\"a\": 2}"), (5, "3")];
        assert_eq!(read, expected.map(|(number, text)| (number, Ok(text.to_owned()))));
        let read = lines(Format::Text, b"a\r\n\nb\n");
        let expected = [(1, "\"a\""), (2, "\"\""), (3, "\"b\"")];
        assert_eq!(read, expected.map(|(number, text)| (number, Ok(text.to_owned()))));
        let read = lines(Format::Bytes(Protocol::BT), b"a\r\n\n");
        let expected = [(1, "a\r"), (2, "")];
        assert_eq!(read, expected.map(|(number, text)| (number, Ok(text.to_owned()))));
    }

    #[test]
    fn a_line_that_is_no_payload_is_named() {
        let failure = Lines::new(&b"1\nx\n3\n"[..], Format::Json).nth(1).unwrap().err().unwrap();
        let shown = failure.shown(crate::show::paint::Paint::plain());
        assert!(shown.starts_with("kith: line 2: the payload is not JSON at line 1, column 1"));
    }

    #[test]
    fn the_command_line_says_where_from() {
        let given = |payload: Option<&str>, file: Option<&str>| {
            let format = crate::arguments::FormatArguments { text: false, protocol: None };
            let payload = payload.map(str::to_owned);
            Source::given(&PayloadArguments { payload, file: file.map(Into::into), format })
        };
        assert_eq!(given(Some("-"), None), Some(Source::StandardInput));
        assert_eq!(given(None, Some("-")), Some(Source::StandardInput));
        assert_eq!(given(Some("1"), None), Some(Source::Argument("1".into())));
        assert_eq!(given(None, Some("f")), Some(Source::File("f".into())));
        assert_eq!(given(None, None), None);
    }
}
