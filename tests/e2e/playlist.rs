//! A reader of playlists of its own, so that the tests do not judge `hls` by `hls`.

/// A media playlist as a player sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    pub sequence: u64,
    pub target_duration: u64,
    pub segments: Vec<Segment>,
    pub ended: bool,
}

/// A segment and what the playlist says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    pub sequence: u64,
    /// The playlist's discontinuity sequence and the tags up to here.
    pub discontinuity: u64,
    /// Whether a discontinuity tag stands before it.
    pub marked: bool,
    pub uri: String,
    /// EXTINF, PROGRAM-DATE-TIME and every other line but the discontinuity tag and those that name
    /// files, as written.
    pub lines: Vec<String>,
    /// What else must be there for it to be played: its map and its key, wherever they are stated.
    pub needs: Vec<String>,
    /// The part of the file that it is: its first byte and how many.
    pub range: Option<(usize, usize)>,
}

impl Media {
    /// Reads a media playlist; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut media = Self::default();
        let mut discontinuity = 0;
        let mut segment = Segment::default();
        let (mut map, mut key, mut end_of_range) = (None, None, 0);
        let mut lines = text.lines();
        if lines.next() != Some("#EXTM3U") {
            return Err(format!("not a playlist: {text:?}"));
        }
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let number = || value.parse::<u64>().map_err(|_| format!("no number in {line:?}"));
            match tag {
                ""
                | "#EXT-X-VERSION"
                | "#EXT-X-INDEPENDENT-SEGMENTS"
                | "#EXT-X-PLAYLIST-TYPE"
                | "#EXT-X-I-FRAMES-ONLY" => {}
                "#EXT-X-MAP" => map = quoted(line, "URI"),
                "#EXT-X-KEY" => key = quoted(line, "URI"),
                "#EXT-X-BYTERANGE" => {
                    let number = |text: &str| text.parse().map_err(|_| format!("no range: {line}"));
                    let (length, offset) = match value.split_once('@') {
                        Some((length, offset)) => (number(length)?, number(offset)?),
                        None => (number(value)?, end_of_range),
                    };
                    end_of_range = offset + length;
                    segment.range = Some((offset, length));
                }
                "#EXT-X-TARGETDURATION" => media.target_duration = number()?,
                "#EXT-X-MEDIA-SEQUENCE" => media.sequence = number()?,
                "#EXT-X-DISCONTINUITY-SEQUENCE" => discontinuity = number()?,
                "#EXT-X-DISCONTINUITY" => segment.marked = true,
                "#EXT-X-ENDLIST" => media.ended = true,
                _ if tag.starts_with('#') => segment.lines.push(line.to_owned()),
                _ => {
                    discontinuity += u64::from(segment.marked);
                    segment.discontinuity = discontinuity;
                    segment.sequence = media.sequence + media.segments.len() as u64;
                    segment.uri = line.to_owned();
                    segment.needs = map.iter().chain(&key).cloned().collect();
                    media.segments.push(std::mem::take(&mut segment));
                }
            }
        }
        Ok(media)
    }

    /// Makes the addresses relative to what `playlist`, the address of this one, is relative to.
    pub fn resolve(&mut self, playlist: &str) {
        let folder = playlist.rfind('/').map_or("", |slash| &playlist[..=slash]);
        for segment in &mut self.segments {
            for uri in segment.needs.iter_mut().chain([&mut segment.uri]) {
                uri.insert_str(0, folder);
            }
        }
    }
}

/// The media playlists that a multivariant playlist names; none when it is a media playlist.
pub fn renditions(text: &str) -> Vec<String> {
    let mut uris = Vec::new();
    let mut variant = false;
    for line in text.lines() {
        if line.starts_with("#EXT-X-STREAM-INF:") {
            variant = true;
        } else if line.starts_with("#EXT-X-MEDIA:")
            || line.starts_with("#EXT-X-I-FRAME-STREAM-INF:")
        {
            uris.extend(quoted(line, "URI"));
        } else if variant && !line.is_empty() && !line.starts_with('#') {
            variant = false;
            uris.push(line.to_owned());
        }
    }
    uris.sort();
    uris.dedup();
    uris
}

/// The value of a quoted attribute.
fn quoted(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[test]
fn a_playlist_is_read_as_a_player_reads_it() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXTINF:2.0,a title\na.ts\n#EXT-X-DISCONTINUITY\n\
        #EXT-X-MAP:URI=\"m.mp4\"\n#EXTINF:2.0,\nb.ts\n#EXT-X-ENDLIST\n";
    let media = Media::read(text).unwrap();
    assert_eq!((media.sequence, media.target_duration, media.ended), (7, 2, true));
    let seen: Vec<_> = media
        .segments
        .iter()
        .map(|s| (s.sequence, s.discontinuity, s.uri.as_str(), s.needs.len()))
        .collect();
    assert_eq!(seen, [(7, 3, "a.ts", 0), (8, 4, "b.ts", 1)]);
    assert_eq!(renditions(text), [""; 0]);
}
