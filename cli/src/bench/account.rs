//! Counts that have to come out: what was sent arrived once and in its turn, or was reported as
//! missed.
//!
//! A count alone would be content with one message twice in place of another. So what arrives is
//! told apart by its id: those that a daemon gives rise from one message to the next, and whatever
//! does not rise came before, or too late. A message that others overtook counts as missing from
//! its turn and as astray when it comes.

use kith_wire::MessageId;
use std::iter::Sum;

/// What became of messages, one count for each message and subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// That should arrive.
    pub(crate) sent: u64,
    /// Once, and in their turn.
    pub(crate) received: u64,
    /// Reported as missed, by the daemon or by the client library.
    pub(crate) lagged: u64,
    /// That came again, or after those that were sent later.
    pub(crate) astray: u64,
}

impl Account {
    /// Received or reported.
    pub(crate) fn heard(&self) -> u64 {
        self.received.saturating_add(self.lagged)
    }

    /// Neither received nor reported.
    pub(crate) fn missing(&self) -> u64 {
        self.sent.saturating_sub(self.heard())
    }

    /// Heard of again, out of turn, or without having been sent.
    pub(crate) fn surplus(&self) -> u64 {
        self.heard().saturating_sub(self.sent).saturating_add(self.astray)
    }

    /// Whether every message is accounted for, once.
    pub(crate) fn is_balanced(&self) -> bool {
        self.missing() == 0 && self.surplus() == 0
    }

    /// The same with what was heard beyond what was sent among what went astray, so that in a sum
    /// it can't stand for what is missing elsewhere.
    fn settled(self) -> Self {
        let beyond = self.heard().saturating_sub(self.sent);
        Self {
            received: self.received.min(self.sent),
            lagged: self.lagged.saturating_sub(beyond),
            astray: self.astray.saturating_add(beyond),
            ..self
        }
    }
}

impl Sum for Account {
    fn sum<I: Iterator<Item = Self>>(accounts: I) -> Self {
        accounts.map(Self::settled).fold(Self::default(), |sum, one| Self {
            sent: sum.sent.saturating_add(one.sent),
            received: sum.received.saturating_add(one.received),
            lagged: sum.lagged.saturating_add(one.lagged),
            astray: sum.astray.saturating_add(one.astray),
        })
    }
}

/// The account of one subscription to one publisher, as it is drawn up.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) account: Account,
    /// The id of the last message that came in its turn.
    last: Option<MessageId>,
}

impl Tally {
    /// A message came.
    pub(super) fn arrived(&mut self, id: MessageId) {
        if self.last < Some(id) {
            self.last = Some(id);
            self.account.received += 1;
        } else {
            self.account.astray += 1;
        }
    }

    /// So many were reported as missed.
    pub(super) fn missed(&mut self, count: u64) {
        self.account.lagged = self.account.lagged.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(sent: u64, received: u64, lagged: u64) -> Account {
        Account { sent, received, lagged, astray: 0 }
    }

    #[test]
    fn what_is_neither_received_nor_reported_is_missing() {
        for (account, missing, surplus) in [
            (account(0, 0, 0), 0, 0),
            (account(10, 10, 0), 0, 0),
            (account(10, 3, 7), 0, 0),
            (account(10, 3, 6), 1, 0),
            (account(10, 11, 0), 0, 1),
            (account(10, 10, 1), 0, 1),
            (Account { astray: 1, ..account(10, 9, 0) }, 1, 1),
            (Account { astray: 2, ..account(10, 10, 0) }, 0, 2),
        ] {
            assert_eq!((account.missing(), account.surplus()), (missing, surplus), "{account:?}");
            assert_eq!(account.is_balanced(), missing + surplus == 0, "{account:?}");
        }
        let sum: Account = [account(1, 1, 0), account(5, 2, 3)].into_iter().sum();
        assert_eq!(sum, account(6, 3, 3));
    }

    #[test]
    fn what_one_hears_too_much_does_not_make_up_for_what_another_misses() {
        for too_much in [account(5, 6, 0), account(5, 5, 1), account(5, 0, 6)] {
            let sum: Account = [too_much, account(5, 4, 0)].into_iter().sum();
            assert_eq!((sum.missing(), sum.surplus()), (1, 1), "{too_much:?}");
        }
    }

    #[test]
    fn only_what_comes_once_and_in_its_turn_is_received() {
        let found = |order: &[u64]| {
            let mut tally = Tally::default();
            order.iter().for_each(|n| tally.arrived(MessageId::from_parts(*n, &[7; 10])));
            tally.missed(1);
            let Account { received, lagged, astray, .. } = tally.account;
            (received, lagged, astray)
        };
        assert_eq!(found(&[0, 1, 2, 5]), (4, 1, 0));
        // Again, at once and later; in place of another; overtaken.
        assert_eq!(found(&[0, 1, 1, 2]), (3, 1, 1));
        assert_eq!(found(&[0, 1, 2, 0, 1]), (3, 1, 2));
        assert_eq!(found(&[0, 1, 0, 3]), (3, 1, 1));
        assert_eq!(found(&[0, 2, 1, 3]), (3, 1, 1));
    }
}
