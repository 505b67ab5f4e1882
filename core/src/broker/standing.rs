//! What a connection may do: a program, a sandboxed program, a service, an administrator.
//!
//! Whoever connects is a program. A sandboxed one the shell tells apart ([`Broker::confine`]); a
//! service and an administrator show a token in their greeting, which the shell has said before
//! what it is worth. From then on every publish and every subscription of a service is looked at,
//! on whichever door; what is refused is counted, and the count shown with the service.
//!
//! A service may also publish only so many messages a second. It is refused what is more, and cut
//! off if as many again were refused within the second: then it does not notice.
//!
//! Deliberately absent: who is enabled, what was granted and for how long, which are the shell's to
//! know; and taking a right away from a service: its connection ends instead.

use super::Broker;
use super::client::ClientId;
use crate::clock::Now;
use crate::limits::USED_TOKENS_MAX;
use kith_contract::Rights;
use kith_wire::{Code, Pattern, Refusal, Token, is_reserved};
use smol_str::SmolStr;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;

/// What a connection may do. By default what any program may.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) service: Option<Box<Service>>,
    /// Who it is, if it is sandboxed.
    pub(crate) confined: Option<SmolStr>,
    /// It showed a token.
    has_token: bool,
    /// Whether it may have what a sandboxed program may not.
    pub(crate) allowed: Allowed,
    /// What it was refused for want of a grant or, if it is a service, for what it said.
    pub(crate) refused: u64,
}

/// What a connection was granted beyond what it may anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// To subscribe to reserved topics and ask for lists, although it is sandboxed.
    pub reserved: bool,
    /// To administer the daemon.
    pub administer: bool,
}

/// What is special about a service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) rights: Rights,
    rate: Option<Rate>,
}

/// What tokens are worth.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    administrator: Option<Token>,
    services: BTreeMap<Token, Service>,
    /// Those that were used, the last at the end.
    used: VecDeque<Token>,
}

/// How many messages a service may publish.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: u32,
    /// How much it may now, in thousandths of a message: so many as come back in a millisecond are
    /// a whole number of these, and none is lost however often it is looked.
    left_milli: u64,
    refilled_ms: u64,
    /// How many were refused in the second that began then.
    refused: u32,
    refused_since_ms: u64,
}

impl Tokens {
    /// The service that this token makes of a connection; from now on it is worth nothing.
    fn take(&mut self, token: &Token) -> Result<Service, Refusal> {
        let Some(service) = self.services.remove(token) else {
            let text = if self.used.contains(token) {
                "this token was used before: it works once, and each start of a service has another"
            } else {
                "this token is unknown: a service's comes from the daemon that starts it, in \
                 KITH_TOKEN, and an administrator's is in `administration.key`"
            };
            return Err(Refusal::fatal(Code::BadToken, text));
        };
        if USED_TOKENS_MAX <= self.used.len() {
            self.used.pop_front();
        }
        self.used.push_back(token.clone());
        Ok(service)
    }
}

impl Rate {
    fn new(per_second: u32) -> Self {
        let left_milli = u64::from(per_second) * 1000;
        Self { per_second, left_milli, refilled_ms: 0, refused: 0, refused_since_ms: 0 }
    }

    /// Lets a second's worth come back in a second. How many messages there are now.
    fn refill(&mut self, now: Now) -> u32 {
        let elapsed_ms = now.monotonic_ms.saturating_sub(self.refilled_ms);
        let (per_second, most) = (u64::from(self.per_second), u64::from(self.per_second) * 1000);
        let more = elapsed_ms.saturating_mul(per_second);
        self.left_milli = self.left_milli.saturating_add(more).min(most);
        self.refilled_ms = now.monotonic_ms;
        u32::try_from(self.left_milli / 1000).unwrap_or(u32::MAX)
    }

    fn use_up(&mut self, count: u32) {
        self.left_milli = self.left_milli.saturating_sub(u64::from(count) * 1000);
    }

    fn take(&mut self, now: Now) -> Result<(), Refusal> {
        if self.refill(now) > 0 {
            self.use_up(1);
            return Ok(());
        }
        if self.refused == 0 || 1000 <= now.monotonic_ms.saturating_sub(self.refused_since_ms) {
            (self.refused, self.refused_since_ms) = (0, now.monotonic_ms);
        }
        self.refused = self.refused.saturating_add(1);
        let per_second = self.per_second;
        let text = format!("this service may publish {per_second} messages a second");
        if per_second < self.refused {
            return Err(Refusal::fatal(Code::QuotaRate, format!("{text}, and floods the bus")));
        }
        Err(Refusal::new(Code::QuotaRate, text))
    }
}

