//! What a source's segments have beside their bytes, and how its renditions come and go.

use super::source::SEGMENT;
use super::{BEGIN, Dice};
use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockEncryptMut, KeyIvInit};
use hls::Micros;

/// How a source dresses what it publishes.
#[derive(Clone, Debug, Default)]
pub struct Dress {
    /// Every so many segments begin with another map; 0: none has one.
    pub maps: u64,
    /// Every so many segments are encrypted with another key; 0: none is.
    pub keys: u64,
    /// Whether the vectors are stated; else they are the numbers.
    pub vectors: bool,
    /// Whether segments are parts of one file.
    pub ranges: bool,
    /// Whether they have dates, titles, ad markers, date ranges and tags that nobody knows.
    pub markers: bool,
    /// Whether sound is apart.
    pub sound: bool,
    /// By how many milliseconds each rendition publishes later than the one before.
    pub apart: u64,
    /// By how many milliseconds segments come later than their durations say.
    pub drift: u64,
    /// Whether each answer lists the renditions in another order.
    pub shuffled: bool,
    /// When the last variant appears, and goes, in milliseconds.
    pub appears: Option<u64>,
    pub goes: Option<u64>,
    /// When the media playlists move to other addresses, in milliseconds.
    pub moves: Option<u64>,
    /// When the source leaves numbers out and lists nothing of before, in milliseconds.
    pub skips: Vec<u64>,
}

impl Dress {
    /// Any that an output takes; `maps` says whether it takes maps.
    pub fn any(dice: &Dice, maps: bool) -> Self {
        let mut dress = Self {
            ranges: dice.percent(20),
            markers: dice.percent(60),
            sound: dice.percent(30),
            apart: dice.between(0, 1) * dice.between(0, 900),
            drift: dice.between(0, 1) * dice.between(0, 15),
            shuffled: dice.percent(30),
            vectors: dice.percent(50),
            ..Self::default()
        };
        match dice.between(0, 3) {
            0 if maps => dress.maps = dice.between(1, 9),
            1 => dress.keys = dice.between(1, 9),
            _ => {}
        }
        dress
    }

    /// The text of a map of the stream.
    pub fn map(&self, stream: usize, place: u64) -> Option<String> {
        (self.maps > 0).then(|| format!("map v{stream}/{}", place / self.maps))
    }

    /// Which key a segment has.
    pub fn key(&self, place: u64) -> Option<u64> {
        (self.keys > 0).then(|| place / self.keys)
    }

    /// The lines of a segment.
    pub fn lines(&self, place: u64) -> Vec<String> {
        if !self.markers {
            return vec!["#EXTINF:2.000,".to_owned()];
        }
        let date = BEGIN + Micros::from_millis(place * SEGMENT);
        let mut lines = Vec::new();
        let mut add = |every, rest, line: String| {
            if place % every == rest {
                lines.push(line);
            }
        };
        add(3, 0, format!("#EXT-X-PROGRAM-DATE-TIME:{date}"));
        add(7, 2, format!("#EXT-X-DATERANGE:ID=\"{place}\",START-DATE=\"{date}\",DURATION=4.0"));
        add(5, 1, format!("#EXT-OATCLS-SCTE35:/DAlAAAAAAAA{place}=="));
        add(5, 1, format!("#EXT-X-CUE-OUT:DURATION=4,BREAK={place}"));
        add(5, 2, format!("#EXT-X-CUE-OUT-CONT:ElapsedTime=2,Duration=4,BREAK={place}"));
        add(5, 3, format!("#EXT-X-CUE-IN:{place}"));
        add(6, 4, format!("#EXT-X-UNHEARD-OF:{place}"));
        add(4, 3, format!("#EXT-X-BITRATE:{place}"));
        lines.push(format!("#EXTINF:2.000,number {place}"));
        lines
    }
}

/// The bytes of a key.
pub fn key(stream: usize, number: u64) -> Vec<u8> {
    format!("key v{stream} {number:09}").into_bytes()
}

pub fn encrypt(text: &str, key: &[u8], iv: u128) -> Vec<u8> {
    let cipher = cbc::Encryptor::<Aes128>::new_from_slices(key, &iv.to_be_bytes()).unwrap();
    cipher.encrypt_padded_vec_mut::<Pkcs7>(text.as_bytes())
}
