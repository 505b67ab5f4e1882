//! Padding: what is sealed has one of few sizes, so that a size tells little.
//!
//! Behind the bytes stand one byte 0x80 and as many zeros as it takes (ISO/IEC 7816-4, which is
//! libsodium's `sodium_pad` too): 256 bytes, 1 KiB, 4 KiB, 16 KiB, then multiples of 16 KiB. What
//! is padded to any other size than the smallest that fits is refused, so that there is one form.

const MARK: u8 = 0x80;
const SMALL: [usize; 3] = [256, 1 << 10, 4 << 10];
const STEP: usize = 16 << 10;

/// The size to which so many bytes are padded.
#[must_use]
pub fn padded_bytes(bytes: usize) -> usize {
    let marked = bytes.saturating_add(1);
    let small = SMALL.into_iter().find(|size| marked <= *size);
    small.unwrap_or_else(|| marked.div_ceil(STEP).saturating_mul(STEP))
}

/// Pads.
pub(super) fn pad(bytes: &mut Vec<u8>) {
    let size = padded_bytes(bytes.len());
    bytes.push(MARK);
    bytes.resize(size, 0);
}

/// What was padded.
pub(super) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    let (bytes, rest) = padded.split_at_checked(end)?;
    let is_right = rest.first() == Some(&MARK) && padded.len() == padded_bytes(bytes.len());
    is_right.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_that_are_promised() {
        for (bytes, padded) in [
            (0, 256),
            (255, 256),
            (256, 1024),
            (1023, 1024),
            (1024, 4096),
            (4096, 16 << 10),
            ((16 << 10) - 1, 16 << 10),
            (16 << 10, 32 << 10),
            ((1 << 20) - 1, 1 << 20),
        ] {
            assert_eq!(padded_bytes(bytes), padded, "{bytes}");
            let mut text = vec![7; bytes];
            pad(&mut text);
            assert_eq!((text.len(), unpad(&text)), (padded, Some(&vec![7; bytes][..])));
        }
    }

    #[test]
    fn there_is_one_form() {
        let padded = |front: &[u8], size| {
            let mut bytes = front.to_vec();
            bytes.resize(size, 0);
            bytes
        };
        assert_eq!(unpad(&padded(&[1, 0x80], 256)), Some(&[1][..]));
        // What ends like padding is kept.
        assert_eq!(unpad(&padded(&[1, 0x80, 0, 0x80], 256)), Some(&[1, 0x80, 0][..]));
        for wrong in [
            padded(&[1, 0x80], 255),
            padded(&[1, 0x80], 1024),
            padded(&[1, 0x81], 256),
            padded(&[], 256),
            Vec::new(),
        ] {
            assert_eq!(unpad(&wrong), None);
        }
    }
}
