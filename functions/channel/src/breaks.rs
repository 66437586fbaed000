//! What fills an ad break.

use crate::asset::{Asset, AssetHash};
use crate::commit::{Why, fitting};
use crate::mapping::{Playable, Tracks};
use crate::schedule::{Channel, Library, Role, length};
use crate::timeline::index;
use hls::Micros;
use std::rc::Rc;

/// The longest break: several times what is shown anywhere. It is filled with ads, each of which is an item.
pub const LONGEST_BREAK: Micros = Micros::from_secs(3_600);

/// How much of a break may be left over: players and replacers bear as much.
pub(crate) const LEFT_OVER: Micros = Micros::from_millis(500);

/// An ad that the channel can play.
pub(crate) struct Ad<'a> {
    hash: &'a AssetHash,
    asset: &'a Asset,
    tracks: Rc<Tracks>,
}

/// Something that fills a part of a break.
pub(crate) struct Filled<'a> {
    pub(crate) role: Role,
    pub(crate) hash: &'a AssetHash,
    pub(crate) asset: &'a Asset,
    pub(crate) tracks: Rc<Tracks>,
    pub(crate) end: usize,
    pub(crate) passes: u64,
}

impl Filled<'_> {
    pub(crate) fn length(&self) -> Micros {
        length(self.asset, 0, self.end, self.passes)
    }
}

/// The ads of some names.
///
/// # Errors
/// The first that cannot be played, and why.
pub(crate) fn ads<'a>(
    names: &[AssetHash],
    playable: &mut Playable<'a>,
) -> Result<Rc<[Ad<'a>]>, (usize, Why)> {
    let ad = |(place, name): (usize, &AssetHash)| {
        let (hash, asset, tracks) = playable.get(name).map_err(|why| (place, why))?;
        Ok(Ad { hash, asset, tracks })
    };
    names.iter().enumerate().map(ad).collect()
}

/// What fills a break of that length: ads in turn that fit, then the slate, then an ad that is cut. The turn is that
/// behind `last_ad`.
///
/// # Errors
/// When nothing does, or it takes more than `room` items.
pub(crate) fn filled<'a>(
    channel: &'a Channel,
    indexes: &'a Library,
    time: Micros,
    ads: &[Ad<'a>],
    last_ad: &mut Option<AssetHash>,
    room: usize,
) -> Result<Vec<Filled<'a>>, Why> {
    if time == Micros(0) {
        return Err(Why::Empty);
    }
    if time > LONGEST_BREAK {
        return Err(Why::TooLong(LONGEST_BREAK));
    }
    let after = ads.iter().position(|ad| last_ad.as_ref() == Some(ad.hash));
    let mut turn = after.map_or(0, |place| place + 1);
    let mut left = time;
    let mut filled: Vec<Filled> = Vec::new();
    while left > LEFT_OVER {
        if filled.len() >= room {
            return Err(Why::Full);
        }
        let mut in_turn = ads.iter().enumerate().cycle().skip(turn).take(ads.len());
        let fits = in_turn.clone().find(|(_, ad)| ad.asset.duration() <= left + LEFT_OVER);
        let next = match (fits, &channel.slate) {
            (Some((place, Ad { hash, asset, tracks })), _) => {
                turn = place + 1;
                let (tracks, end) = (Rc::clone(tracks), asset.segments());
                Filled { role: Role::Ad, hash, asset, tracks, end, passes: 1 }
            }
            (None, Some(slate)) => {
                let asset = index(indexes, &slate.asset).map_err(|_| Why::NoAds)?;
                let nearest = |asset: &Asset, rest| asset.lead().boundary(rest);
                let Some((end, passes)) = fitting(asset, left, nearest) else { break };
                let (hash, tracks) = (&slate.asset, Rc::new(slate.tracks.clone()));
                filled.push(Filled { role: Role::Slate, hash, asset, tracks, end, passes });
                break;
            }
            (None, None) => {
                let Some((place, Ad { hash, asset, tracks })) = in_turn.next() else { break };
                turn = place + 1;
                let (tracks, end) = (Rc::clone(tracks), asset.lead().boundary(left));
                Filled { role: Role::Ad, hash, asset, tracks, end, passes: 1 }
            }
        };
        // Of an ad that is cut nothing may be left, or segments that take no time.
        if next.end == 0 || next.length() == Micros(0) {
            break;
        }
        left = left - next.length();
        *last_ad = Some(next.hash.clone());
        filled.push(next);
    }
    match filled.is_empty() {
        true if ads.is_empty() && channel.slate.is_none() => Err(Why::NoAds),
        true => Err(Why::TooShort),
        false => Ok(filled),
    }
}
