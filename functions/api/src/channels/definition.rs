//! What a channel is asked to be.

use crate::fields::{Errors, FieldError, Object};
use channel::{
    Asset, AssetHash, Channel, Flaw, LONGEST_BREAK, Ladder, Marker, Order, Slate, Tracks, tracks,
};
use hls::{Limits, Micros, Playlist, Seconds, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

pub(crate) const FIELDS: [&str; 11] = [
    "title",
    "target_duration",
    "window_seconds",
    "slate",
    "loop",
    "ads",
    "markers",
    "fill",
    "ladder",
    "audio",
    "subtitles",
];
pub(crate) const FILL_FIELDS: [&str; 4] = ["assets", "order", "ahead_seconds", "breaks"];
pub(crate) const BREAK_FIELDS: [&str; 2] = ["every", "duration"];
pub(crate) const VARIANT_FIELDS: [&str; 4] = ["bandwidth", "resolution", "codecs", "frame_rate"];
pub(crate) const RENDITION_FIELDS: [&str; 2] = ["name", "language"];

/// What players and CDNs take in their stride.
const WINDOW_SECONDS: u64 = 60;
const MAX_WINDOW_SECONDS: u64 = 86_400;
const MAX_TARGET_DURATION: u64 = 60;
/// What is scheduled later may have longer segments than what is known: packagers make them of up to 10 s.
const TARGET_DURATION: u64 = 10;
const AHEAD_SECONDS: u64 = 4 * 3_600;
const MAX_AHEAD_SECONDS: u64 = 14 * 86_400;
const MAX_RENDITIONS: usize = 64;

/// A channel that is asked for.
#[derive(Debug, Default)]
pub struct Asked {
    pub title: Option<String>,
    pub ads: Vec<String>,
    pub fill: Option<FillAsked>,
    pub fixed: Fixed,
}

/// The part that cannot be changed later, as it was asked for.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fixed {
    pub target_duration: Option<u64>,
    pub window_seconds: Option<u64>,
    pub slate: Option<String>,
    pub cycle: Vec<String>,
    pub markers: Option<BTreeSet<Marker>>,
    /// The multivariant playlist that the ladder is described by.
    pub ladder: Option<String>,
    /// The asset whose ladder it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
}

/// How a schedule is to be extended.
#[derive(Debug, Default)]
pub struct FillAsked {
    pub assets: Vec<String>,
    pub order: Order,
    pub ahead: Micros,
    pub breaks: Option<(Micros, Micros)>,
}

impl Asked {
    pub fn read(body: Value, errors: &mut Errors) -> Self {
        let mut asked = Self::default();
        let Some(mut fields) = Object::of("", body, errors) else { return asked };
        fields.only(&FIELDS, errors);
        asked.title = fields.title(errors);
        asked.ads = names(&mut fields, "ads", errors);
        let within = |value: Option<u64>, most: u64, field: &str, errors: &mut Errors| {
            if value.is_some_and(|value| !(1..=most).contains(&value)) {
                errors.add(field, format!("must be a whole number from 1 to {most}"));
            }
            value
        };
        let target = fields.number("target_duration", errors);
        let window = fields.number("window_seconds", errors);
        let fixed = &mut asked.fixed;
        fixed.target_duration = within(target, MAX_TARGET_DURATION, "target_duration", errors);
        fixed.window_seconds = within(window, MAX_WINDOW_SECONDS, "window_seconds", errors);
        fixed.slate = fields.text("slate", errors);
        fixed.cycle = names(&mut fields, "loop", errors);
        fixed.markers = fields.take("markers").and_then(|markers| {
            let markers = serde_json::from_value(markers).ok();
            if markers.is_none() {
                errors.add("markers", "must hold some of cue, oatcls, daterange, programme");
            }
            markers
        });
        fixed.like = fields.take_text("ladder");
        fixed.ladder = ladder(&mut fields, errors);
        if let Some(mut fill) = fields.object("fill", errors) {
            fill.only(&FILL_FIELDS, errors);
            asked.fill = Some(FillAsked::read(&mut fill, errors));
        }
        // What plays in a loop follows from the time alone: nothing else ever does.
        let others = [
            ("fill", asked.fill.is_some()),
            ("slate", asked.fixed.slate.is_some()),
            ("ads", !asked.ads.is_empty()),
        ];
        for (field, _) in others.iter().filter(|(_, is_there)| *is_there) {
            if !asked.fixed.cycle.is_empty() {
                errors.add(*field, "is not for a channel that plays a loop");
            }
        }
        asked
    }
}

