//! The options of `kith install` and `kith uninstall`.

use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct InstallArguments {
    #[command(flatten)]
    pub(crate) places: Places,
    /// Replace files too that were changed, or that something else has put there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct UninstallArguments {
    #[command(flatten)]
    pub(crate) places: Places,
}

/// Where the files are, and how to say what was done.
#[derive(Args, Debug)]
pub(crate) struct Places {
    /// For you, below ~/.config and ~/.local/share (XDG_CONFIG_HOME, XDG_DATA_HOME); the default
    #[arg(long, conflicts_with = "system")]
    pub(crate) user: bool,
    /// For all users of this machine, below --prefix
    #[arg(long)]
    pub(crate) system: bool,
    /// With --system: what is above lib and share
    #[arg(long, value_name = "DIR", default_value = "/usr/local", requires = "system")]
    pub(crate) prefix: PathBuf,
    /// Say what would be done, and touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const INSTALL_NOTES: &str = "\
The files name this very program, so install it first where it is to stay. Running it again changes
only what is not as it should be. A file that you have changed, or that was there before, stays as
it is and is told of; drop-ins (`systemctl --user edit kith.service`) are never touched.

It starts nothing; at its end it says what to type.

Exit codes: 0 all is in place, 1 a file was left as it was, 74 one could not be written, 78 there is
no place for the files.

Examples:
  kith install
  kith install --dry-run
  sudo kith install --system --prefix /usr/local";

pub(super) const UNINSTALL_NOTES: &str = "\
Removes what `kith install` with the same options has put in place. A file that was changed since
stays where it is and is told of.

Exit codes: 0 all is gone, 1 a file was left, 74 one could not be removed, 78 there is no place for
the files.";
