//! A session: one source carried to one output.

use crate::Timestamp;
use crate::names::{called, root};
use crate::parts::Keys;
use crate::select::Filter;
use serde::{Deserialize, Serialize};
use std::fmt;
use url::{Host, Url};

/// Names a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub String);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was asked for, without anything secret: fit for a log, an answer and the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Names it.
    pub id: SessionId,
    /// The name its owner gave it.
    pub name: String,
    /// When it was made. Its epochs count from here, so that no two sessions to one place use the
    /// same segment names.
    pub created: Timestamp,
    /// Where the HLS is pulled from.
    pub source: Address,
    /// The kind of place it is pushed to.
    pub output: OutputKind,
    /// The places that take PUTs, in the order of [`Access::endpoints`].
    pub endpoints: Vec<Address>,
    /// The length of the output's playlists in seconds; absent: as long as the source's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u32>,
    /// Where to join the source.
    #[serde(default)]
    pub start: Start,
    /// How many segments are read side by side, at least 1.
    pub concurrency: u8,
    /// What else may be said of it.
    #[serde(flatten)]
    pub options: Options,
}

/// What may be said of a session, and need not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Where the keys of encrypted segments lie.
    #[serde(skip_serializing_if = "KeyPlace::is_default")]
    pub keys: KeyPlace,
    /// Which renditions are wanted.
    #[serde(rename = "renditions", skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// Other sources of the same, in the order of [`Access::fallbacks`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Address>,
    /// For how long a source may list nothing new before the next one takes over.
    pub fallback_after_seconds: u32,
    /// For how long the first source must have listed new segments before it takes over again;
    /// absent: it does when the others are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_after_seconds: Option<u32>,
    /// The channel that it carries where that plays in the same process, which may be at another address the next time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// Longer than sources that are well stop between programmes, shorter than most viewers wait.
const FALLBACK_AFTER_SECONDS: u32 = 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            keys: KeyPlace::default(),
            filter: Filter::default(),
            fallbacks: Vec::new(),
            fallback_after_seconds: FALLBACK_AFTER_SECONDS,
            return_after_seconds: None,
            channel: None,
        }
    }
}

/// Where the keys of encrypted segments lie, where the output takes encrypted segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// Beside the segments: whoever may read these may read the keys, as long as both are kept.
    #[default]
    Carry,
    /// At the source, which then decides who may read them, and for how long.
    Leave,
}

impl KeyPlace {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Session {
    /// How the keys of its source reach its output.
    #[must_use]
    pub fn keys_at_output(&self) -> Keys {
        match self.options.keys {
            _ if !self.output.abilities().encrypted => Keys::Opened,
            KeyPlace::Carry => Keys::Carried,
            KeyPlace::Leave => Keys::Left,
        }
    }
}

/// Where a session joins its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The newest segments, three target durations of them; all of a source that has ended.
    #[default]
    LiveEdge,
    /// All that the source lists.
    Window,
}

/// A kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// AWS Elemental MediaPackage v1: WebDAV PUT with digest authentication; keeps what it is given.
    MediaPackage,
    /// A WebDAV collection: what leaves the window is deleted.
    WebDav,
}

impl OutputKind {
    /// Its name, as the API gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MediaPackage => "mediapackage",
            Self::WebDav => "webdav",
        }
    }
}

/// The secret part of a session: whole addresses, headers and credentials.
///
/// It is stored apart from the session and never shown; `Debug` shows addresses without their secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// The source's URL, query string and all.
    pub source: Url,
    /// Other sources of the same, for when that is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Url>,
    /// Request headers for the source, name and value.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Where to push.
    pub endpoints: Vec<Endpoint>,
}

