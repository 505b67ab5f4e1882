//! How a line in a unit or in a D-Bus service file names the daemon: by its absolute path, in the
//! quoting of each.
//!
//! Neither looks in `PATH` as a shell does, and both have words of their own for what a path may
//! hold: systemd expands `%` and `$`, and both unquote. A path with control characters has a place
//! in neither.

use std::path::{Path, PathBuf};

/// What starts the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    path: String,
    /// What stands behind it: nothing, or that `kith` is to be the daemon.
    argument: Option<&'static str>,
}

/// A path that no unit can name.
#[derive(Debug, thiserror::Error)]
#[error(
    "no unit can name {path:?}, where this program lies: move it to a path of printable characters"
)]
pub(crate) struct Unnameable {
    path: PathBuf,
}

impl Program {
    /// The daemon beside `kith`, which is this program; or, where there is none, `kith` itself.
    pub(crate) fn beside(
        kith: &Path,
        exists: impl FnOnce(&Path) -> bool,
    ) -> Result<Self, Unnameable> {
        let daemon = kith.with_file_name("kith-busd");
        let (path, argument) =
            if exists(&daemon) { (daemon.as_path(), None) } else { (kith, Some("daemon")) };
        let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
        let text = text.filter(|_| path.is_absolute());
        match text {
            Some(path) => Ok(Self { path: path.to_owned(), argument }),
            None => Err(Unnameable { path: path.to_owned() }),
        }
    }

    /// For `ExecStart=` (`systemd.service(5)`, "Command lines").
    pub(super) fn in_unit(&self) -> String {
        let mut path = String::new();
        for c in self.path.chars() {
            match c {
                '"' | '\\' => path.extend(['\\', c]),
                // A specifier, and a variable.
                '%' | '$' => path.extend([c, c]),
                _ => path.push(c),
            }
        }
        self.with_argument(quoted(&path))
    }

    /// For `Exec=` of a D-Bus service file. Of its value `\\` is read first, as in desktop files,
    /// and then the rest as a shell reads words. Single quotes need no `\` in the second reading.
    pub(super) fn in_dbus(&self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
        if self.path.chars().all(is_plain) {
            return self.with_argument(self.path.clone());
        }
        let path = self.path.replace('\\', r"\\").replace('\'', r#"'"'"'"#);
        self.with_argument(format!("'{path}'"))
    }

    fn with_argument(&self, path: String) -> String {
        match self.argument {
            Some(argument) => format!("{path} {argument}"),
            None => path,
        }
    }
}

fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%$".contains(c);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("\"{path}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(kith: &str, has_daemon: bool) -> (String, String) {
        let program = Program::beside(Path::new(kith), |_| has_daemon).unwrap();
        (program.in_unit(), program.in_dbus())
    }

    #[test]
    fn the_daemon_is_the_one_beside_this_program() {
        let plain = "/usr/bin/kith-busd".to_owned();
        assert_eq!(lines("/usr/bin/kith", true), (plain.clone(), plain));
        let itself = "/usr/bin/kith daemon".to_owned();
        assert_eq!(lines("/usr/bin/kith", false), (itself.clone(), itself));
    }

    #[test]
    fn what_means_something_else_is_quoted() {
        let (unit, dbus) = lines("/a b/kith", true);
        assert_eq!((unit.as_str(), dbus.as_str()), ("\"/a b/kith-busd\"", "'/a b/kith-busd'"));
        let (unit, dbus) = lines("/50%$x/kith", false);
        assert_eq!(unit, "/50%%$$x/kith daemon");
        assert_eq!(dbus, "'/50%$x/kith' daemon");
        let (unit, dbus) = lines("/a\"\\'/kith", true);
        assert_eq!(unit, "\"/a\\\"\\\\'/kith-busd\"");
        assert_eq!(dbus, r#"'/a"\\'"'"'/kith-busd'"#);
    }

    #[test]
    fn a_path_that_no_unit_can_name_is_refused() {
        for wrong in ["/a\n/kith", "relative/kith"] {
            assert!(Program::beside(Path::new(wrong), |_| true).is_err(), "{wrong:?}");
        }
    }
}
