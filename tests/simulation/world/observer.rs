//! A player's view of one endpoint: what is stored, and what was ever listed. It knows nothing of our code.

use aes::Aes128;
use bytes::Bytes;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut, KeyIvInit};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Observer {
    pub objects: BTreeMap<String, Bytes>,
    /// The bytes of everything that a playlist ever named, by name.
    bytes: BTreeMap<String, Bytes>,
    pub renditions: BTreeMap<String, Listed>,
    pub ended: BTreeMap<String, bool>,
    pub violations: Vec<String>,
    /// Segments that playlists have listed, by name.
    stays: BTreeMap<String, Stay>,
}

/// How long a segment must stay (RFC 8216 section 6.2.2). In milliseconds.
struct Stay {
    rendition: String,
    lasts: u64,
    /// How long the longest playlist lasts that listed it.
    longest: u64,
    /// When it was last listed, and until when, if it is not any more.
    until: Option<u64>,
}

/// What the playlists of one rendition listed over time.
#[derive(Default)]
pub struct Listed {
    first: u64,
    last: u64,
    /// By number.
    pub segments: BTreeMap<u64, Heard>,
}

/// A segment as it is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Its bytes, decrypted, and its map.
    pub body: String,
    /// How many discontinuities come before or at it.
    pub discontinuities: u64,
}

/// A segment as it was first listed.
pub struct Heard {
    pub played: Played,
    /// Its lines, but for those that name files or state a discontinuity.
    pub lines: Vec<String>,
    /// When, in milliseconds.
    pub at: u64,
    /// Whether it may have a date that the source does not state: the playlist began with it, or there was a
    /// discontinuity before it.
    pub dated: bool,
}

impl Observer {
    /// Sees something being stored; `whole` says whether all of it was.
    pub fn saw(&mut self, name: &str, body: Bytes, now: u64) {
        if !name.ends_with(".m3u8") {
            if let Some(used) = self.bytes.get(name).filter(|used| **used != body) {
                self.violations.push(format!("{name} was {used:?} and becomes {body:?}"));
            }
            self.objects.insert(name.to_owned(), body);
            return;
        }
        let text = String::from_utf8(body.to_vec()).unwrap();
        if std::env::var_os("PLAYLISTS").is_some() {
            println!("{now:>6} {name}\n{text}");
        }
        if name == "channel.m3u8" {
            self.saw_multivariant(&text);
        } else {
            let rendition = name.trim_start_matches("channel_").trim_end_matches(".m3u8");
            self.saw_media(rendition, &text, now);
        }
        self.objects.insert(name.to_owned(), body);
    }

    /// Sees something being deleted.
    pub fn saw_deleted(&mut self, name: &str, now: u64) {
        self.objects.remove(name);
        let Some(stay) = self.stays.get(name) else { return };
        let early = match stay.until {
            None => "is still listed".to_owned(),
            Some(until) => {
                let (stays, due) = (now - until, stay.lasts + stay.longest);
                if stays >= due {
                    return;
                }
                format!("was listed until {stays} ms ago, and must stay for {due}")
            }
        };
        self.violations.push(format!("{name} is deleted, and {early}"));
    }

    /// Notes what a playlist lists, and what it does not list any more.
    fn note_stays(&mut self, rendition: &str, listed: &[(&str, u64)], now: u64) {
        let longest = listed.iter().map(|(_, lasts)| lasts).sum();
        let gone = |stay: &&mut Stay| stay.rendition == rendition;
        for stay in self.stays.values_mut().filter(gone) {
            stay.until.get_or_insert(now);
        }
        for &(name, lasts) in listed {
            let rendition = rendition.to_owned();
            let new = Stay { rendition, lasts, longest, until: None };
            let stay = self.stays.entry(name.to_owned()).or_insert(new);
            (stay.longest, stay.until) = (stay.longest.max(longest), None);
        }
    }

    fn saw_multivariant(&mut self, text: &str) {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let media = text.lines().filter_map(|line| attribute(line, "URI=\""));
        for uri in lines.chain(media) {
            if !self.objects.contains_key(uri) {
                self.violations.push(format!("multivariant playlist names {uri}, not there"));
            }
        }
    }

