//! Puts what comes in on a stream together again: letters, or frames of the control stream.
//!
//! Both have their length before them. Room is made as bytes come in, not when they are announced.

use crate::hello::NoFrame;

const LENGTH_BYTES: usize = 4;

/// One stream's bytes, of which the end is not there yet.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// Checks a length.
    bytes_of: fn([u8; LENGTH_BYTES]) -> Result<usize, NoFrame>,
    length: Vec<u8>,
    whole: usize,
    unread: Vec<u8>,
}

impl Pieces {
    /// Of a stream whose lengths are bounded so.
    #[must_use]
    pub fn new(bytes_of: fn([u8; LENGTH_BYTES]) -> Result<usize, NoFrame>) -> Self {
        Self { bytes_of, length: Vec::new(), whole: 0, unread: Vec::new() }
    }

    /// Takes bytes from `chunk`, and returns what is whole with them. It is to be called until it
    /// returns none; `chunk` is empty then.
    ///
    /// # Errors
    /// If a length can't be. Nothing that follows can be read either.
    pub fn take(&mut self, chunk: &mut &[u8]) -> Result<Option<Vec<u8>>, NoFrame> {
        if self.whole == 0 {
            let (now, later) = chunk.split_at(chunk.len().min(LENGTH_BYTES - self.length.len()));
            self.length.extend_from_slice(now);
            *chunk = later;
            let Ok(length) = <[u8; LENGTH_BYTES]>::try_from(self.length.as_slice()) else {
                return Ok(None);
            };
            self.length.clear();
            self.whole = (self.bytes_of)(length)?;
        }
        let (now, later) = chunk.split_at(chunk.len().min(self.whole - self.unread.len()));
        self.unread.extend_from_slice(now);
        *chunk = later;
        if self.unread.len() < self.whole {
            return Ok(None);
        }
        self.whole = 0;
        Ok(Some(std::mem::take(&mut self.unread)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hello::{letter_bytes, write_letter};

    #[test]
    fn letters_come_back_however_they_are_cut() {
        let all = [vec![7; 300], vec![1], vec![0; 70]];
        let mut bytes = Vec::new();
        all.iter().for_each(|letter| write_letter(letter, &mut bytes));
        for step in 1..bytes.len() {
            let mut pieces = Pieces::new(letter_bytes);
            let mut read = Vec::new();
            for mut chunk in bytes.chunks(step) {
                while let Some(letter) = pieces.take(&mut chunk).unwrap() {
                    read.push(letter);
                }
                assert!(chunk.is_empty());
            }
            assert_eq!(read, all);
        }
    }

    #[test]
    fn what_can_not_be_is_found_out_at_its_length() {
        let mut pieces = Pieces::new(letter_bytes);
        assert_eq!(pieces.take(&mut &[0, 0x10][..]), Ok(None));
        assert!(pieces.take(&mut &[0, 1][..]).is_err());
    }
}
