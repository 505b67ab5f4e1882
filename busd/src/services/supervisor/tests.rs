//! Told what happens, it says what to do.

use super::*;

fn running(now_ms: u64) -> Supervisor {
    let mut one = Supervisor::new(0);
    assert_eq!(one.start(now_ms), Some(Action::Start));
    assert_eq!(*one.state(), State::Starting);
    one.is_ready(now_ms);
    assert_eq!(*one.state(), State::Running);
    one
}

fn crash() -> Failure {
    Failure::new("ended with exit code 1")
}

#[test]
fn one_that_fails_after_a_while_waits_longer_each_time_and_starts_again() {
    let mut one = running(0);
    let mut now_ms = 0;
    let mut waits = Vec::new();
    for round in 0..9 {
        now_ms += SERVICE_QUICK_MS;
        assert_eq!(one.ended(now_ms, crash(), 0), None);
        let State::Waiting { until_ms } = *one.state() else { panic!("{:?}", one.state()) };
        waits.push(until_ms - now_ms);
        assert_eq!(one.reason(), Some("ended with exit code 1"));
        assert_eq!(one.handle_timeout(until_ms - 1), None);
        assert_eq!(one.handle_timeout(until_ms), Some(Action::Start));
        now_ms = until_ms;
        one.is_ready(now_ms);
        assert_eq!(one.restarts(), round + 1);
    }
    let wanted: Vec<u64> = (0..9).map(|n| (500 << n).min(60_000) * 3 / 4).collect();
    assert_eq!(waits, wanted);
    // After a steady time all begins anew.
    now_ms += SERVICE_STEADY_MS;
    one.ended(now_ms, crash(), 0);
    assert_eq!(*one.state(), State::Waiting { until_ms: now_ms + 375 });
}

#[test]
fn chance_spreads_the_waits_by_a_quarter_to_both_sides() {
    for chance in [0, 1, 7, 499, 500, u64::MAX] {
        assert!((750..1_250).contains(&retry_ms(1, chance)), "{chance}");
    }
    assert_eq!(retry_ms(1, 0), 750);
    assert_eq!(retry_ms(1, 499), 1_249);
    assert!(retry_ms(u32::MAX, u64::MAX) <= 75_000);
}

#[test]
fn three_quick_failures_are_the_last_until_somebody_starts_it() {
    let mut one = running(0);
    let mut now_ms = 0;
    for _ in 0..2 {
        assert_eq!(one.ended(now_ms + 1, crash(), 0), None);
        let State::Waiting { until_ms } = *one.state() else { panic!("{:?}", one.state()) };
        assert_eq!(one.handle_timeout(until_ms), Some(Action::Start));
        now_ms = until_ms;
    }
    assert_eq!(one.ended(now_ms + 1, crash(), 0), None);
    assert_eq!(*one.state(), State::Failed);
    assert!(one.reason().unwrap().ends_with("failed 3 times right after its start"));
    assert_eq!(one.poll_timeout(), None);
    assert_eq!(one.restart(now_ms + 2), Some(Action::Start));
    assert_eq!(one.reason(), None);
    // Its history is forgotten.
    one.ended(now_ms + 3, crash(), 0);
    assert!(matches!(one.state(), State::Waiting { .. }));
}

#[test]
fn a_fatal_end_is_the_last() {
    let mut one = running(0);
    one.ended(5, Failure::fatal("no such device"), 0);
    assert_eq!(*one.state(), State::Failed);
    assert!(one.reason().unwrap().starts_with("no such device"));
}

#[test]
fn one_that_is_stopped_has_time_to_end_and_is_then_made_to() {
    let mut one = running(0);
    assert_eq!(one.stop(100, None), Some(Action::Dismiss));
    assert_eq!(*one.state(), State::Stopping);
    assert_eq!(one.poll_timeout(), Some(100 + SERVICE_ABORT_MS));
    assert_eq!(one.handle_timeout(100 + SERVICE_ABORT_MS), Some(Action::Terminate));
    let then = 100 + SERVICE_ABORT_MS + SERVICE_KILL_MS;
    assert_eq!(one.handle_timeout(then - 1), None);
    assert_eq!(one.handle_timeout(then), Some(Action::Kill));
    assert_eq!(one.poll_timeout(), None);
    assert_eq!(one.ended(then + 1, crash(), 0), None);
    assert_eq!(*one.state(), State::Disabled);
}

#[test]
fn one_that_can_not_be_ended_has_failed_unless_nobody_wants_it() {
    for (is_wanted, state) in [(true, State::Failed), (false, State::Disabled)] {
        let mut one = running(0);
        assert_eq!(one.restart(1), Some(Action::Dismiss));
        if !is_wanted {
            assert_eq!(one.stop(2, None), None);
        }
        one.refuse(3, "can't be ended".to_owned());
        assert_eq!((one.state(), one.reason()), (&state, Some("can't be ended")));
        assert_eq!(one.poll_timeout(), None);
        // To start it again is to start another.
        assert_eq!(one.start(4), Some(Action::Start));
        one.refuse(5, "refused".to_owned());
        assert_eq!(*one.state(), State::Failed);
    }
}

#[test]
fn what_is_wanted_last_counts() {
    let mut one = running(0);
    assert_eq!(one.restart(1), Some(Action::Dismiss));
    assert_eq!(one.stop(2, None), None);
    assert_eq!(one.start(3), None);
    assert_eq!(one.ended(4, Failure::new("ended"), 0), Some(Action::Start));
    assert_eq!(one.stop(5, None), Some(Action::Dismiss));
    assert_eq!(one.restart(6), None);
    assert_eq!(one.stop(7, None), None);
    assert_eq!(one.ended(8, Failure::new("ended"), 0), None);
    assert_eq!(*one.state(), State::Disabled);
    assert_eq!(one.restarts(), 0, "nobody's failure");
}

#[test]
fn one_that_hangs_or_never_gets_ready_is_ended_and_has_failed() {
    let mut one = running(0);
    let hang = Failure::new("does not answer its heartbeat");
    assert_eq!(one.fail(50_000, hang), Some(Action::Dismiss));
    // How it ends then is not the reason.
    one.ended(50_001, crash(), 0);
    assert_eq!(one.reason(), Some("does not answer its heartbeat"));
    let mut mute = Supervisor::new(0);
    mute.start(0);
    assert_eq!(mute.poll_timeout(), Some(SERVICE_START_MS_MAX));
    assert_eq!(mute.handle_timeout(SERVICE_START_MS_MAX), Some(Action::Dismiss));
    mute.ended(SERVICE_START_MS_MAX + 1, crash(), 0);
    assert!(mute.reason().unwrap().contains("did not subscribe to its heartbeat within 10 s"));
}

#[test]
fn what_comes_too_late_changes_nothing() {
    let mut one = Supervisor::new(0);
    assert_eq!(one.ended(1, crash(), 0), None);
    one.is_ready(1);
    assert_eq!(one.fail(1, crash()), None);
    assert_eq!(*one.state(), State::Disabled);
    assert_eq!(one.handle_timeout(u64::MAX), None);
}
