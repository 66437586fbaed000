//! Which sound and which subtitles of a programme play in which rendition of a channel.

use crate::asset::Asset;
use crate::codecs::{sounds, texts};
use crate::flaw::Flaw;
use crate::ladder::{Ladder, LadderLine};
use crate::language::Language;
use hls::AttributeList;
use std::collections::BTreeSet;

/// What an `EXT-X-MEDIA` of audio or subtitles says of a rendition, ready to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Alternative<'a> {
    /// What it is; absent: it is in the variants (RFC 8216 section 4.3.4.2.1).
    rendition: Option<usize>,
    container: &'a str,
    language: Language,
    name: String,
    group: String,
    /// For whom it is, such as those who cannot see the picture.
    purposes: BTreeSet<String>,
    is_default: bool,
    is_forced: bool,
    /// How many channels its sound has, as stated.
    channels: Option<String>,
    /// Which families of codecs it may be of; none: that is not stated.
    codecs: BTreeSet<&'static str>,
}

/// What sounds a channel or a programme has, or what subtitles, in the order of its multivariant playlist.
pub(crate) fn alternatives<'a>(ladder: &'a Ladder, wanted: &str) -> Vec<Alternative<'a>> {
    let alternative = |line: &LadderLine| {
        let LadderLine::Media(attributes, rendition) = line else { return None };
        let attributes = AttributeList::new(attributes);
        let text = |name: &str| attributes.get(name).unwrap_or_default().to_owned();
        let is = |name: &str| attributes.get(name) == Some("YES");
        let purposes = text("CHARACTERISTICS");
        let purposes = purposes.split(',').map(str::trim);
        let purposes = purposes.filter(|it| it.starts_with("public.accessibility."));
        let of = rendition.and_then(|rendition| ladder.renditions.get(rendition));
        (attributes.get("TYPE") == Some(wanted)).then(|| Alternative {
            rendition: *rendition,
            container: of.map_or("", |of| of.container.as_str()),
            language: Language::new(&text("LANGUAGE")),
            name: text("NAME"),
            group: text("GROUP-ID"),
            purposes: purposes.map(str::to_owned).collect(),
            is_default: is("DEFAULT"),
            is_forced: is("FORCED"),
            // What comes behind the count is how they are made.
            channels: attributes
                .get("CHANNELS")
                .and_then(|it| it.split('/').next())
                .map(str::to_owned),
            codecs: codecs_of(ladder, wanted, *rendition, &text("GROUP-ID")),
        })
    };
    ladder.lines.iter().filter_map(alternative).collect()
}

/// The families of codecs that a rendition of a group may be of: those that all variants have that play it.
fn codecs_of(
    ladder: &Ladder,
    kind: &str,
    rendition: Option<usize>,
    group: &str,
) -> BTreeSet<&'static str> {
    let families = if kind == "AUDIO" { sounds } else { texts };
    let is_linked = is_linked(ladder, kind);
    let stated = ladder.stated().filter_map(|(attributes, of)| {
        let plays = rendition == Some(of) || is_of(&attributes, kind, group, is_linked);
        let codecs = families(attributes.get("CODECS").filter(|_| plays)?);
        (!codecs.is_empty()).then_some(codecs)
    });
    stated.reduce(|all, codecs| all.intersection(&codecs).copied().collect()).unwrap_or_default()
}

/// Whether variants name the groups that they play.
fn is_linked(ladder: &Ladder, kind: &str) -> bool {
    ladder.stated().any(|(attributes, _)| attributes.get(kind).is_some())
}

/// Whether a variant plays a group. Where none names any, each plays all.
fn is_of(variant: &AttributeList, kind: &str, group: &str, is_linked: bool) -> bool {
    variant.get(kind).map_or(!is_linked, |named| named == group)
}

/// The sounds of a channel and of a programme.
pub(crate) struct Sounds<'a> {
    channel: Vec<Alternative<'a>>,
    programme: Vec<Alternative<'a>>,
}

impl<'a> Sounds<'a> {
    pub(crate) fn new(ladder: &'a Ladder, asset: &'a Asset) -> Self {
        let (channel, programme) =
            (alternatives(ladder, "AUDIO"), alternatives(asset.ladder(), "AUDIO"));
        Self { channel, programme }
    }

