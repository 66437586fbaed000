//! What sources and endpoints send.

use hls::{AttributeList, Limits, Playlist, Timestamp, Variables, duration, is_low_latency, parse};
use http::header::{HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use relay::contents::contents;
use relay::crypt::{Opener, read_iv};
use relay::session::Credentials;
use web::challenge::{Challenge, Signed};

fn render(playlist: &Playlist) -> String {
    match playlist {
        Playlist::Media(playlist) => playlist.to_string(),
        Playlist::Multivariant(playlist) => playlist.to_string(),
    }
}

/// Any text is a playlist that renders to itself, or an error in one of its lines.
pub fn playlist(text: &[u8]) {
    let defined = hls::substitute(text, &Variables::new(), |name| Some(name.to_owned()));
    let Ok((text, known)) = defined else { return };
    let _ = hls::substitute(&text, &known, |_| None);
    let playlist = match parse(&text, &Limits::default()) {
        Ok(playlist) => playlist,
        Err(error) => {
            let lines = 1 + text.iter().filter(|byte| **byte == b'\n').count();
            assert!((1..=lines).contains(&error.line), "{error} of {lines} lines");
            return;
        }
    };
    let rendered = render(&playlist);
    let again = parse(rendered.as_bytes(), &Limits::default()).expect("what was rendered reads");
    assert_eq!(render(&again), rendered);
    if let (Playlist::Media(playlist), Playlist::Media(again)) = (playlist, again) {
        assert_eq!(playlist.segments, again.segments);
        assert_eq!(playlist.last_sequence(), again.last_sequence());
        assert_eq!(playlist.duration(), again.duration());
        let whole = playlist.without_low_latency();
        let lines = whole.segments.iter().flat_map(|segment| &segment.lines);
        assert!(!lines.chain(&whole.header).chain(&whole.trailer).any(|line| is_low_latency(line)));
    }
}

/// Any line is an attribute list that shows as it was written, and keeps what is set.
pub fn attributes(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (name, text) = text.split_once('\n').unwrap_or(("URI", &text));
    let mut list = AttributeList::new(text);
    assert_eq!(list.to_string(), text);
    let name = name.trim();
    let plain = !name.is_empty() && !name.contains([',', '=', '"']);
    if plain && text.matches('"').count() % 2 == 0 {
        list.set_quoted(name, "a,b=c");
        assert_eq!(list.get(name), Some("a,b=c"));
        list.remove(name);
        assert_eq!(list.get(name), None);
    }
}

/// Dates, durations and initialisation vectors.
pub fn moments(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Some(moment) = Timestamp::from_date_time(&text) {
        let _ = moment.to_string();
    }
    if let Some(micros) = duration(&text) {
        assert_eq!(duration(&micros.to_string()), Some(micros));
    }
    let _ = read_iv(&text);
}

/// What a server asks of those who sign in is answered without the password, or not understood.
pub fn challenge(text: &[u8]) {
    const PASSWORD: &str = "correct horse battery staple";
    let (mut headers, mut after) = (HeaderMap::new(), HeaderMap::new());
    for line in text.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        after.insert(HeaderName::from_static("authentication-info"), value.clone());
        headers.append(WWW_AUTHENTICATE, value);
    }
    let Some(mut challenge) = Challenge::read(&headers) else { return };
    let credentials = Credentials { username: "u".to_owned(), password: PASSWORD.to_owned() };
    let signed = Signed { method: &http::Method::PUT, uri: "/in/channel.m3u8" };
    for _ in 0..2 {
        if let Ok(answer) = challenge.answer(&credentials, signed) {
            let answer = answer.to_str().unwrap();
            assert!(!answer.contains(PASSWORD), "{answer}");
        }
    }
    let _ = (challenge.is_stale(), challenge.uses());
    if let Some(mut next) = challenge.announced(&after) {
        let _ = next.answer(&credentials, signed);
    }
}

/// The bytes of segments and keys: what they are, and what decrypts them.
pub fn media(bytes: &[u8]) {
    let _ = contents(bytes);
    if let Some((iv, rest)) = bytes.split_first_chunk::<16>() {
        assert_eq!(Opener::new(rest, *iv).is_ok(), rest.len() == 16);
        let mut opened = rest.to_vec();
        if let Ok(length) = Opener::new(iv, *iv).unwrap().open(&mut opened) {
            assert!(length < rest.len() && rest.len() % 16 == 0);
        }
    }
}
