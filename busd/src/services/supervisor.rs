//! What becomes of a service: when it starts, stops, starts again, and when that is given up.
//!
//! A state machine of one service, without I/O and clock: it is told what happened and when, and
//! says what to do. Time is in milliseconds on the monotonic clock; chance comes in as a number.
//!
//! A service has started when it has subscribed to its heartbeat. One that ends without being told
//! to has failed, whatever the reason, and starts again after a wait that doubles; one that failed
//! three times within seconds of its start has failed for good, until somebody starts it anew.
//!
//! Deliberately absent: how a service is started and stopped, and who may say so.

use crate::limits::{
    SERVICE_ABORT_MS, SERVICE_KILL_MS, SERVICE_QUICK_FAILURES_MAX, SERVICE_QUICK_MS,
    SERVICE_RETRY_MS_MAX, SERVICE_RETRY_MS_MIN, SERVICE_START_MS_MAX, SERVICE_STEADY_MS,
};

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody wants it to run.
    Disabled,
    /// It was started and has not subscribed to its heartbeat yet.
    Starting,
    /// It runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// It has failed, and starts again then.
    Waiting {
        /// When.
        until_ms: u64,
    },
    /// It has failed and is not started again.
    Failed,
}

/// What is to be done with the instance that there is, or that there should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start one.
    Start,
    /// Have the bus say goodbye to it: it should end by itself.
    Dismiss,
    /// It has not ended: tell it to.
    Terminate,
    /// Nor then: end it.
    Kill,
}

/// Why an instance has to end, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// Starting it again can't help.
    pub(super) is_fatal: bool,
}

/// What is wanted of an instance once it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Then {
    Disable,
    StartAgain,
    Fail(Failure),
}

/// One service, as it is supervised.
#[derive(Debug)]
pub(super) struct Supervisor {
    state: State,
    /// When the state began, or the last step of stopping was taken.
    since_ms: u64,
    /// When the instance was started that there is or was.
    started_ms: u64,
    /// The next step of stopping.
    next: Option<Action>,
    then: Then,
    /// Why it is not running, for people.
    reason: Option<String>,
    quick_failures: u32,
    /// How often it has failed without running steadily in between.
    failures: u32,
    restarts: u64,
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_fatal: false }
    }

    pub(super) fn fatal(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_fatal: true }
    }
}

impl Supervisor {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            state: State::Disabled,
            since_ms: now_ms,
            started_ms: now_ms,
            next: None,
            then: Then::Disable,
            reason: None,
            quick_failures: 0,
            failures: 0,
            restarts: 0,
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Why it is not running, or what went wrong the last time.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How often it was started again after it had failed.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Whether there is an instance, or may be.
    pub(super) fn has_instance(&self) -> bool {
        matches!(self.state, State::Starting | State::Running | State::Stopping)
    }

    /// Somebody wants it to run, from now on and without a history.
    pub(super) fn start(&mut self, now_ms: u64) -> Option<Action> {
        self.forgive();
        match self.state {
            State::Starting | State::Running => None,
            State::Stopping => {
                self.then = Then::StartAgain;
                None
            }
            State::Disabled | State::Waiting { .. } | State::Failed => Some(self.begin(now_ms)),
        }
    }

    /// Somebody wants it to end and begin anew.
    pub(super) fn restart(&mut self, now_ms: u64) -> Option<Action> {
        self.forgive();
        match self.state {
            State::Starting | State::Running => Some(self.end(now_ms, Then::StartAgain)),
            _ => self.start(now_ms),
        }
    }

    /// Nobody wants it to run, for this reason if there is one.
    pub(super) fn stop(&mut self, now_ms: u64, reason: Option<String>) -> Option<Action> {
        self.forgive();
        self.reason = reason;
        match self.state {
            State::Starting | State::Running => Some(self.end(now_ms, Then::Disable)),
            State::Stopping => {
                self.then = Then::Disable;
                None
            }
            State::Disabled | State::Waiting { .. } | State::Failed => {
                self.turn(now_ms, State::Disabled);
                None
            }
        }
    }

    /// It could not be started at all, or will not be, or can't be ended. One that nobody wants to
    /// run is disabled all the same.
    pub(super) fn refuse(&mut self, now_ms: u64, reason: String) {
        let is_unwanted = self.state == State::Stopping && self.then == Then::Disable;
        self.reason = Some(reason);
        self.turn(now_ms, if is_unwanted { State::Disabled } else { State::Failed });
    }

    /// It has subscribed to its heartbeat.
    pub(super) fn is_ready(&mut self, now_ms: u64) {
        if self.state == State::Starting {
            self.reason = None;
            self.turn(now_ms, State::Running);
        }
    }