    /// What plays in a rendition of the channel.
    ///
    /// # Errors
    /// When there is nothing, or it is in the variants, or of another codec.
    pub(crate) fn choose(
        &self,
        ladder: &Ladder,
        rendition: usize,
        asset: &Asset,
    ) -> Result<usize, Flaw> {
        let name = || {
            ladder
                .renditions
                .get(rendition)
                .map_or_else(String::new, |rendition| rendition.name.clone())
        };
        let lacks = || Flaw::Lacks { rendition: name() };
        let wanted = self.channel.iter().rfind(|it| it.rendition == Some(rendition));
        let wanted = wanted.ok_or_else(lacks)?;
        let in_container =
            |it: &Alternative| it.rendition.is_none() || it.container == wanted.container;
        let can_follow = |it: &Alternative| in_container(it) && wanted.can_be(&it.codecs);
        let other = self.best(wanted, |_| true).ok_or_else(lacks)?;
        // What is heard is not another language because of the codec.
        let is_as_like = |it: &&Alternative| wanted.is_as_like(it, other);
        let Some(best) = self.best(wanted, can_follow).filter(is_as_like) else {
            if !in_container(other) {
                return Err(lacks());
            }
            let track = other.rendition.and_then(|track| asset.tracks.get(track));
            let playlist = track.unwrap_or_else(|| asset.lead()).playlist.clone();
            let words = |it: &Alternative| Vec::from_iter(it.codecs.iter().copied()).join(", ");
            let (found, expected) = (words(other), words(wanted));
            return Err(Flaw::Codecs { playlist, found, expected });
        };
        best.rendition.ok_or_else(|| Flaw::Muxed { rendition: name() })
    }

    /// Whether what the channel has in its variants is in those of the programme.
    pub(crate) fn are_in_variants(&self) -> bool {
        let in_variants = self.channel.iter().filter(|it| it.rendition.is_none());
        in_variants.filter_map(|it| self.best(it, |_| true)).all(|best| best.rendition.is_none())
    }

    /// The most alike: what is said to be something else is that, whatever it is called.
    fn best(
        &self,
        wanted: &Alternative,
        fits: impl Fn(&Alternative) -> bool,
    ) -> Option<&Alternative<'a>> {
        // A channel that has sound in its variants and beside them tells by that which is which.
        let is_mixed = self.channel.iter().any(|it| it.rendition.is_none());
        let fit = self.programme.iter().filter(|it| fits(it));
        fit.min_by_key(|it| {
            let elsewhere = it.rendition.is_some() != wanted.rendition.is_some();
            (
                wanted.unlike(it),
                is_mixed && elsewhere,
                !it.is_default,
                elsewhere,
                wanted.layout(it),
                it.group != wanted.group,
            )
        })
    }
}

impl Alternative<'_> {
    /// By what another differs, the most important first.
    fn unlike(&self, other: &Self) -> (bool, bool, u8, u8, bool) {
        let is_known = self.codecs.len() == 1 && other.codecs.len() == 1;
        (
            other.language.primary != self.language.primary,
            other.purposes != self.purposes,
            // Where codecs are not stated, the count of channels is all that tells them apart.
            if is_known { 0 } else { self.layout(other) },
            self.language.unlike(&other.language),
            other.name != self.name,
        )
    }

    /// Whether one is of its language, and for those that it is for, as far as another is.
    fn is_as_like(&self, one: &Self, other: &Self) -> bool {
        let (one, other) = (self.unlike(one), self.unlike(other));
        (one.0, one.1) <= (other.0, other.1)
    }

    /// Whether it has another count of channels, or may have.
    fn layout(&self, other: &Self) -> u8 {
        match (&self.channels, &other.channels) {
            (Some(one), Some(other)) => {
                if one == other {
                    0
                } else {
                    2
                }
            }
            (Some(_), None) | (None, Some(_)) | (None, None) => 1,
        }
    }

    /// Whether something of one of these families of codecs can play here.
    fn can_be(&self, codecs: &BTreeSet<&str>) -> bool {
        self.codecs.is_empty() || codecs.is_empty() || !self.codecs.is_disjoint(codecs)
    }
}

/// The subtitles of a programme that play in a rendition of a channel; absent: it has none.
pub(crate) fn subtitles(ladder: &Ladder, rendition: usize, asset: &Asset) -> Option<usize> {
    let channel = alternatives(ladder, "SUBTITLES");
    let wanted = channel.iter().rfind(|it| it.rendition == Some(rendition))?;
    let fits = |it: &&Alternative| {
        it.container == wanted.container
            && wanted.can_be(&it.codecs)
            && it.language.primary == wanted.language.primary
            // What is forced is shown to those who asked for no subtitles.
            && (it.is_forced || !wanted.is_forced)
    };
    let programme = alternatives(asset.ladder(), "SUBTITLES");
    let best = programme.iter().filter(fits).min_by_key(|it| {
        let is_forced = it.is_forced != wanted.is_forced;
        (is_forced, wanted.unlike(it), !it.is_default, it.group != wanted.group)
    });
    best?.rendition
}

/// Whether a variant has its sound in it, as far as its multivariant playlist says.
pub(crate) fn has_sound(ladder: &Ladder, rendition: usize) -> bool {
    let sounds = alternatives(ladder, "AUDIO");
    let is_linked = is_linked(ladder, "AUDIO");
    ladder.stated().filter(|(_, of)| *of == rendition).any(|(attributes, _)| {
        let mut own = sounds.iter().filter(|it| is_of(&attributes, "AUDIO", &it.group, is_linked));
        let is_none = own.clone().next().is_none();
        is_none || own.any(|it| it.rendition.is_none())
    })
}