impl FillAsked {
    fn read(fields: &mut Object, errors: &mut Errors) -> Self {
        let assets = names(fields, "assets", errors);
        if assets.is_empty() {
            errors.add(fields.field("assets"), "must name at least one asset");
        }
        let order = match fields.text("order", errors).as_deref() {
            None | Some("round_robin") => Order::RoundRobin,
            Some("shuffle") => Order::Shuffle,
            Some(_) => {
                errors.add(fields.field("order"), "must be round_robin or shuffle");
                Order::RoundRobin
            }
        };
        let ahead = fields.number("ahead_seconds", errors).unwrap_or(AHEAD_SECONDS);
        if !(60..=MAX_AHEAD_SECONDS).contains(&ahead) {
            let detail = format!("must be a whole number from 60 to {MAX_AHEAD_SECONDS}");
            errors.add(fields.field("ahead_seconds"), detail);
        }
        let breaks = fields.object("breaks", errors).map(|mut breaks| {
            breaks.only(&BREAK_FIELDS, errors);
            let mut seconds = |name: &str| {
                let micros = breaks.seconds(name, errors).unwrap_or_default();
                if micros < Micros::from_secs(1) {
                    errors.add(breaks.field(name), "must be at least 1 second");
                }
                micros
            };
            let (every, duration) = (seconds("every"), seconds("duration"));
            if duration > LONGEST_BREAK {
                let detail = format!("must be at most {LONGEST_BREAK} s");
                errors.add(breaks.field("duration"), detail);
            }
            (every, duration)
        });
        Self { assets, order, ahead: Micros::from_secs(ahead), breaks }
    }
}

/// The names of assets in a field.
pub fn names(fields: &mut Object, name: &str, errors: &mut Errors) -> Vec<String> {
    let all = fields.array(name, errors);
    let text = |(field, value): (String, Value)| match value {
        Value::String(text) => Some(text),
        _ => {
            errors.add(field, "must be a string");
            None
        }
    };
    all.into_iter().filter_map(text).collect()
}

/// The multivariant playlist that `ladder`, `audio` and `subtitles` describe.
fn ladder(fields: &mut Object, errors: &mut Errors) -> Option<String> {
    let variants = fields.array("ladder", errors);
    let mut text = String::from("#EXTM3U\n");
    let mut groups = String::new();
    for (name, kind) in [("audio", "AUDIO"), ("subtitles", "SUBTITLES")] {
        let all = fields.array(name, errors);
        if !all.is_empty() {
            write!(groups, ",{kind}=\"{name}\"").expect("a String takes all that is written to it");
        }
        if !all.is_empty() && variants.is_empty() {
            errors.add(fields.field(name), "is taken with a ladder that is described only");
        }
        let mut titles: Vec<String> = Vec::new();
        for (place, (path, value)) in all.into_iter().enumerate().take(MAX_RENDITIONS) {
            let Some(mut of) = Object::of(&path, value, errors) else { continue };
            of.only(&RENDITION_FIELDS, errors);
            let language = quoted(&mut of, "language", errors);
            let title = quoted(&mut of, "name", errors).or(language.clone());
            let title = title.unwrap_or_else(|| format!("{name} {}", place + 1));
            if titles.contains(&title) {
                errors.add(of.field("name"), "is that of another: players tell them apart by it");
            }
            titles.push(title.clone());
            let default = if place == 0 && kind == "AUDIO" { "YES" } else { "NO" };
            let language = language.map_or_else(String::new, |it| format!(",LANGUAGE=\"{it}\""));
            writeln!(
                text,
                "#EXT-X-MEDIA:TYPE={kind},GROUP-ID=\"{name}\",NAME=\"{title}\"{language},\
                 DEFAULT={default},AUTOSELECT=YES,URI=\"{name}-{place}\""
            )
            .expect("a String takes all that is written to it");
        }
    }
    if variants.is_empty() {
        return None;
    }
    if variants.len() > MAX_RENDITIONS {
        errors.add("ladder", format!("must be at most {MAX_RENDITIONS}"));
    }
    for (place, (path, value)) in variants.into_iter().enumerate().take(MAX_RENDITIONS) {
        let Some(mut of) = Object::of(&path, value, errors) else { continue };
        of.only(&VARIANT_FIELDS, errors);
        let bandwidth = of.number("bandwidth", errors);
        match bandwidth {
            None => errors.add(of.field("bandwidth"), "is required: bits per second at most"),
            Some(0) => errors.add(of.field("bandwidth"), "must be at least 1: bits per second"),
            Some(_) => {}
        }
        let bandwidth = bandwidth.unwrap_or_default();
        let codecs = quoted(&mut of, "codecs", errors).map(|it| format!(",CODECS=\"{it}\""));
        let resolution = quoted(&mut of, "resolution", errors).map(|it| {
            let is_side = |side: &str| side.parse::<u16>().is_ok_and(|pixels| pixels > 0);
            if !it.split_once('x').is_some_and(|(w, h)| is_side(w) && is_side(h)) {
                errors.add(of.field("resolution"), "must be like 1280x720");
            }
            format!(",RESOLUTION={it}")
        });
        let rate = of.decimal("frame_rate", "must be a number of frames a second", errors);
        let rate = rate.map(|it| format!(",FRAME-RATE={it}"));
        let (codecs, resolution) = (codecs.unwrap_or_default(), resolution.unwrap_or_default());
        let rate = rate.unwrap_or_default();
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}{resolution}{codecs}{rate}{groups}\nvariant-{place}"
        )
        .expect("a String takes all that is written to it");
    }
    Some(text)
}

