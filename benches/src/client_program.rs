//! A client that is a program of its own, for brokers whose protocol can't be spoken raw.
//!
//! It is built apart from this workspace (`benches/zenoh`), and driven by lines on its standard
//! input and output, which its own essay lists. The harness measures what it measures of all
//! others: the broker's CPU time, the client's (here another process), and that of the rest.
//! Answers come through a thread, so that a client that hangs ends a run and not the series.

use crate::load::{Load, LoadResult};
use crate::machine::{busy_seconds, own_cpu_seconds, process_cpu};
use crate::peer::program;
use crate::process::{Running, end};
use crate::socket::Endpoint;
use anyhow::{Context, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long an answer may take: 1000 sessions are opened one after the other.
const ANSWER_MAX: Duration = Duration::from_secs(90);
/// What this protocol adds to a payload on the wire is not known to us; a window needs no more.
const OVERHEAD_BYTES: u64 = 32;

pub(crate) struct ClientProgram {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

impl ClientProgram {
    pub(crate) fn start(path: &Path, endpoint: &Endpoint) -> anyhow::Result<Self> {
        let locator = match endpoint {
            Endpoint::Unix(path) => format!("unixsock-stream/{}", path.display()),
            Endpoint::Tcp(port) => format!("tcp/127.0.0.1:{port}"),
        };
        let mut command = program(path);
        command.arg(locator);
        Self::spawn(command)
            .with_context(|| format!("can't start {}: is it built?", path.display()))
    }

    fn spawn(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let requests = child.stdin.take().context("its input")?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let (sender, answers) = channel();
        let client = Self { child, requests, answers };
        let read = move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("client's answers".into()).spawn(read)?;
        Ok(client)
    }

    /// Asks, and takes the first answer.
    pub(crate) fn request(&mut self, line: &str) -> anyhow::Result<String> {
        writeln!(self.requests, "{line}").context("the client program is gone")?;
        self.answer()
    }

    fn answer(&self) -> anyhow::Result<String> {
        let answer = self.answers.recv_timeout(ANSWER_MAX).context("the client said nothing")?;
        match answer.strip_prefix("error ") {
            Some(why) => bail!("client: {why}"),
            None => Ok(answer),
        }
    }

    /// One load run, as `Load::run` does it with the raw clients.
    pub(crate) fn load(
        &mut self,
        load: Load,
        payload_bytes: usize,
        broker: &Running,
    ) -> anyhow::Result<LoadResult> {
        let wire_bytes = payload_bytes as u64 + OVERHEAD_BYTES;
        let window_max = load.window_max(wire_bytes);
        let Load { fan, seconds, .. } = load;
        let measuring =
            self.request(&format!("load {fan} {payload_bytes} {seconds} {window_max}"))?;
        let window = measuring.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        let (busy_before, observed_from) = (busy_seconds(), Instant::now());
        let (broker_before, client_before) = (broker.cpu(), self.cpu_seconds());
        let own_before = own_cpu_seconds();
        let done = self.answer()?;
        let (broker_after, client_after) = (broker.cpu(), self.cpu_seconds());
        let system = broker_after.system - broker_before.system;
        let broker_cpu = broker_after.user - broker_before.user + system;
        let client_cpu = client_after - client_before;
        let ours = own_cpu_seconds() - own_before;
        let foreign = busy_seconds() - busy_before - broker_cpu - client_cpu - ours;
        let (sent, deliveries, took) = done_fields(&done)?;
        Ok(LoadResult {
            sent,
            deliveries,
            lost: (sent * fan).saturating_sub(deliveries),
            seconds: took,
            broker_cpu_seconds: broker_cpu,
            broker_system_seconds: system,
            client_cpu_seconds: client_cpu,
            foreign_cores: foreign / observed_from.elapsed().as_secs_f64(),
            window: window.unwrap_or(0),
            wire_bytes,
            note: None,
        })
    }

    /// Round-trip times in ns. `echoed`: ping-pong of two sessions, else transit.
    pub(crate) fn round_trips(
        &mut self,
        payload_bytes: usize,
        rounds: usize,
        echoed: bool,
    ) -> anyhow::Result<Vec<u64>> {
        let shape = if echoed { "pingpong" } else { "transit" };
        let times = self.request(&format!("latency {shape} {payload_bytes} {rounds}"))?;
        times.split_whitespace().skip(1).map(|time| Ok(time.parse()?)).collect()
    }

    pub(crate) fn cpu_seconds(&self) -> f64 {
        let cpu = process_cpu(self.child.id());
        cpu.user + cpu.system
    }
}

impl Drop for ClientProgram {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Sent, received and seconds of a `done` line.
fn done_fields(line: &str) -> anyhow::Result<(u64, u64, f64)> {
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["done", sent, received, seconds] => {
            Ok((sent.parse()?, received.parse()?, seconds.parse()?))
        }
        _ => bail!("the client program said {line:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_line_is_read_and_others_are_refused() {
        assert_eq!(done_fields("done 8 80 0.5").unwrap(), (8, 80, 0.5));
        assert!(done_fields("done 8 80").is_err());
        assert!(done_fields("measuring 8").is_err());
    }

    #[test]
    fn answers_are_passed_on_errors_are_errors_and_silence_at_the_end_is_one() {
        let mut command = program("sh");
        command.args(["-c", "read ask; echo \"ok $ask\"; read ask; echo error no such request"]);
        let mut client = ClientProgram::spawn(command).unwrap();
        assert_eq!(client.request("ping").unwrap(), "ok ping");
        let refused = client.request("dance").unwrap_err();
        assert_eq!(refused.to_string(), "client: no such request");
        assert!(client.answer().is_err());
    }
}
