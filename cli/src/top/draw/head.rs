//! The head of the screen: which daemon, how much it does, and how that went lately.

use super::fitting;
use super::look::Look;
use crate::show::columns::{left, right};
use crate::show::harmless::harmless;
use crate::show::quantity;
use crate::top::history::History;
use crate::top::state::State;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Sparkline;

/// From so many columns on there are two blocks of numbers beside each other.
const WIDE: u16 = 72;
/// From so many lines on the lines of how it went are two high, and three.
const TALL: [u16; 2] = [36, 50];

/// Two lines: who and how long, where, and how much of its memory waits to be read.
pub(super) fn title(frame: &mut Frame<'_>, area: Rect, state: &State, look: Look) {
    let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let pace = if state.is_paused {
        "paused".to_owned()
    } else {
        format!("every {}", interval(state.interval_ms))
    };
    let pace_style = if state.is_paused { look.loss() } else { look.faint() };
    let width = u16::try_from(pace.len()).unwrap_or(u16::MAX);
    let columns = [Constraint::Min(0), Constraint::Length(width)];
    let [daemon, right] = Layout::horizontal(columns).spacing(2).areas(first);
    let parts = daemon_parts(state).into_iter().map(|part| (part, look.heading()));
    frame.render_widget(fitting(parts, daemon.width), daemon);
    frame.render_widget(Line::styled(pace, pace_style), right);
    if let Some(trouble) = &state.trouble {
        let text = format!("waiting for the daemon: {}", harmless(trouble));
        frame.render_widget(Line::styled(text, look.fault()), second);
        return;
    }
    let waiting = quantity::bytes(state.view.stats.waiting_bytes);
    let waiting = format!("{waiting} waiting for clients");
    let width = u16::try_from(waiting.len()).unwrap_or(u16::MAX);
    let columns =
        [Constraint::Min(0), Constraint::Length(if area.width < WIDE { 0 } else { width })];
    let [place, right] = Layout::horizontal(columns).spacing(2).areas(second);
    let socket = harmless(&state.socket).into_owned();
    frame.render_widget(Line::styled(socket, look.faint()), place);
    frame.render_widget(Line::styled(waiting, look.faint()), right);
}

fn daemon_parts(state: &State) -> Vec<String> {
    let Some(ready) = &state.view.ready else { return vec!["Kith".to_owned()] };
    let up = quantity::age(state.view.stats.at.saturating_sub(ready.started_at));
    let mut parts = vec![
        format!("Kith {}", harmless(&ready.version)),
        format!("process {}", ready.pid),
        format!("up {up}"),
    ];
    if let Some(process) = state.view.process {
        parts.push(format!("memory {}", quantity::bytes(process.resident_bytes)));
    }
    if let Some(cpu) = state.view.cpu {
        parts.push(format!("CPU {}.{} %", cpu / 10, cpu % 10));
    }
    parts
}

fn interval(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") }
}

/// How many lines the numbers take on a screen of this size.
pub(super) fn metrics_height(screen: Rect) -> u16 {
    if screen.width < WIDE {
        return 6;
    }
    TALL.iter().fold(3, |lines, tall| if screen.height < *tall { lines } else { lines + 3 })
}

/// The numbers, each with a line of how it went.
pub(super) fn metrics(frame: &mut Frame<'_>, area: Rect, state: &State, look: Look) {
    let histories = &state.histories;
    let flow = state.view.flow;
    let rate = |of: fn(&crate::top::rates::Flow) -> u64| {
        flow.as_ref().map_or_else(|| "-".to_owned(), |flow| quantity::rate(of(flow)))
    };
    let bytes = |of: fn(&crate::top::rates::Flow) -> u64| {
        flow.as_ref().map_or_else(|| "-".to_owned(), |flow| quantity::bytes(of(flow) / 1000))
    };
    let queued = quantity::bytes(state.view.stats.queued_bytes);
    let dropped = rate(|flow| flow.dropped);
    let is_losing = flow.is_some_and(|flow| flow.dropped > 0);
    let loss = if is_losing { look.loss() } else { Style::new() };
    let blocks = [
        [
            ("published/s", rate(|flow| flow.published), Style::new(), &histories.published),
            ("delivered/s", rate(|flow| flow.delivered), Style::new(), &histories.delivered),
            ("dropped/s", dropped, loss, &histories.dropped),
        ],
        [
            (
                "bytes in/s",
                bytes(|flow| flow.published_bytes),
                Style::new(),
                &histories.published_bytes,
            ),
            (
                "bytes out/s",
                bytes(|flow| flow.delivered_bytes),
                Style::new(),
                &histories.delivered_bytes,
            ),
            ("queued", queued, Style::new(), &histories.queued_bytes),
        ],
    ];
    let areas: [Rect; 2] = if area.width < WIDE {
        Layout::vertical([Constraint::Fill(1); 2]).areas(area)
    } else {
        Layout::horizontal([Constraint::Fill(1); 2]).spacing(3).areas(area)
    };
    for (block, area) in blocks.into_iter().zip(areas) {
        let lines: [Rect; 3] = Layout::vertical([Constraint::Fill(1); 3]).areas(area);
        for ((name, value, style, history), line) in block.into_iter().zip(lines) {
            metric(frame, line, (name, &value, style), history, look);
        }
    }
}

fn metric(
    frame: &mut Frame<'_>,
    area: Rect,
    (name, value, style): (&str, &str, Style),
    history: &History,
    look: Look,
) {
    let columns = [Constraint::Length(21), Constraint::Min(0)];
    let [number, line] = Layout::horizontal(columns).spacing(1).areas(area);
    let text = Line::from(vec![
        Span::styled(left(name, 12), look.faint()),
        Span::styled(right(value, 9), style),
    ]);
    frame.render_widget(text, number);
    let data = history.last(usize::from(line.width));
    frame.render_widget(Sparkline::default().data(data).style(look.line()), line);
}

/// One line: what was lost, what there is, and what there was in all, as far as there is room.
pub(super) fn totals(frame: &mut Frame<'_>, area: Rect, state: &State, look: Look) {
    let stats = &state.view.stats;
    let counters = &stats.counters;
    let count = quantity::count;
    let losses = [
        (counters.dropped, "dropped"),
        (stats.cut_off, "cut off"),
        (stats.refused_connections, "not let in"),
        (stats.expired, "expired"),
        (stats.no_responders, "unanswered"),
        (stats.refused.saturating_sub(stats.refused_connections), "refused"),
    ];
    let losses = losses.into_iter().filter(|(number, _)| *number > 0);
    let losses = losses.map(|(number, name)| (format!("{} {name}", count(number)), look.loss()));
    let others = [
        quantity::counted(stats.clients, "client"),
        quantity::counted(stats.subscriptions, "subscription"),
        format!("{} queued", count(stats.queued_messages)),
        format!("{} waiting", quantity::counted(stats.requests_waiting, "request")),
        format!("{} kept", count(stats.retained_messages)),
        format!("{} published in all", count(counters.published)),
        format!("{} remembered", quantity::counted(stats.remembered_ids, "id")),
    ];
    let others = others.into_iter().map(|text| (text, look.faint()));
    frame.render_widget(fitting(losses.chain(others), area.width), area);
}
