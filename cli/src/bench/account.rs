//! Counts that have to come out: what was sent arrived, or was reported as missed.

use std::iter::Sum;

/// What became of messages, one count for each message and subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// That should arrive.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Reported as missed, by the daemon or by the client library.
    pub(crate) lagged: u64,
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

    /// Heard of without having been sent.
    pub(crate) fn surplus(&self) -> u64 {
        self.heard().saturating_sub(self.sent)
    }

    /// Whether every message is accounted for, once.
    pub(crate) fn is_balanced(&self) -> bool {
        self.heard() == self.sent
    }
}

impl Sum for Account {
    fn sum<I: Iterator<Item = Self>>(accounts: I) -> Self {
        accounts.fold(Self::default(), |sum, one| Self {
            sent: sum.sent.saturating_add(one.sent),
            received: sum.received.saturating_add(one.received),
            lagged: sum.lagged.saturating_add(one.lagged),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(sent: u64, received: u64, lagged: u64) -> Account {
        Account { sent, received, lagged }
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
        ] {
            assert_eq!((account.missing(), account.surplus()), (missing, surplus), "{account:?}");
            assert_eq!(account.is_balanced(), missing + surplus == 0, "{account:?}");
        }
        let sum: Account = [account(1, 1, 0), account(5, 2, 3)].into_iter().sum();
        assert_eq!(sum, account(6, 3, 3));
    }
}
