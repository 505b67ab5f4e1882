//! Rounds and turns, by a clock that the test holds.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection, as far as turns go.
#[derive(Default)]
struct One {
    ticket: Rc<Ticket>,
    bell: Arc<Bell>,
}

impl One {
    fn queue(&self, process: &Process) -> bool {
        process.queue(&self.ticket, &Waker::from(Arc::clone(&self.bell)))
    }

    fn rings(&self) -> usize {
        self.bell.0.load(Ordering::Relaxed)
    }
}

const TURN: Duration = ROUND_TIME;

#[test]
fn who_is_alone_has_long_turns_without_end() {
    let (fairness, one, start) = (Fairness::default(), One::default(), Instant::now());
    let process = fairness.process(Some(7));
    let quiet = start + SHARED_TIME;
    assert_eq!(fairness.begin(&process, &one.ticket, start), Grant::Short, "nobody knows yet");
    for _ in 0..10 {
        assert_eq!(fairness.begin(&process, &one.ticket, quiet), Grant::Long);
        fairness.end(&process, TURN);
    }
    // Another connection of the same program is not another program.
    let same = fairness.process(Some(7));
    assert_eq!(fairness.begin(&same, &One::default().ticket, quiet), Grant::Long);
    // The turn of another one makes it shared, for a while.
    let other = fairness.process(Some(8));
    assert_eq!(fairness.begin(&other, &One::default().ticket, quiet), Grant::Short);
    fairness.pass(fairness.round());
    assert_eq!(fairness.begin(&process, &one.ticket, quiet), Grant::Short);
    assert_eq!(fairness.begin(&process, &one.ticket, quiet + SHARED_TIME), Grant::Long);
}

#[test]
fn a_round_gives_each_program_its_time_and_the_next_one_again() {
    let (fairness, now) = (Fairness::default(), Instant::now());
    let (greedy, modest) = (fairness.process(Some(1)), fairness.process(None));
    let (one, two, other) = (One::default(), One::default(), One::default());
    assert_eq!(fairness.begin(&greedy, &one.ticket, now), Grant::Short);
    fairness.end(&greedy, TURN / 2);
    assert_eq!(fairness.begin(&greedy, &two.ticket, now), Grant::Short, "there is time left");
    fairness.end(&greedy, TURN / 2);
    assert_eq!(fairness.begin(&greedy, &one.ticket, now), Grant::Later);
    assert_eq!(fairness.begin(&modest, &other.ticket, now), Grant::Short);
    let round = fairness.round();
    fairness.pass(round);
    fairness.pass(round);
    assert_eq!(fairness.round(), round + 1, "one look at the sockets ends one round");
    assert_eq!(fairness.begin(&greedy, &one.ticket, now), Grant::Short);
}

#[test]
fn those_who_wait_are_called_in_order_and_before_others_of_their_program() {
    let (fairness, now) = (Fairness::default(), Instant::now());
    let process = fairness.process(Some(1));
    let all: Vec<One> = (0..4).map(|_| One::default()).collect();
    assert_eq!(fairness.begin(&process, &all[0].ticket, now), Grant::Short);
    fairness.end(&process, TURN);
    for one in &all[1..] {
        assert_eq!(fairness.begin(&process, &one.ticket, now), Grant::Later);
    }
    let callers: Vec<bool> = all[1..].iter().map(|one| one.queue(&process)).collect();
    assert_eq!(callers, [true, false, false], "one who calls is enough");
    // Woken for another reason, it waits where it is.
    assert!(!all[1].queue(&process));
    let rings = || all.iter().map(One::rings).collect::<Vec<_>>();
    assert_eq!(rings(), [0, 0, 0, 0]);

    fairness.pass(fairness.round());
    // The busy one has something to do again, and comes behind those who wait.
    assert_eq!(fairness.begin(&process, &all[0].ticket, now), Grant::Later);
    assert!(!all[0].queue(&process));
    assert!(process.call_first());
    assert_eq!(rings(), [0, 1, 0, 0]);
    assert_eq!(fairness.begin(&process, &all[1].ticket, now), Grant::Short);
    // There is time left in this round, so the next one is called at once.
    fairness.end(&process, TURN / 2);
    assert_eq!(rings(), [0, 1, 1, 0]);
    assert_eq!(fairness.begin(&process, &all[2].ticket, now), Grant::Short);
    fairness.end(&process, TURN / 2);
    assert_eq!(rings(), [0, 1, 1, 0]);

    fairness.pass(fairness.round());
    assert!(process.call_first() && process.call_first());
    assert_eq!(rings(), [1, 1, 1, 1]);
    assert!(!process.call_first(), "nobody waits, so nobody has to call");
    assert_eq!(fairness.begin(&process, &all[3].ticket, now), Grant::Short);
    fairness.end(&process, TURN);
    assert!(all[1].queue(&process), "and somebody has to again");
}

#[test]
fn programs_that_have_gone_are_forgotten() {
    let fairness = Fairness::default();
    let kept = fairness.process(Some(0));
    for pid in 1..10 * PROCESSES_TIDIED_MIN {
        fairness.process(u32::try_from(pid).ok());
    }
    assert!(fairness.processes.borrow().len() <= PROCESSES_TIDIED_MIN);
    assert!(Rc::ptr_eq(&kept, &fairness.process(Some(0))));
}

#[test]
fn to_be_sent_something_takes_time_too_but_is_no_turn() {
    let (fairness, now) = (Fairness::default(), Instant::now());
    let (reader, writer) = (fairness.process(Some(1)), fairness.process(Some(2)));
    let (one, two, other) = (One::default(), One::default(), One::default());
    fairness.begin(&writer, &other.ticket, now);
    let quiet = now + SHARED_TIME;
    fairness.end(&reader, TURN);
    assert!(fairness.may_send(&reader, &one.ticket, quiet), "nobody else wants anything");
    assert_eq!(fairness.begin(&writer, &other.ticket, quiet), Grant::Long, "to read is no turn");
    assert!(!fairness.may_send(&reader, &one.ticket, now), "it has had its time");
    assert!(one.queue(&reader) && !two.queue(&reader));
    fairness.pass(fairness.round());
    assert!(reader.call_first());
    assert!(fairness.may_send(&reader, &one.ticket, now));
    // It has nothing to do any more, so the next one is called.
    fairness.pass_on(&reader, &one.ticket);
    assert_eq!((one.rings(), two.rings()), (1, 1));
}
