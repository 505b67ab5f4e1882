//! Patterns with wildcards: a trie by token.
//!
//! A node is one token of a pattern. Children are found in one table by parent and token; only the
//! child for `*` has a field of its own, because every lookup asks for it. A lookup walks down all
//! branches at once, depth first; a branch ends where no child is, so what is visited is at most
//! what could match.

use super::first_token;
use super::slots::{NONE, Place, Slots, SubscriptionKey, Target};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slab::Slab;
use smol_str::SmolStr;
use std::hash::BuildHasher;

/// The trie. The table holds numbers of nodes; a node holds its key.
#[derive(Debug)]
pub(super) struct Trie {
    hasher: FixedState,
    children: HashTable<u32>,
    nodes: Slab<Node>,
    /// The root of each realm, by the realm's number; [`NONE`] where there is none.
    roots: Vec<u32>,
}

#[derive(Debug)]
struct Node {
    /// The node above, or for a root its realm.
    parent: u32,
    /// Empty for a root, which no token is.
    token: SmolStr,
    /// The child for `*`.
    star: u32,
    /// All children, that for `*` included.
    children: u32,
    /// Patterns that end here.
    here: u32,
    /// Patterns that go on with `>`.
    below: u32,
}

impl Trie {
    pub(super) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { hasher, children: HashTable::new(), nodes: Slab::new(), roots: Vec::new() }
    }

    pub(super) fn insert(
        &mut self,
        realm: u32,
        topic: &str,
        slots: &mut Slots,
        target: Target,
    ) -> SubscriptionKey {
        let mut node = self.root(realm);
        for token in topic.split('.').filter(|token| *token != ">") {
            node = self.child_or_new(node, token);
        }
        let is_open = topic.ends_with('>');
        let place = if is_open { Place::Below(node) } else { Place::Here(node) };
        let mut unused = NONE;
        let head = match self.nodes.get_mut(node as usize) {
            Some(node) if is_open => &mut node.below,
            Some(node) => &mut node.here,
            None => &mut unused,
        };
        slots.insert(target, place, head)
    }

    /// Takes note that a record of this node's chain is gone. Returns the realm.
    pub(super) fn removed(&mut self, id: u32, place: Place, new_head: Option<u32>) -> u32 {
        let realm = self.realm_of(id);
        if let (Some(head), Some(node)) = (new_head, self.nodes.get_mut(id as usize)) {
            match place {
                Place::Below(_) => node.below = head,
                _ => node.here = head,
            }
            self.prune(id, realm);
        }
        realm
    }

    /// Finds the chains that match. Returns how many nodes it took.
    pub(super) fn find(&self, realm: u32, topic: &str, each: &mut impl FnMut(u32)) -> u64 {
        let root = self.root_of(realm);
        if root == NONE { 0 } else { self.descend(root, Some(topic), each) }
    }

    /// The root of a realm, or [`NONE`].
    pub(super) fn root_of(&self, realm: u32) -> u32 {
        self.roots.get(realm as usize).copied().unwrap_or(NONE)
    }

    /// Where a lookup goes on from a node: the child for `*`, and the hash of that for the token.
    pub(super) fn branches(&self, id: u32, token: &str) -> (Option<u32>, Option<u64>) {
        let Some(node) = self.nodes.get(id as usize) else { return (None, None) };
        let star = Some(node.star).filter(|star| *star != NONE);
        let has_other = node.children > u32::from(star.is_some());
        (star, has_other.then(|| self.hasher.hash_one((id, token))))
    }

    /// A node that may have this hash, by its tag alone, or [`NONE`].
    pub(super) fn guess(&self, hash: u64) -> u32 {
        self.children.find(hash, |_| true).copied().unwrap_or(NONE)
    }

    /// The heads of a node's chains.
    pub(super) fn heads(&self, id: u32) -> Option<[u32; 2]> {
        self.nodes.get(id as usize).map(|node| [node.here, node.below])
    }

    /// How many tokens lead to a node.
    pub(super) fn depth(&self, mut id: u32) -> usize {
        let mut depth = 0;
        while let Some(node) = self.nodes.get(id as usize).filter(|node| !node.token.is_empty()) {
            depth += 1;
            id = node.parent;
        }
        depth
    }

    /// The topic pattern of a node's chain, and its realm.
    pub(super) fn topic(&self, id: u32, place: Place) -> Option<(u32, String)> {
        let mut tokens: Vec<&str> = Vec::new();
        if matches!(place, Place::Below(_)) {
            tokens.push(">");
        }
        let mut node = self.nodes.get(id as usize)?;
        while !node.token.is_empty() {
            tokens.push(&node.token);
            node = self.nodes.get(node.parent as usize)?;
        }
        tokens.reverse();
        Some((node.parent, tokens.join(".")))
    }

    /// Gives memory back that the last nodes took.
    pub(super) fn trim(&mut self) {
        self.nodes.shrink_to_fit();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.nodes.len() + self.children.len()
    }

    /// `rest`: what of the topic is below this node. A topic has at most 128 tokens, so the depth
    /// of the recursion is bounded by its length.
    fn descend(&self, id: u32, rest: Option<&str>, each: &mut impl FnMut(u32)) -> u64 {
        let Some(node) = self.nodes.get(id as usize) else { return 1 };
        let Some(rest) = rest else {
            if node.here != NONE {
                each(node.here);
            }
            return 1;
        };
        if node.below != NONE {
            each(node.below);
        }
        let mut visited = 1;
        if node.children == 0 {
            return visited;
        }
        let (token, rest) = first_token(rest);
        if node.star != NONE {
            visited += self.descend(node.star, rest, each);
        }
        let only_star = node.children == 1 && node.star != NONE;
        if !only_star && let Some(child) = self.child(id, token) {
            visited += self.descend(child, rest, each);
        }
        visited
    }

    fn root(&mut self, realm: u32) -> u32 {
        let at = realm as usize;
        if self.roots.len() <= at {
            self.roots.resize(at + 1, NONE);
        }
        let Self { nodes, roots, .. } = self;
        let Some(root) = roots.get_mut(at) else { return NONE };
        if *root == NONE {
            *root = u32::try_from(nodes.insert(Node::new(realm, ""))).unwrap_or(NONE);
        }
        *root
    }

    fn child_or_new(&mut self, parent: u32, token: &str) -> u32 {
        if let Some(child) = self.child(parent, token) {
            return child;
        }
        let child = u32::try_from(self.nodes.insert(Node::new(parent, token))).unwrap_or(NONE);
        if let Some(node) = self.nodes.get_mut(parent as usize) {
            node.children += 1;
            if token == "*" {
                node.star = child;
                return child;
            }
        }
        let Self { hasher, children, nodes, .. } = self;
        let hash = hasher.hash_one((parent, token));
        children.insert_unique(hash, child, |id| hash_of(hasher, nodes, *id));
        child
    }

    fn child(&self, parent: u32, token: &str) -> Option<u32> {
        if token == "*" {
            let star = self.nodes.get(parent as usize)?.star;
            return (star != NONE).then_some(star);
        }
        let is_it = |id: &u32| {
            let node = self.nodes.get(*id as usize);
            node.is_some_and(|node| node.parent == parent && node.token == token)
        };
        self.children.find(self.hasher.hash_one((parent, token)), is_it).copied()
    }

    fn realm_of(&self, mut id: u32) -> u32 {
        while let Some(node) = self.nodes.get(id as usize) {
            id = node.parent;
            if node.token.is_empty() {
                break;
            }
        }
        id
    }

    /// Removes this node and those above it, as far as nothing needs them any more.
    fn prune(&mut self, mut id: u32, realm: u32) {
        loop {
            let Some(node) = self.nodes.get(id as usize) else { return };
            if node.here != NONE || node.below != NONE || node.children != 0 {
                return;
            }
            let (parent, is_root) = (node.parent, node.token.is_empty());
            if is_root {
                self.nodes.remove(id as usize);
                if let Some(root) = self.roots.get_mut(realm as usize) {
                    *root = NONE;
                }
                return;
            }
            let is_star = node.token == "*";
            if !is_star {
                let hash = hash_of(&self.hasher, &self.nodes, id);
                if let Ok(found) = self.children.find_entry(hash, |other| *other == id) {
                    found.remove();
                }
            }
            self.nodes.remove(id as usize);
            if let Some(above) = self.nodes.get_mut(parent as usize) {
                above.children -= 1;
                if is_star {
                    above.star = NONE;
                }
            }
            let Self { hasher, children, nodes, .. } = self;
            if 1024 < children.capacity() && children.len() < children.capacity() / 8 {
                children.shrink_to(children.len() * 2, |id| hash_of(hasher, nodes, *id));
            }
            id = parent;
        }
    }
}

impl Node {
    fn new(parent: u32, token: &str) -> Self {
        let token = SmolStr::new(token);
        Self { parent, token, star: NONE, children: 0, here: NONE, below: NONE }
    }
}

fn hash_of(hasher: &FixedState, nodes: &Slab<Node>, id: u32) -> u64 {
    nodes.get(id as usize).map_or(0, |node| hasher.hash_one((node.parent, &*node.token)))
}
