//! `kith demo`: what the bus does, shown on a bus of its own.
//!
//! It is a tour for a person and the shortest test of everything: real daemons, real sockets, both
//! framings; first on one bus, then between people, whose devices are a daemon each. Each step says
//! what was seen, and it ends with 0 only if all of it was. Nothing sleeps: a step waits for what
//! has to happen, for a limited time. Nothing of the user's is used or left behind, whatever
//! happens: the folder is temporary, and each daemon is ended by its process id.

mod between;
mod daemon_process;
mod line_client;
mod people;
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
use futures_util::future::join_all;
use line_client::LineClient;
use people::People;
use report::Report;
use serde_json::Value;
use stage::{Stage, connect, json_of};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::timeout;

/// The configuration of the bus of the first half: small limits, so that a reader that doesn't read
/// misses something soon.
const BUS: &str = "\
[limits]
payload_bytes_max = \"64 KiB\"
queue_bytes_max = \"256 KiB\"
";

/// Every daemon that was started: whatever happens, all of them are ended.
#[derive(Default)]
struct Daemons {
    bus: Option<DaemonProcess>,
    devices: Vec<DaemonProcess>,
}

/// Shows everything, and cleans up.
pub(crate) async fn run(arguments: &DemoArguments, color: ColorChoice) -> Result<u8, Failure> {
    let mut stop = Stop::new()?;
    let terminal = Terminal::look(color);
    let folder = tempfile::Builder::new().prefix("kith-demo-").tempdir();
    let folder = folder.map_err(|error| Failure::system("can't make a folder", &error))?;
    let mut report = Report::new(arguments.json, terminal.paint, terminal.columns());
    let mut daemons = Daemons::default();
    let began = Instant::now();
    let shown =
        stop.unless(async { Ok(show(&mut report, folder.path(), &mut daemons).await) }).await;
    let cleaned = clean(daemons, folder).await;
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
            report.line("and for others: kith services enable quic mdns; kith invite");
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
async fn show(report: &mut Report, folder: &Path, daemons: &mut Daemons) -> Result<()> {
    report.line(
        "Kith, shown on a bus of its own. ann speaks JSON lines, as any script can; bob uses the \
         Rust library, which speaks binary frames. → is what ann sends, ← what she gets.",
    );
    let title = "A daemon, and two programs that speak to it differently";
    let stage = step(report, "start", title, async |report| {
        let daemon = daemons.bus.insert(DaemonProcess::start(folder, BUS)?);
        start(report, daemon).await
    });
    let mut stage = stage.await?;
    show_bus(report, &mut stage).await?;
    let title = "A stored message: the daemon is killed, and the message is there";
    step(report, "stored", title, async |report| {
        let daemon = daemons.bus.as_mut().context("there is no daemon")?;
        stored::stored(report, &mut stage, daemon, folder).await
    })
    .await?;

    let title = "People: ann has a laptop and a phone, bob a computer, and carol is a stranger";
    let people = step(report, "people", title, async |report| {
        people::start(report, folder, &mut daemons.devices).await
    });
    let mut people = people.await?;
    show_people(report, &mut people).await?;
    let title = "The end: all five daemons are asked to stop";
    step(report, "stop", title, async |report| end(report, &mut stage, daemons).await).await
}

/// What happens on one bus.
async fn show_bus(report: &mut Report, stage: &mut Stage) -> Result<()> {
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
    step(report, "slow-reader", title, async |report| slow::slow(report, stage).await).await
}

/// What happens between people.
async fn show_people(report: &mut Report, people: &mut People) -> Result<()> {
    let title = "A second device and a friend, each by a link";
    step(report, "invite", title, async |report| between::invite(report, people).await).await?;
    let title = "Scopes: who wrote decides which subscriptions hear it";
    let scopes = async |report: &mut Report| between::scopes(report, people).await;
    let own = step(report, "scopes", title, scopes).await?;
    let title = "A request across people";
    step(report, "across", title, async |report| between::request(report, people).await).await?;
    let title = "A stranger reaches what is public, and nothing else";
    let stranger = async |report: &mut Report| between::stranger(report, people, own).await;
    step(report, "stranger", title, stranger).await?;
    let title = "A device that was removed gets nothing any more";
    step(report, "removed", title, async |report| between::removed(report, people).await).await
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

async fn end(report: &mut Report, stage: &mut Stage, daemons: &mut Daemons) -> Result<()> {
    let Daemons { bus, devices } = daemons;
    let mut all: Vec<_> = bus.iter_mut().chain(devices).collect();
    let ids: Vec<_> = all.iter().filter_map(|daemon| daemon.id()).collect();
    ensure!(ids.len() == all.len(), "a daemon has ended by itself");
    let shown = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    report.tell(&format!("kill -TERM {shown}"));
    let statuses = join_all(all.iter_mut().map(|daemon| daemon.end())).await;
    let bye = stage.ann.next().await?;
    report.received("ann", &bye.line);
    ensure!(bye.text("op") == "bye" && stage.ann.is_closed().await?, "ann was not said goodbye");
    for (status, daemon) in statuses.into_iter().zip(&all) {
        let status = status?;
        ensure!(status.code() == Some(0), "a daemon ended with {status}");
        ensure!(!daemon.socket().exists(), "a daemon left its socket behind");
    }
    report.seen("the first said goodbye; all ended with 0, and their sockets are gone");
    Ok(())
}

/// Ends the daemons that still run, and removes the folder.
async fn clean(mut daemons: Daemons, folder: TempDir) -> Result<()> {
    let all = daemons.bus.iter_mut().chain(&mut daemons.devices);
    let limit = Duration::from_millis(DEMO_STEP_MS);
    // One that doesn't end by itself is killed when it is dropped.
    let ended = timeout(limit, join_all(all.map(DaemonProcess::end))).await;
    drop(daemons);
    folder.close().context("can't remove the folder")?;
    let ended = ended.map_err(|_| anyhow!("a daemon did not end"))?;
    ended.into_iter().try_for_each(|status| status.map(drop))
}
