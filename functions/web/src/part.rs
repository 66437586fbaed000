//! Parts of files.

use crate::http::Answer;
use http::StatusCode;
use http::header::CONTENT_RANGE;
use relay::ports::Slice;

/// The part of a body that is wanted, as far as it is still to come.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    skip: u64,
    /// How much of it.
    pub(crate) take: usize,
}

impl Wanted {
    /// Where a slice lies in an answer: in a part, which may be a larger one, or in the whole file,
    /// which servers that know no ranges send. Absent where the answer is neither.
    pub(crate) fn of(slice: Slice, answer: &Answer) -> Option<Self> {
        let begins = match answer.status {
            _ if answer.is_gzip() => return None,
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => {
                let range = answer.headers.get(CONTENT_RANGE)?.to_str().ok()?;
                range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()?
            }
            _ => return None,
        };
        let skip = slice.offset.checked_sub(begins)?;
        Some(Self { skip, take: usize::try_from(slice.length).ok()? })
    }

    /// What of the next piece is wanted.
    pub(crate) fn cut<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let skipped = piece.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= skipped as u64;
        let taken = (piece.len() - skipped).min(self.take);
        self.take -= taken;
        &piece[skipped..skipped + taken]
    }
}
