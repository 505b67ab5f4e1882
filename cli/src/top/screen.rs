//! The terminal, taken and given back.
//!
//! Whatever ends `kith top`, the terminal is as it was before: when the screen is dropped, and
//! before a panic's message is printed, which would otherwise be lost with the screen it was
//! printed on.

use super::draw::{Look, draw};
use super::state::State;
use crate::failure::Failure;
use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::style::force_color_output;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::widgets::TableState;
use rustix::process::{Signal, getpid, kill_process};
use std::io::{self, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};

/// The terminal, while it is ours.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    scroll: TableState,
    look: Look,
}

impl Screen {
    /// Takes the terminal.
    pub(crate) fn open(is_colored: bool) -> Result<Self, Failure> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        // Whether there are colours has been decided already.
        force_color_output(is_colored);
        // Made first, so that it is given back whatever fails below.
        let terminal =
            Terminal::new(CrosstermBackend::new(io::stdout())).map_err(|error| failure(&error))?;
        let look = Look::new(is_colored);
        let screen = Self { terminal, scroll: TableState::default(), look };
        take()?;
        Ok(screen)
    }

    /// Draws what there is to be seen. The size of the terminal is looked up each time.
    pub(crate) fn draw(&mut self, state: &State) -> Result<(), Failure> {
        let Self { terminal, scroll, look } = self;
        terminal
            .draw(|frame| draw(frame, state, scroll, *look))
            .map_err(|error| failure(&error))?;
        Ok(())
    }

    /// Forgets what was drawn, so that all of it is drawn again.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        self.terminal.clear().map_err(|error| failure(&error))
    }

    /// Gives the terminal back and stops this process, until somebody has it go on.
    pub(crate) fn suspend(&mut self) -> Result<(), Failure> {
        give_back();
        kill_process(getpid(), Signal::TSTP).map_err(|errno| failure(&errno.into()))?;
        take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether the terminal is ours. A process has one, and the hook for panics has to know.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

fn take() -> Result<(), Failure> {
    // First, so that what fails half-way is undone.
    IS_TAKEN.store(true, Ordering::Relaxed);
    enable_raw_mode().map_err(|error| failure(&error))?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)
        .map_err(|error| failure(&error))
}

/// Gives the terminal back, if it is ours: a second time would put the cursor over what was printed
/// since. What fails here has nobody to be told to.
fn give_back() {
    if !IS_TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

fn failure(error: &io::Error) -> Failure {
    Failure::system("can't use the terminal", error)
}
