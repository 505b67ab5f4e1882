//! Joining: how two people become friends, or a device becomes one of a person's, by a link.
//!
//! A friend's invite names the person who invites, a new device's the device. Whoever uses it dials
//! the addresses in it, and proves in a sealed letter that they have its secret; the answer proves
//! the same. Then both sides are done:
//!
//! - friends have each other's card, and each other in the circle;
//! - a new device signs an entry for the person who took its invite, who puts it into their card,
//!   signs that, and shows it; from then on the device is that person's.
//!
//! An invite that is wrong is answered with the reason and counted; nothing else comes of it.

use crate::asked::{self, petname, row, with};
use crate::counts::Cause;
use crate::envelope::{Body, JoinAnswer};
use crate::limits::{INVITE_MS, INVITE_MS_MAX, INVITE_USES_MAX, JOIN_MS};
use crate::me::KeyFile;
use crate::post::Post;
use kith_contract::people::Change;
use kith_people::{
    Card, CardDevice, DeviceId, Invite, InviteBook, InviteDraft, InviteId, InviteKind,
    InviteSecret, JoinProof, PersonId, Petname, Relation,
};
use kith_wire::{Code, Refusal};
use serde_json::json;
use std::collections::BTreeMap;

/// What is open, and what this device waits for.
#[derive(Debug, Default)]
pub(crate) struct Joining {
    pub(crate) book: InviteBook,
    /// What the user wants to call whoever comes with an invite.
    petnames: BTreeMap<InviteId, Petname>,
    pending: Vec<Pending>,
}

/// An invite that this device uses.
#[derive(Debug)]
struct Pending {
    ticket: u64,
    invite: Invite,
    petname: Option<Petname>,
    due_ms: u64,
    is_sent: bool,
}

impl Joining {
    /// When somebody has not answered in time, on the monotonic clock.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.pending.iter().map(|pending| pending.due_ms).min()
    }

    fn take(&mut self, device: DeviceId, id: &InviteId) -> Option<Pending> {
        let is_it = |one: &Pending| one.invite.device() == device && one.invite.id == *id;
        let at = self.pending.iter().position(is_it)?;
        Some(self.pending.swap_remove(at))
    }
}