impl Broker {
    /// Takes whoever greets with this token for a service with these rights, once; it may publish
    /// so many messages a second, if that is bounded.
    pub fn expect_service(&mut self, token: Token, rights: Rights, per_second: Option<NonZeroU32>) {
        let rate = per_second.map(|per_second| Rate::new(per_second.get()));
        self.tokens.services.insert(token, Service { rights, rate });
    }

    /// Takes nobody for that service any more.
    pub fn forget_token(&mut self, token: &Token) {
        self.tokens.services.remove(token);
    }

    /// Takes whoever greets with this token for an administrator.
    pub fn set_administration_key(&mut self, token: Token) {
        self.tokens.administrator = Some(token);
    }

    /// Takes note that a connection is a sandboxed program's, and of who that is.
    pub fn confine(&mut self, id: ClientId, subject: &str) {
        if let Some(client) = self.queues.get(id) {
            client.standing.confined = Some(subject.into());
        }
    }

    /// Allows a program this and nothing more from now on; not who showed a token, which is worth
    /// what it is. A sandboxed program that may not have what is reserved any more is let go, for
    /// its subscriptions would stay; it can come again.
    pub fn allow(&mut self, id: ClientId, allowed: Allowed) {
        let Some(client) = self.queues.get(id) else { return };
        let standing = &mut client.standing;
        if standing.has_token {
            return;
        }
        let before = std::mem::replace(&mut standing.allowed, allowed);
        if standing.confined.is_some() && before.reserved && !allowed.reserved {
            self.dismiss(id, Code::NotGranted, "what this program was granted has ended");
        }
    }

    /// As whom a connection is sandboxed, if it is.
    #[must_use]
    pub fn confined(&self, id: ClientId) -> Option<&str> {
        self.client(id)?.standing.confined.as_deref()
    }

    /// The service that a connection is, if it is one.
    #[must_use]
    pub fn service(&self, id: ClientId) -> Option<&str> {
        let service = self.client(id)?.standing.service.as_ref()?;
        Some(service.rights.name())
    }

    /// Whether a connection may administer the daemon.
    #[must_use]
    pub fn may_administer(&self, id: ClientId) -> bool {
        self.client(id).is_some_and(|client| client.standing.allowed.administer)
    }

    /// Gives a connection what its token is worth.
    pub(super) fn show_token(&mut self, id: ClientId, token: &Token) -> Result<(), Refusal> {
        let Some(client) = self.queues.get(id) else { return Ok(()) };
        let is_service = client.standing.service.is_some();
        let has_spoken = !client.subscriptions.is_empty()
            || !client.requests.is_empty()
            || client.will.is_some();
        if self.tokens.administrator.as_ref() == Some(token) && !is_service {
            client.standing.has_token = true;
            client.standing.allowed = Allowed { reserved: true, administer: true };
            return Ok(());
        }
        // Looked at before the token is used up. What was asked for as a program would stay, and
        // was held against no rights.
        if is_service || has_spoken {
            let text = if is_service {
                "this connection is a service already, and can't become anything else"
            } else {
                "a service shows its token first, before it subscribes, asks or leaves a will"
            };
            return Err(Refusal::fatal(Code::BadToken, text));
        }
        let service = self.tokens.take(token)?;
        let name = service.rights.name().to_owned();
        client.name = Some(name.clone());
        client.standing.has_token = true;
        // Also of what it was granted as a program nothing is left.
        client.standing.allowed = Allowed::default();
        let is_daemon = service.rights.is_daemon();
        client.standing.service = Some(Box::new(service));
        // The daemon's own part is nothing that the host has started.
        if !is_daemon {
            self.tell(super::Notice::Entered { service: name, client: id });
        }
        Ok(())
    }

    /// Whether a connection may publish a message on a topic that is not reserved.
    pub(super) fn check_publish(
        &mut self,
        now: Now,
        id: ClientId,
        topic: &str,
    ) -> Result<(), Refusal> {
        let Some(client) = self.queues.get(id) else { return Ok(()) };
        let Some(service) = client.standing.service.as_mut() else { return Ok(()) };
        match service.rights.may_publish(topic) {
            Ok(()) => service.rate.as_mut().map_or(Ok(()), |rate| rate.take(now)),
            Err(denial) => Err(Refusal::new(Code::NotGranted, denial.to_string())),
        }
    }

