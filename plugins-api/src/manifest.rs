//! What a service says of itself, and asks for.
//!
//! In Rust a manifest is built; for any other program it is a TOML file beside it, which the daemon
//! reads before it starts the program. Both are the same: [`Manifest::to_toml`] writes what
//! [`Manifest::from_toml`] reads, and `--manifest` of a service in Rust prints it.
//!
//! What a manifest doesn't ask for, the service may not do. So it is checked as a whole before
//! anything is started, and all that is wrong with it is said at once, with the place in the file.
//!
//! Deliberately absent: wishes that could be granted or not. A service that can do without
//! something doesn't ask for it.

mod problem;
mod read;
#[cfg(test)]
mod tests;

pub use problem::{ManifestError, Problem};

use crate::limits::{ABOUT_BYTES_MAX, VERSION_BYTES_MAX};
use crate::typed::Reserved;
use kith_contract::{Payload, Rights, Role};
use std::fmt::Write as _;

/// What a service says of itself, and asks for.
///
/// ```
/// use kith_plugins_api::Manifest;
///
/// let manifest = Manifest::new("weather", "1.0.0")
///     .about("Publishes the weather")
///     .publishes("weather.>")
///     .subscribes("self.weather.ask")
///     .network();
/// let same = Manifest::from_toml("weather.toml", &manifest.to_toml())?;
/// assert_eq!(same, manifest);
/// # Ok::<_, kith_plugins_api::ManifestError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// Its name: 1 to 32 of `a`–`z`, `0`–`9` and `-`, a letter first.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// What it does, in one sentence, for people.
    pub about: String,
    /// What it wants to be for the others.
    pub roles: Vec<Role>,
    /// Patterns of the topics that it publishes, without a scope. Reserved topics come with roles.
    pub publishes: Vec<String>,
    /// Patterns that it subscribes to, with a scope; reserved topics too.
    pub subscribes: Vec<String>,
    /// Whether it speaks to the network. That is for people to read: nothing stops it.
    pub network: bool,
    /// Whether it touches files outside its own directory. As above.
    pub disk: bool,
}

impl Manifest {
    /// That of a service with this name and version, which wants nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), ..Self::default() }
    }

    /// Says what it does, in one sentence.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Asks for a role.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }

    /// Asks to publish topics that match this pattern, such as `weather.>`.
    #[must_use]
    pub fn publishes(mut self, pattern: impl Into<String>) -> Self {
        self.publishes.push(pattern.into());
        self
    }

    /// Asks to subscribe to this pattern, such as `self.weather.ask`, and to narrower ones.
    #[must_use]
    pub fn subscribes(mut self, pattern: impl Into<String>) -> Self {
        self.subscribes.push(pattern.into());
        self
    }

    /// Asks to subscribe to a reserved topic, as [`Bus::subscribe_to`](crate::Bus::subscribe_to)
    /// does.
    #[must_use]
    pub fn subscribes_to<T: Payload>(self, topic: impl Reserved<T>) -> Self {
        self.subscribes(topic.pattern())
    }

    /// Says that it speaks to the network.
    #[must_use]
    pub fn network(mut self) -> Self {
        self.network = true;
        self
    }

    /// Says that it touches files outside its own directory.
    #[must_use]
    pub fn disk(mut self) -> Self {
        self.disk = true;
        self
    }

    /// What the service may do, if it may ask for all of this.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check(&self) -> Result<Rights, ManifestError> {
        let mut problems = Vec::new();
        let mut add = |what: String| problems.push(Problem::unplaced(what));
        if let Err(what) = check_text("version", &self.version, VERSION_BYTES_MAX) {
            add(what);
        }
        if let Err(what) = check_text("about", &self.about, ABOUT_BYTES_MAX) {
            add(what);
        }
        match Rights::new(&self.name, &self.roles, &self.publishes, &self.subscribes) {
            Ok(rights) if problems.is_empty() => return Ok(rights),
            Ok(_) => {}
            Err(error) => problems.push(Problem::unplaced(error.to_string())),
        }
        Err(ManifestError::new(None, problems))
    }

    /// Reads the text of a file. `file` is its name, for what is said about it.
    ///
    /// # Errors
    /// Everything that is wrong with it, with the places.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ManifestError> {
        read::manifest(text).map_err(|problems| ManifestError::new(Some(file), problems))
    }

    /// As a file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let roles: Vec<_> = self.roles.iter().map(|role| role.name()).collect();
        let mut toml = String::new();
        let mut line = |key: &str, value: String| {
            let _ = writeln!(toml, "{key} = {value}");
        };
        line("name", quoted(&self.name));
        line("version", quoted(&self.version));
        line("about", quoted(&self.about));
        line("roles", list(&roles));
        line("publishes", list(&self.publishes));
        line("subscribes", list(&self.subscribes));
        line("network", self.network.to_string());
        line("disk", self.disk.to_string());
        toml
    }
}

/// Whether this can be shown to people, on one line.
fn check_text(key: &str, text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("`{key}` has {} bytes; {bytes_max} are enough", text.len()));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("`{key}` has {c:?} in it: write one line of plain text")),
        None => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}
