//! The lines of a multivariant playlist to values.

use crate::{
    AttributeList, Error, ErrorKind, Line, Media, MultivariantPlaylist, Variant, interpret, tags,
};

/// Reads the lines of a multivariant playlist.
pub(crate) fn read(lines: &[&str], around: bool) -> Result<MultivariantPlaylist, Error> {
    let mut reader = Reader::default();
    let mut flaws = Vec::new();
    for (number, line) in (1..).zip(lines) {
        match reader.line(number, line) {
            // What is both kinds is neither.
            Err(flaw) if around && !matches!(flaw.kind, ErrorKind::BothKinds { .. }) => {
                flaws.push(flaw);
            }
            other => other?,
        }
    }
    let is_variant = |line: &Line| matches!(line, Line::Variant(_));
    if !reader.lines.iter().any(is_variant)
        && let Some(flaw) = flaws.first()
    {
        return Err(flaw.clone());
    }
    reader.no_open_variant()?;
    let mut lines = reader.lines;
    while lines.pop_if(|line| matches!(line, Line::Other(text) if text.is_empty())).is_some() {}
    Ok(MultivariantPlaylist { lines, flaws })
}

#[derive(Default)]
struct Reader {
    lines: Vec<Line>,
    /// The variant whose address is still to come, and the line of its tag.
    open: Option<(usize, Variant)>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Error> {
        let wrong = |kind| Error { line: number, kind };
        if tags::is_address(line) {
            // An address that no tag announces is nobody's; players pass over it, too.
            if let Some((_, mut variant)) = self.open.take() {
                line.clone_into(&mut variant.uri);
                self.lines.push(Line::Variant(variant));
            }
            return Ok(());
        }
        let (name, value) = tags::tag(line).unwrap_or_default();
        let attributes = || AttributeList::new(value);
        match name {
            tags::STREAM_INF => {
                self.no_open_variant()?;
                let attributes = attributes();
                let bandwidth = interpret::bandwidth(&attributes).map_err(wrong)?;
                self.open = Some((number, Variant { attributes, bandwidth, ..Variant::default() }));
            }
            tags::MEDIA => {
                let attributes = attributes();
                self.lines.push(match interpret::media_kind(&attributes).map_err(wrong)? {
                    Some(kind) => Line::Media(Media { attributes, kind }),
                    // RFC 8216 section 6.3.1: a value that is not recognised is to be ignored.
                    None => Line::Other(line.to_owned()),
                });
            }
            tags::I_FRAME_STREAM_INF => {
                let attributes = attributes();
                interpret::check(&attributes, tags::I_FRAME_STREAM_INF).map_err(wrong)?;
                self.lines.push(Line::IFrame(attributes));
            }
            tags::INF => return Err(wrong(of_other_kind(tags::INF))),
            tags::TARGET_DURATION => return Err(wrong(of_other_kind(tags::TARGET_DURATION))),
            tags::MEDIA_SEQUENCE => return Err(wrong(of_other_kind(tags::MEDIA_SEQUENCE))),
            _ => match &mut self.open {
                Some((_, variant)) => variant.between.push(line.to_owned()),
                None => self.lines.push(Line::Other(line.to_owned())),
            },
        }
        Ok(())
    }

    /// Checks that the last variant has its address.
    fn no_open_variant(&self) -> Result<(), Error> {
        match self.open {
            Some((line, _)) => {
                Err(Error { line, kind: ErrorKind::Unfinished { tag: tags::STREAM_INF } })
            }
            None => Ok(()),
        }
    }
}

/// RFC 8216 section 4.3.4: whoever finds tags of both kinds must not read on.
fn of_other_kind(tag: &'static str) -> ErrorKind {
    ErrorKind::BothKinds { tag, kind: "multivariant" }
}
