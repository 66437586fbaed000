//! AES-128: what was encrypted comes back, and anything else is an error.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockEncryptMut, KeyIvInit};
use proptest::prelude::*;
use relay::crypt::{CryptError, Opener, read_iv};

proptest! {
    #[test]
    fn what_was_encrypted_comes_back(
        key in any::<[u8; 16]>(),
        iv in any::<[u8; 16]>(),
        clear in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let cipher = cbc::Encryptor::<aes::Aes128>::new(&key.into(), &iv.into());
        let mut encrypted = cipher.encrypt_padded_vec_mut::<Pkcs7>(&clear);
        let length = Opener::new(&key, iv).unwrap().open(&mut encrypted).unwrap();
        prop_assert_eq!(&encrypted[..length], &clear[..]);
    }

    #[test]
    fn anything_else_is_an_error_or_shorter(
        key in proptest::collection::vec(any::<u8>(), 0..20),
        iv in any::<[u8; 16]>(),
        mut bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        match Opener::new(&key, iv).and_then(|opener| opener.open(&mut bytes)) {
            Err(CryptError::KeyLength { bytes }) => prop_assert!(bytes == key.len() && bytes != 16),
            Err(CryptError::Padding) => {}
            Ok(length) => prop_assert!(length < bytes.len() && bytes.len() % 16 == 0),
        }
    }

    #[test]
    fn an_iv_is_what_was_written_or_none(text in ".{0,40}", number in any::<u128>()) {
        let _ = read_iv(&text);
        prop_assert_eq!(read_iv(&format!("0x{number:x}")), Some(number.to_be_bytes()));
        prop_assert_eq!(read_iv(&format!("0X{number:032X}")), Some(number.to_be_bytes()));
    }
}

#[test]
fn a_key_is_not_shown() {
    let opener = Opener::new(&[7; 16], [9; 16]).unwrap();
    assert_eq!(format!("{opener:?}"), "Opener { .. }");
}
