//! What a program is told: the kit reads along, in both framings, to know what was refused and why.

use crate::limits::PAYLOAD_BYTES_MAX;
use kith_wire::binary::{self, Kind, frame};
use kith_wire::limits::frame_bytes_max;
use kith_wire::{Code, Event};
use serde::Deserialize;

/// Reads along what the bus sends on one connection.
#[derive(Debug, Default)]
pub(super) struct Overheard {
    is_binary: Option<bool>,
    /// The beginning of a line or frame.
    rest: Vec<u8>,
}

#[derive(Deserialize)]
struct Line {
    op: String,
    code: Option<String>,
    #[serde(default)]
    text: String,
}

impl Overheard {
    /// Takes in what was sent, and notes refusals.
    pub(super) fn listen(&mut self, sent: &[u8], refusals: &mut Vec<(Option<Code>, String)>) {
        self.rest.extend_from_slice(sent);
        let rest = std::mem::take(&mut self.rest);
        let mut bytes = rest.as_slice();
        if self.is_binary.is_none() && binary::MAGIC.len() <= bytes.len() {
            let stripped = bytes.strip_prefix(&binary::MAGIC);
            self.is_binary = Some(stripped.is_some());
            bytes = stripped.unwrap_or(bytes);
        }
        match self.is_binary {
            Some(true) => {
                let max = frame_bytes_max(PAYLOAD_BYTES_MAX);
                while let Ok(Some(frame)) = frame::split(bytes, max) {
                    bytes = bytes.get(frame.bytes.len()..).unwrap_or_default();
                    if frame.kind != Kind::Err.byte() {
                        continue;
                    }
                    let _ = binary::receive::events(frame, |event| {
                        if let Event::Err { code, text, .. } = event {
                            refusals.push((code, text.to_owned()));
                        }
                        Ok(())
                    });
                }
            }
            Some(false) => {
                while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                    let (line, after) = bytes.split_at(end + 1);
                    bytes = after;
                    refusals.extend(refusal(line));
                }
            }
            None => {}
        }
        self.rest = bytes.to_vec();
    }
}

fn refusal(line: &[u8]) -> Option<(Option<Code>, String)> {
    if !line.starts_with(b"{\"op\":\"err\"") {
        return None;
    }
    let Line { op, code, text } = serde_json::from_slice(line).ok()?;
    let code = code.as_deref().and_then(Code::from_name);
    (op == "err").then_some((code, text))
}
