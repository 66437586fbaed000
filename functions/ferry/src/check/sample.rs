//! Reads a segment with what it needs beside itself, as a session would.

use bytes::Bytes;
use hls::{AttributeList, ByteRange, MediaPlaylist, MediaSequence, Segment};
use relay::abilities::{Protection, protection};
use relay::contents::SAMPLE_BYTES;
use relay::crypt::{CryptError, KEY_BYTES, Opener};
use relay::parts::{Keys, Lock, recipe};
use relay::ports::{Origin, Slice};
use std::collections::BTreeMap;
use url::Url;

/// The beginning of the newest segment of a playlist that came from `base`; absent where it says nothing, being encrypted
/// in a way that cannot be opened.
///
/// # Errors
/// Why the segment, its map or one of its keys cannot be read.
pub async fn newest(
    origin: &impl Origin,
    base: &Url,
    playlist: &MediaPlaylist,
) -> Result<Option<Bytes>, String> {
    let numbered = (playlist.media_sequence.0..).map(MediaSequence).zip(&playlist.segments);
    let listed: Vec<(MediaSequence, &Segment)> = numbered.filter(|(_, it)| !it.gap).collect();
    // Where ads are clear and the programme is not, both are looked at.
    let newest = listed.iter().rev().find(|(_, it)| it.keys.is_empty());
    let locked = listed.iter().rev().find(|(_, it)| !it.keys.is_empty());
    let mut sample = None;
    for (sequence, segment) in newest.into_iter().chain(locked) {
        let read = of(origin, base, *sequence, segment, sample.is_some()).await;
        let read = read.map_err(|reason| format!("segment {sequence}: {reason}"))?;
        sample = sample.or(read);
    }
    Ok(sample)
}

async fn of(
    origin: &impl Origin,
    base: &Url,
    sequence: MediaSequence,
    segment: &Segment,
    is_sampled: bool,
) -> Result<Option<Bytes>, String> {
    let join = |uri: &str| base.join(uri).map_err(|_| "its address cannot be read".to_owned());
    let mut keys = BTreeMap::new();
    let of_map = segment.map.iter().flat_map(|map| map.keys.iter());
    for key in segment.keys.iter().chain(of_map) {
        let Some(url) = file_of(key, base) else { continue };
        let key = origin.segment(&url, None).await.map_err(|error| format!("its key: {error}"))?;
        if key.len() != KEY_BYTES {
            return Err(CryptError::KeyLength { bytes: key.len() }.to_string());
        }
        keys.insert(url, key);
    }
    // Whether it is opened, and whether its range is one, is said by what sessions are carried by.
    let opened = segment.keys.is_empty()
        || segment.keys.iter().any(|key| protection(key) == Protection::Aes128);
    let of_segment = recipe(segment, sequence, if opened { Keys::Opened } else { Keys::Left })?;
    let opener = |lock: &Option<Lock>| match lock {
        None => Ok(None),
        Some(lock) => {
            let key = keys.get(&join(&lock.key)?).ok_or("its key cannot be read")?;
            Opener::new(key, lock.iv).map(Some).map_err(|error| error.to_string())
        }
    };
    if let Some((file, lock)) = &of_segment.map {
        let url = join(&file.uri)?;
        let map = match opener(lock)? {
            None => origin.segment(&url, file.slice).await,
            Some(opener) => origin.opened(&url, file.slice, opener).await,
        };
        map.map_err(|error| format!("its map: {error}"))?;
    }
    if !opened || is_sampled && of_segment.lock.is_none() {
        return Ok(None);
    }
    let url = join(&segment.uri)?;
    let body = match opener(&of_segment.lock)? {
        None => origin.segment(&url, beginning(segment.byte_range)).await,
        Some(opener) => origin.opened(&url, of_segment.body.slice, opener).await,
    };
    let body = body.map_err(|error| error.to_string())?;
    let head = body.get(..SAMPLE_BYTES).unwrap_or(&body);
    Ok(Some(Bytes::copy_from_slice(head)))
}

