//! What a disk would hold had the power failed: the files as of their last syncs, and some of what
//! came after.
//!
//! The model is no particular file system but what POSIX leaves them all: a file's bytes and
//! length are on the disk once `fsync` or `fdatasync` of it has returned, a name once `fsync` of
//! its directory has; until then any of it may be there, or not. Here, for each file and each
//! directory on its own, a seed takes the changes since its last sync up to some point, and of the
//! next write some of its sectors. One seed in four takes any of the changes instead, in no order,
//! which is what a disk with a cache of its own does. A rename is never half there.
//!
//! `sync_file_range` counts as nothing: it neither writes the file's length nor empties the disk's
//! cache. [`Trust::Ranges`] has it count as much as `fsync`, which no disk promises: to tell how
//! much of what an engine loses comes of relying on it. Allocating makes a file longer, with zeros.
//!
//! Deliberately absent: bytes that go bad (`flips.rs`), and what a file system may do to a sector
//! that was written long ago.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kith_tests::workload::Random;

use super::recording::Event;

const SECTOR_BYTES: usize = 512;

/// A change of a file that may not be on the disk yet.
#[derive(Clone, Copy)]
enum Change<'a> {
    Write { offset: usize, data: &'a [u8] },
    Resize { length: usize },
    Grow { length: usize },
}

/// A change of a directory.
#[derive(Clone)]
enum Entry {
    Add { name: String, node: usize },
    Remove { name: String },
    Rename { from: String, to: String },
}

enum Node<'a> {
    File { synced: Vec<u8>, since: Vec<Change<'a>> },
    Directory { now: Names, synced: Names, since: Vec<Entry> },
}

type Names = BTreeMap<String, usize>;

/// What is taken for a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Syncs,
    Ranges,
}

/// A directory and all below it, in every state that it may have on the disk.
pub(crate) struct Medium<'a> {
    root: &'a Path,
    trust: Trust,
    nodes: Vec<Node<'a>>,
    inodes: BTreeMap<u64, usize>,
}

impl<'a> Medium<'a> {
    /// A directory that was empty when the recording began.
    pub(crate) fn new(root: &'a Path, trust: Trust) -> Self {
        let mut medium = Self { root, trust, nodes: Vec::new(), inodes: BTreeMap::new() };
        let inode = fs::metadata(root).unwrap().ino();
        medium.add(inode, Node::directory());
        medium
    }

