//! A publisher that repeats what it has no answer for, a consumer that acknowledges most of what it
//! gets, and the account of both.
//!
//! They speak JSON lines, as any script would, and end when their connection does. What is checked
//! at the end is what a program may rely on: what was answered `stored` came, nothing came twice
//! without its mark, and nothing that waits is stuck.

use super::Chance;
use crate::process::dial;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Publishes without an answer at a time.
const IN_FLIGHT: usize = 24;

/// A connection that speaks lines.
pub(super) struct Talk {
    lines: BufReader<UnixStream>,
}

impl Talk {
    pub(super) fn dial(socket: &Path) -> Self {
        Self { lines: BufReader::new(dial(socket)) }
    }

    /// Whether it was said: a daemon that is gone takes nothing.
    pub(super) fn say(&mut self, line: &Value) -> bool {
        let line = format!("{line}\n");
        self.lines.get_mut().write_all(line.as_bytes()).is_ok()
    }

    /// What is said next; nothing once the daemon is gone. Half a line is none.
    pub(super) fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        let is_whole = matches!(self.lines.read_line(&mut line), Ok(1..)) && line.ends_with('\n');
        if is_whole { Some(serde_json::from_str(&line).unwrap()) } else { None }
    }

    /// Asks, and hears the answer; whatever else comes is passed over.
    pub(super) fn ask(&mut self, number: u32, mut line: Value) -> Value {
        line["id"] = json!(number);
        assert!(self.say(&line), "{line}");
        loop {
            let heard = self.hear().unwrap_or_else(|| panic!("no answer to {line}"));
            if heard["id"] == number {
                return heard;
            }
        }
    }
}

/// A message id of its own for each number: version 7, whatever the time.
pub(super) fn id_of(number: u64) -> String {
    format!("01900000-0000-7000-8000-{number:012x}")
}

/// What a publisher asked for, and what it was told.
#[derive(Default)]
pub(super) struct Published {
    pub(super) next: u64,
    pub(super) unanswered: BTreeSet<u64>,
    pub(super) stored: BTreeSet<u64>,
}

impl Published {
    /// Publishes until the connection ends; `told` hears of each answer, and says whether it is
    /// enough.
    pub(super) fn run(&mut self, socket: &Path, mut told: impl FnMut(u64) -> bool) {
        let mut talk = Talk::dial(socket);
        talk.say(&json!({"op": "hello", "client": "01900000-0000-7000-8000-00000000abcd"}));
        let again: Vec<u64> = self.unanswered.iter().copied().collect();
        for number in again {
            talk.say(&publication(number));
        }
        loop {
            while self.unanswered.len() < IN_FLIGHT {
                self.next += 1;
                self.unanswered.insert(self.next);
                talk.say(&publication(self.next));
            }
            let Some(heard) = talk.hear() else { return };
            assert_eq!(heard["op"], "ok", "{heard}");
            assert_eq!(heard["state"], "stored", "{heard}");
            let number = heard["id"].as_u64().unwrap();
            self.unanswered.remove(&number);
            self.stored.insert(number);
            if told(number) {
                return;
            }
        }
    }
}

fn publication(number: u64) -> Value {
    json!({
        "op": "pub", "id": number, "topic": "work.todo", "payload": number, "msg_id": id_of(number),
    })
}

/// What a consumer got.
#[derive(Default)]
pub(super) struct Consumed {
    /// How often each came without a mark.
    pub(super) unmarked: BTreeMap<u64, u32>,
    pub(super) seen: BTreeSet<u64>,
    pub(super) redelivered: u64,
}

/// The consumer, made before anything is published.
pub(super) fn consumer(socket: &Path) -> Talk {
    let mut talk = Talk::dial(socket);
    let line = json!({"op": "sub", "pattern": "self.work.>", "durable": "worker"});
    let answer = talk.ask(1, line);
    assert_eq!(answer["op"], "ok", "{answer}");
    talk
}

impl Consumed {
    /// Takes what comes until the connection ends, or all of `until` was there. Of four messages it
    /// forgets to acknowledge one, unless `chance` is none.
    pub(super) fn run(
        &mut self,
        talk: &mut Talk,
        mut chance: Option<Chance>,
        until: Option<&BTreeSet<u64>>,
    ) {
        let mut last = 0;
        loop {
            if until.is_some_and(|all| all.is_subset(&self.seen)) {
                return;
            }
            let Some(heard) = talk.hear() else { return };
            if heard["op"] != "msg" {
                assert_eq!(heard["op"], "bye", "{heard}");
                continue;
            }
            let number = heard["payload"].as_u64().unwrap();
            assert_eq!(heard["msg_id"], id_of(number));
            self.seen.insert(number);
            if heard["attempt"] == 1 {
                *self.unmarked.entry(number).or_default() += 1;
                assert!(last < number, "{number} came after {last}");
                last = number;
            } else {
                self.redelivered += 1;
            }
            if chance.as_mut().is_none_or(|chance| chance.below(4) > 0) {
                talk.say(&json!({"op": "ack", "sub": 1, "msg_id": heard["msg_id"]}));
            }
        }
    }

    /// Takes all that waits, and looks whether it is what there has to be.
    pub(super) fn settle(&mut self, socket: &Path, stored: &BTreeSet<u64>) -> Result<(), String> {
        let mut talk = consumer(socket);
        talk.say(&json!({"op": "ping", "id": 7}));
        let missing: BTreeSet<u64> = stored.difference(&self.seen).copied().collect();
        self.take_all(&mut talk);
        let lost: Vec<u64> = stored.difference(&self.seen).copied().collect();
        if !lost.is_empty() {
            return Err(format!("lost, though answered as stored: {lost:?} of {missing:?}"));
        }
        let twice: Vec<_> = self.unmarked.iter().filter(|(_, count)| **count > 1).collect();
        if !twice.is_empty() {
            return Err(format!("came twice without a mark: {twice:?}"));
        }
        Ok(())
    }

    /// Acknowledges until nothing waits any more; the last acknowledgement is waited for.
    fn take_all(&mut self, talk: &mut Talk) {
        let mut number = 100;
        loop {
            number += 1;
            talk.say(&json!({
                "op": "req", "id": number, "topic": "bus.consumers", "payload": null,
            }));
            loop {
                let heard = talk.hear().expect("the daemon goes on");
                if heard["op"] == "msg" {
                    let payload = heard["payload"].as_u64().unwrap();
                    self.seen.insert(payload);
                    if heard["attempt"] == 1 {
                        *self.unmarked.entry(payload).or_default() += 1;
                    }
                    talk.say(&json!({"op": "ack", "sub": 1, "msg_id": heard["msg_id"]}));
                }
                if heard["op"] == "reply" && heard["id"] == number {
                    let row = &heard["payload"]["consumers"][0];
                    assert_eq!(row["dead"], 0, "{heard}");
                    if row["waiting"] == 0 {
                        return;
                    }
                    break;
                }
            }
        }
    }
}
