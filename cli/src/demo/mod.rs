//! `kith demo`: what the bus does, shown on a bus of its own.
//!
//! It is a tour for a person and the shortest test of everything: real daemon, real socket, both
//! framings. Each step says what was seen, and it ends with 0 only if all of it was. Nothing
//! sleeps: a step waits for what has to happen, for a limited time. Nothing of the user's is used
//! or left behind, whatever happens: the folder is temporary, and the daemon is ended by its
//! process id.

mod daemon_process;
mod line_client;
mod report;
mod slow;
mod stage;
mod steps;
mod stored;

use crate::arguments::{ColorChoice, DemoArguments};
use crate::exit_code;
use crate::failure::Failure;
use crate::limits::DEMO_STEP_MS;
use crate::stop::Stop;
use crate::terminal::Terminal;
use anyhow::{Context, Result, anyhow, ensure};
use daemon_process::DaemonProcess;
use line_client::LineClient;
use report::Report;
use serde_json::Value;
use stage::{Stage, connect, json_of};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::timeout;

/// Shows everything, and cleans up.
pub(crate) async fn run(arguments: &DemoArguments, color: ColorChoice) -> Result<u8, Failure> {
    let mut stop = Stop::new()?;
    let terminal = Terminal::look(color);
    let folder = tempfile::Builder::new().prefix("kith-demo-").tempdir();
    let folder = folder.map_err(|error| Failure::system("can't make a folder", &error))?;
    let mut report = Report::new(arguments.json, terminal.paint, terminal.columns());
    let mut daemon = None;
    let began = Instant::now();
    let shown =
        stop.unless(async { Ok(show(&mut report, folder.path(), &mut daemon).await) }).await;
    let cleaned = clean(daemon, folder).await;
    let shown = shown?;
    let (n_steps, name) = report.progress();
    match (shown, cleaned) {
        (Ok(()), Ok(())) => {
            let seconds = began.elapsed().as_secs_f64();
            report.line("");
            report.line(&format!("All {n_steps} steps were seen to work, in {seconds:.1} s."));
            report.line("For real, each in a terminal of its own:");
            report.line("   kith daemon");
            report.line("   kith sub 'self.chess.>'");
            report.line("   kith pub chess.move '{\"from\":\"e2\",\"to\":\"e4\"}'");
            report.finish().map_err(|error| Failure::from_output(&error))?;
            Ok(exit_code::OK)
        }
        (Err(error), _) => {
            let text =
                format!("step {n_steps} of the demo ({name}) was not seen to work: {error:#}");
            Err(Failure::new(exit_code::FAILED, text))
        }
        (Ok(()), Err(error)) => {
            let text = format!("the demo could not clean up behind itself: {error:#}");
            Err(Failure::new(exit_code::FAILED, text))
        }
    }
}

/// All steps, one after another; the first that fails ends it.
async fn show(
    report: &mut Report,
    folder: &Path,
    daemon: &mut Option<DaemonProcess>,
) -> Result<()> {
    report.line(
        "Kith, shown on a bus of its own. ann speaks JSON lines, as any script can; bob uses the \
         Rust library, which speaks binary frames. → is what ann sends, ← what she gets.",
    );
    let title = "A daemon, and two programs that speak to it differently";
    let stage = step(report, "start", title, async |report| {
        let daemon = daemon.insert(DaemonProcess::start(folder)?);
        start(report, daemon).await
    });
    let mut stage = stage.await?;
    let stage = &mut stage;

    let title = "Publish and subscribe, with wildcards";
    step(report, "wildcards", title, async |report| steps::wildcards(report, stage).await).await?;
    let title = "A group: each message goes to one of its members";
    step(report, "group", title, async |report| steps::group(report, stage).await).await?;
    let title = "A kept value: whoever comes late still gets it";
    step(report, "retained", title, async |report| steps::kept(report, stage).await).await?;
    let title = "A request and its reply, from one framing to the other and back";
    step(report, "request", title, async |report| steps::request(report, stage).await).await?;
    let title = "A request that nobody can answer";
    step(report, "no-responders", title, async |report| steps::nobody(report, stage).await).await?;
    let title = "A will: what a program wants said when it can't any more";
    step(report, "will", title, async |report| steps::will(report, stage).await).await?;
    let title = "A slow reader is told exactly what it missed";
    step(report, "slow-reader", title, async |report| slow::slow(report, stage).await).await?;
    let title = "A stored message: the daemon is killed, and the message is there";
    step(report, "stored", title, async |report| {
        let daemon = daemon.as_mut().context("there is no daemon")?;
        stored::stored(report, stage, daemon, folder).await
    })
    .await?;
    let title = "The end: the daemon is asked to stop";
    step(report, "stop", title, async |report| {
        let daemon = daemon.as_mut().context("there is no daemon")?;
        end(report, stage, daemon).await
    })
    .await
}

