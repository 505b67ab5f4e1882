//! Looking ahead: bringing into the processor's caches what the next lookups will read.
//!
//! With very many subscriptions nearly all of a lookup's time is waiting for memory: each step of
//! it reads a place that only the step before could name. The steps of *different* lookups depend
//! on nothing of each other. So where several topics are known to be looked up soon, each step is
//! made for all of them before the next, in loops so short that the processor has many of their
//! reads under way at once. The results are thrown away; the lookups that follow find all they read
//! close by.
//!
//! A guess may be wrong (a bucket is taken for the right one by its tag alone), which costs a read
//! for nothing and changes no result. Small indexes fit the caches and are not looked ahead in.

use super::exact::Exact;
use super::slots::{NONE, Slots};
use super::trie::Trie;
use super::{Index, first_token};
use crate::limits::{
    AHEAD_BRANCHES_MAX, AHEAD_SUBSCRIPTIONS_MIN, AHEAD_TOKENS_MAX, AHEAD_TOPICS_MAX,
};
use kith_wire::Scope;
use std::hint::black_box;

impl Index {
    /// Whether it is large enough for lookups to wait for memory.
    pub(crate) fn is_large(&self) -> bool {
        AHEAD_SUBSCRIPTIONS_MIN <= self.slots.len()
    }

    /// Reads what lookups of these topics will read.
    pub(crate) fn look_ahead(&self, scope: Scope, protocol: &str, topics: &[&str]) {
        let mut read = 0;
        for realm in self.realms_of(scope, protocol) {
            read ^= self.exact.look_ahead(realm, topics, &self.slots);
            read ^= self.trie.look_ahead(realm, topics, &self.slots);
        }
        // Or the compiler would see that nobody wants it.
        black_box(read);
    }
}

impl Exact {
    fn look_ahead(&self, realm: u32, topics: &[&str], slots: &Slots) -> u32 {
        let mut hashes = [0; AHEAD_TOPICS_MAX];
        for (hash, topic) in hashes.iter_mut().zip(topics) {
            *hash = self.hash(realm, topic);
        }
        let mut ids = [NONE; AHEAD_TOPICS_MAX];
        for (id, hash) in ids.iter_mut().zip(hashes).take(topics.len()) {
            *id = self.guess(hash);
        }
        let mut heads = [NONE; AHEAD_TOPICS_MAX];
        for (head, id) in heads.iter_mut().zip(ids).take(topics.len()) {
            *head = self.head(id);
        }
        let heads = heads.into_iter().take(topics.len());
        heads.fold(0, |read, head| read ^ slots.read_ahead(head))
    }
}

impl Trie {
    fn look_ahead(&self, realm: u32, topics: &[&str], slots: &Slots) -> u32 {
        let root = self.root_of(realm);
        if root == NONE {
            return 0;
        }
        let mut read = 0;
        let mut branches: Vec<(u32, &str)> = topics.iter().map(|topic| (root, *topic)).collect();
        let mut guesses: Vec<(u64, Option<&str>)> = Vec::with_capacity(topics.len());
        let mut below: Vec<(u32, Option<&str>)> = Vec::with_capacity(topics.len());
        for _ in 0..AHEAD_TOKENS_MAX {
            guesses.clear();
            below.clear();
            for (id, rest) in branches.drain(..) {
                let (token, rest) = first_token(rest);
                let (star, child) = self.branches(id, token);
                below.extend(star.map(|star| (star, rest)));
                guesses.extend(child.map(|hash| (hash, rest)));
            }
            below.extend(guesses.iter().map(|(hash, rest)| (self.guess(*hash), *rest)));
            for (id, rest) in &below {
                if let Some(heads) = self.heads(*id) {
                    read ^= heads.into_iter().fold(0, |read, head| read ^ slots.read_ahead(head));
                    branches.extend(rest.map(|rest| (*id, rest)));
                }
            }
            branches.truncate(AHEAD_BRANCHES_MAX);
        }
        read
    }
}
