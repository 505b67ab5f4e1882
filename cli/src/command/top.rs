//! `kith top`: the bus at work, on a terminal or as JSON.

use crate::arguments::{Everywhere, TopArguments};
use crate::connection::Address;
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::output::print;
use crate::stop::Stop;
use crate::terminal::Terminal;
use crate::top::facts::Sample;
use crate::top::rates::View;
use crate::top::sampler::{Question, Sampler};
use crate::top::snapshot;
use crate::top::state::State;
use crate::top::table::Order;
use crate::top::watch::watch;
use tokio::time::sleep;

pub(super) async fn run(arguments: &TopArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let terminal = Terminal::look(everywhere.color);
    if !arguments.json && !terminal.is_read_by_a_person {
        let text = "kith top draws on a terminal, and standard output is none";
        return Err(Failure::new(exit_code::USAGE, text)
            .hint("as text, once: kith top --json")
            .hint("without rates: kith status"));
    }
    let mut stop = Stop::new()?;
    let address = Address::find(everywhere.socket.clone())?;
    let socket = address.path().display().to_string();
    let order = Order {
        column: arguments.sort,
        is_reversed: arguments.reverse,
        filter: arguments.filter.clone().unwrap_or_default(),
    };
    let mut sampler = Sampler::start(address).await?;
    if arguments.json {
        let snapshots = snapshots(arguments, &socket, &order, &mut sampler);
        let result = stop.unless(snapshots).await;
        sampler.close().await;
        return result;
    }
    let interval_ms = u64::try_from(arguments.interval.as_millis()).unwrap_or(u64::MAX);
    let state = State::new(socket, std::process::id(), interval_ms, order);
    watch(sampler, state, terminal.paint.is_colored(), &mut stop).await
}

async fn snapshots(
    arguments: &TopArguments,
    socket: &str,
    order: &Order,
    sampler: &mut Sampler,
) -> Result<u8, Failure> {
    let mut before = sample(sampler).await?;
    for _ in 0..arguments.count {
        sleep(arguments.interval).await;
        let now = sample(sampler).await?;
        let view = View::new(Some(&before), &now, std::process::id());
        let line = snapshot::line(socket, view, order);
        let line = line.map_err(|error| inquiry::unreadable(&error))?;
        print(line.as_bytes()).map_err(|error| Failure::from_output(&error))?;
        before = now;
    }
    Ok(exit_code::OK)
}

async fn sample(sampler: &mut Sampler) -> Result<Sample, Failure> {
    let question = Question { wants_sample: true, patterns_of: None };
    Ok(sampler.answer(question).await?.sample.unwrap_or_default())
}
