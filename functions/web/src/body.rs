//! A body that is being read: plain or compressed, never longer than its limit.

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use memmap2::MmapMut;
use std::io::{self, Write};

/// A piece of this size takes at most a thousand times as much room when it is decompressed.
const COMPRESSED_STEP: usize = 1 << 10;

/// What was read of a body.
pub(crate) enum Body {
    Plain(Limited),
    Gzip(MultiGzDecoder<Limited>),
}

/// Why a body cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It is longer than its limit.
    TooLong,
    /// It is not what its encoding says.
    Encoding,
}

impl Flaw {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge => Self::TooLong,
            _ => Self::Encoding,
        }
    }
}

/// Bytes up to a limit.
pub(crate) struct Limited {
    bytes: Buffer,
    limit: usize,
}

/// Bytes in memory.
///
/// Segments have pages of their own, which go back to the system with the last of them. An allocator keeps
/// what is freed, in pieces that the next segment, of another length, does not fit into: over an
/// overload that comes to half as much again as is in use, and stays.
pub(crate) enum Buffer {
    Heap(Vec<u8>),
    Pages { map: MmapMut, len: usize },
}

impl Buffer {
    /// For something small.
    pub(crate) fn small(capacity: usize) -> Self {
        Self::Heap(Vec::with_capacity(capacity))
    }

    /// For a segment of about this length.
    pub(crate) fn pages(capacity: usize) -> Self {
        match MmapMut::map_anon(capacity.max(1)) {
            Ok(map) => Self::Pages { map, len: 0 },
            Err(_) => Self::small(capacity),
        }
    }

    /// Forgets what follows the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        match self {
            Self::Heap(bytes) => bytes.truncate(length),
            Self::Pages { len, .. } => *len = length.min(*len),
        }
    }

    fn push(&mut self, more: &[u8]) {
        match self {
            Self::Heap(bytes) => bytes.extend_from_slice(more),
            Self::Pages { map, len } => {
                let end = *len + more.len();
                if let Some(free) = map.get_mut(*len..end) {
                    free.copy_from_slice(more);
                    *len = end;
                    return;
                }
                // What is not used of this is not in memory.
                let mut larger = Self::pages(end.max(map.len() * 2));
                larger.push(self.as_ref());
                larger.push(more);
                *self = larger;
            }
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Pages { map, len } => &map[..*len],
        }
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Pages { map, len } => &mut map[..*len],
        }
    }
}

impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        match buffer {
            Buffer::Heap(bytes) => bytes.into(),
            pages @ Buffer::Pages { .. } => Self::from_owner(pages),
        }
    }
}

impl Write for Limited {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if more.len() > self.limit - self.bytes.as_ref().len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.push(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Body {
    /// Puts what is read into `bytes`, decompressed.
    pub(crate) fn new(bytes: Buffer, limit: usize, gzip: bool) -> Self {
        let limited = Limited { bytes, limit };
        if gzip { Self::Gzip(MultiGzDecoder::new(limited)) } else { Self::Plain(limited) }
    }

    /// In pieces of which size it is to be given.
    pub(crate) fn step(&self) -> usize {
        match self {
            Self::Plain(_) => usize::MAX,
            Self::Gzip(_) => COMPRESSED_STEP,
        }
    }

    /// How long it may be with one piece more.
    pub(crate) fn len_with(&self, piece: &[u8]) -> usize {
        let limited = match self {
            Self::Plain(limited) => limited,
            Self::Gzip(decoder) => decoder.get_ref(),
        };
        limited.bytes.as_ref().len() + piece.len()
    }

    /// Takes a piece in.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<(), Flaw> {
        let written = match self {
            Self::Plain(limited) => limited.write_all(piece),
            Self::Gzip(decoder) => decoder.write_all(piece),
        };
        written.map_err(Flaw::of)
    }

    /// All of it.
    pub(crate) fn end(self) -> Result<Buffer, Flaw> {
        match self {
            Self::Plain(limited) => Ok(limited.bytes),
            Self::Gzip(decoder) => match decoder.finish() {
                Ok(limited) => Ok(limited.bytes),
                Err(error) => Err(Flaw::of(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffer: Buffer, limit: usize, gzip: bool, text: &[u8]) -> Result<Bytes, Flaw> {
        let mut body = Body::new(buffer, limit, gzip);
        for piece in text.chunks(body.step().min(7)) {
            body.take(piece)?;
        }
        body.end().map(Bytes::from)
    }

    #[test]
    fn a_body_is_what_was_sent_up_to_its_limit() {
        let text: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&text).unwrap();
        let packed = packed.finish().unwrap();
        let twice = [&packed[..], &packed[..]].concat();
        for (gzip, sent, expected) in [
            (false, &text, text.clone()),
            (true, &packed, text.clone()),
            (true, &twice, text.repeat(2)),
        ] {
            let buffers: [fn() -> Buffer; 4] = [
                || Buffer::small(0),
                || Buffer::pages(0),
                || Buffer::pages(5_000),
                || Buffer::pages(1 << 20),
            ];
            for (k, buffer) in buffers.into_iter().enumerate() {
                let whole = read(buffer(), expected.len(), gzip, sent);
                assert!(whole.as_deref() == Ok(&expected[..]), "{gzip} {k}");
                let short = read(buffer(), expected.len() - 1, gzip, sent);
                assert_eq!(short, Err(Flaw::TooLong), "{gzip} {k}");
            }
        }
        let cut = read(Buffer::small(0), 1 << 20, true, &packed[..packed.len() / 2]);
        assert_eq!(cut, Err(Flaw::Encoding));
    }
}
