//! `kith install` and `kith uninstall`: what goes where, apart from doing it.
//!
//! Everything that is installed beside the programs themselves is text that this program has in
//! it, so it can put all of it in place wherever it was built: units, the file by which D-Bus
//! starts the daemon, completions, manual pages. The units are those of `systemd/`, word for word
//! but for the path of the daemon.
//!
//! Each file says in its last line that it was installed, with a checksum of what is above. So a
//! file that somebody has changed, or that was never ours, is seen by itself: it is neither
//! overwritten nor removed. There is no list beside the files that could be lost, or contradict
//! them, and two installations (for a user, for the system) know nothing of each other.
//!
//! - `plan.rs`: the files of an installation; `program.rs`: how their lines name the daemon;
//! - `mark.rs`: the last line; `step.rs`: what to do about what is there already;
//! - `disk.rs`: doing it; `report.rs`: saying what was done.
//!
//! Deliberately absent: starting anything. Which units are enabled is the user's to say, and in a
//! container or over `ssh` there may be nobody to ask; what to type is printed.

pub(crate) mod disk;
mod mark;
pub(crate) mod plan;
pub(crate) mod program;
pub(crate) mod report;
pub(crate) mod step;