    /// How many messages a connection may publish on a topic that is not reserved, without each
    /// being looked at.
    pub(super) fn publishes_left(&mut self, now: Now, id: ClientId, topic: &str) -> u32 {
        let Some(client) = self.queues.get(id) else { return u32::MAX };
        let Some(service) = client.standing.service.as_mut() else { return u32::MAX };
        if service.rights.may_publish(topic).is_err() {
            return 0;
        }
        service.rate.as_mut().map_or(u32::MAX, |rate| rate.refill(now))
    }

    /// Takes note that so many of those were published.
    pub(super) fn count_run(&mut self, id: ClientId, count: u32) {
        if let Some(client) = self.queues.get(id)
            && let Some(service) = client.standing.service.as_mut()
            && let Some(rate) = service.rate.as_mut()
        {
            rate.use_up(count);
        }
    }

    /// Whether a connection may subscribe to this.
    pub(super) fn check_subscribe(
        &self,
        id: ClientId,
        pattern: &Pattern<'_>,
    ) -> Result<(), Refusal> {
        let Some(client) = self.client(id) else { return Ok(()) };
        let standing = &client.standing;
        let text = if let Some(service) = &standing.service {
            service.rights.may_subscribe(pattern).err().map(|denial| denial.to_string())
        } else {
            let first = pattern.topic().split('.').next().unwrap_or_default();
            let may_match = matches!(first, "*" | ">") || is_reserved(first);
            let is_denied = may_match && standing.is_confined();
            is_denied.then(|| standing.denial(&format!("subscribe to `{pattern}`")))
        };
        text.map_or(Ok(()), |text| Err(Refusal::new(Code::NotGranted, text)))
    }

    /// Whether a connection may ask the daemon something.
    pub(super) fn check_ask(&self, id: ClientId, topic: &str) -> Result<(), Refusal> {
        let Some(client) = self.client(id).filter(|client| client.standing.is_confined()) else {
            return Ok(());
        };
        let text = client.standing.denial(&format!("ask `{topic}`"));
        Err(Refusal::new(Code::NotGranted, text))
    }
}

impl Standing {
    /// Takes note of a refusal. How many there were, if that should be told.
    pub(crate) fn count(&mut self, code: Code) -> Option<u64> {
        let is_denial = matches!(code, Code::NotGranted | Code::QuotaRate | Code::ReservedTopic);
        if !is_denial && (self.service.is_none() || code != Code::BadPayload) {
            return None;
        }
        self.refused += 1;
        (self.service.is_some() && self.refused.is_power_of_two()).then_some(self.refused)
    }

    /// Whether it is kept from what is reserved.
    pub(crate) fn is_confined(&self) -> bool {
        self.confined.is_some() && !self.allowed.reserved && self.service.is_none()
    }

    fn denial(&self, what: &str) -> String {
        let subject = self.confined.as_deref().unwrap_or("sandbox");
        format!(
            "a sandboxed program ({subject}) may not {what} unless granted: \
             `kith grants add {subject} reserved`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic_ms, unix_ms: 0 }
    }

    #[test]
    fn a_rate_comes_back_and_a_flood_ends() {
        let mut rate = Rate::new(10);
        for _ in 0..10 {
            rate.take(at(0)).unwrap();
        }
        let refusal = rate.take(at(0)).unwrap_err();
        assert!(refusal.code == Code::QuotaRate && !refusal.fatal);
        rate.take(at(100)).unwrap();
        assert!(rate.take(at(100)).is_err());
        // After a second all is there again, and nothing is held against it.
        for _ in 0..10 {
            rate.take(at(1_200)).unwrap();
        }
        let refusals: Vec<_> = (0..11).map(|_| rate.take(at(1_201)).unwrap_err()).collect();
        assert!(refusals[..10].iter().all(|refusal| !refusal.fatal) && refusals[10].fatal);
    }
    /// Whoever goes on at a little more than it may loses what is too much, and nothing else.
    #[test]
    fn however_often_it_is_looked_a_second_has_all() {
        for per_second in [7, 1_000, 1_999] {
            let mut rate = Rate::new(per_second);
            let mut taken = 0;
            for ms in 0..10_000_u64 {
                for _ in 0..=per_second.div_ceil(1_000) {
                    match rate.take(at(ms)) {
                        Ok(()) => taken += 1,
                        Err(refusal) => assert!(!refusal.fatal || per_second < 1_000),
                    }
                }
            }
            let wanted = per_second * 11 - 2..=per_second * 11;
            assert!(wanted.contains(&taken), "{per_second}: {taken}");
        }
    }
}