impl Post {
    /// Makes an invite, of a friend or of this device.
    pub(crate) fn invite(&mut self, asked: &asked::Invite) -> Result<String, Refusal> {
        let now_ms = self.now.unix_ms;
        let (id, secret) = (self.new_seed(), self.new_seed());
        let Some(me) = &self.me else { return Ok("null".to_owned()) };
        let endpoints = me.endpoints();
        if endpoints.is_empty() {
            let text = "nobody could reach this device: enable a service that can be reached, \
                        `kith services enable quic`";
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        let kind = match asked.kind.as_deref() {
            None | Some("friend") if !me.is_listed() => {
                let text = "this device is not in your card: `kith init` on it, or link it anew";
                return Err(Refusal::new(Code::NotAvailable, text));
            }
            None | Some("friend") => InviteKind::Friend { identity: me.person },
            Some("device") if self.has_others() => {
                let text = "this device has people or devices already: a new device has none; \
                            run `kith invite --device` there";
                return Err(Refusal::new(Code::NotAvailable, text));
            }
            Some("device") => InviteKind::Device {
                ratchet_key: me.account.curve_key(),
                name: me.device_name.clone(),
            },
            Some(other) => {
                let text = format!("`{other}`: an invite is for a `friend` or a `device`");
                return Err(Refusal::new(Code::BadField, text));
            }
        };
        let is_friend = matches!(kind, InviteKind::Friend { .. });
        let uses = if is_friend { asked.uses.unwrap_or(1) } else { 1 };
        if !(1..=u64::from(INVITE_USES_MAX)).contains(&uses) {
            let text = format!("an invite can be used 1 to {INVITE_USES_MAX} times");
            return Err(Refusal::new(Code::BadField, text));
        }
        let lives_ms = asked.expires_ms.unwrap_or(INVITE_MS).min(INVITE_MS_MAX);
        let draft = InviteDraft {
            kind,
            tls_key: me.tls_key(),
            endpoints,
            relays: Vec::new(),
            id: half(&id),
            secret: InviteSecret::new(half(&secret)),
            expires: now_ms.saturating_add(lives_ms),
            uses,
        };
        let bad = |text: String| Refusal::new(Code::BadField, text);
        let called = asked.petname.as_deref().map(petname).transpose()?;
        let invite = draft.sign(&me.keys).map_err(|error| bad(error.to_string()))?;
        let link = invite.to_link();
        self.joining.book.open(now_ms, invite).map_err(|error| bad(error.to_string()))?;
        if let Some(called) = called {
            self.joining.petnames.insert(draft.id, called);
        }
        let kind = if is_friend { "friend" } else { "device" };
        let answer = json!({
            "link": link,
            "kind": kind,
            "expires_at": draft.expires,
            "uses": uses,
            "endpoints": draft.endpoints,
        });
        Ok(answer.to_string())
    }

    /// Uses an invite. The answer comes when the other side has answered.
    pub(crate) fn join(&mut self, ticket: u64, asked: &asked::Join) -> Result<(), Refusal> {
        let bad = |text: String| Refusal::new(Code::BadField, text);
        let invite = Invite::from_link(&asked.link).map_err(|error| bad(error.to_string()))?;
        invite.check(self.now.unix_ms).map_err(|error| bad(error.to_string()))?;
        let petname = asked.petname.as_deref().map(petname).transpose()?;
        let Some(me) = &self.me else { return Ok(()) };
        if invite.device() == me.device() || invite.identity() == Some(me.person) {
            return Err(bad("this is an invite of your own: send it to somebody else".to_owned()));
        }
        match invite.kind {
            InviteKind::Device { .. } => drop(self.person_key()?),
            InviteKind::Friend { identity } => {
                if self.people.circle().relation(&identity) == Relation::Rejected {
                    let text = "you have rejected this person: `kith friends remove` first";
                    return Err(bad(text.to_owned()));
                }
                if !me.is_listed() {
                    let text = "this device is not in your card: `kith init` on it first";
                    return Err(bad(text.to_owned()));
                }
            }
        }
        let device = invite.device();
        let due_ms = self.now.monotonic_ms.saturating_add(JOIN_MS);
        let (endpoints, tls_key) = (invite.endpoints.clone(), invite.tls_key);
        self.joining.pending.push(Pending { ticket, invite, petname, due_ms, is_sent: false });
        if self.links.best(device).is_some() {
            self.join_over(device);
        } else {
            self.dial_by_key(Some(device), endpoints, tls_key);
        }
        Ok(())
    }

    /// A link to a device is up: what waited for it is said.
    pub(crate) fn join_over(&mut self, device: DeviceId) {
        let Some(me) = &self.me else { return };
        let (own, card) = (me.device(), me.card.bytes().to_vec());
        let Some(node_info) = me.node_info.as_ref().map(|info| info.bytes().to_vec()) else {
            return;
        };
        let mut letters = Vec::new();
        for pending in &mut self.joining.pending {
            if pending.invite.device() == device && !pending.is_sent {
                pending.is_sent = true;
                let body = Body::Join {
                    invite: pending.invite.id,
                    proof: pending.invite.proof(own),
                    card: card.clone(),
                    node_info: node_info.clone(),
                };
                letters.push((pending.invite.box_id(), body));
            }
        }
        for (box_id, body) in letters {
            // To the key that the invite has, not to one that the link has shown.
            self.carry_sealed(device, box_id, body);
        }
    }

    /// Invites to which nobody has answered.
    pub(crate) fn joins_due(&mut self) {
        let now_ms = self.now.monotonic_ms;
        let (over, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.joining.pending)
            .into_iter()
            .partition(|one| one.due_ms <= now_ms);
        self.joining.pending = left;
        for pending in over {
            let at = pending.invite.endpoints.join(", ");
            let text = if pending.is_sent {
                format!("the device that invited does not answer (at {at}): try again")
            } else {
                format!(
                    "the device that invited can't be reached at {at}: is it on, is its `quic` \
                     enabled, and does no firewall close that port?"
                )
            };
            self.answered(pending.ticket, Err(Refusal::new(Code::Timeout, text)));
        }
    }

    /// Somebody comes with an invite of this device.
    pub(crate) fn join_came(
        &mut self,
        device: DeviceId,
        id: InviteId,
        proof: &JoinProof,
        card: &[u8],
        node_info: &[u8],
    ) {
        let joined = self.joining.book.join(self.now.unix_ms, &id, device, proof);
        let joining = match joined {
            Ok(joining) => joining,
            Err(refusal) => {
                self.refuse(Cause::FalseInvite);
                // Without the secret there is nothing to prove with.
                let answer = JoinAnswer::Refused(refusal.to_string());
                return self.answer_join(device, id, [0; 32], answer);
            }
        };
        if joining.is_again && !self.may_join_again(card) {
            self.refuse(Cause::FalseInvite);
            let answer = JoinAnswer::Refused("the invite is used up".to_owned());
            return self.answer_join(device, id, [0; 32], answer);
        }
        let own_proof = joining.invite.proof(joining.invite.device());
        let taken = match joining.invite.kind {
            InviteKind::Friend { .. } => self.befriend(device, &id, card, node_info),
            InviteKind::Device { .. } => self.offer_entry(device, card, node_info),
        };
        let answer = taken.unwrap_or_else(|text| {
            self.refuse(Cause::FalseInvite);
            JoinAnswer::Refused(text)
        });
        self.answer_join(device, id, own_proof, answer);
    }

    /// Who has used an invite gets the same answer again, as long as it still holds: the friend is
    /// one, or the person is about to take this device in.
    fn may_join_again(&self, card: &[u8]) -> bool {
        let Ok(card) = Card::parse(card) else { return false };
        let adopting = self.me.as_ref().and_then(|me| me.adopting);
        self.people.is_friend(card.identity)
            || adopting.is_some_and(|(person, _)| person == card.identity)
    }

    fn answer_join(
        &mut self,
        device: DeviceId,
        invite: InviteId,
        proof: JoinProof,
        answer: JoinAnswer,
    ) {
        self.carry_own(device, Body::Joined { invite, proof, answer });
    }

    /// The card that somebody shows has to be theirs, and list the device that shows it.
    fn shown(&mut self, device: DeviceId, card: &[u8], node_info: &[u8]) -> Result<Card, String> {
        let parsed = Card::parse(card).map_err(|error| error.to_string())?;
        if parsed.device(&device).is_none() {
            return Err("the card does not list the device that shows it".to_owned());
        }
        if self.is_me(parsed.identity) {
            return Err("the card is that of the person who invites".to_owned());
        }
        if !self.take_card(card) {
            return Err(
                "the card is not believed: an older one, or of somebody rejected".to_owned()
            );
        }
        if self.take_node_info(node_info).is_none() {
            return Err("the record of the device is not believed".to_owned());
        }
        Ok(parsed)
    }

    fn befriend(
        &mut self,
        device: DeviceId,
        id: &InviteId,
        card: &[u8],
        node_info: &[u8],
    ) -> Result<JoinAnswer, String> {
        let card = self.shown(device, card, node_info)?;
        let petname = self.joining.petnames.get(id).cloned();
        self.make_friend(&card, petname).map_err(|refusal| refusal.text)?;
        let Some(me) = &self.me else { return Err("no identity".to_owned()) };
        let Some(info) = &me.node_info else { return Err("no address".to_owned()) };
        Ok(JoinAnswer::Welcome { card: me.card.bytes().to_vec(), node_info: info.bytes().to_vec() })
    }

    /// Signs this device's entry for the person who takes it into their card.
    fn offer_entry(
        &mut self,
        device: DeviceId,
        card: &[u8],
        node_info: &[u8],
    ) -> Result<JoinAnswer, String> {
        let card = self.shown(device, card, node_info)?;
        let now_ms = self.now.unix_ms;
        let until_ms = self.now.monotonic_ms.saturating_add(JOIN_MS);
        if self.has_others() {
            return Err("the device has people or devices by now".to_owned());
        }
        let Some(me) = &mut self.me else { return Err("no identity".to_owned()) };
        me.adopting = Some((card.identity, until_ms));
        let entry = me.entry(card.identity, now_ms).to_bytes();
        let Some(info) = &me.node_info else { return Err("no address".to_owned()) };
        Ok(JoinAnswer::Welcome { card: entry, node_info: info.bytes().to_vec() })
    }

    /// Makes somebody a friend, under this name or one that nobody has.
    fn make_friend(&mut self, card: &Card, petname: Option<Petname>) -> Result<(), Refusal> {
        let now_ms = self.now.unix_ms;
        let person = card.identity;
        let known = self.people.circle().entry(&person).and_then(|entry| entry.petname.clone());
        let petname = petname.or(known).or_else(|| self.free_petname(&card.name, person));
        self.people
            .update_circle(now_ms, person, |entry| {
                entry.relation = Relation::Friend;
                entry.petname = petname;
            })
            .map_err(|error| Refusal::new(Code::BadField, error.to_string()))?;
        self.tell_changed(Change::Befriended, person, None, None);
        self.apply_relation(person);
        self.tell_all_own();
        Ok(())
    }

    /// What somebody calls themselves, made into a name that nobody else has here.
    fn free_petname(&self, name: &str, person: PersonId) -> Option<Petname> {
        let circle = self.people.circle();
        let name = if name.is_empty() { "friend" } else { name };
        let tries = std::iter::once(name.to_owned()).chain((2..100).map(|n| format!("{name}-{n}")));
        let fallback = std::iter::once("friend".to_owned())
            .chain((2..100).map(|number| format!("friend-{number}")));
        tries.chain(fallback).find_map(|text| {
            let is_free = circle.person(&text).is_none_or(|other| other == person);
            Petname::new(&text).ok().filter(|_| is_free)
        })
    }

    /// The other side has answered.
    pub(crate) fn joined_came(
        &mut self,
        device: DeviceId,
        id: InviteId,
        proof: &JoinProof,
        answer: JoinAnswer,
    ) {
        let Some(pending) = self.joining.take(device, &id) else {
            return self.refuse(Cause::FalseInvite);
        };
        let result = match answer {
            JoinAnswer::Refused(text) => {
                let text: String = text.chars().flat_map(char::escape_debug).collect();
                Err(Refusal::new(Code::NotAllowed, format!("the device that invited says: {text}")))
            }
            JoinAnswer::Welcome { .. } if !pending.invite.is_proved(device, proof) => {
                self.refuse(Cause::FalseInvite);
                let text = "whoever answered has not proved to know the invite";
                Err(Refusal::new(Code::NotAllowed, text))
            }
            JoinAnswer::Welcome { card, node_info } => match pending.invite.kind {
                InviteKind::Friend { identity } => {
                    self.is_welcome(device, identity, &card, &node_info, pending.petname)
                }
                InviteKind::Device { .. } => self.link_device(&pending.invite, &card, &node_info),
            },
        };
        self.answered(pending.ticket, result);
    }

    fn is_welcome(
        &mut self,
        device: DeviceId,
        identity: PersonId,
        card: &[u8],
        node_info: &[u8],
        petname: Option<Petname>,
    ) -> Result<String, Refusal> {
        let refused = |text: String| Refusal::new(Code::NotAllowed, text);
        let card = self.shown(device, card, node_info).map_err(refused)?;
        if card.identity != identity {
            return Err(refused("the card is another person's than the invite's".to_owned()));
        }
        self.make_friend(&card, petname)?;
        self.take_in_waiting(device);
        Ok(with(row(self, identity), "kind", json!("friend")).to_string())
    }

    /// Takes the device that gave the invite into the card.
    fn link_device(
        &mut self,
        invite: &Invite,
        entry: &[u8],
        node_info: &[u8],
    ) -> Result<String, Refusal> {
        let refused = |text: String| Refusal::new(Code::NotAllowed, text);
        let Some(me) = &self.me else { return Ok("null".to_owned()) };
        let entry =
            CardDevice::parse(entry, me.person).map_err(|error| refused(error.to_string()))?;
        let is_it = matches!(&invite.kind, InviteKind::Device { ratchet_key, .. }
            if *ratchet_key == entry.ratchet_key)
            && (entry.sign_id, entry.box_id) == (invite.device(), invite.box_id());
        if !is_it {
            return Err(refused("the device that answered is not the one that invited".to_owned()));
        }
        let device = entry.sign_id;
        let name = entry.name.clone();
        let draft = me.card.with_device(self.now.unix_ms, entry);
        self.sign_card(&draft)?;
        // What it says of itself is still another person's record; it shows a new one.
        let _ = node_info;
        self.show_card(device);
        Ok(json!({"kind": "device", "device": device.to_string(), "name": name}).to_string())
    }
}

fn half(seed: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(seed).for_each(|(to, from)| *to = *from);
    half
}

impl KeyFile {
    /// How the key is, in a word.
    pub(crate) fn word(&self, is_open: bool) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Locked(_) if !is_open => "locked",
            Self::Locked(_) => "unlocked",
            Self::Open(_) => "here",
        }
    }
}
