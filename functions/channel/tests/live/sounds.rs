//! Which sound and which subtitles of a programme play in which rendition of a channel.

use crate::ladders::{mapped, video};

/// A variant with its picture and sound of a group.
fn picture(name: &str, group: &str) -> String {
    format!("#EXT-X-STREAM-INF:BANDWIDTH=400,RESOLUTION=16x180,AUDIO=\"{group}\"\n{name}\n")
}

/// A line of `EXT-X-MEDIA` with these attributes; without a name it is in the variants.
fn line(kind: &str, attributes: &str, name: &str) -> String {
    let uri = if name.is_empty() { String::new() } else { format!(",URI=\"{name}\"") };
    format!("#EXT-X-MEDIA:TYPE={kind},{attributes}{uri}\n")
}

fn audio(attributes: &str, name: &str) -> String {
    line("AUDIO", &format!("GROUP-ID=\"a\",{attributes}"), name)
}

fn in_languages(languages: [&str; 2]) -> Vec<String> {
    let [one, other] = languages;
    vec![
        audio(&format!("NAME=\"One\",LANGUAGE=\"{one}\",DEFAULT=YES"), "one.aac"),
        audio(&format!("NAME=\"Other\",LANGUAGE=\"{other}\""), "other.aac"),
        picture("v.ts", "a"),
    ]
}

#[test]
fn a_language_is_heard_in_its_rendition_however_its_tag_is_written() {
    let channel = [
        audio("NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES", "en.aac"),
        audio("NAME=\"Deutsch\",LANGUAGE=\"de\"", "de.aac"),
        picture("v.ts", "a"),
    ];
    // The channel's renditions are by rising language: German comes first.
    for (languages, expected) in [
        (["en", "de"], "v other one"),
        (["eng", "deu"], "v other one"),
        (["ger", "eng"], "v one other"),
        (["en-US", "de-CH"], "v other one"),
        (["DE", "EN"], "v one other"),
        (["deu-AT", "en_GB"], "v one other"),
        // What is not there is the default.
        (["fr", "it"], "v one one"),
        (["fr", "eng"], "v one other"),
        (["", "eng"], "v one other"),
    ] {
        assert_eq!(mapped(&channel, &in_languages(languages)), expected, "{languages:?}");
    }
    let both = |one: &str, other: &str| {
        let rendition = |tag: &str| format!("NAME=\"{tag}\",LANGUAGE=\"{tag}\"");
        [
            audio(&rendition(one), "one.aac"),
            audio(&rendition(other), "other.aac"),
            picture("v.ts", "a"),
        ]
    };
    let expected = "v one other";
    assert_eq!(mapped(&both("pt-BR", "pt-PT"), &both("por-br", "por-PT")), expected);
    assert_eq!(mapped(&both("pt-BR", "pt-PT"), &both("pt-br", "pt")), expected);
}

#[test]
fn where_nothing_else_tells_sounds_apart_the_default_is_heard_and_then_the_first() {
    let english = |name: &str, more: &str, file: &str| {
        audio(&format!("NAME=\"{name}\",LANGUAGE=\"en\"{more}"), file)
    };
    let channel = [english("English", "", "en.aac"), picture("v.ts", "a")];
    let described = ",CHARACTERISTICS=\"public.accessibility.describes-video\"";
    for (name, one, other, expected) in [
        ("the default", ("Commentary", ""), ("Original", ",DEFAULT=YES"), "v other"),
        ("the first", ("Original", ""), ("Commentary", ""), "v one"),
        ("that name", ("Original", ",DEFAULT=YES"), ("English", ""), "v other"),
        ("not for the blind", ("English", described), ("Original", ""), "v other"),
    ] {
        let programme = [
            english(one.0, one.1, "one.aac"),
            english(other.0, other.1, "other.aac"),
            picture("v.ts", "a"),
        ];
        assert_eq!(mapped(&channel, &programme), expected, "{name}");
    }
}

