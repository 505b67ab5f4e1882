//! Fragments: letters in pieces, for transports that carry less at once than a letter has.
//!
//! A piece is one byte 0x03, the letter's number on this way (8 bytes), the piece's index and how
//! many there are (2 bytes each, all big-endian), then its part of the letter. All but the last are
//! of one size. The order and the number of copies don't matter.
//!
//! Pieces are not authenticated: the letter is, once it is whole. So whoever can put pieces on the
//! way can keep a letter from being put together, as whoever can drop them can. What they can't do
//! is use up memory: it is bounded for each source and in all, with what it costs to hold a piece.

use super::letter::FRAGMENT;
use crate::limits::{
    FRAGMENT_OVERHEAD_BYTES_MAX, LETTER_BYTES_MAX, PARTIAL_LETTERS_MAX, PARTIAL_LIFE_MS,
    REASSEMBLY_BYTES_MAX, SOURCE_BYTES_MAX, WHOLE_REMEMBERED_MAX,
};
use std::collections::{BTreeMap, VecDeque};

/// What stands before a piece's part of the letter.
pub const FRAGMENT_HEAD_BYTES: usize = 1 + 8 + 2 + 2;

/// Cuts a letter into pieces of at most `mtu` bytes. The number must be another for each letter on
/// one way.
///
/// # Errors
/// If the transport carries too little for a letter of this size.
pub fn cut(
    letter: &[u8],
    number: u64,
    mtu: usize,
) -> Result<impl Iterator<Item = Vec<u8>>, CutError> {
    let part = mtu.checked_sub(FRAGMENT_HEAD_BYTES).filter(|part| 0 < *part);
    let part = part.ok_or(CutError { mtu, bytes: letter.len() })?;
    let total = u16::try_from(letter.len().div_ceil(part).max(1));
    let total = total.map_err(|_| CutError { mtu, bytes: letter.len() })?;
    Ok((0..total).map(move |index| {
        let start = usize::from(index) * part;
        let rest = letter.get(start..).unwrap_or_default();
        let mut piece = Vec::with_capacity(mtu.min(FRAGMENT_HEAD_BYTES + rest.len()));
        piece.push(FRAGMENT);
        piece.extend(number.to_be_bytes());
        piece.extend(index.to_be_bytes());
        piece.extend(total.to_be_bytes());
        piece.extend(rest.iter().take(part));
        piece
    }))
}

/// A transport carries too little at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes can't be cut into pieces of {mtu} bytes: there would be too many")]
pub struct CutError {
    /// What it carries.
    pub mtu: usize,
    /// The letter's size.
    pub bytes: usize,
}

/// Puts letters together again. `S` is where pieces come from: a link, or a transport's peer.
#[derive(Debug, Default)]
pub struct Reassembly<S> {
    sources: BTreeMap<S, Source>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Source {
    partial: BTreeMap<u64, Partial>,
    /// Letters that were put together, so that a copy of a piece does not begin them again.
    whole: VecDeque<u64>,
    bytes: usize,
}

#[derive(Debug)]
struct Partial {
    total: u16,
    pieces: BTreeMap<u16, Vec<u8>>,
    /// Of the pieces, with what it costs to hold them.
    bytes: usize,
    began_ms: u64,
}

/// A piece as it came.
struct Piece<'a> {
    number: u64,
    index: u16,
    total: u16,
    part: &'a [u8],
}

impl<S: Ord + Clone> Reassembly<S> {
    /// Without any pieces.
    #[must_use]
    pub const fn new() -> Self {
        Self { sources: BTreeMap::new(), bytes: 0 }
    }

    /// Takes a piece; gives the letter if that was the last one.
    ///
    /// # Errors
    /// If it is no piece, contradicts an earlier one, or there is no room for it. A letter that is
    /// contradicted is forgotten.
    pub fn take(
        &mut self,
        now_ms: u64,
        from: &S,
        piece: &[u8],
    ) -> Result<Option<Vec<u8>>, FragmentError> {
        let piece = Piece::parse(piece).ok_or(FragmentError::Malformed)?;
        let source = self.sources.entry(from.clone()).or_default();
        let before = source.bytes;
        let taken = source.take(now_ms, &piece, self.bytes);
        self.bytes = (self.bytes - before) + source.bytes;
        if source.partial.is_empty() && source.whole.is_empty() {
            self.sources.remove(from);
        }
        taken
    }

