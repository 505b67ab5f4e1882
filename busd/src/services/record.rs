//! Which services were enabled, and what was granted to each by that.
//!
//! A manifest asks; `kith services enable` grants what it asks for then. So a manifest that asks
//! for more the next time, because the program was replaced, is refused until its user agrees. It
//! is kept in `services.toml`, which people may read; the daemon replaces it as a whole.

use kith_plugins_api::Manifest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that were enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Record(BTreeMap<String, Granted>);

/// What one was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Granted {
    roles: Vec<String>,
    publishes: Vec<String>,
    subscribes: Vec<String>,
    network: bool,
    disk: bool,
}

impl Granted {
    /// All that a manifest asks for.
    pub(super) fn all_of(manifest: &Manifest) -> Self {
        Self {
            roles: manifest.roles.iter().map(|role| role.name().to_owned()).collect(),
            publishes: manifest.publishes.clone(),
            subscribes: manifest.subscribes.clone(),
            network: manifest.network,
            disk: manifest.disk,
        }
    }

    /// What a manifest asks for that was not granted.
    pub(super) fn missing(&self, manifest: &Manifest) -> Vec<String> {
        let asked = Self::all_of(manifest);
        let mut missing = Vec::new();
        for (key, asked, granted) in [
            ("roles", asked.roles, &self.roles),
            ("publishes", asked.publishes, &self.publishes),
            ("subscribes", asked.subscribes, &self.subscribes),
        ] {
            let new = asked.into_iter().filter(|one| !granted.contains(one));
            missing.extend(new.map(|one| format!("{key} \"{one}\"")));
        }
        for (key, asked, granted) in
            [("network", asked.network, self.network), ("disk", asked.disk, self.disk)]
        {
            if asked && !granted {
                missing.push(key.to_owned());
            }
        }
        missing
    }
}

impl Record {
    pub(super) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    pub(super) fn text(&self) -> Result<String, toml::ser::Error> {
        let head = "# What `kith services enable` granted. The daemon replaces this file.\n\n";
        Ok(format!("{head}{}", toml::to_string(self)?))
    }

    /// What one was granted, while it is enabled.
    pub(super) fn granted(&self, name: &str) -> Option<&Granted> {
        self.0.get(name)
    }

    pub(super) fn enable(&mut self, name: &str, granted: Granted) {
        self.0.insert(name.to_owned(), granted);
    }

    pub(super) fn disable(&mut self, name: &str) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_plugins_api::contract::Role;

    #[test]
    fn what_is_asked_beyond_what_was_granted_is_missing() {
        let before = Manifest::new("a", "1").publishes("a.b").subscribes("self.c");
        let granted = Granted::all_of(&before);
        assert_eq!(granted.missing(&before), Vec::<String>::new());
        // Another version, and less of everything, are no matter.
        assert_eq!(granted.missing(&Manifest::new("a", "2")), Vec::<String>::new());
        let more = Manifest::new("a", "2").publishes("a.>").subscribes("self.c").network();
        let more = more.subscribes("self.d").role(Role::Transport).disk();
        let missing = granted.missing(&more);
        let wanted = [
            "roles \"transport\"",
            "publishes \"a.>\"",
            "subscribes \"self.d\"",
            "network",
            "disk",
        ];
        assert_eq!(missing, wanted);
    }

    #[test]
    fn it_comes_back_from_its_text() {
        let mut record = Record::default();
        record.enable("a", Granted::all_of(&Manifest::new("a", "1").publishes("a.b")));
        record.enable("b-2", Granted::default());
        assert_eq!(Record::parse(&record.text().unwrap()).unwrap(), record);
        record.disable("a");
        assert!(record.granted("a").is_none() && record.granted("b-2").is_some());
        assert!(Record::parse("[a]\nevil = 1").is_err());
    }
}