#[test]
fn what_is_heard_in_the_variants_is_not_taken_for_what_is_beside_them() {
    let muxed =
        |language: &str| audio(&format!("NAME=\"Main\",LANGUAGE=\"{language}\",DEFAULT=YES"), "");
    let beside = |name: &str, language: &str, more: &str, file: &str| {
        audio(&format!("NAME=\"{name}\",LANGUAGE=\"{language}\"{more}"), file)
    };
    let talk = || beside("Talk", "en", "", "talk.aac");
    let main = || beside("English", "en", ",DEFAULT=YES", "main.aac");
    let with = |lines: &[String]| [lines, &[picture("v.ts", "a")]].concat();
    let plain = || vec![video("v.ts", 400, 180, "")];
    let is_muxed = "has in its variants the audio that the channel has beside them as audio_en";
    let is_beside = "has its audio beside the variants where the channel has it in them";
    for (name, channel, programme, expected) in [
        ("main in, talk beside", with(&[main()]), with(&[muxed("en"), talk()]), is_muxed),
        ("main in alone", with(&[main()]), with(&[muxed("en")]), is_muxed),
        ("both beside", with(&[muxed("en"), talk()]), with(&[main(), talk()]), is_beside),
        ("the same", with(&[muxed("en"), talk()]), with(&[muxed("eng"), talk()]), "v talk"),
        (
            "the same by another name",
            with(&[muxed("en"), talk()]),
            with(&[muxed("en"), beside("Director", "en", "", "x.aac")]),
            "v x",
        ),
        (
            "the other way round",
            with(&[muxed("en"), beside("Deutsch", "de", "", "de.aac")]),
            with(&[muxed("de"), beside("English", "en", "", "en.aac")]),
            "has in its variants the audio that the channel has beside them as audio_de; \
             has its audio beside the variants where the channel has it in them",
        ),
        ("all in", with(&[muxed("en"), talk()]), plain(), "has nothing to play as audio_en"),
        ("talk that the channel lacks", plain(), with(&[muxed("en"), talk()]), "v"),
        ("talk in no group of the variants", plain(), [plain(), vec![talk()]].concat(), is_beside),
    ] {
        assert_eq!(mapped(&channel, &programme), expected, "{name}");
    }
    // A variant of the one kind and one of the other.
    let both = [
        muxed("en"),
        line("AUDIO", "GROUP-ID=\"b\",NAME=\"Main\",LANGUAGE=\"en\",DEFAULT=YES", "main.aac"),
        picture("in.ts", "a"),
        picture("beside.ts", "b"),
    ];
    assert_eq!(mapped(&plain(), &both), "in");
    assert_eq!(mapped(&with(&[main()]), &both).split_once(' ').unwrap().1, "main");
    // Where one names a group, what is in none is heard in the variant that names none.
    let one = [main(), picture("beside.ts", "a"), video("in.ts", 400, 180, "")];
    assert_eq!(mapped(&plain(), &one), "in");
}

#[test]
fn subtitles_are_those_of_their_language_and_purpose() {
    let text = |attributes: &str, name: &str| {
        line("SUBTITLES", &format!("GROUP-ID=\"s\",{attributes}"), name)
    };
    let video = || video("v.ts", 400, 180, "");
    let german = || text("NAME=\"Deutsch\",LANGUAGE=\"de\"", "full.vtt");
    let forced = || text("NAME=\"Deutsch\",LANGUAGE=\"de\",FORCED=YES", "forced.vtt");
    for (name, channel, programme, expected) in [
        ("another code", german(), vec![text("NAME=\"A\",LANGUAGE=\"ger\"", "x.vtt")], "v x"),
        ("another region", german(), vec![text("NAME=\"A\",LANGUAGE=\"de-AT\"", "x.vtt")], "v x"),
        (
            "another language",
            german(),
            vec![text("NAME=\"Deutsch\",LANGUAGE=\"en\"", "x.vtt")],
            "v -",
        ),
        (
            "the default",
            german(),
            vec![
                text("NAME=\"A\",LANGUAGE=\"de\"", "x.vtt"),
                text("NAME=\"B\",LANGUAGE=\"de\",DEFAULT=YES", "y.vtt"),
            ],
            "v y",
        ),
        (
            "that group",
            german(),
            vec![german().replace("\"s\"", "\"t\"").replace("full", "x"), german()],
            "v full",
        ),
        ("all of it", german(), vec![forced(), german()], "v full"),
        ("what must be read", forced(), vec![german(), forced()], "v forced"),
        ("all of it for everybody", forced(), vec![german()], "v -"),
    ] {
        let programme = [programme, vec![video()]].concat();
        assert_eq!(mapped(&[channel, video()], &programme), expected, "{name}");
    }
}