    /// Forgets what has waited too long for the rest; how many letters that were.
    pub fn expire(&mut self, now_ms: u64) -> usize {
        let mut expired = 0;
        for source in self.sources.values_mut() {
            let old: Vec<u64> = source
                .partial
                .iter()
                .filter(|(_, partial)| partial.began_ms.saturating_add(PARTIAL_LIFE_MS) <= now_ms)
                .map(|(number, _)| *number)
                .collect();
            for number in old {
                self.bytes -= source.drop_partial(number);
                expired += 1;
            }
        }
        expired
    }

    /// Forgets all that came from a source that is gone.
    pub fn forget(&mut self, from: &S) {
        let source = self.sources.remove(from);
        self.bytes -= source.map_or(0, |source| source.bytes);
    }

    /// The bytes that are held, with what it costs to hold them.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Source {
    fn take(
        &mut self,
        now_ms: u64,
        piece: &Piece<'_>,
        bytes_in_all: usize,
    ) -> Result<Option<Vec<u8>>, FragmentError> {
        if self.whole.contains(&piece.number) {
            return Ok(None);
        }
        if let Some(partial) = self.partial.get(&piece.number) {
            let other = partial.pieces.get(&piece.index).map(Vec::as_slice);
            if partial.total != piece.total || other.is_some_and(|other| other != piece.part) {
                self.drop_partial(piece.number);
                return Err(FragmentError::Contradiction);
            }
            if other.is_some() {
                return Ok(None);
            }
        } else if PARTIAL_LETTERS_MAX <= self.partial.len() {
            return Err(FragmentError::Full);
        }
        let cost = piece.part.len() + FRAGMENT_OVERHEAD_BYTES_MAX;
        if SOURCE_BYTES_MAX < self.bytes + cost || REASSEMBLY_BYTES_MAX < bytes_in_all + cost {
            return Err(FragmentError::Full);
        }
        let partial = self.partial.entry(piece.number).or_insert_with(|| Partial {
            total: piece.total,
            pieces: BTreeMap::new(),
            bytes: 0,
            began_ms: now_ms,
        });
        partial.pieces.insert(piece.index, piece.part.to_vec());
        partial.bytes += cost;
        self.bytes += cost;
        if partial.pieces.len() < usize::from(piece.total) {
            return Ok(None);
        }
        let letter = partial.whole();
        self.drop_partial(piece.number);
        let letter = letter.ok_or(FragmentError::Contradiction)?;
        if WHOLE_REMEMBERED_MAX <= self.whole.len() {
            self.whole.pop_front();
        }
        self.whole.push_back(piece.number);
        Ok(Some(letter))
    }

    /// Forgets a letter; the bytes that it had.
    fn drop_partial(&mut self, number: u64) -> usize {
        let bytes = self.partial.remove(&number).map_or(0, |partial| partial.bytes);
        self.bytes -= bytes;
        bytes
    }
}

impl Partial {
    /// All pieces in a row, if they are of one size.
    fn whole(&self) -> Option<Vec<u8>> {
        let size = self.pieces.values().next().map_or(0, Vec::len);
        let mut sizes = self.pieces.values().rev().map(Vec::len);
        let last = sizes.next()?;
        let is_even = sizes.all(|other| other == size) && last <= size && (0 < last || size == 0);
        is_even.then(|| self.pieces.values().flatten().copied().collect())
    }
}

impl<'a> Piece<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        if LETTER_BYTES_MAX < bytes.len() {
            return None;
        }
        let bytes = bytes.strip_prefix(&[FRAGMENT])?;
        let (number, bytes) = bytes.split_first_chunk()?;
        let (index, bytes) = bytes.split_first_chunk()?;
        let (total, part) = bytes.split_first_chunk()?;
        let (index, total) = (u16::from_be_bytes(*index), u16::from_be_bytes(*total));
        let number = u64::from_be_bytes(*number);
        // Only the one piece of an empty letter is empty.
        let is_right = index < total && (!part.is_empty() || total == 1);
        is_right.then_some(Self { number, index, total, part })
    }
}

/// Why a piece was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// Not a piece.
    #[error("this is no piece of a letter")]
    Malformed,
    /// It says something else than an earlier piece of the same letter.
    #[error("pieces of a letter contradict each other")]
    Contradiction,
    /// Too much is held already.
    #[error("there is no room for more pieces of letters")]
    Full,
}