    /// Reads a media playlist as a player would.
    fn saw_media(&mut self, rendition: &str, text: &str, now: u64) {
        let value = |tag: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(tag));
            line.map_or(0, |value| value.parse::<u64>().unwrap())
        };
        let first = value("#EXT-X-MEDIA-SEQUENCE:");
        let mut discontinuities = value("#EXT-X-DISCONTINUITY-SEQUENCE:");
        let (mut number, mut before) = (first, discontinuities);
        let mut complaints = Vec::new();
        let mut listed = self.renditions.remove(rendition).unwrap_or_default();
        let (mut map, mut key, mut lines) = (None, None, Vec::new());
        let (mut lasts, mut stays) = (0, Vec::new());
        for line in text.lines() {
            if line == "#EXT-X-DISCONTINUITY" {
                discontinuities += 1;
            } else if let Some(stated) = line.strip_prefix("#EXT-X-MAP:") {
                map = attribute(stated, "URI=\"");
            } else if let Some(stated) = line.strip_prefix("#EXT-X-KEY:") {
                key = Some(stated).filter(|stated| !stated.contains("METHOD=NONE"));
            } else if line.starts_with('#') {
                if let Some(seconds) = line.strip_prefix("#EXTINF:") {
                    let seconds = seconds.split(',').next().unwrap_or_default();
                    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
                    lasts = format!("{whole}{part:0<3.3}").parse().unwrap();
                }
                let whole = OF_PLAYLISTS.iter().any(|tag| line.starts_with(tag));
                lines.extend(Some(line).filter(|_| !whole));
            } else if !line.is_empty() {
                stays.push((line, lasts));
                match self.play(line, map, key, number) {
                    Err(complaint) => complaints.push(format!("{rendition} {complaint}")),
                    Ok(body) => {
                        let played = Played { body, discontinuities };
                        let before = std::mem::replace(&mut before, discontinuities);
                        let was = listed.segments.entry(number).or_insert_with(|| {
                            let lines = lines.iter().map(|&line| line.to_owned()).collect();
                            let dated = number == first || discontinuities > before;
                            Heard { played: played.clone(), lines, at: now, dated }
                        });
                        if was.played != played {
                            let was = &was.played;
                            complaints
                                .push(format!("{rendition} {number} was {was:?}, is {played:?}"));
                        }
                    }
                }
                lines.clear();
                number += 1;
            }
        }
        self.note_stays(rendition, &stays, now);
        // A playlist that lists nothing ends before its first number.
        if first < listed.first || number < listed.last {
            let (from, to) = (listed.first, listed.last);
            complaints
                .push(format!("{rendition} went back from {from}..{to} to {first}..{number}"));
        }
        if self.ended.get(rendition) == Some(&true) && number > listed.last {
            complaints.push(format!("{rendition} goes on after its end"));
        }
        (listed.first, listed.last) = (first, number);
        self.renditions.insert(rendition.to_owned(), listed);
        self.ended.insert(rendition.to_owned(), text.contains("#EXT-X-ENDLIST"));
        self.violations.extend(complaints);
    }

    /// What a player makes of a segment, with what it needs.
    fn play(
        &mut self,
        name: &str,
        map: Option<&str>,
        key: Option<&str>,
        number: u64,
    ) -> Result<String, String> {
        let mut body = self.read(name)?;
        if let Some(key) = key {
            let uri = attribute(key, "URI=\"").ok_or("states a key without an address")?;
            let iv = key.split_once("IV=0x").map(|(_, iv)| iv.split(',').next().unwrap_or(iv));
            let iv = iv.map_or(u128::from(number), |iv| u128::from_str_radix(iv, 16).unwrap());
            let bytes = self.read(uri)?;
            let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&bytes, &iv.to_be_bytes())
                .map_err(|_| format!("has the key {uri} with {bytes:?}"))?;
            let opened = cipher.decrypt_padded_vec_mut::<Pkcs7>(&body);
            body = opened.map_err(|_| format!("cannot decrypt {name} with {key}"))?.into();
        }
        let mut played = String::from_utf8_lossy(&body).into_owned();
        if let Some(map) = map {
            played = format!("{played} with {}", String::from_utf8_lossy(&self.read(map)?));
        }
        Ok(played)
    }

    fn read(&mut self, name: &str) -> Result<Bytes, String> {
        let stored = self.objects.get(name).ok_or_else(|| format!("names {name}, not there"))?;
        if !self.bytes.contains_key(name) {
            self.bytes.insert(name.to_owned(), stored.clone());
        }
        Ok(stored.clone())
    }
}

/// Tags that are of a whole playlist, with its numbers among them.
const OF_PLAYLISTS: [&str; 6] = [
    "#EXTM3U",
    "#EXT-X-VERSION",
    "#EXT-X-TARGETDURATION",
    "#EXT-X-MEDIA-SEQUENCE",
    "#EXT-X-DISCONTINUITY-SEQUENCE",
    "#EXT-X-ENDLIST",
];

/// A quoted attribute.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(name)?.1.split('"').next()
}
