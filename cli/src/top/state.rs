//! What is on the screen, and what a key does to it.
//!
//! Samples, answers, keys and troubles go in; what is shown is a function of this and of the size
//! of the terminal (`draw`). Nothing here reads a clock or writes anywhere: what has to be done
//! outside is said by an [`Effect`].
//!
//! Until a key chooses, the first row is the chosen one, whoever stands there: the busiest, as a
//! rule. Then the chosen client stays chosen wherever the order takes its row. When it has gone, or
//! is filtered out, whichever stands in its place is chosen.

use super::facts::{Patterns, Sample};
use super::history::History;
use super::rates::{Row, View};
use super::table::{Column, Order};
use crate::limits::{FILTER_CHARS_MAX, INTERVALS_MS};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What keys mean now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Watching,
    /// What is looked for is being typed.
    Filtering,
    Helping,
}

/// What a key wants done outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    Quit,
    /// Give the terminal back and stop, until the shell has it go on.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Another client may be chosen: its patterns are wanted.
    Look,
    /// The interval has changed, or time goes on.
    Hurry,
}

/// Numbers of which is remembered how they went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histories {
    pub(crate) published: History,
    pub(crate) published_bytes: History,
    pub(crate) delivered: History,
    pub(crate) delivered_bytes: History,
    pub(crate) dropped: History,
    pub(crate) queued_bytes: History,
}

/// What is on the screen.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Where the daemon listens.
    pub(crate) socket: String,
    own_pid: u32,
    before: Option<Sample>,
    pub(crate) view: View,
    /// The places of the rows that are shown, in `view.rows`.
    shown: Vec<usize>,
    pub(crate) order: Order,
    chosen: Option<u64>,
    /// A key has chosen it.
    is_held: bool,
    /// Where the chosen one stands among those that are shown.
    chosen_at: usize,
    pub(crate) patterns: Option<Patterns>,
    pub(crate) histories: Histories,
    pub(crate) interval_ms: u64,
    pub(crate) is_paused: bool,
    pub(crate) has_details: bool,
    pub(crate) mode: Mode,
    /// Why nothing new comes.
    pub(crate) trouble: Option<String>,
}

/// How far a page is.
const PAGE_ROWS: usize = 10;

impl State {
    pub(crate) fn new(socket: String, own_pid: u32, interval_ms: u64, order: Order) -> Self {
        Self {
            socket,
            own_pid,
            before: None,
            view: View::default(),
            shown: Vec::new(),
            order,
            chosen: None,
            is_held: false,
            chosen_at: 0,
            patterns: None,
            histories: Histories::default(),
            interval_ms,
            is_paused: false,
            has_details: true,
            mode: Mode::Watching,
            trouble: None,
        }
    }

    /// Takes in what the daemon said.
    pub(crate) fn take(&mut self, sample: Sample) {
        self.trouble = None;
        if self.before.as_ref().is_some_and(|before| before.ready != sample.ready) {
            // Another daemon, which counts anew: its client 7 is somebody else.
            self.histories = Histories::default();
            (self.chosen, self.is_held, self.patterns) = (None, false, None);
        }
        self.view = View::new(self.before.as_ref(), &sample, self.own_pid);
        if let Some(flow) = self.view.flow {
            let histories = &mut self.histories;
            histories.published.push(flow.published);
            histories.published_bytes.push(flow.published_bytes);
            histories.delivered.push(flow.delivered);
            histories.delivered_bytes.push(flow.delivered_bytes);
            histories.dropped.push(flow.dropped);
            histories.queued_bytes.push(self.view.stats.queued_bytes);
        }
        self.before = Some(sample);
        self.arrange();
    }

    /// Takes in what somebody listens to.
    pub(crate) fn take_patterns(&mut self, patterns: Patterns) {
        self.patterns = Some(patterns);
    }

    /// Takes note that nothing could be asked. What was seen last stays on the screen.
    pub(crate) fn fail(&mut self, trouble: String) {
        self.trouble = Some(trouble);
    }

