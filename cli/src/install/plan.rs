//! The files of an installation: where each goes, and what is in it.
//!
//! For one user the places are those of the XDG base directories; for the system they are below a
//! prefix, `/usr/local` unless told otherwise, where systemd, D-Bus, shells and `man` look by
//! themselves.

use super::mark::marked;
use super::program::Program;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const SERVICE: &str = include_str!("../../../systemd/kith.service");
const SOCKET: &str = include_str!("../../../systemd/kith.socket");
const ACTIVATION: &str = include_str!("../../../systemd/org.kithbus.Bus1.service");
/// The files by which it is started.
const STARTERS: [&str; 3] = ["kith.service", "kith.socket", "org.kithbus.Bus1.service"];
/// Where the templates name the daemon.
const DAEMON: &str = "@bindir@/kith-busd";

/// Where an installation goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// For one user.
    User {
        /// `XDG_CONFIG_HOME`, or what stands in for it.
        config: PathBuf,
        /// `XDG_DATA_HOME`, or what stands in for it.
        data: PathBuf,
    },
    /// For all users.
    System {
        /// What is above `lib` and `share`.
        prefix: PathBuf,
    },
}

/// No place for one user's files.
#[derive(Debug, thiserror::Error)]
#[error(
    "no place for the files: HOME is not set to an absolute path, nor are XDG_CONFIG_HOME and \
     XDG_DATA_HOME; set it, or install for all users with --system"
)]
pub(crate) struct Homeless;

/// What is made elsewhere: completions and manual pages, as this program prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Papers {
    pub(crate) bash: String,
    pub(crate) zsh: String,
    pub(crate) fish: String,
    /// File names and texts.
    pub(crate) manual: Vec<(String, String)>,
}

/// One file of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Whether the daemon is started by it.
    pub(crate) is_starter: bool,
}

