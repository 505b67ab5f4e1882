//! Asking a person before something is done that can't be undone, or that gives something away.
//!
//! Whoever can't be asked, a script, has to say `--yes`: to do it unasked would surprise, and to
//! wait for an answer would hang.

use super::prompt;
use crate::failure::Failure;

/// Whether the answer is yes. Where nobody can be asked, that ends with `otherwise`.
pub(in crate::command) async fn confirm(
    question: String,
    otherwise: Failure,
) -> Result<bool, Failure> {
    if !prompt::is_possible() {
        return Err(otherwise);
    }
    prompt::yes(&question, false).await
}