/// Text that can stand in quotes.
fn quoted(fields: &mut Object, name: &str, errors: &mut Errors) -> Option<String> {
    let text = fields.text(name, errors)?;
    if text.is_empty() || text.len() > 200 || text.contains(|c: char| c.is_control() || c == '"') {
        errors.add(fields.field(name), "must be 1 to 200 characters without quotes");
        return None;
    }
    Some(text)
}

/// An asset that a channel names, and the field that does.
pub struct Named {
    pub field: String,
    pub hash: AssetHash,
    pub asset: Arc<Asset>,
}

impl Fixed {
    /// The channel that it makes with the assets that are known of it, the slate first where it has one.
    ///
    /// Unless its ladder is said, it is that of the asset with most renditions.
    ///
    /// # Errors
    /// Which of them it cannot play, and why.
    pub fn channel(
        &self,
        named: &[Named],
        ads: Vec<AssetHash>,
        now: Timestamp,
    ) -> Result<Option<Channel>, Vec<FieldError>> {
        // What its renditions are in is not described: the first that plays in them shows it.
        let Some(first) = named.first() else { return Ok(None) };
        let described = self.ladder.as_deref().and_then(|text| {
            match hls::parse(text.as_bytes(), &Limits::default()) {
                Ok(Playlist::Multivariant(multivariant)) => {
                    Some(Ladder::described(&multivariant, Some(first.asset.ladder())))
                }
                Ok(Playlist::Media(_)) | Err(_) => None,
            }
        });
        let like = named.iter().find(|it| it.field == "ladder");
        // The first of those that have most.
        let richest = named.iter().rev().max_by_key(|it| it.asset.ladder().renditions.len());
        let of_asset = like.or(richest).map(|it| it.asset.ladder().clone());
        let Some(mut ladder) = described.or(of_asset) else { return Ok(None) };
        let seconds = |it: &Named| it.asset.longest().0.saturating_add(500_000) / 1_000_000;
        let longest = named.iter().map(seconds).max();
        let least = if self.cycle.is_empty() { TARGET_DURATION } else { 1 };
        // What has longer segments than any channel may have is refused by that.
        let longest = longest.unwrap_or(least).clamp(least, MAX_TARGET_DURATION);
        let target = self.target_duration.unwrap_or(longest);
        let target_duration = Seconds(target);
        let (mut errors, mut slate) = (Vec::new(), None);
        for Named { field, hash, asset } in named {
            match tracks(&ladder, target_duration, asset) {
                Ok(tracks) if field == "slate" => {
                    slate = Some(Slate { asset: hash.clone(), tracks });
                }
                Ok(_) => {}
                Err(flaws) => errors.extend(said(field, &flaws)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        for Named { asset, .. } in named {
            let tracks: Tracks = tracks(&ladder, target_duration, asset).unwrap_or_default();
            ladder.lift(asset, &tracks);
        }
        let window =
            Micros::from_secs(self.window_seconds.unwrap_or(WINDOW_SECONDS).max(3 * target));
        Ok(Some(Channel {
            ladder,
            // So that there is a whole window at once.
            epoch: Timestamp(now.0.saturating_sub(window.0)),
            target_duration,
            window,
            slate,
            ads,
            markers: self.markers.clone().unwrap_or_else(|| BTreeSet::from([Marker::Cue])),
            numbers: channel::Numbers::default(),
        }))
    }
}

/// Why an asset cannot be played, each reason for its field.
pub fn said(field: &str, flaws: &[Flaw]) -> Vec<FieldError> {
    let said = |flaw: &Flaw| FieldError {
        field: field.to_owned(),
        detail: format!("cannot be played on this channel: {flaw}"),
    };
    flaws.iter().map(said).collect()
}
