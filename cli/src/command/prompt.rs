//! Asking a person something on the terminal, and reading what a script gives instead.
//!
//! Questions go to standard error, so that standard output has nothing but the result. What is
//! typed is read by a thread of its own, since a read from a terminal can't be broken off: Ctrl-C
//! ends the command all the same, and the terminal is then as it was.

use crate::exit_code;
use crate::failure::Failure;
use crate::limits::ANSWER_BYTES_MAX;
use crate::stop::Stop;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use tokio::sync::oneshot;

/// Whether there is somebody to ask.
pub(in crate::command) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and returns the line that was typed, without blanks around it; with `otherwise` where
/// nothing was.
pub(in crate::command) async fn line(question: &str, otherwise: &str) -> Result<String, Failure> {
    let hint = if otherwise.is_empty() { String::new() } else { format!(" [{otherwise}]") };
    // A question that ends with its mark needs no colon.
    let end = if question.ends_with('?') { "" } else { ":" };
    let typed = read(&format!("{question}{hint}{end} ")).await?;
    let typed = typed.trim();
    Ok(if typed.is_empty() { otherwise.to_owned() } else { typed.to_owned() })
}

/// Asks, and returns the line; what is typed is not shown.
pub(in crate::command) async fn hidden(question: &str) -> Result<String, Failure> {
    let echo =
        EchoOff::new().map_err(|error| Failure::system("can't hide what is typed", &error))?;
    let typed = read(&format!("{question}: ")).await;
    drop(echo);
    // The line feed that was typed was not shown either.
    say("\n");
    Ok(typed?.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for yes or no; an empty line is `otherwise`.
pub(in crate::command) async fn yes(question: &str, otherwise: bool) -> Result<bool, Failure> {
    let choice = if otherwise { "[Y/n]" } else { "[y/N]" };
    let typed = read(&format!("{question} {choice} ")).await?;
    Ok(match typed.trim() {
        "" => otherwise,
        typed => matches!(typed, "y" | "Y" | "yes"),
    })
}

/// What a script gives on standard input, all of it.
pub(in crate::command) async fn piped() -> Result<String, Failure> {
    in_background(|| {
        let mut text = String::new();
        io::stdin().lock().take(ANSWER_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    })
    .await
}

/// Writes to standard error. Where nobody can read it, nobody needs it.
pub(in crate::command) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

async fn read(question: &str) -> Result<String, Failure> {
    say(question);
    let typed = in_background(|| {
        let mut typed = String::new();
        io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut typed)?;
        Ok(typed)
    });
    let typed = typed.await?;
    if typed.is_empty() {
        // Ctrl-D: nothing more will be said.
        say("\n");
        return Err(Failure::new(exit_code::FAILED, "not answered, so nothing was done"));
    }
    Ok(typed)
}

async fn in_background(
    read: impl FnOnce() -> io::Result<String> + Send + 'static,
) -> Result<String, Failure> {
    let mut stop = Stop::new()?;
    let (tell, told) = oneshot::channel();
    let work = move || drop(tell.send(read()));
    let thread = std::thread::Builder::new().name("prompt".to_owned()).spawn(work);
    thread.map_err(|error| Failure::system("can't read in the background", &error))?;
    let answer = stop.unless(async { Ok(told.await) }).await?;
    let answer = answer.unwrap_or_else(|_| Err(io::Error::other("its thread is gone")));
    answer.map_err(|error| Failure::system("can't read standard input", &error))
}

/// The terminal does not show what is typed, for as long as this lives.
struct EchoOff(Termios);

impl EchoOff {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // Where the terminal has gone, it needs nothing back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// A screen of its own on the terminal, for as long as this lives: what was on it is in no history
/// afterwards.
pub(in crate::command) struct Aside;

impl Aside {
    pub(in crate::command) fn new() -> Self {
        say("\x1b[?1049h\x1b[2J\x1b[H");
        Self
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        say("\x1b[2J\x1b[?1049l");
    }
}