#[test]
fn sound_is_chosen_by_its_codec_and_its_channels_before_its_group() {
    let with = |name: &str, group: &str, codecs: &str| {
        let codecs =
            if codecs.is_empty() { String::new() } else { format!(",CODECS=\"{codecs}\"") };
        picture(name, group).replacen(",AUDIO", &format!("{codecs},AUDIO"), 1)
    };
    let english = |group: &str, channels: &str, name: &str| {
        let attributes = format!(
            "GROUP-ID=\"{group}\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,CHANNELS=\"{channels}\""
        );
        line("AUDIO", &attributes, name)
    };
    let (aac, ac3) = ("avc1.4d400d,mp4a.40.2", "avc1.4d400d,ac-3");
    // Renditions are by rising group: those of the channel and of the programme are not in the same order.
    let channel = [
        english("stereo", "2", "x.m4s"),
        english("surround", "6", "y.m4s"),
        with("v.m4s", "stereo", aac),
        with("v.m4s", "surround", ac3),
    ];
    let programme = |one: &str, other: &str, stereo: &str, surround: &str| {
        [
            english("hifi", "2", "stereo.m4s"),
            english("all", "6", "surround.m4s"),
            with("one.m4s", one, stereo),
            with("one.m4s", other, surround),
        ]
    };
    assert_eq!(mapped(&channel, &programme("hifi", "all", aac, ac3)), "one stereo surround");
    // Also where the richer one is listed first.
    let mut turned = programme("hifi", "all", aac, ac3);
    turned.reverse();
    assert_eq!(mapped(&channel, &turned), "one stereo surround");
    // Where codecs are not stated, by channels.
    assert_eq!(mapped(&channel, &programme("hifi", "all", "", "")), "one stereo surround");
    // The same count in other codecs.
    let like = |codec: &str| format!("avc1.4d400d,{codec}");
    for (codec, expected) in [
        ("mp4a.40.5", "v only"),
        ("mp4a.40.2,ac-3", "v only"),
        ("ac-3", "only.m4s: is ac-3 where the channel is mp4a"),
        ("ec-3", "only.m4s: is ec-3 where the channel is mp4a"),
        ("mp4a.40.34", "only.m4s: is mp3 where the channel is mp4a"),
    ] {
        let channel = [english("a", "2", "x.m4s"), with("v.m4s", "a", aac)];
        let programme = [english("b", "2", "only.m4s"), with("v.m4s", "b", &like(codec))];
        assert_eq!(mapped(&channel, &programme), expected, "{codec}");
    }
    // What the channel says of its surround sound must hold.
    let stereo = [english("a", "2", "only.m4s"), with("v.m4s", "a", aac)];
    let refused = "only.m4s: is mp4a where the channel is ac-3";
    assert_eq!(mapped(&channel, &stereo), refused);
    // Of one codec the count of channels is chosen.
    let both = [
        english("a", "6", "six.m4s"),
        english("b", "2", "two.m4s"),
        with("v.m4s", "a", aac),
        with("v.m4s", "b", aac),
    ];
    assert_eq!(mapped(&[english("a", "2", "x.m4s"), with("v.m4s", "a", aac)], &both), "v two");
    // What is of one codec is told by its name, and by its channels where that is not known.
    for (codecs, expected) in [(aac, "v six"), ("", "v two")] {
        let channel = [english("a", "2", "x.m4s"), with("v.m4s", "a", aac)];
        let talk = english("a", "2", "two.m4s").replace("English", "Talk");
        let programme = [english("a", "6", "six.m4s"), talk, with("v.m4s", "a", codecs)];
        assert_eq!(mapped(&channel, &programme), expected, "{codecs}");
    }
    // Another language is not heard because of its codec.
    let german =
        english("b", "2", "de.m4s").replace("English", "Deutsch").replace("\"en\"", "\"de\"");
    let foreign =
        [english("a", "6", "en.m4s"), german, with("v.m4s", "a", ac3), with("v.m4s", "b", aac)];
    let refused = "en.m4s: is ac-3 where the channel is mp4a";
    assert_eq!(mapped(&[english("a", "2", "x.m4s"), with("v.m4s", "a", aac)], &foreign), refused);
}

#[test]
fn what_has_no_subtitles_plays_where_the_codecs_of_the_channel_name_some() {
    let with = |codecs: &str, more: &str| {
        let line =
            picture("v.m4s", "a").replacen("AUDIO=\"a\"", &format!("CODECS=\"{codecs}\"{more}"), 1);
        vec![line]
    };
    let text = |name: &str| line("SUBTITLES", "GROUP-ID=\"s\",NAME=\"A\",LANGUAGE=\"de\"", name);
    let titled =
        |codecs: &str, name: &str| [with(codecs, ",SUBTITLES=\"s\""), vec![text(name)]].concat();
    let channel = titled("avc1.4d400d,mp4a.40.2,stpp.ttml.im1t", "x.m4s");
    for (name, programme, expected) in [
        ("none", with("avc1.4d400d,mp4a.40.2", ""), "v -"),
        ("of the same codec", titled("stpp,mp4a.40.2,avc1.4d400d", "y.m4s"), "v y"),
        ("of a codec that is not stated", titled("avc1.4d400d,mp4a.40.2", "y.m4s"), "v y"),
        ("of another codec", titled("avc1.4d400d,mp4a.40.2,wvtt", "y.m4s"), "v -"),
        ("in text", titled("avc1.4d400d,mp4a.40.2,wvtt", "y.vtt"), "v -"),
        (
            "another picture",
            with("hvc1.2,mp4a.40.2", ""),
            "v.m4s: is hvc1, mp4a where the channel is avc1, mp4a, stpp",
        ),
    ] {
        assert_eq!(mapped(&channel, &programme), expected, "{name}");
        if name == "none" {
            assert_eq!(mapped(&programme, &channel), "v", "{name}");
        }
    }
}