/// One place that takes PUTs, whole.
#[derive(Clone, Serialize, Deserialize)]
pub struct Endpoint {
    /// The multivariant playlist's address without `.m3u8`, such as `https://host/in/v2/a/b/channel`.
    pub url: Url,
    /// How to sign in; absent: without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

/// A user name and password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Access {
    /// All sources, the one that is preferred first.
    #[must_use]
    pub fn sources(&self) -> Vec<Url> {
        std::iter::once(&self.source).chain(&self.fallbacks).cloned().collect()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<Address> =
            self.endpoints.iter().map(|endpoint| Address::of(&endpoint.url)).collect();
        f.debug_struct("Access")
            .field("source", &Address::of(&self.source))
            .field("endpoints", &endpoints)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&Address::of(&self.url)).finish()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// A URL without user info, query string and fragment: what may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// What may be shown of `url`.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        let mut shown = url.clone();
        // A URL that cannot have them has none.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_query(None);
        shown.set_fragment(None);
        Self(shown.into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<str> for Address {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What makes two endpoints the same place: the host, the port, and names that could be those of both.
///
/// A place may be written in several ways; two sessions must not write there by calling it
/// different names. Nor may one be called `ch` and another `ch_video-500000` in one folder. One text says so, for
/// whatever stores it compares no more than that: so `ch_audio` and `ch_video` are one place as well. Hosts
/// are not looked up: two names of one machine are two places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(String);

impl Destination {
    /// The place that an endpoint's address means. [`Url`] has already settled the case of scheme and
    /// host, the default port, and dots in the path.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        let name = decode(called(address));
        let Ok(url) = Url::parse(address.as_ref()) else { return Self(name) };
        let host = match url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv6(host)) if let Some(host) = host.to_ipv4_mapped() => host.to_string(),
            host => host.map(|host| host.to_string()).unwrap_or_default(),
        };
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let mut place = format!("{}://{host}{port}", url.scheme());
        let (folder, _) = url.path().rsplit_once('/').unwrap_or_default();
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            place.push('/');
            place.push_str(&decode(part));
        }
        place.push('/');
        place.push_str(root(&name));
        Self(place)
    }
}

