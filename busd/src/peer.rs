//! Which program is at the other end: whether it is sandboxed, and as whom it can be granted more.
//!
//! Flatpak and Snap run each program in a control group that carries its name, which the program
//! can't leave and everybody may read; Flatpak also leaves a file in the program's own root. Any
//! other program with file systems of its own (a mount namespace that is neither the daemon's nor
//! that of what started the daemon) is sandboxed too, by something that gives it no name.
//!
//! Where the daemon may not look, because it is confined itself (systemd's hardening gives it file
//! systems of its own, and the kernel then keeps it from looking into others), control groups are
//! all it goes by. Where it could look and can't, because it is refused, or because the process
//! that connected is gone already and may have left its connection to another, the program counts
//! as sandboxed.
//!
//! A process is looked at once, when it connects, by the number that the kernel gave with the
//! connection. Deliberately absent: protection from a program of the same user that is not
//! sandboxed. It can read the user's files, and the daemon's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What programs are compared with.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    processes: PathBuf,
    /// The file systems of programs that are not sandboxed. None, where the daemon can't look.
    namespaces: Vec<PathBuf>,
}

/// The subject of a sandboxed program that nobody names.
pub(crate) const NAMELESS: &str = "sandbox";

impl Home {
    /// Looks at what this process and the one that started it see.
    pub(crate) fn look() -> Self {
        Self::of(Path::new("/proc"), std::process::id(), std::os::unix::process::parent_id())
    }

    fn of(processes: &Path, own: u32, parent: u32) -> Self {
        let own = namespace(processes, own);
        let parent = namespace(processes, parent);
        // One whose parent sees other file systems, or can't be looked at, is confined itself.
        let namespaces = match (own, parent) {
            (Ok(own), Ok(parent)) if own == parent => vec![own],
            _ => Vec::new(),
        };
        Self { processes: processes.to_owned(), namespaces }
    }

    /// The file that a process runs, where that can be told.
    pub(crate) fn executable(&self, pid: u32) -> Option<PathBuf> {
        fs::read_link(self.processes.join(pid.to_string()).join("exe")).ok()
    }

    /// As whom a process is sandboxed, if it is: the subject of its grants.
    pub(crate) fn confined(&self, pid: u32) -> Option<String> {
        // Flatpak and Snap give each program file systems of its own, too. So one look is
        // enough for most, which matters where programs connect as fast as they can.
        if self.is_at_home(pid) == Some(true) {
            return None;
        }
        let process = self.processes.join(pid.to_string());
        let group = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        let info = fs::read_to_string(process.join("root/.flatpak-info")).ok();
        let named = of_group(&group).or_else(|| info.as_deref().map(of_flatpak_info));
        named.or_else(|| (self.is_at_home(pid) == Some(false)).then(|| NAMELESS.to_owned()))
    }

    /// The same of a process of which not even the number is known.
    pub(crate) fn unknown(&self) -> Option<String> {
        (!self.namespaces.is_empty()).then(|| NAMELESS.to_owned())
    }

    /// Whether a process sees the file systems that programs see which are not sandboxed; nothing,
    /// where that can't be told.
    fn is_at_home(&self, pid: u32) -> Option<bool> {
        if self.namespaces.is_empty() {
            return None;
        }
        match namespace(&self.processes, pid) {
            Ok(namespace) => Some(self.namespaces.contains(&namespace)),
            // One that is gone may have left its connection to another.
            Err(_) => Some(false),
        }
    }
}

/// The file systems that a process sees, as the kernel names them.
fn namespace(processes: &Path, pid: u32) -> io::Result<PathBuf> {
    fs::read_link(processes.join(pid.to_string()).join("ns/mnt"))
}

/// Who a process is by its control group: `…/app-flatpak-org.example.App-1234.scope`, or
/// `…/snap.NAME.….scope`.
fn of_group(text: &str) -> Option<String> {
    let unit = text.lines().next()?.rsplit('/').next()?;
    if let Some(rest) = unit.strip_prefix("app-flatpak-") {
        let name = rest.strip_suffix(".scope").unwrap_or(rest);
        let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
        return Some(format!("flatpak:{}", unescaped(name)));
    }
    let name = unit.strip_prefix("snap.")?.split('.').next()?;
    Some(format!("snap:{}", unescaped(name)))
}

