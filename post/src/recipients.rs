//! Who is meant by a destination.
//!
//! `self` are the user's other devices, `friends` all devices of all friends, `public` whoever has
//! a link right now and is not rejected; a petname or an identity is one person, and with a slash
//! and a device's name one device.

use crate::input::Outgoing;
use crate::post::Post;
use crate::sending::Recipient;
use kith_people::{DeviceId, PersonId, Relation, Standing};
use kith_wire::{Code, Refusal};

impl Post {
    /// Who gets a message.
    pub(crate) fn recipients(&self, message: &Outgoing) -> Result<Vec<Recipient>, Refusal> {
        if message.to.starts_with("room:") {
            let text = "this daemon has no rooms yet";
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        let Some(me) = &self.me else {
            if message.to == "public" {
                return Ok(Vec::new());
            }
            let text = "you have no people or devices here yet: `kith init`, `kith invite`";
            return Err(unknown(text));
        };
        if !me.is_listed() {
            let text = "this device is not in your card, so nobody would believe what it sends: \
                        `kith devices add` where the identity key is, or link it anew";
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        let (own, own_device) = (me.person, me.device());
        let mut recipients = match message.to.as_str() {
            "self" => self.all_of(own, "you have no other device: `kith invite --device` there")?,
            "friends" => {
                let friends = self.people.friends();
                let devices = friends.into_iter().flat_map(|friend| {
                    let devices = self.people.devices(friend);
                    devices.into_iter().map(move |device| (friend, device, false))
                });
                let devices: Vec<_> = devices.collect();
                if devices.is_empty() {
                    return Err(unknown("you have no friends here yet: `kith invite`"));
                }
                devices
            }
            "public" => return Ok(self.whoever_is_here()),
            to => self.named(to)?,
        };
        recipients.retain(|(_, device, _)| *device != own_device);
        if message.echo && message.to != "self" {
            let others = self.people.devices(own).into_iter();
            let known: Vec<DeviceId> = recipients.iter().map(|one| one.1).collect();
            recipients.extend(
                others
                    .filter(|device| *device != own_device && !known.contains(device))
                    .map(|device| (own, device, true)),
            );
        }
        Ok(recipients)
    }

    fn named(&self, to: &str) -> Result<Vec<Recipient>, Refusal> {
        let (name, device) = match to.split_once('/') {
            Some((name, device)) => (name, Some(device)),
            None => (to, None),
        };
        let is_own = self.me.as_ref().is_some_and(|me| name == "self" || is_named(me.person, name));
        let person = match (&self.me, is_own) {
            (Some(me), true) => me.person,
            _ => self.whom(name)?,
        };
        if self.people.circle().relation(&person) == Relation::Rejected {
            return Err(unknown(&format!("you have rejected `{name}`")));
        }
        let Some(device) = device else {
            let none =
                format!("no card of `{name}` is known yet, so nothing can be sealed for them");
            return self.all_of(person, &none);
        };
        let device = self.people.device_called(person, device).ok_or_else(|| {
            unknown(&format!("`{name}` has no device `{device}`: see `kith friends list`"))
        })?;
        if self.people.standing(&person, &device) == Standing::Revoked {
            return Err(unknown("this device was taken out by its person"));
        }
        Ok(vec![(person, device, false)])
    }

    fn all_of(&self, person: PersonId, none: &str) -> Result<Vec<Recipient>, Refusal> {
        let own = self.me.as_ref().map(|me| me.device());
        let devices = self.people.devices(person).into_iter();
        let devices: Vec<_> = devices.filter(|device| Some(*device) != own).collect();
        if devices.is_empty() {
            return Err(unknown(none));
        }
        Ok(devices.into_iter().map(|device| (person, device, false)).collect())
    }

    /// Devices with a link, whose card is known, of whoever is not rejected.
    fn whoever_is_here(&self) -> Vec<Recipient> {
        let linked = self.links.devices();
        let known = linked.filter_map(|device| {
            let (person, standing) = self.people.standing_of(device)?;
            let is_fine = matches!(standing, Standing::Own | Standing::Friend | Standing::Unknown);
            is_fine.then_some((person, device, false))
        });
        known.collect()
    }
}

fn is_named(person: PersonId, name: &str) -> bool {
    name.parse::<PersonId>().is_ok_and(|named| named == person)
}

fn unknown(text: &str) -> Refusal {
    Refusal::new(Code::UnknownRecipient, text)
}
