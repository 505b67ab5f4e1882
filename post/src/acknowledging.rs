//! What devices say of messages: that they have them, or could not open them.

use crate::counts::Cause;
use crate::envelope::{Ack, AckState, Body, Lane, News, Notice};
use crate::limits::{ASKED_AGAIN_MAX, NEW_SESSION_MS, NOTICE_ENTRIES_MAX};
use crate::post::Post;
use kith_people::{DeviceId, Standing};
use kith_wire::MessageId;

impl Post {
    pub(crate) fn acknowledge(&mut self, device: DeviceId, message: MessageId) {
        let ack = Ack { message, state: AckState::Delivered, detail: String::new() };
        self.acks.entry(device).or_default().push(ack);
    }

    /// Sends the acknowledgements of this turn: behind the disk, as all that leaves.
    pub(crate) fn send_acks(&mut self) {
        for (device, acks) in std::mem::take(&mut self.acks) {
            for part in acks.chunks(NOTICE_ENTRIES_MAX) {
                self.notify(device, &News::Acks(part.to_vec()));
            }
        }
    }

    pub(crate) fn notify(&mut self, device: DeviceId, news: &News) {
        let Some(me) = &self.me else { return };
        let notice = Notice::sign(news, &me.keys, device);
        self.carry_own(device, Body::Notice(notice));
    }

    pub(crate) fn notice_came(&mut self, device: DeviceId, standing: Standing, notice: &Notice) {
        let Some(me) = &self.me else { return };
        match notice.open(device, me.device()) {
            Ok(News::Acks(acks)) => {
                for ack in acks {
                    if matches!(ack.state, AckState::Delivered | AckState::Taken) {
                        self.outbox.delivered(ack.message, device);
                    }
                }
                if self.outbox.is_flying(device) {
                    self.progress.insert(device, self.now.monotonic_ms);
                }
                if self.outbox.has_next(device) {
                    self.ready.insert(device);
                }
            }
            Ok(News::Resend(wanted)) if standing != Standing::Unknown => {
                self.send_again(device, &wanted);
            }
            // Taking messages back is not offered yet; nothing may be deleted by it.
            Ok(_) | Err(_) => self.refuse(Cause::FalseAck),
        }
    }

    /// Asks a device to send a message again, under a new session: once for each, so that nobody
    /// can have us ask without end.
    pub(crate) fn ask_again(&mut self, device: DeviceId, id: MessageId, lane: Lane) {
        if ASKED_AGAIN_MAX <= self.asked_again.len() {
            self.asked_again.pop_front();
        }
        if self.asked_again.contains(&(device, id)) {
            return;
        }
        self.asked_again.push_back((device, id));
        self.notify(device, &News::Resend(vec![(id, lane)]));
    }

    /// A device could not open messages of ours.
    pub(crate) fn send_again(&mut self, device: DeviceId, wanted: &[(MessageId, Lane)]) {
        let now_ms = self.now.monotonic_ms;
        for (id, lane) in wanted {
            let renewed = self.renewed.get(&(device, *lane));
            if renewed.is_none_or(|at| NEW_SESSION_MS <= now_ms.saturating_sub(*at)) {
                self.renewed.insert((device, *lane), now_ms);
                self.sessions.renew(device, *lane);
            }
            self.outbox.again(*id, device);
        }
        self.ready.insert(device);
    }
}
