//! What stands on the screen, at sizes from too small to more than is needed.

use super::*;
use crate::limits::NAME_CHARS_MAX;
use crate::show::tests::assert_harmless;
use crate::top::facts::{Client, Counters, Patterns, Process, Ready, Sample, Stats, Subscription};
use crate::top::table::{Column, Order};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

fn counters(published: u64, dropped: u64) -> Counters {
    let (published_bytes, delivered, delivered_bytes) = (published * 100, published, 7);
    Counters { published, published_bytes, delivered, delivered_bytes, dropped }
}

fn sample(at_ms: u64, published: u64) -> Sample {
    let client = |client, name: Option<&str>, pid| Client {
        client,
        name: name.map(str::to_owned),
        pid,
        framing: Some("json".to_owned()),
        counters: counters(published, 0),
        subscriptions: 3,
        ..Client::default()
    };
    let slow = Client {
        lagging: true,
        queued_messages: 12_345,
        queued_bytes: 5 << 20,
        counters: counters(0, published),
        ..client(7, Some("slow"), Some(70))
    };
    let own = Client { counters: counters(0, 0), ..client(9, Some("kith top"), Some(42)) };
    let bad = client(11, Some("\u{1b}[2J\u{202e}漢字漢字漢字漢字漢字漢字漢字"), None);
    Sample {
        at_ms,
        ready: Some(Ready { version: "0.1.0".to_owned(), pid: 7, started_at: 1_000 }),
        process: Some(Process { resident_bytes: 4 << 20, cpu_ms: at_ms / 8 }),
        stats: Stats {
            at: 62_000,
            counters: counters(published * 2, published),
            clients: 4,
            subscriptions: 9,
            queued_bytes: 5 << 20,
            waiting_bytes: 11 << 19,
            ..Stats::default()
        },
        clients: vec![client(3, Some("sensor"), Some(30)), slow, own, bad],
        commands: vec![Some("python3".to_owned()), None, Some("kith".to_owned()), None],
    }
}

fn state() -> State {
    let order = Order { column: Column::Id, is_reversed: false, filter: String::new() };
    let mut state = State::new("/run/kith/bus.sock".to_owned(), 42, 1_000, order);
    state.take(sample(0, 0));
    state.take(sample(1_000, 250));
    let subscription = |sub, pattern: &str, group: Option<&str>, monitor| Subscription {
        client: 3,
        sub,
        pattern: Some(pattern.to_owned()),
        group: group.map(str::to_owned),
        monitor,
    };
    let found = vec![
        subscription(1, "self.chess.>", None, false),
        subscription(2, "self.a.\u{202e}", Some("shop"), false),
        subscription(40, "*/*.>", None, true),
    ];
    state.take_patterns(Patterns { client: 3, found: Ok(found) });
    state
}

fn buffer(state: &State, columns: u16, lines: u16, is_colored: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    let mut scroll = TableState::default();
    let look = Look::new(is_colored);
    terminal.draw(|frame| draw(frame, state, &mut scroll, look)).unwrap();
    terminal.backend().buffer().clone()
}

fn screen(state: &State, columns: u16, lines: u16) -> Vec<String> {
    let buffer = buffer(state, columns, lines, true);
    let line = |y| {
        let mut line = String::new();
        let mut x = 0;
        while x < columns {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            // What is two columns wide covers the cell behind it.
            x += u16::try_from(width(symbol).max(1)).unwrap();
        }
        line.trim_end().to_owned()
    };
    (0..lines).map(line).collect()
}

fn press(state: &mut State, code: KeyCode) {
    state.press(KeyEvent::new(code, KeyModifiers::NONE));
}

