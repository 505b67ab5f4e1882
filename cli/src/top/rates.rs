//! From two samples to what happened between them, a second.
//!
//! Rates are whole numbers of thousandths, so that a message in ten seconds is one too, and so that
//! there is nothing to round before it is shown. Where there is no earlier sample of the same
//! daemon, or of a client that has just come, there is no rate, which is something else than none.
//!
//! What `kith top` itself does is left out of the bus's rates: it asks the daemon a few times a
//! second, and on a quiet bus that would be all there is to see. Its own row shows it.

use super::facts::{Client, Counters, Process, Ready, Sample, Stats};
use std::collections::HashMap;

/// So many thousandths a second.
pub(crate) type Thousandths = u64;

/// What happened, a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) published: Thousandths,
    pub(crate) published_bytes: Thousandths,
    pub(crate) delivered: Thousandths,
    pub(crate) delivered_bytes: Thousandths,
    pub(crate) dropped: Thousandths,
}

/// A client, and what it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) client: Client,
    /// The name of its process.
    pub(crate) command: Option<String>,
    pub(crate) flow: Option<Flow>,
    /// It is this `kith top`.
    pub(crate) is_this: bool,
}

/// What there is to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) ready: Option<Ready>,
    pub(crate) process: Option<Process>,
    /// The daemon's processor time of all time that passed, in thousandths.
    pub(crate) cpu: Option<Thousandths>,
    pub(crate) stats: Stats,
    /// Of the bus, without this `kith top`.
    pub(crate) flow: Option<Flow>,
    pub(crate) rows: Vec<Row>,
}

/// The name under which `kith top` connects.
pub(crate) const OWN_NAME: &str = "kith top";

impl View {
    /// What `sample` shows after `before`. `own_pid`: the process that looks on.
    pub(crate) fn new(before: Option<&Sample>, sample: &Sample, own_pid: u32) -> Self {
        let before = before.filter(|before| before.ready == sample.ready);
        let ms = before.map_or(0, |before| sample.at_ms.saturating_sub(before.at_ms));
        // Without time in between there is nothing to divide by.
        let before = before.filter(|_| ms > 0);
        let earlier: HashMap<u64, Counters> = before.map_or_else(HashMap::new, |before| {
            before.clients.iter().map(|client| (client.client, client.counters)).collect()
        });
        let rows: Vec<Row> = sample
            .clients
            .iter()
            .zip(sample.commands.iter().cloned().chain(std::iter::repeat(None)))
            .map(|(client, command)| Row {
                flow: earlier.get(&client.client).map(|then| flow(*then, client.counters, ms)),
                is_this: is_own(client, own_pid),
                client: client.clone(),
                command,
            })
            .collect();
        let cpu = before.and_then(|before| {
            let spent_ms = sample.process?.cpu_ms.saturating_sub(before.process?.cpu_ms);
            Some(per_second(spent_ms, ms))
        });
        Self {
            ready: sample.ready.clone(),
            process: sample.process,
            cpu: cpu.map(|thousandths| thousandths / 1000),
            stats: sample.stats,
            flow: before
                .map(|before| flow(of_others(before, own_pid), of_others(sample, own_pid), ms)),
            rows,
        }
    }
}

/// Whether a client is this `kith top`. One that the daemon knows no process of can't be told from
/// another of the same name, and is counted with the others.
fn is_own(client: &Client, own_pid: u32) -> bool {
    client.pid == Some(own_pid) && client.name.as_deref() == Some(OWN_NAME)
}

fn of_others(sample: &Sample, own_pid: u32) -> Counters {
    let own = sample.clients.iter().filter(|client| is_own(client, own_pid));
    own.fold(sample.stats.counters, |all, own| less(all, own.counters))
}

fn flow(before: Counters, now: Counters, ms: u64) -> Flow {
    let passed = less(now, before);
    Flow {
        published: per_second(passed.published, ms),
        published_bytes: per_second(passed.published_bytes, ms),
        delivered: per_second(passed.delivered, ms),
        delivered_bytes: per_second(passed.delivered_bytes, ms),
        dropped: per_second(passed.dropped, ms),
    }
}

