//! Judges what an observer saw at one endpoint by the first three promises. It knows nothing of
//! the program that put it there: only playlists, names and bytes.

use crate::playlist::{Media, Segment};
use crate::published::Renditions;
use bytes::Bytes;
use std::collections::BTreeMap;

/// What was seen at one endpoint, and what was wrong with it.
#[derive(Debug, Default)]
pub struct Judge {
    violations: Vec<String>,
    /// Per media playlist: the newest, and every segment that any of them listed.
    seen: BTreeMap<String, (Media, BTreeMap<u64, Segment>)>,
    /// What each name means.
    objects: BTreeMap<String, Bytes>,
}

/// What arrived of one rendition of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The source's playlist.
    pub source: String,
    /// The endpoint's playlist.
    pub playlist: String,
    /// Its segments, as places in the order in which the source published them.
    pub first: usize,
    pub last: usize,
    /// The places that were left out, each jump marked with a discontinuity.
    pub missed: Vec<usize>,
    /// The numbers of segments before which nothing is missing, and that are marked all the same: because something
    /// is in another rendition.
    marked: Vec<u64>,
    /// How many segments arrived.
    pub segments: usize,
    pub ended: bool,
}

impl Judge {
    /// Notes a violation that the observer met itself.
    pub fn note(&mut self, violation: String) {
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }

    /// What is wrong so far.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// How many segments the shortest media playlist has listed over time.
    pub fn segments(&self) -> usize {
        self.seen.values().map(|(_, segments)| segments.len()).min().unwrap_or(0)
    }

    /// Whether there are media playlists, and all have ended.
    pub fn ended(&self) -> bool {
        !self.seen.is_empty() && self.seen.values().all(|(media, _)| media.ended)
    }

    /// How many bytes `name` stands for, if it has been read.
    pub fn size(&self, name: &str) -> Option<usize> {
        self.objects.get(name).map(Bytes::len)
    }

    /// Promise 2: a published name always means the same bytes.
    pub fn read(&mut self, name: &str, bytes: Bytes) {
        match self.objects.get(name) {
            Some(known) if *known != bytes => {
                self.violations.push(format!("{name} has other bytes than before"));
            }
            Some(_) => {}
            None => {
                self.objects.insert(name.to_owned(), bytes);
            }
        }
    }

    /// Promise 2: a media playlist never goes back, and a segment keeps its number, its discontinuity
    /// number and its lines. RFC 8216 section 6.2.1: the target duration never changes.
    pub fn listed(&mut self, playlist: &str, new: Media) {
        let violations = &mut self.violations;
        let mut wrong = |what: String| violations.push(format!("{playlist}: {what}"));
        let (old, segments) = self.seen.entry(playlist.to_owned()).or_default();
        if *old != Media::default() {
            if new.sequence < old.sequence {
                wrong(format!("media sequence went from {} to {}", old.sequence, new.sequence));
            }
            if end(&new) < end(old) {
                wrong(format!("its end went from {} to {}", end(old), end(&new)));
            }
            if new.sequence > end(old) {
                wrong(format!("jumped from {} to {} unseen", end(old), new.sequence));
            }
            if new.target_duration != old.target_duration {
                wrong(format!(
                    "target duration {} -> {}",
                    old.target_duration, new.target_duration
                ));
            }
            if old.ended && new != *old {
                wrong("changed after its end".to_owned());
            }
        }
        for segment in &new.segments {
            match segments.get(&segment.sequence) {
                // A window may begin with a segment whose tag has become part of the header's count.
                Some(known) if Segment { marked: known.marked, ..segment.clone() } != *known => {
                    wrong(format!("{known:?} became {segment:?}"));
                }
                Some(_) => {}
                None => {
                    segments.insert(segment.sequence, segment.clone());
                }
            }
        }
        *old = new;
    }

    /// Promise 3, and 4 as far as the lines of a segment go: what arrived, compared with what was
    /// published. Adds what is wrong to the violations.
    pub fn compare(&mut self, published: &Renditions) -> Vec<Carried> {
        let mut all = Vec::new();
        for (playlist, (media, segments)) in &self.seen {
            match self.rendition(playlist, segments, published) {
                Ok(mut carried) => {
                    carried.ended = media.ended;
                    all.push(carried);
                }
                Err(violation) => self.violations.push(format!("{playlist}: {violation}")),
            }
        }
        let jumps = |carried: &Carried| {
            let missed = carried.missed.iter().enumerate();
            missed.filter(|&(n, place)| n == 0 || carried.missed[n - 1] + 1 != *place).count()
        };
        let most = all.iter().map(jumps).max().unwrap_or_default();
        for Carried { playlist, marked, .. } in all.iter().filter(|it| it.marked.len() > most) {
            let why = "are marked with a discontinuity, and nothing is missing";
            self.violations.push(format!("{playlist}: {marked:?} {why}"));
        }
        for source in published.keys() {
            if all.iter().filter(|carried| carried.source == *source).count() != 1 {
                self.violations.push(format!("{source} did not arrive exactly once: {all:?}"));
            }
        }
        all.sort_by(|a, b| a.source.cmp(&b.source));
        all
    }

