//! A client in JSON lines, as anybody would write one: a socket, and a parser for JSON.
//!
//! It uses nothing of `kith-client`, on purpose: what the demo shows of it a script can do. Answers
//! overtake messages, so messages that come while an answer is waited for are kept.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// A line from the daemon.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) line: String,
    pub(super) value: Value,
}

impl Heard {
    /// A field as text; nothing where there is none.
    pub(super) fn text(&self, field: &str) -> &str {
        self.value.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Of the operation that it answers.
    pub(super) fn number(&self) -> Option<u64> {
        self.value.get("id").and_then(Value::as_u64)
    }

    /// The subscription that a message is for.
    pub(super) fn subscription(&self) -> Option<u64> {
        self.value.get("sub").and_then(Value::as_u64)
    }

    /// Whether it says that this was done.
    pub(super) fn is_ok(&self) -> bool {
        self.text("op") == "ok"
    }

    pub(super) fn payload(&self) -> &Value {
        self.value.get("payload").unwrap_or(&Value::Null)
    }
}

/// A client.
pub(super) struct LineClient {
    reader: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    last_number: u32,
    /// Messages that came before an answer.
    kept: VecDeque<Heard>,
}

impl LineClient {
    pub(super) async fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).await.context("can't connect to the socket")?;
        let (reader, writer) = stream.into_split();
        let reader = BufReader::new(reader).lines();
        Ok(Self { reader, writer, last_number: 0, kept: VecDeque::new() })
    }

    /// Sends a line in which `"id":N` becomes the next number, and returns it as it was sent.
    pub(super) async fn send(&mut self, line: &str) -> Result<String> {
        self.last_number += 1;
        let line = line.replacen("\"id\":N", &format!("\"id\":{}", self.last_number), 1);
        self.writer.write_all(format!("{line}\n").as_bytes()).await.context("can't write")?;
        Ok(line)
    }

    /// The answer to the line that was sent last.
    pub(super) async fn answer(&mut self) -> Result<Heard> {
        loop {
            let heard = self.read().await?;
            match heard.text("op") {
                "msg" | "lag" => self.kept.push_back(heard),
                _ => {
                    let is_expected = heard.number() == Some(self.last_number.into());
                    ensure!(is_expected, "unexpected: {}", heard.line);
                    return Ok(heard);
                }
            }
        }
    }

    /// Sends a line that has to succeed, and returns its answer.
    pub(super) async fn ask(&mut self, line: &str) -> Result<Heard> {
        self.send(line).await?;
        let answer = self.answer().await?;
        ensure!(answer.is_ok(), "refused: {}", answer.line);
        Ok(answer)
    }

    /// The next line that answers nothing: a message, a lag notice, a goodbye. Nothing is lost if
    /// the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Heard> {
        match self.kept.pop_front() {
            Some(heard) => Ok(heard),
            None => self.read().await,
        }
    }

    /// The next message.
    pub(super) async fn message(&mut self) -> Result<Heard> {
        let heard = self.next().await?;
        ensure!(heard.text("op") == "msg", "a message was expected, not {}", heard.line);
        Ok(heard)
    }

    /// Drops messages for a subscription that has ended.
    pub(super) fn forget(&mut self, subscription: u64) {
        self.kept.retain(|heard| heard.subscription() != Some(subscription));
    }

    /// Whether the daemon has closed the connection, as the next thing that happens.
    pub(super) async fn is_closed(&mut self) -> Result<bool> {
        Ok(self.reader.next_line().await.context("can't read")?.is_none())
    }

    async fn read(&mut self) -> Result<Heard> {
        let line = self.reader.next_line().await.context("can't read")?;
        let Some(line) = line else { bail!("the daemon hung up") };
        let value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        Ok(Heard { line, value })
    }
}
