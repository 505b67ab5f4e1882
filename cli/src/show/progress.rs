//! How far a message has come: a line for each step, by the names of people and devices.

use crate::show::harmless::harmless;
use crate::show::line::time_of_day;
use crate::show::paint::{Paint, Style};
use crate::show::people::{Device, Person, short};
use data_encoding::BASE64;
use jiff::tz::TimeZone;
use kith_people::DeviceId;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A message of `delivery.update`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Update {
    pub(crate) message: String,
    pub(crate) device: String,
    pub(crate) state: String,
    pub(crate) at: u64,
    pub(crate) reason: Option<String>,
    pub(crate) text: Option<String>,
}

impl Update {
    /// Whether a device has it, or never will.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.state.as_str(), "delivered" | "taken" | "expired" | "refused" | "recalled")
    }
}

/// What devices are called, `bob/phone`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    by_device: BTreeMap<String, Named>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    /// Whose it is; nothing for the user's own.
    person: Option<Owner>,
    name: String,
    is_online: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    called: String,
    identity: String,
    is_friend: bool,
}

impl Names {
    /// Of everybody who is known, and of the user's own devices but this one.
    pub(crate) fn of(people: &[Person], own: &[Device]) -> Self {
        let mut names = Self::default();
        for person in people {
            let owner = Owner {
                called: person.called(),
                identity: person.identity.clone(),
                is_friend: person.relation == "friend",
            };
            for device in &person.devices {
                names.add(device, Some(owner.clone()));
            }
        }
        own.iter().filter(|device| !device.is_this).for_each(|device| names.add(device, None));
        names
    }

    fn add(&mut self, device: &Device, person: Option<Owner>) {
        let name = harmless(&device.name).into_owned();
        let named = Named { person, name, is_online: device.online };
        self.by_device.insert(device.device.clone(), named);
    }

    /// The devices that a message is for, as what is known says; it can't know who `public` is.
    fn recipients(&self, to: &str) -> Vec<&Named> {
        let (whom, device) = to.split_once('/').map_or((to, None), |(who, one)| (who, Some(one)));
        let is_meant = |id: &String, named: &Named| {
            let is_person = match (&named.person, whom) {
                (None, "self") => true,
                (Some(owner), "friends") => owner.is_friend,
                (Some(owner), whom) => {
                    owner.called == whom
                        || owner.identity.trim_start_matches("did:key:") == whom
                        || owner.identity == whom
                }
                (None, _) => false,
            };
            is_person && device.is_none_or(|device| named.name == device || id == device)
        };
        let all = self.by_device.iter().filter(|(id, named)| is_meant(id, named));
        all.map(|(_, named)| named).collect()
    }

    /// What is waited for, with who can be reached at this moment.
    pub(crate) fn waiting(&self, to: &str, state: &str, paint: Paint) -> String {
        let devices: Vec<_> = self.recipients(to).into_iter().map(Named::with_state).collect();
        let whom = if devices.is_empty() { harmless(to).into_owned() } else { devices.join(", ") };
        let text = format!("waiting until it is {state}: {whom}");
        let rest = "Ctrl-C ends the waiting, not the message";
        format!("{text}\n{}\n", paint.paint(Style::Faint, rest))
    }

    /// A step, with its line feed.
    pub(crate) fn step(&self, update: &Update, zone: &TimeZone, paint: Paint) -> String {
        let bytes = BASE64.decode(update.device.as_bytes()).ok();
        let id = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let id = id.map_or_else(|| update.device.clone(), |id| DeviceId::new(id).to_string());
        let who = self.by_device.get(&id).map_or_else(|| short(&id), Named::whole);
        let style = match update.state.as_str() {
            "delivered" | "taken" => Style::Success,
            "expired" | "refused" | "recalled" => Style::Loss,
            _ => Style::Topic,
        };
        let state = paint.paint(style, &harmless(&update.state));
        let time = paint.paint(Style::Faint, &time_of_day(update.at, zone));
        let why: Vec<_> =
            [&update.reason, &update.text].into_iter().flatten().map(|why| harmless(why)).collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(": ")) };
        format!("{time} {who} {state}{why}\n")
    }
}

impl Named {
    fn whole(&self) -> String {
        let owner = self.person.as_ref().map_or("self", |owner| owner.called.as_str());
        format!("{owner}/{}", self.name)
    }

    fn with_state(&self) -> String {
        let state = if self.is_online { "connected" } else { "not connected" };
        format!("{} ({state})", self.whole())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let device = |byte: u8, name: &str, online| Device {
            device: DeviceId::new([byte; 32]).to_string(),
            name: name.to_owned(),
            online,
            ..Device::default()
        };
        let bob = Person {
            identity: "did:key:z6MkB".to_owned(),
            petname: Some("bob".to_owned()),
            relation: "friend".to_owned(),
            devices: vec![device(1, "phone", true), device(2, "lap\u{1b}top", false)],
            ..Person::default()
        };
        let this = Device { is_this: true, ..device(3, "here", false) };
        Names::of(&[bob], &[this, device(4, "tablet", false)])
    }

    #[test]
    fn it_is_said_whom_is_waited_for() {
        let names = names();
        let first = |to: &str| {
            let text = names.waiting(to, "delivered", Paint::plain());
            text.lines().next().unwrap_or_default().to_owned()
        };
        let mut bob: Vec<_> =
            first("bob").split(": ").nth(1).unwrap().split(", ").map(str::to_owned).collect();
        bob.sort();
        assert_eq!(bob, ["bob/lap\\u001btop (not connected)", "bob/phone (connected)"]);
        for (to, whom) in [
            ("bob/phone", "bob/phone (connected)"),
            ("self", "self/tablet (not connected)"),
            ("public", "public"),
            ("eve\u{7}", "eve\\u0007"),
        ] {
            assert_eq!(first(to), format!("waiting until it is delivered: {whom}"));
        }
        for to in ["friends", "did:key:z6MkB", "z6MkB"] {
            assert!(first(to).contains("bob/phone (connected)"), "{to}");
        }
    }

    #[test]
    fn a_step_is_a_line() {
        let mut update = Update {
            device: BASE64.encode(&[1; 32]),
            state: "sent".to_owned(),
            at: 1_700_000_000_000,
            ..Update::default()
        };
        let step = |update: &Update| names().step(update, &TimeZone::UTC, Paint::plain());
        assert_eq!(step(&update), "22:13:20.000 bob/phone sent\n");
        update.device = BASE64.encode(&[9; 32]);
        update.state = "refused".to_owned();
        update.reason = Some("quota".to_owned());
        let text = step(&update);
        assert!(
            text.starts_with("22:13:20.000 …") && text.ends_with(" refused (quota)\n"),
            "{text}"
        );
    }
}
