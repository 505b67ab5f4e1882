//! Payloads in descriptors: taken, checked, and given out again.
//!
//! Whoever keeps bytes (kept values, replies) or has to look at them (`ms`) gets them read once;
//! then such a publication goes the way of any other. All else about it is in `queues` and
//! `outbox`.

use super::client::ClientId;
use super::{Broker, Client};
use crate::clock::Now;
use crate::limits::COPIED_BYTES_PER_WORK;
use crate::sealed::{Handed, Sealed, SealedPayload};
use kith_wire::limits::SEALED_BYTES_MIN;
use kith_wire::{Code, Publication, Refusal, RequestNumber, Scope, check_ms};

/// Bytes to send, and the payload that goes with the first of them.
#[derive(Clone, Copy, Debug)]
pub struct Staged<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// A payload to be handed over, as the shell handed it in.
    pub payload: Option<&'a dyn SealedPayload>,
}

impl Broker {
    /// What to send next to a client that takes payloads in descriptors; as [`Broker::stage`]. How
    /// many of them have gone, the shell says with [`Broker::wrote_sealed`].
    pub fn stage_sealed(&mut self, now: Now, id: ClientId) -> impl Iterator<Item = Staged<'_>> {
        self.put_in_order(now, id);
        self.client(id).into_iter().flat_map(|client| {
            let payloads = client.outbox.staged_sealed().map(|sealed| sealed.map(Sealed::payload));
            let both = client.outbox.staged().zip(payloads);
            both.map(|(bytes, payload)| Staged { bytes, payload })
        })
    }

    /// Has the payloads that were staged go in their frames instead: the shell can't hand them over
    /// now. Whether that went well; else they can't be read, and the client can't be served.
    pub fn copy_sealed(&mut self, id: ClientId) -> bool {
        self.queues.copy_sealed(id)
    }

    /// Whether a client takes payloads in descriptors, and may send them.
    #[must_use]
    pub fn takes_descriptors(&self, id: ClientId) -> bool {
        self.client(id).is_some_and(|client| client.takes_descriptors)
    }

    /// Grants a client that it may send payloads in descriptors, if there are to be any.
    pub(super) fn grant_descriptors(&mut self, id: ClientId) {
        let is_granted = self.queues.limits.descriptors_total_max > 0;
        if let Some(client) = self.queues.get(id) {
            client.takes_descriptors |= is_granted;
        }
    }

    /// Takes note of how many descriptors of a client's are ahead of their frames. If they are more
    /// than its share of those that are free, or some were lost, it is refused and closed. Whether
    /// it goes on.
    pub(crate) fn hold_unclaimed(&mut self, id: ClientId, count: usize) -> bool {
        let fits = self.queues.hold_unclaimed(id, count);
        if !fits && !self.is_closing(id) {
            let text = format!(
                "{count} descriptors ahead of their frames are more than a connection may have, or \
                 than its share of those that are free"
            );
            self.refuse(id, None, &Refusal::fatal(Code::QuotaMemory, text), None);
        }
        self.client(id).is_some_and(|client: &Client| !client.closing)
    }

    /// Publishes what came in a descriptor.
    ///
    /// # Errors
    /// As for any publication, and if it is not what the frame says.
    pub(crate) fn publish_sealed(
        &mut self,
        now: Now,
        id: ClientId,
        number: Option<RequestNumber>,
        publication: &Publication<'_>,
        sealed: Sealed,
    ) -> Result<(), Refusal> {
        let is_reply = publication.topic.is_reserved();
        let (protocol, topic) = (publication.protocol.as_str(), publication.topic.as_str());
        let is_kept = publication.options.retain || self.is_stored(Scope::Own, protocol, topic);
        if !publication.protocol.is_ms() && !is_kept && !is_reply {
            return self.publish(now, id, number, publication, Some(sealed));
        }
        self.work += sealed.payload_bytes() as u64 / COPIED_BYTES_PER_WORK;
        let mut payload = self.queues.buffers.take_large();
        let published = if !sealed.payload().read_into(&mut payload) {
            Err(Refusal::new(Code::BadPayload, "the payload in the descriptor can't be read"))
        } else if publication.protocol.is_ms()
            && let Err(error) = check_ms(&payload)
        {
            Err(error.into())
        } else {
            let publication =
                Publication { payload: payload.as_slice().into(), ..publication.clone() };
            // A reply has its payload in its frame.
            let sealed = Some(sealed).filter(|_| !is_reply);
            self.publish(now, id, number, &publication, sealed)
        };
        self.queues.buffers.give_back(payload);
        published
    }
}

/// Checks that what came is what a frame says: a payload of this size, which is one that is worth
/// it.
pub(crate) fn claimed(
    handed: Handed,
    payload_bytes: u64,
    payload_bytes_max: usize,
) -> Result<Sealed, Refusal> {
    let payload = handed.map_err(|text| Refusal::new(Code::BadPayload, text))?;
    let found = payload.payload_bytes();
    let refused = |code, text: String| Err(Refusal::new(code, text));
    if payload_bytes != found as u64 {
        let text = format!("the descriptor has {found} bytes, and the frame says {payload_bytes}");
        return refused(Code::BadPayload, text);
    }
    if found < SEALED_BYTES_MIN {
        let text = format!("a payload in a descriptor has at least {SEALED_BYTES_MIN} bytes");
        return refused(Code::BadPayload, text);
    }
    if payload_bytes_max < found {
        let text = format!("a payload of {found} bytes, over the limit of {payload_bytes_max}");
        return refused(Code::TooLarge, text);
    }
    Ok(Sealed::new(payload))
}

/// The refusal of a frame whose descriptor has not come.
pub(crate) fn no_descriptor() -> Refusal {
    Refusal::fatal(Code::BadFrame, "no descriptor came with this frame or before it")
}
