//! The head of the screen: which daemon, how much it does, and how that went lately.

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

/// Two lines: who and how long, and where.
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
    frame.render_widget(Line::styled(daemon_text(state), look.heading()), daemon);
    frame.render_widget(Line::styled(pace, pace_style), right);
    let socket = harmless(&state.socket).into_owned();
    let place = match &state.trouble {
        Some(trouble) => {
            let text = format!("waiting for the daemon: {}", harmless(trouble));
            Line::styled(text, look.fault())
        }
        None => Line::styled(socket, look.faint()),
    };
    frame.render_widget(place, second);
}

fn daemon_text(state: &State) -> String {
    let Some(ready) = &state.view.ready else { return "Kith".to_owned() };
    let version = harmless(&ready.version);
    let up = quantity::age(state.view.stats.at.saturating_sub(ready.started_at));
    let mut text = format!("Kith {version}  process {}  up {up}", ready.pid);
    if let Some(process) = state.view.process {
        text.push_str(&format!("  memory {}", quantity::bytes(process.resident_bytes)));
    }
    if let Some(cpu) = state.view.cpu {
        text.push_str(&format!("  CPU {}.{} %", cpu / 10, cpu % 10));
    }
    text
}

fn interval(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") }
}

/// How many lines the numbers take.
pub(super) fn metrics_height(width: u16) -> u16 {
    if width < WIDE { 6 } else { 3 }
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
        Layout::vertical([Constraint::Length(3); 2]).areas(area)
    } else {
        Layout::horizontal([Constraint::Fill(1); 2]).spacing(3).areas(area)
    };
    for (block, area) in blocks.into_iter().zip(areas) {
        let lines: [Rect; 3] = Layout::vertical([Constraint::Length(1); 3]).areas(area);
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

/// One line: what there is, and what there was in all.
pub(super) fn totals(frame: &mut Frame<'_>, area: Rect, state: &State, look: Look) {
    let stats = &state.view.stats;
    let counters = &stats.counters;
    let count = quantity::count;
    let mut parts = vec![
        format!("{} clients", count(stats.clients)),
        format!("{} subscriptions", count(stats.subscriptions)),
        format!("{} waiting", count(stats.requests_waiting)),
        format!("{} kept", count(stats.retained_messages)),
        format!("{} queued", count(stats.queued_messages)),
    ];
    let losses = [
        (counters.dropped, "dropped"),
        (stats.expired, "expired"),
        (stats.no_responders, "unanswered"),
        (stats.refused, "refused"),
    ];
    let losses = losses.into_iter().filter(|(number, _)| *number > 0);
    parts.extend(losses.map(|(number, name)| format!("{} {name}", count(number))));
    parts.push(format!("{} published in all", count(counters.published)));
    frame.render_widget(Line::styled(parts.join("  "), look.faint()), area);
}
