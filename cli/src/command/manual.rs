//! `kith man`: the manual pages, made of the command line's own definition.
//!
//! What the definition doesn't have is written here in roff: exit codes, environment, and who else
//! to read. The daemon's page is made too, since its options are known here and it has nobody else
//! to make one.

use super::print_result;
use crate::arguments::{CommandLine, ManualArguments};
use crate::exit_code;
use crate::failure::Failure;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use std::fmt::Write;
use std::io;
use std::path::Path;

pub(super) fn run(arguments: &ManualArguments) -> Result<u8, Failure> {
    let pages = pages().map_err(|error| Failure::system("can't write the manual", &error))?;
    let Some(directory) = &arguments.directory else {
        let first = pages.first().map(|page| page.text.as_slice());
        return print_result(first.unwrap_or_default());
    };
    let wrong = |path: &Path, error: io::Error| {
        Failure::new(exit_code::INPUT_OUTPUT, format!("can't write {}: {error}", path.display()))
    };
    std::fs::create_dir_all(directory).map_err(|error| wrong(directory, error))?;
    for page in pages {
        let path = directory.join(&page.file);
        std::fs::write(&path, page.text).map_err(|error| wrong(&path, error))?;
    }
    Ok(exit_code::OK)
}

/// A page of the manual.
pub(super) struct Page {
    pub(super) file: String,
    pub(super) text: Vec<u8>,
}

/// `kith.1` first, then one for each command, then the daemon's.
pub(super) fn pages() -> io::Result<Vec<Page>> {
    let mut kith = CommandLine::command().disable_help_subcommand(true);
    kith.build();
    let mut pages = vec![page("kith", kith.clone(), &kith_sections(&kith))?];
    for command in kith.get_subcommands() {
        add_pages(&mut pages, command, "kith")?;
    }
    let daemon = Command::new("kith-busd").version(env!("CARGO_PKG_VERSION"));
    let daemon =
        kith_busd::arguments::Arguments::augment_args(daemon).about("the daemon of the Kith bus");
    let see_also = ".SH \"SEE ALSO\"\nkith(1), kith\\-daemon(1)\n";
    pages.push(page("kith-busd", daemon, see_also)?);
    Ok(pages)
}

/// The page of a command, then one for each command below it.
fn add_pages(pages: &mut Vec<Page>, command: &Command, parent: &str) -> io::Result<()> {
    let name = format!("{parent}-{}", command.get_name());
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let named = command.clone().bin_name(name.replace('-', " "));
    let see_also = format!(".SH \"SEE ALSO\"\n{}(1)\n", escaped(parent));
    pages.push(page(&name, named, &(after_sections(&after) + &see_also))?);
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    for command in below {
        add_pages(pages, command, &name)?;
    }
    Ok(())
}

fn page(name: &str, command: Command, more: &str) -> io::Result<Page> {
    let version = format!("Kith {}", env!("CARGO_PKG_VERSION"));
    let command = command.display_name(name).color(clap::ColorChoice::Never);
    let has_commands = command.has_subcommands();
    let man = Man::new(command).title(name).section("1").source(version);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    text.extend_from_slice(more.as_bytes());
    Ok(Page { file: format!("{name}.1"), text })
}

/// What `--help` says after the options: notes, and examples as they are typed.
fn after_sections(after: &str) -> String {
    let (notes, examples) = after.split_once("Examples:\n").unwrap_or((after, ""));
    let mut text = String::new();
    if !notes.trim().is_empty() {
        text.push_str(".SH NOTES\n");
        for paragraph in notes.trim().split("\n\n") {
            // Writing to a string can't fail.
            let _ = write!(text, ".PP\n{}\n", escaped(&paragraph.replace('\n', " ")));
        }
    }
    if !examples.is_empty() {
        text.push_str(".SH EXAMPLES\n.nf\n");
        for example in examples.lines() {
            let _ = writeln!(text, "{}", escaped(example.trim_start()));
        }
        text.push_str(".fi\n");
    }
    text
}

/// What only the page of `kith` itself has.
fn kith_sections(kith: &Command) -> String {
    let mut text = String::from(".SH \"EXIT STATUS\"\n");
    for (code, meaning) in exit_code::TABLE {
        // Writing to a string can't fail.
        let _ = write!(text, ".TP\n.B {code}\n{}\n", escaped(meaning));
    }
    text.push_str(".SH ENVIRONMENT\n");
    for (name, meaning) in ENVIRONMENT {
        let _ = write!(text, ".TP\n.B {name}\n{}\n", escaped(meaning));
    }
    text.push_str(".SH \"SEE ALSO\"\n");
    let commands = kith.get_subcommands().map(Command::get_name);
    let pages = commands.map(|name| format!("kith\\-{name}(1)"));
    text.push_str(&pages.collect::<Vec<_>>().join(", "));
    text.push_str(", kith\\-busd(1)\n");
    text
}

const ENVIRONMENT: &[(&str, &str)] = &[
    ("KITH_SOCKET", "the daemon's socket"),
    ("XDG_CONFIG_HOME, XDG_DATA_HOME, HOME", "below which `kith install` puts a user's files"),
    ("XDG_RUNTIME_DIR", "where kith/bus.sock is looked for, if KITH_SOCKET is not set"),
    ("NO_COLOR", "no colours, if it is set and not empty"),
];

/// `text` for roff: no dash that becomes a hyphen, no line that becomes a command.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_command() {
        let pages = pages().unwrap();
        let files: Vec<_> = pages.iter().map(|page| page.file.as_str()).collect();
        let expected = [
            "kith.1",
            "kith-pub.1",
            "kith-sub.1",
            "kith-req.1",
            "kith-reply.1",
            "kith-tap.1",
            "kith-status.1",
            "kith-bench.1",
            "kith-top.1",
            "kith-init.1",
            "kith-id.1",
            "kith-card.1",
            "kith-invite.1",
            "kith-join.1",
            "kith-friends.1",
            "kith-friends-list.1",
            "kith-friends-add.1",
            "kith-friends-verify.1",
            "kith-friends-rename.1",
            "kith-friends-reject.1",
            "kith-friends-remove.1",
            "kith-devices.1",
            "kith-devices-add.1",
            "kith-devices-remove.1",
            "kith-lock.1",
            "kith-unlock.1",
            "kith-recovery.1",
            "kith-recover.1",
            "kith-services.1",
            "kith-services-list.1",
            "kith-services-enable.1",
            "kith-services-disable.1",
            "kith-services-restart.1",
            "kith-services-logs.1",
            "kith-services-test.1",
            "kith-consumers.1",
            "kith-consumers-purge.1",
            "kith-consumers-remove.1",
            "kith-store.1",
            "kith-store-check.1",
            "kith-store-export.1",
            "kith-grants.1",
            "kith-grants-add.1",
            "kith-grants-revoke.1",
            "kith-daemon.1",
            "kith-demo.1",
            "kith-install.1",
            "kith-uninstall.1",
            "kith-completions.1",
            "kith-man.1",
            "kith-busd.1",
        ];
        assert_eq!(files, expected);
        for page in &pages {
            let text = String::from_utf8_lossy(&page.text);
            assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{}", page.file);
            assert!(!text.contains('\u{1b}'), "{}", page.file);
        }
        let first = String::from_utf8_lossy(&pages[0].text).into_owned();
        for code in ["64", "65", "66", "67", "68", "69", "74", "75", "76", "78", "130"] {
            assert!(first.contains(&format!(".B {code}\n")), "{code}");
        }
    }
}
