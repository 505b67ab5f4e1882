//! What is answered: a function of what was asked, and of how much was asked before.

use serde_json::{Value, json};
use std::borrow::Cow;

/// What is asked, as the topic says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// For what it was sent.
    Same,
    /// For the sum of a list of numbers.
    Sum,
    /// For how many questions there were.
    Count,
    /// For something that it doesn't know.
    Unknown,
}

impl Question {
    /// What a message on `topic` asks, where answers are given on `own`.
    #[must_use]
    pub fn new(own: &str, topic: &str) -> Self {
        match topic.strip_prefix(own) {
            Some("") => Self::Same,
            Some(".sum") => Self::Sum,
            Some(".count") => Self::Count,
            _ => Self::Unknown,
        }
    }
}

/// The answers, and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    answered: u64,
    refused: u64,
}

impl Answers {
    /// Answers a question. What makes no sense is answered with `{"error": …}`.
    pub fn answer<'a>(&mut self, question: Question, payload: &'a [u8]) -> Cow<'a, [u8]> {
        let answer = match question {
            Question::Same => {
                self.answered += 1;
                return Cow::Borrowed(payload);
            }
            Question::Sum => sum(payload),
            Question::Count => Ok(json!({"answered": self.answered, "refused": self.refused})),
            Question::Unknown => Err("ask on the topic itself, or below it for .sum or .count"),
        };
        let answer = match answer {
            Ok(answer) => {
                self.answered += 1;
                answer
            }
            Err(why) => {
                self.refused += 1;
                json!({"error": why})
            }
        };
        Cow::Owned(answer.to_string().into_bytes())
    }
}

fn sum(payload: &[u8]) -> Result<Value, &'static str> {
    let wanted = "send a list of numbers, such as [1, 2.5]";
    let numbers: Vec<f64> = serde_json::from_slice(payload).map_err(|_| wanted)?;
    // Not `sum()`, by which nothing adds up to -0.
    let sum = numbers.iter().fold(0.0, |sum, number| sum + number);
    // JSON has no word for what is larger than any number.
    if sum.is_finite() { Ok(json!({"sum": sum})) } else { Err("the sum is too large") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &mut Answers, topic: &str, payload: &str) -> String {
        let question = Question::new("echo.lab", topic);
        String::from_utf8(answers.answer(question, payload.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn every_question_has_an_answer() {
        let mut answers = Answers::default();
        let mut ask = |topic, payload| answered(&mut answers, topic, payload);
        assert_eq!(ask("echo.lab", r#"{"a": 1}"#), r#"{"a": 1}"#);
        assert_eq!(ask("echo.lab.sum", "[1, 2.5]"), r#"{"sum":3.5}"#);
        assert_eq!(ask("echo.lab.sum", "[]"), r#"{"sum":0.0}"#);
        assert!(ask("echo.lab.sum", "7").starts_with(r#"{"error":"send a list"#));
        assert!(ask("echo.lab.sum", "[1e308, 1e308]").contains("too large"));
        assert!(ask("echo.lab.colour", "null").starts_with(r#"{"error":"ask on"#));
        assert!(ask("echo", "null").starts_with(r#"{"error":"ask on"#));
        assert_eq!(ask("echo.lab.count", "null"), r#"{"answered":3,"refused":4}"#);
    }
}
