//! Asking a person before something is done that can't be undone, or that gives something away.
//!
//! Whoever can't be asked, a script, has to say `--yes`: to do it unasked would surprise, and to
//! wait for an answer would hang.

use crate::failure::Failure;
use std::io::{self, BufRead, IsTerminal, Write};

/// Whether the answer is yes. Where nobody can be asked, that ends with `otherwise`.
pub(in crate::command) async fn confirm(
    question: String,
    otherwise: Failure,
) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(otherwise);
    }
    let answer = tokio::task::spawn_blocking(move || {
        io::stderr().lock().write_all(question.as_bytes())?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok::<_, io::Error>(answer)
    });
    let answer = answer.await.unwrap_or_else(|_| Ok(String::new()));
    let answer = answer.map_err(|error| Failure::system("can't ask", &error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
