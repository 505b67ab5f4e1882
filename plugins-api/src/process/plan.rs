//! What the program around a service is to do: a function of its command line and environment.

use super::{FATAL, USAGE};
use crate::{Clock, Manifest, Start};
use kith_client::Token;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// What the daemon puts into the environment, and where the program was started.
#[derive(Clone, Default)]
pub(super) struct Environment {
    pub(super) here: PathBuf,
    pub(super) token: Option<OsString>,
    pub(super) service: Option<OsString>,
    pub(super) data_dir: Option<OsString>,
    pub(super) settings: Option<OsString>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the token.
        f.debug_struct("Environment")
            .field("here", &self.here)
            .field("service", &self.service)
            .field("data_dir", &self.data_dir)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Plan {
    /// Say this, and end well.
    Say(String),
    /// Say this, and end with this code.
    Refuse { code: u8, text: String },
    /// Be the service. The seed is yet to be drawn.
    Run(Box<Start>),
}

pub(super) fn plan(manifest: &Manifest, arguments: &[OsString], from: Environment) -> Plan {
    let program = arguments.first().map_or_else(|| PathBuf::from(&manifest.name), PathBuf::from);
    match arguments.get(1..).unwrap_or_default() {
        [] => run(manifest, &program, from),
        [one] if one == "--manifest" => Plan::Say(manifest.to_toml()),
        [one] if one == "--help" || one == "-h" => Plan::Say(help(manifest, &program, &from.here)),
        [one] if one == "--version" || one == "-V" => {
            Plan::Say(format!("{} {}\n", manifest.name, manifest.version))
        }
        _ => {
            let text =
                format!("{}: it takes one of --manifest, --help, --version\n", manifest.name);
            Plan::Refuse { code: USAGE, text }
        }
    }
}

fn run(manifest: &Manifest, program: &Path, from: Environment) -> Plan {
    let Environment { here, token, service, data_dir, settings } = from;
    let Some(token) = token else {
        return Plan::Refuse { code: USAGE, text: help(manifest, program, &here) };
    };
    let refuse = |what: &str| {
        let text = format!("{}: {what}\n", manifest.name);
        Plan::Refuse { code: FATAL, text }
    };
    let token = token.into_string().ok().and_then(|text| Token::new(text).ok());
    let Some(token) = token else { return refuse("KITH_TOKEN is no token") };
    let name = match service.map(OsString::into_string) {
        None => manifest.name.clone(),
        Some(Ok(name)) if name == manifest.name => name,
        Some(other) => {
            let other = other.unwrap_or_else(|other| other.to_string_lossy().into_owned());
            return refuse(&format!("the daemon takes it for `{}`", other.escape_debug()));
        }
    };
    let settings = settings.map_or_else(|| Ok("null".to_owned()), OsString::into_string);
    let settings = match settings.map(|text| serde_json::from_str(&text)) {
        Ok(Ok(settings)) => settings,
        Ok(Err(error)) => return refuse(&format!("KITH_SETTINGS is no JSON: {error}")),
        Err(_) => return refuse("KITH_SETTINGS is not UTF-8"),
    };
    let data_dir = data_dir.map_or_else(|| PathBuf::from("."), PathBuf::from);
    let (token, clock) = (Some(token), Clock::system());
    Plan::Run(Box::new(Start { name, token, data_dir, settings, clock, seed: 0 }))
}

fn help(manifest: &Manifest, program: &Path, here: &Path) -> String {
    let Manifest { name, version, about, .. } = manifest;
    let shown = program.display();
    // In the configuration a path that is not absolute begins at the configuration. A name alone
    // is looked for on the PATH, here and there.
    let absolute: PathBuf = match program.components().count() {
        1 => program.to_owned(),
        _ => here.join(program).components().collect(),
    };
    let command = toml::Value::from(absolute.to_string_lossy().into_owned());
    let about = if about.is_empty() { String::new() } else { format!("{about}\n") };
    format!(
        "{name} {version}\n{about}
It is a service of the Kith bus: a daemon starts it, and by itself it does nothing.

Try it:       kith services test {shown}
Have it run:  write its manifest beside it, add this to the daemon's configuration, and enable it

    {shown} --manifest > {shown}.toml

    [services.{name}]
    command = [{command}]

    kith services enable {name}

Options: --manifest prints its manifest, --help this, --version its version.
Exit codes: 0 the bus has ended, 1 it failed and may be started again, 64 wrong command line or not
started by a daemon, 78 only a person can mend this.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(arguments: &[&str], from: Environment) -> Plan {
        let manifest = Manifest::new("weather", "1.2.3").about("Publishes the weather");
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        plan(&manifest, &arguments, from)
    }

    fn told() -> Environment {
        Environment { here: "/home".into(), token: Some("abc".into()), ..Environment::default() }
    }

    #[test]
    fn it_says_what_it_is() {
        let Plan::Say(manifest) = planned(&["./weather", "--manifest"], told()) else { panic!() };
        assert_eq!(Manifest::from_toml("w.toml", &manifest).unwrap().version, "1.2.3");
        let Plan::Say(version) = planned(&["./weather", "-V"], told()) else { panic!() };
        assert_eq!(version, "weather 1.2.3\n");
        let Plan::Say(help) = planned(&["./weather", "--help"], told()) else { panic!() };
        assert!(help.contains("command = [\"/home/weather\"]"), "{help}");
        let Plan::Say(help) = planned(&["weather", "--help"], told()) else { panic!() };
        assert!(help.contains("command = [\"weather\"]"), "{help}");
    }

    #[test]
    fn without_a_daemon_it_says_how_to_run_it() {
        let plan = planned(&["./weather"], Environment::default());
        let Plan::Refuse { code: USAGE, text } = plan else { panic!("{plan:?}") };
        assert!(text.contains("kith services test ./weather"), "{text}");
        let plan = planned(&["./weather", "--verbose"], told());
        assert!(matches!(plan, Plan::Refuse { code: USAGE, .. }));
    }

    #[test]
    fn what_the_daemon_says_is_taken() {
        let environment = Environment {
            service: Some("weather".into()),
            data_dir: Some("/data".into()),
            settings: Some(r#"{"city":"Oslo"}"#.into()),
            ..told()
        };
        let Plan::Run(start) = planned(&["./weather"], environment) else { panic!() };
        assert_eq!(
            (start.name.as_str(), start.settings["city"].as_str()),
            ("weather", Some("Oslo"))
        );
        assert_eq!(start.data_dir, PathBuf::from("/data"));
        let Plan::Run(start) = planned(&["./weather"], told()) else { panic!() };
        assert_eq!(start.settings, serde_json::Value::Null);
    }

    #[test]
    fn what_it_says_wrong_only_a_person_can_mend() {
        let wrong = [
            Environment { token: Some("a b".into()), ..told() },
            Environment { service: Some("wether".into()), ..told() },
            Environment { settings: Some("{".into()), ..told() },
        ];
        for environment in wrong {
            let plan = planned(&["./weather"], environment);
            assert!(matches!(plan, Plan::Refuse { code: FATAL, .. }), "{plan:?}");
        }
    }
}