    /// What it does makes it a failure, though its instance may not have ended.
    pub(super) fn fail(&mut self, now_ms: u64, failure: Failure) -> Option<Action> {
        match self.state {
            State::Starting | State::Running => Some(self.end(now_ms, Then::Fail(failure))),
            _ => None,
        }
    }

    /// Its instance has ended, by itself or because it was told to.
    pub(super) fn ended(&mut self, now_ms: u64, how: Failure, chance: u64) -> Option<Action> {
        let then = match self.state {
            State::Starting | State::Running => Then::Fail(how),
            State::Stopping => std::mem::replace(&mut self.then, Then::Disable),
            _ => return None,
        };
        self.next = None;
        match then {
            Then::Disable => {
                self.turn(now_ms, State::Disabled);
                None
            }
            Then::StartAgain => Some(self.begin(now_ms)),
            Then::Fail(failure) => {
                self.count(now_ms, failure, chance);
                None
            }
        }
    }

    /// When [`Supervisor::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        match self.state {
            State::Waiting { until_ms } => Some(until_ms),
            State::Starting => Some(self.started_ms + SERVICE_START_MS_MAX),
            State::Stopping => self.next.map(|next| self.since_ms + wait_ms(next)),
            State::Disabled | State::Running | State::Failed => None,
        }
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now_ms: u64) -> Option<Action> {
        if self.poll_timeout().is_none_or(|due_ms| now_ms < due_ms) {
            return None;
        }
        match self.state {
            State::Waiting { .. } => {
                self.restarts += 1;
                Some(self.begin(now_ms))
            }
            State::Starting => {
                let seconds = SERVICE_START_MS_MAX / 1000;
                let reason = format!("did not subscribe to its heartbeat within {seconds} s");
                self.fail(now_ms, Failure::new(reason))
            }
            State::Stopping => {
                let action = self.next?;
                self.since_ms = now_ms;
                self.next = match action {
                    Action::Dismiss => Some(Action::Terminate),
                    Action::Terminate => Some(Action::Kill),
                    Action::Kill | Action::Start => None,
                };
                Some(action)
            }
            State::Disabled | State::Running | State::Failed => None,
        }
    }

    fn forgive(&mut self) {
        (self.quick_failures, self.failures, self.reason) = (0, 0, None);
    }

    fn begin(&mut self, now_ms: u64) -> Action {
        self.started_ms = now_ms;
        self.turn(now_ms, State::Starting);
        Action::Start
    }

    /// Begins to end the instance.
    fn end(&mut self, now_ms: u64, then: Then) -> Action {
        self.then = then;
        self.next = Some(Action::Terminate);
        self.turn(now_ms, State::Stopping);
        Action::Dismiss
    }

    fn count(&mut self, now_ms: u64, failure: Failure, chance: u64) {
        let Failure { reason, is_fatal } = failure;
        let lived_ms = now_ms.saturating_sub(self.started_ms);
        self.quick_failures = if lived_ms < SERVICE_QUICK_MS { self.quick_failures + 1 } else { 0 };
        if SERVICE_STEADY_MS <= lived_ms {
            self.failures = 0;
        }
        let wait_ms = retry_ms(self.failures, chance);
        self.failures += 1;
        if is_fatal {
            self.reason = Some(format!("{reason}; it says that to start it again can't help"));
            return self.turn(now_ms, State::Failed);
        }
        if SERVICE_QUICK_FAILURES_MAX <= self.quick_failures {
            let count = self.quick_failures;
            self.reason = Some(format!("{reason}; failed {count} times right after its start"));
            return self.turn(now_ms, State::Failed);
        }
        self.reason = Some(reason);
        self.turn(now_ms, State::Waiting { until_ms: now_ms + wait_ms });
    }

    fn turn(&mut self, now_ms: u64, state: State) {
        self.state = state;
        self.since_ms = now_ms;
    }
}

/// How long an instance has before this step is taken.
fn wait_ms(next: Action) -> u64 {
    match next {
        Action::Terminate => SERVICE_ABORT_MS,
        Action::Kill => SERVICE_KILL_MS,
        Action::Start | Action::Dismiss => 0,
    }
}

/// How long to wait after so many failures: doubling, and up to a quarter more or less by chance,
/// so that services which failed together do not all start together.
fn retry_ms(failures: u32, chance: u64) -> u64 {
    let doubled = SERVICE_RETRY_MS_MIN.saturating_mul(1 << failures.min(16));
    let whole = doubled.min(SERVICE_RETRY_MS_MAX);
    whole - whole / 4 + chance % (whole / 2).max(1)
}

#[cfg(test)]
mod tests;
