//! AES-128 as HLS uses it (RFC 8216 section 4.3.2.4): CBC, PKCS#7 padding, an IV a segment.

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use hls::MediaSequence;
use std::fmt;

/// How long a key is (RFC 8216 section 5).
pub const KEY_BYTES: usize = 16;

/// An initialisation vector.
pub type Iv = [u8; 16];

/// Why something cannot be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptError {
    /// The key is none.
    #[error("its key has {bytes} bytes, and a key has {KEY_BYTES}")]
    KeyLength {
        /// How many it has.
        bytes: usize,
    },
    /// What it gives is not what was encrypted: another key, another IV, or a part of the bytes.
    #[error("it cannot be decrypted with its key")]
    Padding,
}

/// Decrypts where the bytes lie: a segment is never in memory twice.
#[derive(Clone, PartialEq, Eq)]
pub struct Opener {
    key: [u8; KEY_BYTES],
    iv: Iv,
}

impl Opener {
    /// With this key and this vector.
    ///
    /// # Errors
    /// When the key has not 16 bytes.
    pub fn new(key: &[u8], iv: Iv) -> Result<Self, CryptError> {
        let bytes = key.len();
        let key = key.try_into().map_err(|_| CryptError::KeyLength { bytes })?;
        Ok(Self { key, iv })
    }

    /// Decrypts `bytes`, and says how many of them are left: the padding goes.
    ///
    /// # Errors
    /// When they were encrypted otherwise; then nothing of them is of use.
    pub fn open(&self, bytes: &mut [u8]) -> Result<usize, CryptError> {
        let cipher = cbc::Decryptor::<Aes128>::new(&self.key.into(), &self.iv.into());
        let opened = cipher.decrypt_padded_mut::<Pkcs7>(bytes).map_err(|_| CryptError::Padding)?;
        Ok(opened.len())
    }
}

/// Says nothing of the key.
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

/// The IV of a segment that states none: its number, as a big-endian number of 16 bytes.
#[must_use]
pub fn iv_of(sequence: MediaSequence) -> Iv {
    u128::from(sequence.0).to_be_bytes()
}

/// The IV that an attribute states: a hexadecimal number of up to 128 bits.
#[must_use]
pub fn read_iv(text: &str) -> Option<Iv> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all.then(|| u128::from_str_radix(digits, 16).ok()).flatten().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST SP 800-38A, section F.2.1, one block.
    const KEY: [u8; 16] = [
        0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f,
        0x3c,
    ];

    fn open(key: &[u8], iv: Iv, encrypted: &[u8]) -> Result<Vec<u8>, CryptError> {
        let mut bytes = encrypted.to_vec();
        let length = Opener::new(key, iv)?.open(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    #[test]
    fn what_openssl_encrypted_is_decrypted() {
        // printf 'eleven byte' | openssl enc -aes-128-cbc -K 2b7e..4f3c -iv 0..5a
        let encrypted = [
            0x07, 0xa1, 0xd5, 0xe8, 0xc7, 0x6a, 0xdb, 0xb1, 0xa4, 0x9e, 0xa8, 0x2b, 0x5a, 0x8a,
            0x8c, 0xe3,
        ];
        let iv = iv_of(MediaSequence(90));
        assert_eq!(open(&KEY, iv, &encrypted).unwrap(), b"eleven byte");
        let mut other = KEY;
        other[0] ^= 1;
        for (key, encrypted, error) in [
            (&KEY[..15], &encrypted[..], CryptError::KeyLength { bytes: 15 }),
            (&[], &encrypted, CryptError::KeyLength { bytes: 0 }),
            (&other, &encrypted, CryptError::Padding),
            (&KEY, &encrypted[..15], CryptError::Padding),
            (&KEY, &[], CryptError::Padding),
        ] {
            assert_eq!(open(key, iv, encrypted), Err(error));
        }
    }

    #[test]
    fn an_iv_is_a_hexadecimal_number() {
        let number = |number: u128| Some(number.to_be_bytes());
        for (text, iv) in [
            ("0x0000000000000000000000000000005A", number(90)),
            ("0X5a", number(90)),
            ("0xffffffffffffffffffffffffffffffff", number(u128::MAX)),
            ("0x1ffffffffffffffffffffffffffffffff", None),
            ("0x", None),
            ("0x+1", None),
            ("5A", None),
            ("", None),
        ] {
            assert_eq!(read_iv(text), iv, "{text}");
        }
        assert_eq!(Some(iv_of(MediaSequence(90))), number(90));
    }
}
