//! Secrets that are shared with others: they wipe themselves, and nobody prints them.
//!
//! Keys that never leave the device are in `keys.rs`; these are numbers that both sides know. With
//! them go the message authentication codes (HMAC-SHA256, RFC 2104) that are made of them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! secrets {
    ($($(#[$about:meta])* $name:ident, $length:literal;)*) => {$(
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name([u8; $length]);

        impl $name {
            /// The secret with these bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl ZeroizeOnDrop for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

secrets! {
    /// By which a person's devices are recognised on a network; friends and own devices know it.
    TagSecret, 32;
    /// By which whoever was given an invite is known.
    InviteSecret, 16;
}

/// The code of these parts, one after the other, under a key of at most 64 bytes.
pub(crate) fn code(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // A key shorter than a block is filled up with zeros (RFC 2104, section 2): then it has a type
    // that can't be of the wrong length.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut code = Hmac::<Sha256>::new(&block.into());
    block.zeroize();
    parts.iter().for_each(|part| code.update(part));
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_4231() {
        // Test case 2.
        let code = code(b"Jefe", &[b"what do ya want ", b"for nothing?"]).finalize().into_bytes();
        let hex = data_encoding::HEXLOWER.encode(&code);
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", TagSecret::new([7; 32])), "TagSecret(…)");
        assert_eq!(format!("{:?}", InviteSecret::new([7; 16])), "InviteSecret(…)");
    }
}