    fn rendition(
        &self,
        playlist: &str,
        segments: &BTreeMap<u64, Segment>,
        published: &Renditions,
    ) -> Result<Carried, String> {
        let bytes = |segment: &Segment| {
            self.objects.get(&segment.uri).ok_or_else(|| format!("{} was not read", segment.uri))
        };
        let first = bytes(segments.values().next().ok_or("lists nothing")?)?;
        let (source, entries) = published
            .iter()
            .find(|(_, entries)| entries.iter().any(|entry| entry.bytes == *first))
            .ok_or("its first segment is none of the source's")?;
        let mut places: Vec<usize> = Vec::new();
        let (mut missed, mut marked) = (Vec::new(), Vec::new());
        for (number, segment) in segments {
            let body = bytes(segment)?;
            let next = places.last().map_or(0, |last| last + 1);
            let place =
                (next..entries.len()).find(|place| entries[*place].bytes == *body).ok_or_else(
                    || format!("{number} ({}) is twice, late or not the source's", segment.uri),
                )?;
            let entry = &entries[place].segment;
            if entry.lines != segment.lines {
                return Err(format!("{number}: {:?} arrived as {:?}", entry.lines, segment.lines));
            }
            if !places.is_empty() {
                missed.extend(next..place);
                let jumped = place > next;
                match (segment.marked, jumped || entry.marked) {
                    (false, true) => {
                        let why = "is not marked with a discontinuity";
                        let last = places.last();
                        return Err(format!("{number} {why}: places {last:?} then {place}"));
                    }
                    (true, false) => marked.push(*number),
                    (true, true) | (false, false) => {}
                }
            }
            places.push(place);
        }
        Ok(Carried {
            source: source.clone(),
            playlist: playlist.to_owned(),
            first: places[0],
            last: places[places.len() - 1],
            missed,
            marked,
            segments: places.len(),
            ended: false,
        })
    }
}

/// The number after the last one.
fn end(media: &Media) -> u64 {
    media.sequence + media.segments.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::Entry;

    /// What an observer sees when a playlist with `header` lists `segments`, whose bytes are their names.
    fn see(judge: &mut Judge, sequence: u64, header: &str, segments: &str) {
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n{header}{}",
            segments.replace('!', "#EXT-X-DISCONTINUITY ").replace(' ', "\n"),
        );
        let media = Media::read(&text).unwrap();
        for segment in &media.segments {
            judge.read(&segment.uri, Bytes::from(segment.uri.clone()));
        }
        judge.listed("v.m3u8", media);
    }

    fn source(names: &str) -> Renditions {
        let text = format!("#EXTM3U\n{}", names.replace(' ', "\n"));
        let entry = |segment: Segment| Entry { bytes: segment.uri.clone().into(), segment };
        let entries = Media::read(&text).unwrap().segments.into_iter().map(entry).collect();
        Renditions::from([("source".to_owned(), entries)])
    }

    #[test]
    fn a_stream_that_keeps_the_promises_is_not_blamed() {
        let mut judge = Judge::default();
        see(&mut judge, 4, "", "b c d");
        see(&mut judge, 5, "", "c d !f");
        see(&mut judge, 7, "#EXT-X-DISCONTINUITY-SEQUENCE:1\n", "f g");
        see(&mut judge, 7, "#EXT-X-DISCONTINUITY-SEQUENCE:1\n", "f g #EXT-X-ENDLIST");
        let carried = judge.compare(&source("a b c d e f g"));
        assert_eq!(judge.violations(), [""; 0]);
        let [carried] = &carried[..] else { panic!("{carried:?}") };
        assert_eq!((carried.first, carried.last, carried.segments), (1, 6, 5));
        assert_eq!((&carried.missed[..], carried.ended), (&[4][..], true));
    }

    #[test]
    fn every_broken_promise_is_seen() {
        for (what, first, then, expected) in [
            ("goes back", (5, "", "b c"), (4, "", "a b c"), "media sequence went from 5 to 4"),
            ("loses its end", (5, "", "b c"), (5, "", "b"), "its end went from 7 to 6"),
            ("another number", (5, "", "b c"), (5, "", "c d"), "became"),
            ("wrong discontinuity", (5, "", "b !d"), (6, "", "d e"), "became"),
            ("skips unseen", (5, "", "b"), (7, "", "d"), "jumped from 6 to 7 unseen"),
            ("goes on after the end", (5, "", "b #EXT-X-ENDLIST"), (5, "", "b c"), "after its end"),
            ("a hole", (5, "", "b"), (5, "", "b d"), "6 is not marked"),
            ("twice", (5, "", "b"), (5, "", "b b"), "6 (b) is twice"),
            ("out of order", (5, "", "c"), (5, "", "c b"), "6 (b) is twice, late"),
            ("not the source's", (5, "", "b"), (5, "", "b x"), "not the source's"),
            ("marked for nothing", (5, "", "b"), (5, "", "b !c"), "nothing is missing"),
            ("another line", (5, "", "#EXTINF:3 b"), (5, "", "#EXTINF:3 b"), "arrived as"),
        ] {
            let mut judge = Judge::default();
            see(&mut judge, first.0, first.1, first.2);
            see(&mut judge, then.0, then.1, then.2);
            judge.compare(&source("a b c d e"));
            let violations = judge.violations().join("\n");
            assert!(violations.contains(expected), "{what}: {violations}");
        }
        let mut judge = Judge::default();
        judge.read("a", Bytes::from("1"));
        judge.read("a", Bytes::from("2"));
        assert_eq!(judge.violations(), ["a has other bytes than before"]);
    }
}