fn less(all: Counters, part: Counters) -> Counters {
    Counters {
        published: all.published.saturating_sub(part.published),
        published_bytes: all.published_bytes.saturating_sub(part.published_bytes),
        delivered: all.delivered.saturating_sub(part.delivered),
        delivered_bytes: all.delivered_bytes.saturating_sub(part.delivered_bytes),
        dropped: all.dropped.saturating_sub(part.dropped),
    }
}

fn per_second(count: u64, ms: u64) -> Thousandths {
    let thousandths = u128::from(count) * 1_000_000 / u128::from(ms.max(1));
    u64::try_from(thousandths).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(client: u64, published: u64, delivered_bytes: u64) -> Client {
        let counters = Counters { published, delivered_bytes, ..Counters::default() };
        Client { client, counters, ..Client::default() }
    }

    fn sample(at_ms: u64, clients: Vec<Client>) -> Sample {
        let ready = Ready { pid: 7, ..Ready::default() };
        let published = clients.iter().map(|client| client.counters.published).sum();
        let counters = Counters { published, ..Counters::default() };
        let stats = Stats { counters, ..Stats::default() };
        Sample { at_ms, ready: Some(ready), stats, clients, ..Sample::default() }
    }

    #[test]
    fn rates_are_what_happened_in_the_time_between() {
        let before = sample(1_000, vec![client(1, 10, 0), client(2, 5, 100)]);
        let now = sample(3_000, vec![client(1, 13, 0), client(2, 5, 2_100), client(3, 9, 9)]);
        let view = View::new(Some(&before), &now, 1);
        let flows: Vec<_> = view.rows.iter().map(|row| row.flow).collect();
        let published = Flow { published: 1_500, ..Flow::default() };
        let delivered = Flow { delivered_bytes: 1_000_000, ..Flow::default() };
        // Of one that has just come nothing is known.
        assert_eq!(flows, [Some(published), Some(delivered), None]);
        assert_eq!(view.flow.map(|flow| flow.published), Some(6_000));
    }

    #[test]
    fn the_first_sample_and_one_of_another_daemon_have_no_rates() {
        let before = sample(1_000, vec![client(1, 10, 0)]);
        let mut now = sample(2_000, vec![client(1, 3, 0)]);
        assert_eq!(View::new(None, &now, 1).flow, None);
        now.ready = Some(Ready { pid: 8, ..Ready::default() });
        let view = View::new(Some(&before), &now, 1);
        assert_eq!((view.flow, view.rows[0].flow, view.cpu), (None, None, None));
        assert_eq!(View::new(Some(&before), &before, 1).flow, None);
    }

    #[test]
    fn this_one_is_marked_and_left_out() {
        let own = |published| Client {
            name: Some(OWN_NAME.to_owned()),
            pid: Some(42),
            ..client(2, published, 0)
        };
        let other = |published| Client { client: 3, pid: Some(41), ..own(published) };
        let before = sample(0, vec![client(1, 0, 0), own(100), other(0)]);
        let now = sample(1_000, vec![client(1, 4, 0), own(200), other(3)]);
        let view = View::new(Some(&before), &now, 42);
        assert_eq!(view.flow.unwrap().published, 7_000);
        let marks: Vec<_> = view.rows.iter().map(|row| row.is_this).collect();
        assert_eq!(marks, [false, true, false]);
        assert_eq!(view.rows[1].flow.unwrap().published, 100_000);
    }

    #[test]
    fn processor_time_is_a_part_of_the_time_that_passed() {
        let process = |cpu_ms| Some(Process { resident_bytes: 1, cpu_ms });
        let before = Sample { process: process(500), ..sample(0, Vec::new()) };
        let now = Sample { process: process(750), ..sample(2_000, Vec::new()) };
        assert_eq!(View::new(Some(&before), &now, 1).cpu, Some(125));
    }

    #[test]
    fn numbers_beyond_all_bounds_do_no_harm() {
        assert_eq!(per_second(u64::MAX, 0), u64::MAX);
        assert_eq!(per_second(u64::MAX, u64::MAX), 1_000_000);
        let before = sample(0, vec![client(1, u64::MAX, 0)]);
        let now = sample(1_000, vec![client(1, 0, 0)]);
        assert_eq!(View::new(Some(&before), &now, 1).rows[0].flow, Some(Flow::default()));
    }
}
