//! The loop: keys, answers and time come in, the screen goes out.
//!
//! One question is on its way at a time. While it is, keys are obeyed and the screen is drawn; so a
//! daemon that doesn't answer can't keep anybody from leaving.

use super::sampler::{Answer, Question, Sampler};
use super::screen::Screen;
use super::state::{Effect, State};
use crate::exit_code;
use crate::failure::Failure;
use crate::limits::AGAIN_MS;
use crate::stop::Stop;
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What the loop was woken by.
enum Happened {
    Input(Event),
    Answered(Box<Result<Answer, Failure>>),
    Time,
    Ended(Result<u8, Failure>),
}

/// Everything that the loop waits for, and what it asks with.
struct Watch {
    questions: mpsc::Sender<Question>,
    answers: mpsc::Receiver<Result<Answer, Failure>>,
    events: EventStream,
    hangup: Signal,
    /// A question is on its way.
    is_asking: bool,
    /// The patterns of the chosen client are wanted once it has been answered.
    wants_patterns: bool,
    /// When the last sample was asked for.
    asked_at: Instant,
}

/// Shows the bus until somebody has seen enough of it.
pub(crate) async fn watch(
    sampler: Sampler,
    mut state: State,
    is_colored: bool,
    stop: &mut Stop,
) -> Result<u8, Failure> {
    let (questions, received) = mpsc::channel(1);
    let (answered, answers) = mpsc::channel(1);
    let hangup = signal(SignalKind::hangup())
        .map_err(|error| Failure::system("can't listen for signals", &error))?;
    let mut screen = Screen::open(is_colored)?;
    let task = tokio::spawn(sampler.run(received, answered));
    let events = EventStream::new();
    let mut watch = Watch {
        questions,
        answers,
        events,
        hangup,
        is_asking: false,
        wants_patterns: false,
        asked_at: Instant::now(),
    };
    watch.ask(&state, true);
    let result = watch.run(&mut screen, &mut state, stop).await;
    // First the terminal, then the goodbye, which may take its time.
    drop(screen);
    drop(watch);
    let leave = async {
        let _ = tokio::time::timeout(Duration::from_millis(crate::limits::LEAVE_MS), task).await;
        Ok(())
    };
    let _ = stop.unless(leave).await;
    result
}

impl Watch {
    async fn run(
        &mut self,
        screen: &mut Screen,
        state: &mut State,
        stop: &mut Stop,
    ) -> Result<u8, Failure> {
        loop {
            screen.draw(state)?;
            match self.next(state, stop).await {
                Happened::Input(event) => {
                    if let Some(code) = self.input(event, screen, state)? {
                        return Ok(code);
                    }
                }
                Happened::Answered(answer) => self.answered(*answer, state),
                Happened::Time => self.ask(state, true),
                Happened::Ended(result) => return result,
            }
        }
    }

    async fn next(&mut self, state: &State, stop: &mut Stop) -> Happened {
        let due = self.asked_at + Duration::from_millis(pace_ms(state));
        tokio::select! {
            event = self.events.next() => match event {
                Some(Ok(event)) => Happened::Input(event),
                Some(Err(error)) => {
                    Happened::Ended(Err(Failure::system("can't read the terminal", &error)))
                }
                None => Happened::Ended(Ok(exit_code::OK)),
            },
            Some(answer) = self.answers.recv() => Happened::Answered(Box::new(answer)),
            () = sleep_until(due), if !self.is_asking && !state.is_paused => Happened::Time,
            _ = self.hangup.recv() => Happened::Ended(Err(Failure::quiet(exit_code::HUNG_UP))),
            code = stop.wait() => Happened::Ended(Err(Failure::quiet(code))),
        }
    }

    /// Obeys a key. What to end with, if it is one that ends.
    fn input(
        &mut self,
        event: Event,
        screen: &mut Screen,
        state: &mut State,
    ) -> Result<Option<u8>, Failure> {
        let key = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => key,
            Event::Paste(text) => {
                state.paste(&text);
                return Ok(None);
            }
            // The next drawing sees the new size.
            _ => return Ok(None),
        };
        match state.press(key) {
            Effect::Quit => return Ok(Some(exit_code::OK)),
            Effect::Suspend => screen.suspend()?,
            Effect::Redraw => screen.clear()?,
            Effect::Look => self.ask(state, false),
            // The time that is waited for is worked out anew.
            Effect::Hurry | Effect::Nothing => {}
        }
        Ok(None)
    }

    fn answered(&mut self, answer: Result<Answer, Failure>, state: &mut State) {
        self.is_asking = false;
        match answer {
            Ok(Answer { sample, patterns }) => {
                // What was on its way when it was paused is not shown.
                if let Some(sample) = sample.filter(|_| !state.is_paused) {
                    state.take(sample);
                }
                if let Some(patterns) = patterns {
                    state.take_patterns(patterns);
                }
            }
            Err(failure) => state.fail(failure.text().to_owned()),
        }
        let is_missing = state.lacks_patterns() && state.trouble.is_none();
        if self.wants_patterns || is_missing {
            self.ask(state, false);
        }
    }

    fn ask(&mut self, state: &State, wants_sample: bool) {
        let chosen = state.chosen().map(|row| row.client.client);
        let patterns_of = chosen.filter(|_| state.has_details);
        if self.is_asking {
            self.wants_patterns |= patterns_of.is_some();
            return;
        }
        self.wants_patterns = false;
        if wants_sample {
            self.asked_at = Instant::now();
        } else if patterns_of.is_none() || state.trouble.is_some() {
            return;
        }
        // There is room: nothing is on its way.
        self.is_asking = self.questions.try_send(Question { wants_sample, patterns_of }).is_ok();
    }
}

/// How long after a sample the next one is due. A daemon that has gone is tried again soon.
fn pace_ms(state: &State) -> u64 {
    let interval_ms = state.interval_ms;
    if state.trouble.is_some() { interval_ms.min(AGAIN_MS) } else { interval_ms }
}