/// One step: announced, done in a limited time, and told how it ended.
async fn step<T>(
    report: &mut Report,
    name: &'static str,
    title: &str,
    work: impl AsyncFnOnce(&mut Report) -> Result<T>,
) -> Result<T> {
    report.begin(name, title);
    let limit = Duration::from_millis(DEMO_STEP_MS);
    let late = |_| Err(anyhow!("what should happen didn't, for {} s", limit.as_secs()));
    let result = timeout(limit, work(report)).await.unwrap_or_else(late);
    report.end(result.as_ref().err().map(|error| format!("{error:#}")));
    result
}

async fn start(report: &mut Report, daemon: &mut DaemonProcess) -> Result<Stage> {
    daemon.ready().await?;
    let socket = daemon.socket().to_owned();
    let id = daemon.id().context("the daemon has ended")?;
    report.tell(&format!("kith daemon runs as process {id}, its socket is {}", socket.display()));
    let mut ann = LineClient::connect(&socket).await?;
    let hello = ann.send(r#"{"op":"hello","id":N,"name":"ann"}"#).await?;
    report.sent("ann", &hello);
    let welcome = ann.answer().await?;
    report.received("ann", &welcome.line);
    ensure!(welcome.is_ok(), "ann was refused");
    report.tell("bob connects");
    let bob = connect(&socket, "bob").await?;

    let clients = json_of(&bob.request("bus.clients", "null").await?)?;
    let framing_of = |name: &str| {
        let mut clients = clients.as_array().into_iter().flatten();
        let client =
            clients.find(|client| client.get("name").and_then(Value::as_str) == Some(name));
        client.and_then(|client| client.get("framing")?.as_str())
    };
    let (anns, bobs) = (framing_of("ann"), framing_of("bob"));
    ensure!((anns, bobs) == (Some("json"), Some("binary")), "the daemon lists them as {clients}");
    report.seen("the daemon lists both: ann (json) and bob (binary)");
    Ok(Stage { ann, bob, socket })
}

async fn end(report: &mut Report, stage: &mut Stage, daemon: &mut DaemonProcess) -> Result<()> {
    let id = daemon.id().context("the daemon has ended by itself")?;
    report.tell(&format!("kill -TERM {id}"));
    let status = daemon.end().await?;
    let bye = stage.ann.next().await?;
    report.received("ann", &bye.line);
    ensure!(bye.text("op") == "bye" && stage.ann.is_closed().await?, "ann was not said goodbye");
    ensure!(status.code() == Some(0), "the daemon ended with {status}");
    ensure!(!stage.socket.exists(), "the daemon left its socket behind");
    report.seen("it said goodbye, ended with 0, and its socket is gone");
    Ok(())
}

/// Ends the daemon, if it still runs, and removes the folder.
async fn clean(daemon: Option<DaemonProcess>, folder: TempDir) -> Result<()> {
    let ended = match daemon {
        Some(mut daemon) => {
            let limit = Duration::from_millis(DEMO_STEP_MS);
            // One that doesn't end by itself is killed when it is dropped.
            timeout(limit, daemon.end()).await.map_err(|_| anyhow!("the daemon did not end"))
        }
        None => return folder.close().context("can't remove the folder"),
    };
    folder.close().context("can't remove the folder")?;
    ended??;
    Ok(())
}