#[test]
fn all_that_is_known_is_on_a_screen_with_room() {
    let expected = "\
Kith 0.1.0  process 7  up 1 min 1 s  memory 4 MiB  CPU 12.5 %                            every 1 s
/run/kith/bus.sock                                                     5.5 MiB waiting for clients
published/s       500                          █   bytes in/s     48 KiB                         █
delivered/s       500                          █   bytes out/s       0 B
dropped/s         250                          █   queued          5 MiB                         █
250 dropped  4 clients  9 subscriptions  0 queued  0 requests waiting  0 kept
  ID▲ NAME                  PROCESS           PUB/s   DEL/s  DROPPED  QUEUED    BYTES   SUBS  WAIT
    3 sensor                python3             250     250        0       0      0 B      3     0
    7 slow (lags)           70                    0       0      250   12.3k    5 MiB      3     0
    9 kith top (this)       kith                  0       0        0       0      0 B      3     0
   11 \\u001b[2J\\u202e漢字…  -                   250     250        0       0      0 B      3     0


 client 3: sensor ────────────────────────────────────────────────────────────────────────────────
process 30, python3; speaks json, 24 KiB/s in, 0 B/s out
dropped 0  queued 0 (0 B)  delivered 250 (7 B)  published 250 (24 KiB)
     1  self.chess.>
     2  self.a.\\u202e                             group shop
    40  */*.>                                     monitor
q quit  ? help  / filter  < > sort  r reverse  space pause  + - pace  enter more";
    assert_eq!(screen(&state(), 98, 20).join("\n"), expected);
}

#[test]
fn nothing_breaks_at_any_size() {
    let mut states = vec![state()];
    for key in [KeyCode::Char('/'), KeyCode::Char('?'), KeyCode::Enter] {
        let mut state = state();
        press(&mut state, key);
        press(&mut state, KeyCode::Char('\u{202e}'));
        states.push(state);
    }
    let order = Order { column: Column::Id, is_reversed: true, filter: "\u{1b}".to_owned() };
    states.push(State::new("\u{1b}".to_owned(), 1, 250, order));
    for mut state in states {
        for is_failing in [false, true] {
            if is_failing {
                state.fail("\u{9b}gone".repeat(99));
            }
            for columns in [1, 39, 40, 71, 72, 100] {
                for lines in [1, 8, 9, 14, 20, 40] {
                    screen(&state, columns, lines).iter().for_each(|line| assert_harmless(line));
                }
            }
        }
    }
    assert_eq!(screen(&state(), 39, 2), ["kith top needs 40×9", ""]);
}

#[test]
fn a_narrow_screen_keeps_the_columns_that_matter() {
    let heading = |columns| {
        let lines = screen(&state(), columns, 24);
        lines.into_iter().find(|line| line.contains("NAME")).unwrap()
    };
    let words = |columns: u16| heading(columns).split_whitespace().count();
    assert_eq!((words(100), words(80), words(60), words(40)), (10, 9, 6, 4));
    assert!(heading(40).contains("DEL/s") && heading(40).contains("DROPPED"));
    assert!(heading(80).ends_with("SUBS") && heading(86).ends_with("WAIT"));
    for columns in [40, 47, 58, 66, 80, 99] {
        let row = &screen(&state(), columns, 24)[..];
        assert!(row.iter().any(|line| line.contains("kith top (this)")), "{columns}: {row:#?}");
    }
}

#[test]
fn a_wide_screen_has_names_whole_and_no_wider() {
    let longest = "n".repeat(NAME_CHARS_MAX);
    let order = Order { column: Column::Id, is_reversed: false, filter: String::new() };
    let mut state = State::new("/s".to_owned(), 1, 1_000, order);
    let client = Client { name: Some(longest.clone()), lagging: true, ..Client::default() };
    state.take(Sample { clients: vec![client], ..Sample::default() });
    let lines = screen(&state, 200, 60);
    assert!(lines.iter().any(|line| line.contains(&format!(" {longest} (lags) -"))), "{lines:#?}");
    let heading = lines.iter().find(|line| line.contains("NAME")).unwrap();
    assert_eq!(width(heading), 148);
}

#[test]
fn what_does_not_fit_into_a_line_is_left_out_whole_and_losses_last() {
    let mut state = state();
    let stats = &mut state.view.stats;
    (stats.cut_off, stats.refused, stats.refused_connections, stats.clients) = (2, 7, 3, 1);
    let line = |state: &State, columns, starts: &str| {
        let lines = screen(state, columns, 24);
        lines.into_iter().find(|line| line.starts_with(starts)).unwrap()
    };
    let losses = "250 dropped  2 cut off  3 not let in  4 refused";
    assert_eq!(line(&state, 60, "250"), format!("{losses}  1 client"));
    assert_eq!(line(&state, 80, "250"), format!("{losses}  1 client  9 subscriptions"));
    assert_eq!(line(&state, 40, "250"), "250 dropped  2 cut off  3 not let in");
    assert_eq!(line(&state, 40, "Kith"), "Kith 0.1.0  process 7          every 1 s");
    let keys = line(&state, 80, "q quit");
    assert!(keys.ends_with("  enter more") && width(&keys) == 80, "{keys}");
    assert_eq!(line(&state, 50, "q quit"), "q quit  ? help  / filter  < > sort  r reverse");
    let buffer = buffer(&state, 80, 24, true);
    let y = (0..24).find(|y| buffer[(0, *y)].symbol() == "2").unwrap();
    let is_loss = |x: &u16| buffer[(*x, y)].fg == Color::Yellow;
    let told = u16::try_from(losses.len()).unwrap();
    assert!(is_loss(&0) && is_loss(&(told - 1)) && !is_loss(&(told + 2)));
}

#[test]
fn a_tall_screen_has_taller_lines_of_how_it_went() {
    let heights = [24, 35, 36, 49, 50, 99].map(|lines| {
        let screen = screen(&state(), 100, lines);
        let at = |start| screen.iter().position(|line| line.starts_with(start)).unwrap();
        at("delivered/s") - at("published/s")
    });
    assert_eq!(heights, [1, 1, 2, 2, 3, 3]);
}

#[test]
fn without_colours_there_are_none_and_the_choice_is_seen() {
    let colors = |is_colored| {
        let buffer = buffer(&state(), 98, 20, is_colored);
        buffer.content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(colors(true) && !colors(false));
    let buffer = buffer(&state(), 98, 20, false);
    let turned = (0..20).filter(|y| buffer[(1, *y)].modifier.contains(Modifier::REVERSED));
    assert_eq!(turned.collect::<Vec<_>>(), [7]);
}

#[test]
fn what_is_going_on_is_said() {
    let mut state = state();
    press(&mut state, KeyCode::Char('p'));
    assert!(screen(&state, 98, 20)[0].ends_with(" paused"));
    press(&mut state, KeyCode::Char('p'));
    press(&mut state, KeyCode::Char('-'));
    assert!(screen(&state, 98, 20)[0].ends_with(" every 500 ms"));
    state.fail("no daemon listens".to_owned());
    assert_eq!(screen(&state, 98, 20)[1], "waiting for the daemon: no daemon listens");
    press(&mut state, KeyCode::Char('/'));
    press(&mut state, KeyCode::Char('s'));
    assert!(screen(&state, 98, 20)[19].starts_with("/s    enter keeps it"));
    press(&mut state, KeyCode::Enter);
    assert!(screen(&state, 98, 20)[19].starts_with("/s    esc shows all"));
    press(&mut state, KeyCode::Char('?'));
    assert!(screen(&state, 98, 20).iter().any(|line| line.contains("space p       pause")));
}

#[test]
fn long_lists_of_patterns_are_cut_and_counted() {
    let mut state = state();
    let found: Vec<_> =
        (1..=50).map(|sub| Subscription { client: 3, sub, ..Subscription::default() }).collect();
    state.take_patterns(Patterns { client: 3, found: Ok(found) });
    let lines = screen(&state, 98, 30);
    assert!(lines.iter().any(|line| line == "and 44 more"), "{lines:#?}");
    // Those of another client are not shown for this one's.
    press(&mut state, KeyCode::Down);
    let lines = screen(&state, 98, 30);
    assert!(lines.iter().any(|line| line == "its patterns are asked for"), "{lines:#?}");
    state.take_patterns(Patterns { client: 7, found: Err("no such\u{1b} topic".to_owned()) });
    let lines = screen(&state, 98, 30);
    assert!(lines.iter().any(|line| line.ends_with("not known: no such\\u001b topic")));
    state.take_patterns(Patterns { client: 7, found: Ok(Vec::new()) });
    assert!(screen(&state, 98, 30).iter().any(|line| line == "subscribes to nothing"));
    press(&mut state, KeyCode::Enter);
    assert!(!screen(&state, 98, 30).iter().any(|line| line.contains("client 7")));
}

#[test]
fn many_clients_scroll_with_the_choice() {
    let order = Order { column: Column::Id, is_reversed: false, filter: String::new() };
    let mut state = State::new("/s".to_owned(), 1, 1_000, order);
    let clients = (0..500).map(|client| Client { client, ..Client::default() }).collect();
    state.take(Sample { clients, ..Sample::default() });
    let shown = |state: &State, number: &str| {
        let lines = screen(state, 98, 24);
        lines.iter().any(|line| line.trim_start().starts_with(&format!("{number} -")))
    };
    assert!(shown(&state, "0") && !shown(&state, "499"));
    press(&mut state, KeyCode::End);
    assert!(shown(&state, "499") && !shown(&state, "0"));
}