impl AsRef<str> for Destination {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The part of a path with the octets decoded that may stand there as they are (RFC 3986 section 3.3, and what
/// [`Url`] leaves), and the hexadecimal digits of the others in capitals.
fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let digits = after.get(..2).filter(|two| two.bytes().all(|one| one.is_ascii_hexdigit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match octet {
            Some(octet)
                if octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@[]^|".contains(&octet) =>
            {
                decoded.push(char::from(octet));
                &after[2..]
            }
            Some(octet) => {
                decoded.push_str(&format!("%{octet:02X}"));
                &after[2..]
            }
            None => {
                decoded.push('%');
                after
            }
        };
    }
    decoded.push_str(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        for (url, shown) in [
            ("https://a.example/live/main.m3u8?token=t#f", "https://a.example/live/main.m3u8"),
            ("http://user:word@a.example:8080/x", "http://a.example:8080/x"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(Address::of(&url).as_ref(), shown);
            assert_eq!(Address::of(&url).to_string(), shown);
        }
    }

    #[test]
    fn one_place_has_one_name() {
        let destination = |url: &str| Destination::of(&Address::of(&Url::parse(url).unwrap()));
        let place = destination("https://a.example/in/v2/x~y/channel");
        for same in [
            "HTTPS://A.EXAMPLE/in/v2/x~y/channel",
            "https://a.example:443/in/v2/x~y/channel.m3u8",
            "https://a.example./in/v2/x~y/",
            "https://user:word@a.example/in/v2/x~y/channel?token=t#f",
            "https://a.example/in/./v2/z/../x~y/channel",
            "https://a.example/in/v2/x%7ey/%63hannel",
            "https://a.example/in//v2/x~y//channel",
            "https://a.example/in/v2/x~y/channel_video-500000",
            "https://a.example/in/v2/x~y/channel%5Fvideo",
            "https://a.example/in/v2/x~y/channel_audio-aud-en_1700000000_7",
        ] {
            assert_eq!(destination(same), place, "{same}");
        }
        for other in [
            "https://a.example:8443/in/v2/x~y/channel",
            "https://b.example/in/v2/x~y/channel",
            "https://a.example/in/v2/x~y/Channel",
            "https://a.example/in/v2/x%2Fy/channel",
            "https://a.example/in/v2/x~y/channel/",
            "https://a.example/in/v2/x~y/channel_2",
            "https://a.example/in/v2/x~y/channel_videos",
            "https://a.example/in/v2/x~y/channel-video",
            "https://a.example/in/v2/channel_video/channel",
        ] {
            assert_ne!(destination(other), place, "{other}");
        }
        for (one, other) in [
            ("http://a.example/%2f%4", "http://a.example/%2F%4"),
            ("http://127.0.0.1:8080/ch", "http://[::ffff:127.0.0.1]:8080/ch"),
            ("http://127.0.0.1/ch", "http://0x7f.1./ch"),
            ("http://a.example/a+b@[1]/c", "http://a.example/a%2Bb%40%5b1%5D/c"),
        ] {
            assert_eq!(destination(one), destination(other));
        }
        assert_eq!(destination("http://a.example/x%2fy%7e").as_ref(), "http://a.example/x%2Fy~");
        let (one, two) = ("http://a.example:8080/in/ch_1", "http://[2001:db8::1]:8080/ch_2");
        for plain in [one, two] {
            assert_eq!(destination(plain).as_ref(), plain);
        }
    }
    #[test]
    fn what_is_secret_is_not_shown_in_a_log_of_a_session() {
        let url = |text: &str| Url::parse(text).unwrap();
        let credentials = Credentials { username: "user".to_owned(), password: "word".to_owned() };
        let endpoint =
            Endpoint { url: url("https://i.example/in?k=1"), credentials: Some(credentials) };
        let access = Access {
            source: url("https://a.example/m.m3u8?t=1"),
            fallbacks: vec![url("https://b.example/m.m3u8?t=2")],
            headers: vec![("authorization".to_owned(), "Bearer b".to_owned())],
            endpoints: vec![endpoint.clone()],
        };
        assert_eq!(access.sources(), [access.source.clone(), access.fallbacks[0].clone()]);
        assert_eq!(
            format!("{access:?}"),
            "Access { source: Address(\"https://a.example/m.m3u8\"), \
             endpoints: [Address(\"https://i.example/in\")], .. }"
        );
        assert_eq!(format!("{endpoint:?}"), "Endpoint(Address(\"https://i.example/in\"))");
        assert_eq!(format!("{:?}", endpoint.credentials), "Some(Credentials(..))");
        assert_eq!(SessionId("a1".to_owned()).to_string(), "a1");
    }

    #[test]
    fn keys_lie_where_the_output_takes_them_and_the_session_wants_them() {
        use KeyPlace::{Carry, Leave};
        let source = Address::of(&Url::parse("https://a.example/").unwrap());
        for (output, keys, expected) in [
            (OutputKind::MediaPackage, Carry, Keys::Opened),
            (OutputKind::MediaPackage, Leave, Keys::Opened),
            (OutputKind::WebDav, Carry, Keys::Carried),
            (OutputKind::WebDav, Leave, Keys::Left),
        ] {
            let session = Session {
                id: SessionId("a".to_owned()),
                name: String::new(),
                created: Timestamp(0),
                source: source.clone(),
                output,
                endpoints: Vec::new(),
                window_seconds: None,
                start: Start::Window,
                concurrency: 1,
                options: Options { keys, ..Options::default() },
            };
            assert_eq!(session.keys_at_output(), expected, "{output:?} {keys:?}");
            assert_eq!(serde_json::json!(output), output.name());
        }
    }

    #[test]
    fn options_that_are_as_usual_take_no_room() {
        let filter = Filter { limit: Some(2), ..Filter::default() };
        for (options, stored) in [
            (Options::default(), [false, false]),
            (Options { keys: KeyPlace::Leave, ..Options::default() }, [true, false]),
            (Options { filter, ..Options::default() }, [false, true]),
        ] {
            let json = serde_json::json!(options);
            assert_eq!(["keys", "renditions"].map(|field| json.get(field).is_some()), stored);
            assert_eq!(serde_json::from_value::<Options>(json).unwrap(), options);
        }
    }
}