    /// The rows that are shown, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.shown.iter().filter_map(|at| self.view.rows.get(*at))
    }

    /// How many rows are shown.
    pub(crate) fn len(&self) -> usize {
        self.shown.len()
    }

    /// Where the chosen row stands among those that are shown.
    pub(crate) fn chosen_at(&self) -> Option<usize> {
        self.chosen.map(|_| self.chosen_at)
    }

    /// The chosen row.
    pub(crate) fn chosen(&self) -> Option<&Row> {
        self.rows().nth(self.chosen_at()?)
    }

    /// Does what a key says.
    pub(crate) fn press(&mut self, key: KeyEvent) -> Effect {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Effect::Quit,
                KeyCode::Char('z') => Effect::Suspend,
                KeyCode::Char('l') => Effect::Redraw,
                KeyCode::Char('u') if self.mode == Mode::Filtering => self.filter(String::clear),
                _ => Effect::Nothing,
            };
        }
        match self.mode {
            Mode::Watching => self.press_watching(key.code),
            Mode::Filtering => self.press_filtering(key.code),
            // Whatever is pressed: who has read it wants to go on.
            Mode::Helping => {
                self.mode = Mode::Watching;
                Effect::Nothing
            }
        }
    }

    /// Takes in a text that was pasted: one line of it, where something is being typed.
    pub(crate) fn paste(&mut self, text: &str) {
        if self.mode == Mode::Filtering {
            for c in text.lines().next().unwrap_or_default().chars() {
                self.press_filtering(KeyCode::Char(c));
            }
        }
    }

    /// Whether the patterns of the chosen client are to be shown and not there.
    pub(crate) fn lacks_patterns(&self) -> bool {
        let chosen = self.chosen().map(|row| row.client.client);
        self.has_details
            && chosen.is_some()
            && self.patterns.as_ref().map(|patterns| patterns.client) != chosen
    }

    fn press_watching(&mut self, code: KeyCode) -> Effect {
        match code {
            KeyCode::Char('q') => return Effect::Quit,
            KeyCode::Esc if self.order.filter.is_empty() => return Effect::Quit,
            KeyCode::Esc => return self.filter(String::clear),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.mode = Mode::Helping,
            KeyCode::Char('/') => self.mode = Mode::Filtering,
            KeyCode::Char(' ' | 'p') => {
                self.is_paused = !self.is_paused;
                return Effect::Hurry;
            }
            KeyCode::Char('<' | ',') | KeyCode::Left => return self.sort_by(-1),
            KeyCode::Char('>' | '.') | KeyCode::Right => return self.sort_by(1),
            KeyCode::Char('r') => {
                self.order.is_reversed = !self.order.is_reversed;
                return self.arranged();
            }
            KeyCode::Char('+' | '=') => return self.change_interval(true),
            KeyCode::Char('-') => return self.change_interval(false),
            KeyCode::Enter | KeyCode::Char('d') => {
                self.has_details = !self.has_details;
                return Effect::Look;
            }
            KeyCode::Up | KeyCode::Char('k') => return self.hold(self.up(1)),
            KeyCode::Down | KeyCode::Char('j') => return self.hold(self.down(1)),
            KeyCode::PageUp => return self.hold(self.up(PAGE_ROWS)),
            KeyCode::PageDown => return self.hold(self.down(PAGE_ROWS)),
            KeyCode::Home | KeyCode::Char('g') => return self.hold(0),
            KeyCode::End | KeyCode::Char('G') => return self.hold(usize::MAX),
            _ => {}
        }
        Effect::Nothing
    }

    fn press_filtering(&mut self, code: KeyCode) -> Effect {
        match code {
            KeyCode::Enter => self.mode = Mode::Watching,
            KeyCode::Esc => {
                self.mode = Mode::Watching;
                return self.filter(String::clear);
            }
            KeyCode::Backspace => return self.filter(|filter| filter.truncate(shorter(filter))),
            KeyCode::Char(c) if !c.is_control() => {
                return self.filter(|filter| {
                    if filter.chars().count() < FILTER_CHARS_MAX {
                        filter.push(c);
                    }
                });
            }
            _ => {}
        }
        Effect::Nothing
    }

    fn filter(&mut self, change: impl FnOnce(&mut String)) -> Effect {
        change(&mut self.order.filter);
        self.arranged()
    }

    fn sort_by(&mut self, places: isize) -> Effect {
        self.order.column = self.order.column.moved(places);
        self.order.is_reversed = false;
        self.arranged()
    }

    fn change_interval(&mut self, is_longer: bool) -> Effect {
        let mut steps = INTERVALS_MS.into_iter();
        let next = match is_longer {
            true => steps.find(|step| self.interval_ms < *step),
            false => steps.rev().find(|step| *step < self.interval_ms),
        };
        self.interval_ms = next.unwrap_or(self.interval_ms);
        Effect::Hurry
    }

    fn up(&self, by: usize) -> usize {
        self.chosen_at.saturating_sub(by)
    }

    fn down(&self, by: usize) -> usize {
        self.chosen_at.saturating_add(by)
    }

    /// Chooses what a key says, for as long as it is there.
    fn hold(&mut self, at: usize) -> Effect {
        self.choose(at);
        self.is_held = self.chosen.is_some();
        Effect::Look
    }

    fn choose(&mut self, at: usize) {
        self.chosen_at = at.min(self.len().saturating_sub(1));
        let chosen = self.rows().nth(self.chosen_at).map(|row| row.client.client);
        self.chosen = chosen;
    }

    fn arranged(&mut self) -> Effect {
        self.arrange();
        Effect::Look
    }

    /// Sorts and filters, and finds the chosen row again.
    fn arrange(&mut self) {
        let Self { order, view, shown, .. } = self;
        order.sort(&mut view.rows);
        shown.clear();
        let rows = view.rows.iter().enumerate();
        shown.extend(rows.filter(|(_, row)| order.shows(row)).map(|(at, _)| at));
        let is_chosen = |row: &Row| Some(row.client.client) == self.chosen;
        let found = self.rows().position(is_chosen);
        self.choose(if self.is_held { found.unwrap_or(self.chosen_at) } else { 0 });
    }
}

/// How many bytes of `text` are left without its last character.
fn shorter(text: &str) -> usize {
    text.char_indices().next_back().map_or(0, |(at, _)| at)
}

/// The order in which `kith top` begins.
pub(crate) const FIRST_COLUMN: Column = Column::Delivered;

#[cfg(test)]
mod tests;