/// A name as it was before systemd wrote `-` in it as `\x2d`.
fn unescaped(name: &str) -> String {
    name.replace("\\x2d", "-")
}

/// Who a process is by the file that Flatpak leaves in its root.
fn of_flatpak_info(text: &str) -> String {
    let name = text
        .lines()
        .skip_while(|line| line.trim() != "[Application]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .find_map(|line| line.strip_prefix("name="));
    name.map_or_else(|| NAMELESS.to_owned(), |name| format!("flatpak:{}", name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A `/proc` of the test's own.
    fn processes(all: &[(u32, &str, &str, Option<&str>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (pid, namespace, group, info) in all {
            let process = folder.path().join(pid.to_string());
            fs::create_dir_all(process.join("ns")).unwrap();
            fs::create_dir_all(process.join("root")).unwrap();
            symlink(namespace, process.join("ns/mnt")).unwrap();
            symlink("/usr/bin/program", process.join("exe")).unwrap();
            fs::write(process.join("cgroup"), group).unwrap();
            if let Some(info) = info {
                fs::write(process.join("root/.flatpak-info"), info).unwrap();
            }
        }
        folder
    }

    const PLAIN: &str = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service\n";
    const FLATPAK: &str = "0::/user.slice/user@1000.service/app.slice/\
                           app-flatpak-org.example.My\\x2dApp-4711.scope\n";
    const SNAP: &str = "0::/user.slice/app.slice/snap.hello-world.hello.8f.scope\n";
    const INFO: &str = "[Application]\nname=org.example.Other\nruntime=x\n[Instance]\nname=no\n";

    #[test]
    fn sandboxed_programs_are_told_apart_by_what_they_can_not_change() {
        let folder = processes(&[
            (1, "mnt:[1]", PLAIN, None),
            (2, "mnt:[1]", PLAIN, None),
            (3, "mnt:[1]", PLAIN, None),
            (4, "mnt:[4]", FLATPAK, None),
            (5, "mnt:[5]", PLAIN, Some(INFO)),
            (6, "mnt:[6]", SNAP, None),
            (7, "mnt:[7]", PLAIN, None),
        ]);
        let home = Home::of(folder.path(), 2, 1);
        let confined = |pid| home.confined(pid);
        assert_eq!(confined(3), None);
        assert_eq!(home.executable(3), Some("/usr/bin/program".into()));
        assert_eq!(confined(4).unwrap(), "flatpak:org.example.My-App");
        assert_eq!(confined(5).unwrap(), "flatpak:org.example.Other");
        assert_eq!(confined(6).unwrap(), "snap:hello-world");
        assert_eq!(confined(7).unwrap(), NAMELESS);
        assert_eq!(
            confined(99).unwrap(),
            NAMELESS,
            "it is gone, and its connection may be another's"
        );
        assert_eq!(home.unknown().unwrap(), NAMELESS);
    }

    #[test]
    fn a_daemon_that_is_confined_itself_goes_by_names_alone() {
        let folder = processes(&[
            (1, "mnt:[1]", PLAIN, None),
            (2, "mnt:[2]", PLAIN, None),
            (3, "mnt:[1]", PLAIN, None),
            (4, "mnt:[4]", FLATPAK, None),
        ]);
        let home = Home::of(folder.path(), 2, 1);
        assert_eq!(home.confined(3), None);
        assert_eq!(home.confined(4).unwrap(), "flatpak:org.example.My-App");
    }

    #[test]
    fn whatever_stands_there_is_a_name_or_none() {
        assert_eq!(of_group(""), None);
        assert_eq!(of_group("0::/\n"), None);
        assert_eq!(of_group("0::/app-flatpak-.scope").unwrap(), "flatpak:");
        assert_eq!(of_group("0::/snap."), Some("snap:".to_owned()));
        assert_eq!(of_flatpak_info("name=x\n"), NAMELESS);
        assert_eq!(of_flatpak_info(INFO), "flatpak:org.example.Other");
    }

    #[test]
    fn this_very_process_is_not_sandboxed() {
        let home = Home::look();
        assert_eq!(home.confined(std::process::id()), None);
    }
}
