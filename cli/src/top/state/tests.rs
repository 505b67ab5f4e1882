//! Keys, samples and answers, and what is on the screen after them.

use super::*;
use crate::top::facts::{Client, Ready};

fn state() -> State {
    let order = Order { column: Column::Id, is_reversed: false, filter: String::new() };
    let mut state = State::new("/s".to_owned(), 1, 1000, order);
    state.take(sample(0, 7, &["ann", "bob", "carol", "dave"]));
    state
}

fn sample(at_ms: u64, pid: u32, names: &[&str]) -> Sample {
    let clients = names.iter().zip(0..).map(|(name, client)| {
        let name = (!name.is_empty()).then(|| (*name).to_owned());
        Client { client, name, ..Client::default() }
    });
    let ready = Some(Ready { pid, ..Ready::default() });
    Sample { at_ms, ready, clients: clients.collect(), ..Sample::default() }
}

fn press(state: &mut State, keys: &str) -> Effect {
    let mut effect = Effect::Nothing;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            '↓' => KeyCode::Down,
            '↑' => KeyCode::Up,
            key => KeyCode::Char(key),
        };
        effect = state.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
    effect
}

fn names(state: &State) -> Vec<&str> {
    state.rows().map(|row| row.client.name.as_deref().unwrap_or_default()).collect()
}

fn chosen(state: &State) -> Option<&str> {
    state.chosen()?.client.name.as_deref()
}

#[test]
fn the_way_out_is_found() {
    for keys in ["q", "\u{1b}", "?xq", "/x\n\u{1b}\u{1b}"] {
        assert_eq!(press(&mut state(), keys), Effect::Quit, "{keys:?}");
    }
    // Esc first ends what was begun.
    for keys in ["?q", "/q", "/x\u{1b}", "/x\n\u{1b}", "x"] {
        assert_ne!(press(&mut state(), keys), Effect::Quit, "{keys:?}");
    }
    let control = |key| KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
    for mode in [Mode::Watching, Mode::Filtering, Mode::Helping] {
        let mut state = state();
        state.mode = mode;
        assert_eq!(state.press(control('z')), Effect::Suspend);
        assert_eq!(state.press(control('l')), Effect::Redraw);
        assert_eq!(state.press(control('c')), Effect::Quit);
    }
}

#[test]
fn the_chosen_client_stays_chosen_where_its_row_goes() {
    let mut state = state();
    assert_eq!(chosen(&state), Some("ann"));
    assert_eq!(press(&mut state, "↓"), Effect::Look);
    assert_eq!(chosen(&state), Some("bob"));
    press(&mut state, "r");
    assert_eq!((names(&state)[2], chosen(&state)), ("bob", Some("bob")));
    // One that is gone leaves its place to the next.
    state.take(sample(1000, 7, &["ann"]));
    assert_eq!((chosen(&state), state.chosen_at()), (Some("ann"), Some(0)));
    state.take(sample(2000, 7, &[]));
    assert_eq!((chosen(&state), state.chosen_at()), (None, None));
    assert_eq!(press(&mut state, "↑↓jkgG"), Effect::Look);
}

#[test]
fn until_a_key_chooses_the_first_row_is_the_chosen_one() {
    let mut state = state();
    state.order.column = Column::Name;
    state.take(sample(1000, 7, &["bob", "ann"]));
    assert_eq!((chosen(&state), state.chosen_at()), (Some("ann"), Some(0)));
    // Keys about something else choose nothing.
    assert_eq!(press(&mut state, "rdd"), Effect::Look);
    assert_eq!(chosen(&state), Some("bob"));
    press(&mut state, "g");
    state.take(sample(2000, 7, &["bob", "ann", "zoe"]));
    assert_eq!((chosen(&state), state.chosen_at()), (Some("bob"), Some(1)));
    // Another daemon has other clients.
    state.take(sample(3000, 8, &["bob", "ann", "zoe"]));
    assert_eq!((chosen(&state), state.chosen_at()), (Some("zoe"), Some(0)));
}

#[test]
fn the_choice_ends_at_both_ends() {
    let mut state = state();
    press(&mut state, "↑");
    assert_eq!(chosen(&state), Some("ann"));
    press(&mut state, "G↓");
    assert_eq!(chosen(&state), Some("dave"));
    press(&mut state, "g");
    assert_eq!(chosen(&state), Some("ann"));
}

#[test]
fn a_filter_is_typed_kept_and_taken_back() {
    let mut state = state();
    press(&mut state, "/a");
    assert_eq!(names(&state), ["ann", "carol", "dave"]);
    press(&mut state, "vq");
    assert!(names(&state).is_empty());
    press(&mut state, "\u{8}\n");
    assert_eq!((names(&state), state.mode), (vec!["dave"], Mode::Watching));
    assert_eq!(chosen(&state), Some("dave"));
    press(&mut state, "\u{1b}");
    assert_eq!(names(&state).len(), 4);
    press(&mut state, &format!("/{}", "x".repeat(1_000)));
    assert_eq!(state.order.filter.chars().count(), FILTER_CHARS_MAX);
}

#[test]
fn the_interval_goes_by_steps_and_stays_within_bounds() {
    let mut state = state();
    assert_eq!(press(&mut state, "+"), Effect::Hurry);
    assert_eq!(state.interval_ms, 2000);
    press(&mut state, "--");
    assert_eq!(state.interval_ms, 500);
    state.interval_ms = 1_234;
    press(&mut state, "-");
    assert_eq!(state.interval_ms, 1000);
    press(&mut state, &"-".repeat(50));
    assert_eq!(state.interval_ms, INTERVALS_MS[0]);
    press(&mut state, &"+".repeat(50));
    assert_eq!(Some(&state.interval_ms), INTERVALS_MS.last());
}

#[test]
fn another_daemon_begins_anew() {
    let mut state = state();
    press(&mut state, "↓");
    state.take(sample(1000, 7, &["ann", "bob"]));
    let patterns = Patterns { client: 1, found: Ok(Vec::new()) };
    state.take_patterns(patterns);
    assert_eq!(state.histories.published.last(1), [Some(0)]);
    state.fail("gone".to_owned());
    assert_eq!(names(&state), ["ann", "bob"]);
    state.take(sample(9000, 8, &["zoe", "yan"]));
    assert_eq!((&state.trouble, &state.patterns), (&None, &None));
    assert_eq!(state.histories.published.last(1), [None]);
    assert_eq!(state.view.flow, None);
}
