//! Messages from others on their way to the bus: stored until it has taken them.

use crate::envelope::{Binding, Content, Lane, Party};
use crate::input::{Inbound, Output};
use crate::keys::mail_key;
use crate::limits::HAND_AGAIN_MS;
use crate::post::Post;
use kith_people::Standing;
use kith_wire::Scope;

impl Post {
    /// Hands a message to the bus: at once if it is worthless late, else once it is on the disk.
    pub(crate) fn deliver(
        &mut self,
        from: Party,
        standing: Standing,
        is_stored: bool,
        plaintext: &[u8],
        content: &Content,
    ) {
        let inbound = self.inbound(from, standing, content);
        self.next_mail += 1;
        let mail = self.next_mail;
        if !is_stored {
            self.outputs.push_back(Output::Deliver { mail, inbound, is_stored });
            return;
        }
        let lane = [content.lane().number()];
        let parts: [&[u8]; 4] = [&lane, from.person.as_bytes(), from.device.as_bytes(), plaintext];
        let record = parts.concat();
        self.inbox.insert(mail, record.len());
        self.gate.put(mail_key(mail), record);
        self.gate.after(Output::Deliver { mail, inbound, is_stored });
    }

    /// A message that was stored and not handed to the bus before the last end of the daemon. Its
    /// scope is worked out anew.
    pub(crate) fn deliver_again(&mut self, mail: u64, record: &[u8]) {
        self.next_mail = self.next_mail.max(mail);
        let bytes = record.len();
        let read = || {
            let (lane, rest) = record.split_first()?;
            let (person, rest) = rest.split_first_chunk::<32>()?;
            let (device, plaintext) = rest.split_first_chunk::<32>()?;
            let lane = Lane::from_number(*lane)?;
            let from = Party { person: (*person).into(), device: (*device).into() };
            let to = self.me.as_ref()?.party();
            let content = Content::parse(plaintext, &Binding { from, to, lane }).ok()?;
            Some((from, content))
        };
        let found = read();
        let standing =
            found.as_ref().map(|(from, _)| self.people.standing(&from.person, &from.device));
        match (found, standing) {
            (Some((from, content)), Some(standing @ (Standing::Own | Standing::Friend))) => {
                self.inbox.insert(mail, bytes);
                let inbound = self.inbound(from, standing, &content);
                self.outputs.push_back(Output::Deliver { mail, inbound, is_stored: true });
            }
            _ => self.gate.delete(mail_key(mail)),
        }
    }

    /// A message was handed to the bus.
    pub(crate) fn handed(&mut self, mail: u64) {
        if self.inbox.remove(&mail).is_some() {
            self.gate.delete(mail_key(mail));
        }
    }

    /// The bus had no room for a message: it is handed over once more, after a while.
    pub(crate) fn not_handed(&mut self, mail: u64, inbound: Inbound) {
        let due_ms = self.now.monotonic_ms.saturating_add(HAND_AGAIN_MS);
        self.to_hand_again.push_back((due_ms, mail, inbound));
    }

    /// Hands over what the bus had no room for. What its sender is now decides.
    pub(crate) fn hand_again_if_due(&mut self) {
        let now_ms = self.now.monotonic_ms;
        while self.to_hand_again.front().is_some_and(|(due, ..)| *due <= now_ms) {
            let Some((_, mail, mut inbound)) = self.to_hand_again.pop_front() else { return };
            let standing = inbound.device.parse().ok().and_then(|one| self.people.standing_of(one));
            inbound.scope = match standing {
                Some((_, Standing::Own)) => Scope::Own,
                Some((_, Standing::Friend)) => Scope::Friends,
                _ => {
                    self.handed(mail);
                    continue;
                }
            };
            self.outputs.push_back(Output::Deliver { mail, inbound, is_stored: true });
        }
    }
}
