//! What `docs/protocol.md` says of operations, as conversations: one file for each of its subjects.

mod closing;
mod daemon;
mod duplicates;
mod expiry;
mod groups;
mod inbound;
mod lag;
mod order;
mod quotas;
mod requests;
mod retained;
mod subscriptions;
mod wills;