/// Where a key lies that is read as a file is: those of DRM systems are not.
fn file_of(key: &AttributeList, base: &Url) -> Option<Url> {
    let url = base.join(key.get("URI")?).ok()?;
    (protection(key) != Protection::Drm && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// As much of a part as is kept.
fn beginning(range: Option<ByteRange>) -> Option<Slice> {
    let ByteRange { length, offset } = range?;
    Some(Slice { offset: offset?, length: length.min(SAMPLE_BYTES as u64) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay::ports::{Fetched, OriginError, Validators};

    /// Files, of which the segment is 16 bytes under a key of sixteen ones and an IV of zeros.
    struct Files;

    impl Origin for Files {
        async fn playlist(&self, _: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
            panic!("it was read before")
        }

        async fn segment(&self, url: &Url, slice: Option<Slice>) -> Result<Bytes, OriginError> {
            let gone = || {
                let reason = format!("origin answered 404 for {}", url.path());
                OriginError::Gone { reason, for_good: false }
            };
            let body: &[u8] = match url.path() {
                "/v/good.key" => &[1; 16],
                "/v/short.key" => &[1; 15],
                "/v/map.mp4" => b"map",
                "/v/a.ts" => &LOCKED,
                "/v/clear.ts" => b"clear bytes",
                _ => return Err(gone()),
            };
            let Some(Slice { offset, length }) = slice else { return Ok(Bytes::from_static(body)) };
            let (from, to) = (offset as usize, (offset + length) as usize);
            body.get(from..to).map(Bytes::copy_from_slice).ok_or_else(gone)
        }

        fn is_crowded(&self) -> bool {
            false
        }
    }

    /// printf 'eleven byte' | openssl enc -aes-128-cbc -K 0101.. -iv 0
    const LOCKED: [u8; 16] = [
        0xa1, 0xae, 0xc6, 0x94, 0x3d, 0x55, 0x56, 0x2b, 0x30, 0xd2, 0x8a, 0x89, 0x04, 0xca, 0x0c,
        0xe2,
    ];

    #[tokio::test]
    async fn what_a_segment_needs_is_read_with_it() {
        const KEY: &str = "#EXT-X-KEY:METHOD=AES-128,IV=0x0,URI";
        for (lines, name, expected) in [
            ("".to_owned(), "clear.ts", Ok("clear bytes")),
            ("#EXT-X-BYTERANGE:5@6\n".to_owned(), "clear.ts", Ok("bytes")),
            (format!("{KEY}=\"good.key\"\n"), "a.ts", Ok("eleven byte")),
            (
                format!("{KEY}=\"short.key\"\n"),
                "a.ts",
                Err("segment 7: its key has 15 bytes, and a key has 16"),
            ),
            (
                format!("{KEY}=\"gone.key\"\n"),
                "a.ts",
                Err("segment 7: its key: origin answered 404 for /v/gone.key"),
            ),
            (
                "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"short.key\"\n".to_owned(),
                "a.ts",
                Err("segment 7: its key has 15 bytes, and a key has 16"),
            ),
            (
                format!("{KEY}=\"good.key\"\n"),
                "clear.ts",
                Err("segment 7: it cannot be decrypted with its key"),
            ),
            (
                "#EXT-X-MAP:URI=\"gone.mp4\"\n".to_owned(),
                "clear.ts",
                Err("segment 7: its map: origin answered 404 for /v/gone.mp4"),
            ),
            ("#EXT-X-MAP:URI=\"map.mp4\"\n".to_owned(), "clear.ts", Ok("clear bytes")),
            (
                "#EXT-X-BYTERANGE:5\n".to_owned(),
                "clear.ts",
                Err("segment 7: its byte range does not say where it begins"),
            ),
            ("".to_owned(), "gone.ts", Err("segment 7: origin answered 404 for /v/gone.ts")),
        ] {
            let text = format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n{lines}#EXTINF:2,\n{name}\n\
                 #EXT-X-GAP\n#EXTINF:2,\nnone.ts\n"
            );
            let limits = hls::Limits::default();
            let Ok(hls::Playlist::Media(playlist)) = hls::parse(text.as_bytes(), &limits) else {
                panic!("{text}")
            };
            let base = Url::parse("http://a.example/v/v.m3u8").unwrap();
            let read = newest(&Files, &base, &playlist).await;
            let read = read.map(|bytes| String::from_utf8(bytes.unwrap().to_vec()).unwrap());
            assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{lines}{name}");
        }
    }
}