    fn add(&mut self, inode: u64, node: Node<'a>) -> usize {
        self.nodes.push(node);
        self.inodes.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    /// Takes in the next thing that the process did.
    pub(crate) fn apply(&mut self, event: &Event<'a>) {
        match *event {
            Event::Create { inode, path } => {
                let node = self.add(inode, Node::File { synced: Vec::new(), since: Vec::new() });
                self.enter(path, |name| Entry::Add { name, node });
            }
            Event::MakeDirectory { inode, path } => {
                let node = self.add(inode, Node::directory());
                self.enter(path, |name| Entry::Add { name, node });
            }
            Event::Write { inode, offset, data } => {
                self.change(inode, Change::Write { offset, data });
            }
            Event::Truncate { inode, length } => self.change(inode, Change::Resize { length }),
            Event::Allocate { inode, length } => self.change(inode, Change::Grow { length }),
            Event::Sync { inode } => self.sync(inode),
            Event::Remove { path } => self.enter(path, |name| Entry::Remove { name }),
            Event::Rename { from, to } => self.rename(from, to),
            Event::Refused { path } => panic!("the recorder had to refuse something: {path:?}"),
            Event::SyncRange { inode } if self.trust == Trust::Ranges => self.sync(inode),
            Event::SyncRange { .. } | Event::Mark { .. } => {}
        }
    }

    fn change(&mut self, inode: u64, change: Change<'a>) {
        match &mut self.nodes[self.inodes[&inode]] {
            Node::File { since, .. } => since.push(change),
            Node::Directory { .. } => panic!("bytes were written to a directory"),
        }
    }

    fn sync(&mut self, inode: u64) {
        match &mut self.nodes[self.inodes[&inode]] {
            Node::File { synced, since } => {
                since.drain(..).for_each(|change| change.make(synced));
            }
            Node::Directory { now, synced, since } => {
                since.clear();
                synced.clone_from(now);
            }
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        if from.parent() == to.parent() {
            let from = name_of(from);
            self.enter(to, |to| Entry::Rename { from, to });
            return;
        }
        let folder = self.folder(from);
        let Node::Directory { now, .. } = &self.nodes[folder] else { panic!("{from:?}") };
        let node = now[&name_of(from)];
        self.enter(to, |name| Entry::Add { name, node });
        self.enter(from, |name| Entry::Remove { name });
    }

    fn enter(&mut self, path: &Path, entry: impl FnOnce(String) -> Entry) {
        let entry = entry(name_of(path));
        let folder = self.folder(path);
        let Node::Directory { now, since, .. } = &mut self.nodes[folder] else {
            panic!("{path:?} is not in a directory");
        };
        entry.make(now);
        since.push(entry);
    }

    /// The directory that `path` is in.
    fn folder(&self, path: &Path) -> usize {
        let inside = path.strip_prefix(self.root).unwrap();
        inside.parent().unwrap().iter().fold(0, |at, name| match &self.nodes[at] {
            Node::Directory { now, .. } => now[name.to_str().unwrap()],
            Node::File { .. } => panic!("{path:?} is below a file"),
        })
    }

    /// Writes what the seed leaves of it into an empty directory, and returns whether each file has
    /// its changes in order.
    pub(crate) fn rebuild(&self, random: &mut Random, into: &Path) -> bool {
        let in_order = random.below(4) > 0;
        self.rebuild_node(0, random, in_order, into);
        in_order
    }

    fn rebuild_node(&self, node: usize, random: &mut Random, in_order: bool, path: &Path) {
        match &self.nodes[node] {
            Node::File { synced, since } => {
                let mut bytes = synced.clone();
                for (change, sectors) in chosen(since, random, in_order) {
                    match (change, sectors) {
                        (change, None) => change.make(&mut bytes),
                        (Change::Write { offset, data }, Some(random)) => {
                            tear(*offset, data, random, &mut bytes);
                        }
                        (Change::Resize { .. } | Change::Grow { .. }, Some(_)) => {}
                    }
                }
                fs::write(path, bytes).unwrap();
            }
            Node::Directory { synced, since, .. } => {
                let mut names = synced.clone();
                // Directories are journals: what is later never gets there before what is earlier.
                for (entry, torn) in chosen(since, random, true) {
                    if torn.is_none() {
                        entry.make(&mut names);
                    }
                }
                if node > 0 {
                    fs::create_dir(path).unwrap();
                }
                for (name, node) in names {
                    self.rebuild_node(node, random, in_order, &path.join(name));
                }
            }
        }
    }
}

impl Node<'_> {
    fn directory() -> Self {
        Self::Directory { now: Names::new(), synced: Names::new(), since: Vec::new() }
    }
}

impl Change<'_> {
    fn make(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Resize { length } => bytes.resize(length, 0),
            Self::Grow { length } => bytes.resize(bytes.len().max(length), 0),
            Self::Write { offset, data } => {
                let end = offset + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[offset..end].copy_from_slice(data);
            }
        }
    }
}

impl Entry {
    /// A change may be made to names that earlier changes have not reached.
    fn make(&self, names: &mut Names) {
        match self {
            Self::Add { name, node } => {
                names.insert(name.clone(), *node);
            }
            Self::Remove { name } => {
                names.remove(name);
            }
            Self::Rename { from, to } => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}

/// Those of the changes that reach the disk; one with a seed of its own does so in part.
fn chosen<'c, T>(
    since: &'c [T],
    random: &mut Random,
    in_order: bool,
) -> Vec<(&'c T, Option<Random>)> {
    let mut seed = || Random::new(random.below(u64::MAX));
    if in_order {
        let count = seed().below(since.len() as u64 + 1);
        let (whole, rest) = since.split_at(usize::try_from(count).unwrap());
        let torn = rest.first().map(|change| (change, Some(seed())));
        return whole.iter().map(|change| (change, None)).chain(torn).collect();
    }
    let all = since.iter().map(|change| (change, seed()));
    all.filter_map(|(change, mut seed)| match seed.below(3) {
        0 => None,
        1 => Some((change, Some(seed))),
        _ => Some((change, None)),
    })
    .collect()
}

/// Makes some of a write: its first sectors, or any.
fn tear(offset: usize, data: &[u8], mut random: Random, bytes: &mut Vec<u8>) {
    let is_cut = random.below(2) == 0;
    let n_sectors = data.len().div_ceil(SECTOR_BYTES) as u64;
    let cut = random.below(n_sectors.max(1));
    for (at, sector) in (0..).zip(data.chunks(SECTOR_BYTES)) {
        if if is_cut { at < cut } else { random.below(2) == 0 } {
            let offset = offset + usize::try_from(at).unwrap() * SECTOR_BYTES;
            Change::Write { offset, data: sector }.make(bytes);
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
