//! `kith install` and `kith uninstall`: plans are made in `install`, and carried out here.
//!
//! One file that can't be written doesn't keep the others from their places: whoever mends it runs
//! the same command again, which does what is missing.

use super::{Visit, manual, print_result, wait_for};
use crate::arguments::{CommandLine, Everywhere, InstallArguments, Places, UninstallArguments};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::install::plan::{Papers, Planned, Scope};
use crate::install::program::Program;
use crate::install::report::{Action, Report, Row};
use crate::install::{disk, step};
use crate::terminal::Terminal;
use clap::CommandFactory;
use clap_complete::Shell;
use serde::Deserialize;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use step::{Found, Step};

pub(super) fn install(
    arguments: &InstallArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let places = &arguments.places;
    let scope = scope(places)?;
    let mut report = Report { dry_run: places.dry_run, ..Report::default() };
    let is_for_all = matches!(scope, Scope::System { .. });
    let mut can_start = true;
    for Planned { path, text, is_starter } in scope.files(&program()?, &papers()?) {
        let found = disk::look(&path);
        let yields = |found: &Found| step::install(found, text.as_bytes(), true) == Step::Update;
        let force_helps = !arguments.force && found.as_ref().is_ok_and(yields);
        let step = found.map(|found| step::install(&found, text.as_bytes(), arguments.force));
        let write = |path: &Path| disk::write(path, &text, is_for_all);
        let mut row = carry_out(path, step, places.dry_run, Action::Unchanged, write);
        if row.action == Action::Left && force_helps {
            row.reason = row.reason.map(|reason| format!("{reason}; --force replaces it"));
        }
        can_start &= !is_starter || !matches!(row.action, Action::Left | Action::Failed);
        report.files.push(row);
    }
    report.next = if can_start {
        scope.next_steps(has_systemd())
    } else {
        vec!["Not all is in place: mend the above and run it again".to_owned()]
    };
    finish(&report, places, everywhere)
}

pub(super) fn uninstall(
    arguments: &UninstallArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let places = &arguments.places;
    let scope = scope(places)?;
    let mut report = Report { dry_run: places.dry_run, ..Report::default() };
    for Planned { path, .. } in scope.files(&program()?, &papers()?) {
        let step = disk::look(&path).map(|found| step::uninstall(&found));
        report.files.push(carry_out(path, step, places.dry_run, Action::Absent, disk::remove));
    }
    for (link, unit) in scope.links() {
        let is_removed =
            |row: &Row| row.path == unit && matches!(row.action, Action::Removed | Action::Absent);
        if disk::leads_to(&link, &unit) && report.files.iter().any(is_removed) {
            let step = Ok(Step::Remove);
            report.files.push(carry_out(link, step, places.dry_run, Action::Absent, disk::remove));
        }
    }
    report.next = scope.last_steps(has_systemd());
    if let Some(pid) = running(everywhere) {
        report.next.push(format!("process {pid} still runs: kill {pid}"));
    }
    finish(&report, places, everywhere)
}

/// The process of the daemon that answers, if one does. Where systemd may hold the socket nobody
/// is asked: connecting would start one.
fn running(everywhere: &Everywhere) -> Option<u64> {
    #[derive(Deserialize)]
    struct Ready {
        pid: u64,
    }
    if has_systemd() {
        return None;
    }
    let asked = wait_for(async {
        let visit = Visit::start(everywhere, "kith uninstall").await?;
        visit.work(async |client| inquiry::ready(client).await).await
    });
    let ready = inquiry::read::<Ready>(&asked.ok()??).ok()?;
    Some(ready.pid)
}

/// Does one step, unless nothing is to be touched, and says what was done.
fn carry_out(
    path: PathBuf,
    step: io::Result<Step>,
    dry_run: bool,
    nothing: Action,
    act: impl FnOnce(&Path) -> io::Result<()>,
) -> Row {
    let done = step.and_then(|step| {
        let action = match step {
            Step::Create => Action::Created,
            Step::Update => Action::Updated,
            Step::Remove => Action::Removed,
            Step::Nothing => return Ok((nothing, None)),
            Step::Leave(reason) => return Ok((Action::Left, Some(reason.to_owned()))),
        };
        if !dry_run {
            act(&path)?;
        }
        Ok((action, None))
    });
    let (action, reason) = done.unwrap_or_else(|error| (Action::Failed, Some(error.to_string())));
    Row { path, action, reason }
}

fn finish(report: &Report, places: &Places, everywhere: &Everywhere) -> Result<u8, Failure> {
    let text = if places.json {
        serde_json::to_string(report).map(|line| line + "\n").map_err(|error| {
            Failure::new(exit_code::FAILED, format!("can't print the result: {error}"))
        })?
    } else {
        report.text(Terminal::look(everywhere.color).paint)
    };
    print_result(text.as_bytes())?;
    Ok(report.exit_code())
}

fn scope(places: &Places) -> Result<Scope, Failure> {
    if !places.system {
        let [home, config, data] = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(env::var_os);
        return Scope::user(home, config, data)
            .map_err(|error| Failure::new(exit_code::CONFIGURATION, error.to_string()));
    }
    // What is written into files must not depend on where this was typed.
    let prefix = std::path::absolute(&places.prefix)
        .map_err(|error| Failure::system("can't tell where --prefix is", &error))?;
    Ok(Scope::System { prefix })
}

fn program() -> Result<Program, Failure> {
    let kith = env::current_exe()
        .map_err(|error| Failure::system("can't tell where this program is", &error))?;
    Program::beside(&kith, Path::exists)
        .map_err(|error| Failure::new(exit_code::CONFIGURATION, error.to_string()))
}

/// Completions and manual pages, as the commands for them print them.
fn papers() -> Result<Papers, Failure> {
    let completions = |shell: Shell| {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut CommandLine::command(), "kith", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    let pages = manual::pages().map_err(|error| Failure::system("the manual", &error))?;
    let page = |page: manual::Page| (page.file, String::from_utf8_lossy(&page.text).into_owned());
    Ok(Papers {
        bash: completions(Shell::Bash),
        zsh: completions(Shell::Zsh),
        fish: completions(Shell::Fish),
        manual: pages.into_iter().map(page).collect(),
    })
}

/// Whether this machine was booted with systemd, as `sd_booted(3)` finds out.
fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}
