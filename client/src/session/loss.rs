//! What a lost connection means for everything that has no answer.

use super::frames::frames;
use super::{Failure, Kind, Output, Pending, Posts, Session, Subscribed, Unconfirmed, again};
use crate::{BackgroundError, Loss, SubscribeError};

impl<W, S: Clone> Session<W, S> {
    /// Why the connection ended, given how the socket did: what the daemon said counts more.
    pub(crate) fn loss(&mut self, socket: Loss) -> Loss {
        self.farewell.take().unwrap_or(socket)
    }

    /// The connection is gone, and another will be tried.
    pub(crate) fn lost(&mut self, loss: &Loss) {
        self.outgoing.cut();
        let in_doubt = self.posts.sent - self.posts.confirmed;
        let in_doubt = in_doubt.saturating_sub(self.waiting_posts());
        self.posts = Posts::default();
        self.report_lost_posts(in_doubt);

        let unwill = |one: &&Pending<W>| matches!(one.kind, Kind::Unwill(_));
        let last_unwill = self.pending.values().filter(unwill).map(|one| one.sequence).max();
        if let Some(sequence) = last_unwill {
            self.drop_pending_wills(sequence);
            self.will = None;
        }
        for (number, mut pending) in self.take_pending() {
            // Whether the next connection takes descriptors is not known.
            if let Kind::Publish(publish) = &mut pending.kind
                && !publish.copy_sealed()
            {
                self.fail(pending.kind, loss);
                continue;
            }
            match pending.kind {
                Kind::Publish(_) | Kind::Subscribe(_) | Kind::Will { .. } => {
                    // Whatever was posted before it belonged to the connection that is gone.
                    self.pending.insert(number, Pending { posts: 0, ..pending });
                }
                kind => self.fail(kind, loss),
            }
        }
    }

    /// The connection is gone for good: everything ends, for this reason.
    pub(crate) fn finish(&mut self, loss: &Loss) {
        let in_doubt = self.posts.sent - self.posts.confirmed;
        self.outgoing.cut();
        let waiting = self.waiting_posts();
        self.posts = Posts::default();
        self.report_lost_posts(in_doubt.max(waiting));
        for (_, pending) in self.take_pending() {
            self.fail(pending.kind, loss);
        }
        let mut subscriptions: Vec<_> = self.subscriptions.drain().collect();
        subscriptions.sort_by_key(|(_, subscribed)| subscribed.key);
        for (_, Subscribed { to, .. }) in subscriptions {
            let reason = SubscribeError::Disconnected(loss.clone());
            self.outputs.push_back(Output::Ended { to, reason });
        }
        self.numbers.clear();
    }

    /// Posts of which no whole frame was written.
    fn waiting_posts(&self) -> u64 {
        let posts = frames(self.outgoing.kept()).filter(again::is_post);
        posts.fold(0, |count, _| count + 1)
    }

    fn report_lost_posts(&mut self, count: u64) {
        if count > 0 {
            self.outputs.push_back(Output::Background(BackgroundError::Lost { count }));
        }
    }

    /// Everything that waits, in the order in which it was asked.
    fn take_pending(&mut self) -> Vec<(u32, Pending<W>)> {
        let mut pending: Vec<_> = self.pending.drain().collect();
        pending.sort_by_key(|(_, one)| one.sequence);
        pending
    }

    fn fail(&mut self, kind: Kind<W>, loss: &Loss) {
        let waiter = match kind {
            Kind::Acknowledge(count) => {
                self.outputs.push_back(Output::Acknowledged(count));
                return;
            }
            Kind::Publish(Unconfirmed { waiter, .. })
            | Kind::AcknowledgeAndWait(waiter)
            | Kind::Bye(waiter)
            | Kind::Ping(waiter)
            | Kind::Request(waiter)
            | Kind::Subscribe(waiter)
            | Kind::Unwill(waiter)
            | Kind::Will { waiter, .. } => waiter,
            Kind::Checkpoint
            | Kind::Hello
            | Kind::SubscribeAgain
            | Kind::Unsubscribe
            | Kind::WillAgain => return,
        };
        self.outputs.push_back(Output::Answer(waiter, Err(Failure::Lost(loss.clone()))));
    }
}