impl Scope {
    /// For one user, by the variables of the environment. Relative ones are ignored, as the
    /// specification says.
    pub(crate) fn user(
        home: Option<OsString>,
        xdg_config_home: Option<OsString>,
        xdg_data_home: Option<OsString>,
    ) -> Result<Self, Homeless> {
        let absolute = |variable: Option<OsString>| {
            variable.map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let home = absolute(home);
        let below = |path: &str| home.as_ref().map(|home| home.join(path));
        let config = absolute(xdg_config_home).or_else(|| below(".config"));
        let data = absolute(xdg_data_home).or_else(|| below(".local/share"));
        match (config, data) {
            (Some(config), Some(data)) => Ok(Self::User { config, data }),
            _ => Err(Homeless),
        }
    }

    fn units(&self) -> PathBuf {
        match self {
            Self::User { config, .. } => config.join("systemd/user"),
            Self::System { prefix } => prefix.join("lib/systemd/user"),
        }
    }

    fn share(&self) -> PathBuf {
        match self {
            Self::User { data, .. } => data.clone(),
            Self::System { prefix } => prefix.join("share"),
        }
    }

    /// Every file, in the order in which it is told of.
    pub(crate) fn files(&self, program: &Program, papers: &Papers) -> Vec<Planned> {
        let (units, share) = (self.units(), self.share());
        let mut files = Vec::new();
        let mut add = |path: PathBuf, text: &str| {
            let is_starter = STARTERS.iter().any(|name| path.ends_with(name));
            files.push(Planned { text: marked(&path, text), path, is_starter });
        };
        add(units.join("kith.service"), &SERVICE.replace(DAEMON, &program.in_unit()));
        add(units.join("kith.socket"), SOCKET);
        let activation = ACTIVATION.replace(DAEMON, &program.in_dbus());
        add(share.join("dbus-1/services/org.kithbus.Bus1.service"), &activation);
        add(share.join("bash-completion/completions/kith"), &papers.bash);
        add(share.join("zsh/site-functions/_kith"), &papers.zsh);
        add(share.join("fish/vendor_completions.d/kith.fish"), &papers.fish);
        for (name, text) in &papers.manual {
            add(share.join("man/man1").join(name), text);
        }
        files
    }

    /// The links that `systemctl --user enable` makes, each with the unit that it leads to. What
    /// enables units for all users is not in the hand of whoever installs them.
    pub(crate) fn links(&self) -> Vec<(PathBuf, PathBuf)> {
        let Self::User { .. } = self else { return Vec::new() };
        let units = self.units();
        let link = |target: &str, unit: &str| (units.join(target).join(unit), units.join(unit));
        vec![
            link("sockets.target.wants", "kith.socket"),
            link("default.target.wants", "kith.service"),
        ]
    }

    /// What to do after installing.
    pub(crate) fn next_steps(&self, has_systemd: bool) -> Vec<String> {
        let mut steps = Vec::new();
        if let Self::System { prefix } = self
            && !is_known_prefix(prefix)
        {
            let prefix = prefix.display();
            steps.push(format!(
                "systemd and D-Bus don't look below {prefix} by themselves: link the units and \
                 org.kithbus.Bus1.service to where they do, below /usr/local"
            ));
            steps.push("or start it yourself: kith daemon &".to_owned());
            return steps;
        }
        if !has_systemd {
            steps.push(
                "a program that calls org.kithbus.Bus1 on the session bus starts the daemon; or \
                 start it yourself: kith daemon &"
                    .to_owned(),
            );
            return steps;
        }
        steps.push("systemctl --user daemon-reload".to_owned());
        steps.push("systemctl --user enable --now kith.socket".to_owned());
        if matches!(self, Self::System { .. }) {
            steps.push(
                "for all users, from their next login on: systemctl --global enable kith.socket"
                    .to_owned(),
            );
        }
        steps
    }

    /// What to do after removing.
    pub(crate) fn last_steps(&self, has_systemd: bool) -> Vec<String> {
        let mut steps = Vec::new();
        if has_systemd {
            steps.push("systemctl --user stop kith.socket kith.service".to_owned());
            steps.push("systemctl --user daemon-reload".to_owned());
        }
        steps
    }
}

/// Whether `path` is one on which units for all users are looked for.
fn is_known_prefix(path: &Path) -> bool {
    path == Path::new("/usr") || path == Path::new("/usr/local")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<OsString> {
        Some(text.into())
    }

    fn planned(scope: &Scope) -> Vec<Planned> {
        let program = Program::beside(Path::new("/opt/my kith/kith"), |_| true).unwrap();
        let papers = Papers {
            bash: "complete kith\n".to_owned(),
            zsh: "#compdef kith\n".to_owned(),
            fish: "complete -c kith\n".to_owned(),
            manual: vec![("kith.1".to_owned(), ".TH kith 1\n".to_owned())],
        };
        scope.files(&program, &papers)
    }

    fn paths(scope: &Scope) -> Vec<String> {
        planned(scope).iter().map(|file| file.path.display().to_string()).collect()
    }

    #[test]
    fn a_user_s_files_are_where_the_user_s_programs_look() {
        let scope = Scope::user(some("/home/a"), None, None).unwrap();
        let expected = [
            "/home/a/.config/systemd/user/kith.service",
            "/home/a/.config/systemd/user/kith.socket",
            "/home/a/.local/share/dbus-1/services/org.kithbus.Bus1.service",
            "/home/a/.local/share/bash-completion/completions/kith",
            "/home/a/.local/share/zsh/site-functions/_kith",
            "/home/a/.local/share/fish/vendor_completions.d/kith.fish",
            "/home/a/.local/share/man/man1/kith.1",
        ];
        assert_eq!(paths(&scope), expected);
        let scope = Scope::user(None, some("/c"), some("/d")).unwrap();
        assert_eq!(scope, Scope::User { config: "/c".into(), data: "/d".into() });
    }

    #[test]
    fn all_users_files_are_below_the_prefix() {
        let found = paths(&Scope::System { prefix: "/usr/local".into() });
        let expected = [
            "/usr/local/lib/systemd/user/kith.service",
            "/usr/local/lib/systemd/user/kith.socket",
            "/usr/local/share/dbus-1/services/org.kithbus.Bus1.service",
        ];
        assert_eq!(found[..3], expected);
        assert!(found[3..].iter().all(|path| path.starts_with("/usr/local/share/")), "{found:?}");
        assert!(is_known_prefix(Path::new("/usr/local/")) && !is_known_prefix(Path::new("/opt")));
    }

    #[test]
    fn who_has_no_home_is_told() {
        for (home, config, data) in [
            (None, None, None),
            (some(""), None, None),
            (some("home"), some("./c"), some("d")),
            (None, some("/c"), None),
            (None, None, some("/d")),
        ] {
            assert!(Scope::user(home, config, data).is_err());
        }
    }

    #[test]
    fn the_daemon_is_named_in_each_file_s_own_words() {
        let files = planned(&Scope::System { prefix: "/usr".into() });
        let line = |file: &str, key: &str| {
            let file = files.iter().find(|one| one.path.ends_with(file)).unwrap();
            let line = file.text.lines().find(|line| line.starts_with(key));
            line.unwrap_or_else(|| panic!("{}", file.text)).to_owned()
        };
        let (unit, dbus) = ("\"/opt/my kith/kith-busd\"", "'/opt/my kith/kith-busd'");
        assert_eq!(line("user/kith.service", "ExecStart="), format!("ExecStart={unit}"));
        assert_eq!(line("org.kithbus.Bus1.service", "Exec="), format!("Exec={dbus}"));
        for file in &files {
            assert!(!file.text.contains("@bindir@"), "{}", file.text);
        }
    }

    #[test]
    fn what_to_do_next_depends_on_who_starts_things_here() {
        let scope = Scope::user(some("/home/a"), None, None).unwrap();
        let steps = scope.next_steps(true);
        assert!(steps.contains(&"systemctl --user enable --now kith.socket".to_owned()));
        assert!(scope.next_steps(false)[0].contains("org.kithbus.Bus1"));
        let all = Scope::System { prefix: "/usr".into() };
        assert!(all.next_steps(true).iter().any(|step| step.contains("--global")));
        let elsewhere = Scope::System { prefix: "/x".into() };
        for has_systemd in [false, true] {
            let steps = elsewhere.next_steps(has_systemd).join("\n");
            assert!(steps.contains("look below /x by themselves"), "{steps}");
            assert!(!steps.contains("systemctl") && !steps.contains("calls org."), "{steps}");
        }
        assert!(all.last_steps(false).is_empty() && all.links().is_empty());
        assert_eq!(scope.links().len(), 2);
    }
}
