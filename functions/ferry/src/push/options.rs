//! What can be said on the command line.

use clap::{Args, ValueEnum};
use ferry::{EndpointRequest, OutputRequest, Request, SourceRequest};
use relay::select::{self, Filter};
use std::path::PathBuf;
use url::{Host, Url};
use web::Reach;

/// Push one stream, and show how it goes
///
/// Carries a live HLS stream to one or more ingest endpoints until it ends, or until Ctrl-C. What is
/// under way is finished then; a second Ctrl-C stops at once, which loses nothing either.
///
/// The addresses on this command line may be private ones; what the source's playlists name must be
/// public, or on those same addresses.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 the source ended and was carried, 1 it could not be or not all of it, 2 wrong usage, 130 interrupted

Examples:
  ferry push https://origin.example/live/main.m3u8 \\
      --to https://1.mediapackage.example/in/v2/id1/id1/channel --user user1 --password-file pw1 \\
      --to https://2.mediapackage.example/in/v2/id2/id2/channel --user user2 --password-file pw2
  ferry push http://127.0.0.1:8000/main.m3u8 --type webdav --to http://127.0.0.1:8001/dav/ --json")]
pub struct PushArgs {
    /// The URL of a multivariant or media playlist
    pub source: String,
    /// An ingest endpoint: where the multivariant playlist goes, with or without .m3u8; once for each
    #[arg(long, required = true, value_name = "URL")]
    pub to: Vec<String>,
    /// The user name at the endpoints: one for all, or one for each
    #[arg(long, env = "FERRY_USER", value_name = "NAME")]
    pub user: Vec<String>,
    /// A file with the password, on its first line: one for all, or one for each; without, FERRY_PASSWORD holds it
    #[arg(long, value_name = "FILE")]
    pub password_file: Vec<PathBuf>,
    /// The password from the environment: on a command line, all users of a machine can read it.
    #[arg(long, env = "FERRY_PASSWORD", hide = true, hide_env_values = true)]
    pub password: Option<String>,
    /// What the endpoints are
    #[arg(long = "type", value_enum, default_value_t = Kind::Mediapackage)]
    pub kind: Kind,
    /// The length of the output's playlists; by default as long as the source's
    #[arg(long, value_name = "SECONDS")]
    pub window: Option<u64>,
    /// Where to join the source
    #[arg(long, value_enum, default_value_t = From::LiveEdge)]
    pub start: From,
    /// Where the keys of encrypted segments lie
    #[arg(long, value_enum, default_value_t = Keys::Carry)]
    pub keys: Keys,
    #[command(flatten)]
    pub renditions: Renditions,
    /// How many segments are read side by side
    #[arg(long, value_name = "NUMBER")]
    pub concurrency: Option<u64>,
    /// Another source of the same, for when the first is gone; may be repeated
    #[arg(long, value_name = "URL")]
    pub fallback: Vec<String>,
    /// For how long a source may list nothing new before the next one takes over, 20 by default
    #[arg(long, value_name = "SECONDS")]
    pub fallback_after: Option<u64>,
    /// For how long the first source must have listed new segments before it takes over again
    #[arg(long, value_name = "SECONDS")]
    pub return_after: Option<u64>,
    /// A request header for the source
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// Remember in this directory how far it came, so that the same command goes on there
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A PEM file with certificates of further authorities, to be trusted beside the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print one JSON object per change: the session as the API shows it
    #[arg(long)]
    pub json: bool,
}

/// Which renditions are wanted.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Renditions")]
pub struct Renditions {
    /// Variants of this many lines at least
    #[arg(long, value_name = "LINES")]
    pub min_height: Option<u64>,
    /// Variants of this many lines at most
    #[arg(long, value_name = "LINES")]
    pub max_height: Option<u64>,
    /// Variants of this many bits a second at least
    #[arg(long, value_name = "BITS")]
    pub min_bandwidth: Option<u64>,
    /// Variants of this many bits a second at most
    #[arg(long, value_name = "BITS")]
    pub max_bandwidth: Option<u64>,
    /// Variants all of whose codecs begin with one of these, such as avc1,mp4a
    #[arg(long, value_name = "CODEC", value_delimiter = ',')]
    pub codec: Vec<String>,
    /// Audio and subtitles in these languages, such as en,sv
    #[arg(long, value_name = "LANGUAGE", value_delimiter = ',')]
    pub language: Vec<String>,
    /// What is wanted beside the variants
    #[arg(long = "kind", value_enum, value_delimiter = ',')]
    pub beside: Vec<RenditionKind>,
    /// At most so many variants: those of the highest bandwidths
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub variants: Option<u64>,
}

/// What may be wanted beside the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RenditionKind {
    /// Alternative audio
    Audio,
    /// Alternative video
    Video,
    /// Subtitles
    Subtitles,
    /// Captions in the video
    ClosedCaptions,
    /// I-frame playlists
    IFrames,
}

impl Renditions {
    fn filter(&self) -> Filter {
        let kind = |kind: &RenditionKind| match kind {
            RenditionKind::Audio => select::Kind::Audio,
            RenditionKind::Video => select::Kind::Video,
            RenditionKind::Subtitles => select::Kind::Subtitles,
            RenditionKind::ClosedCaptions => select::Kind::ClosedCaptions,
            RenditionKind::IFrames => select::Kind::IFrames,
        };
        Filter {
            min_height: self.min_height,
            max_height: self.max_height,
            min_bandwidth: self.min_bandwidth,
            max_bandwidth: self.max_bandwidth,
            codecs: self.codec.clone(),
            languages: self.language.clone(),
            kinds: self.beside.iter().map(kind).collect(),
            limit: self.variants,
        }
    }
}

/// A kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// AWS Elemental MediaPackage v1, which keeps what it is given
    Mediapackage,
    /// A WebDAV collection: what leaves the window is deleted
    Webdav,
}

/// Where to join a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// At its newest segments
    LiveEdge,
    /// With all that it lists
    Window,
}

/// Where the keys of encrypted segments lie, where the output takes encrypted segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// Beside the segments: whoever may read these may read the keys
    Carry,
    /// At the source
    Leave,
}

/// Secrets stay out of it.
impl std::fmt::Debug for PushArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushArgs").finish_non_exhaustive()
    }
}

impl PushArgs {
    /// What is asked for.
    ///
    /// # Errors
    /// What is wrong, in words, as far as this can tell.
    pub fn request(&self) -> Result<Request, String> {
        let kind = match self.kind {
            Kind::Mediapackage => OutputRequest::mediapackage(),
            Kind::Webdav => OutputRequest::webdav(),
        };
        let start = match self.start {
            From::LiveEdge => "live_edge",
            From::Window => "window",
        };
        let keys = match self.keys {
            Keys::Carry => "carry",
            Keys::Leave => "leave",
        };
        Ok(Request {
            name: Some("push".to_owned()),
            source: SourceRequest {
                url: Some(self.source.clone()),
                headers: self.headers()?,
                ..SourceRequest::default()
            },
            output: OutputRequest {
                endpoints: self.endpoints()?,
                keys: Some(keys.to_owned()),
                ..kind
            },
            window_seconds: self.window,
            start: Some(start.to_owned()),
            concurrency: self.concurrency,
            renditions: self.renditions.filter(),
        })
    }

    fn endpoints(&self) -> Result<Vec<EndpointRequest>, String> {
        let passwords = match (self.password_file.as_slice(), &self.password) {
            ([], password) => password.iter().cloned().collect(),
            (files, _) => files.iter().map(read_password).collect::<Result<Vec<_>, _>>()?,
        };
        if !self.user.is_empty() && passwords.is_empty() {
            return Err("--user needs --password-file, or FERRY_PASSWORD".to_owned());
        }
        let endpoint = |(index, url): (usize, &String)| {
            Ok(EndpointRequest {
                url: Some(url.clone()),
                username: self.nth("--user", &self.user, index)?,
                // A password alone may be in the environment for something else.
                password: match self.user.as_slice() {
                    [] if self.password_file.is_empty() => None,
                    _ => self.nth("--password-file", &passwords, index)?,
                },
            })
        };
        self.to.iter().enumerate().map(endpoint).collect()
    }

    /// What is said once for all endpoints, or once for each.
    fn nth(&self, option: &str, said: &[String], index: usize) -> Result<Option<String>, String> {
        match said {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            several if several.len() == self.to.len() => Ok(Some(several[index].clone())),
            _ => Err(format!("{option} must be there once, or as often as --to")),
        }
    }

    fn headers(&self) -> Result<Vec<(String, String)>, String> {
        let split = |header: &String| match header.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err("--header must be 'Name: value'".to_owned()),
        };
        self.header.iter().map(split).collect()
    }

    /// Public addresses, and those that the command line names.
    pub async fn reach(&self) -> Reach {
        let mut named = Vec::new();
        for url in self.to.iter().chain([&self.source]).chain(&self.fallback) {
            let Ok(url) = Url::parse(url) else { continue };
            let port = url.port_or_known_default().unwrap_or_default();
            let found = match url.host() {
                Some(Host::Ipv4(address)) => vec![address.into()],
                Some(Host::Ipv6(address)) => vec![address.into()],
                Some(Host::Domain(name)) => match tokio::net::lookup_host((name, port)).await {
                    Ok(found) => found.map(|address| address.ip()).collect(),
                    // It is said when a connection is made.
                    Err(_) => Vec::new(),
                },
                None => Vec::new(),
            };
            named.extend(found);
        }
        Reach::PublicAnd(named)
    }
}

fn read_password(path: &PathBuf) -> Result<String, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the password in {shown}: {error}"))?;
    match text.lines().next() {
        None | Some("") => Err(format!("there is no password in {shown}")),
        Some(password) => Ok(password.to_owned()),
    }
}

/// The option that a field of a request comes from.
pub fn as_option(field: &str) -> String {
    if let Some((index, name)) = endpoint_field(field) {
        let option = match name {
            "username" => "--user",
            "password" => "--password-file",
            _ => "--to",
        };
        return format!("{option} (number {})", index + 1);
    }
    match (field, field.strip_prefix("source.headers.")) {
        (_, Some(header)) => format!("--header {header}:"),
        ("source.url", _) => "<SOURCE>".to_owned(),
        ("source.headers", _) => "--header".to_owned(),
        ("output.endpoints", _) => "--to".to_owned(),
        ("window_seconds", _) => "--window".to_owned(),
        ("concurrency", _) => "--concurrency".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// The number of an endpoint, and the name of its field.
fn endpoint_field(field: &str) -> Option<(usize, &str)> {
    let (index, name) = field.strip_prefix("output.endpoints[")?.split_once("].")?;
    Some((index.parse().ok()?, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        push: PushArgs,
    }

    fn request(options: &str) -> Result<Request, String> {
        let line = format!("push https://a.example/main.m3u8 {options}");
        Line::try_parse_from(line.split(' ')).unwrap().push.request()
    }

    #[test]
    fn credentials_are_for_all_endpoints_or_for_each() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (one, two) = (file("1", "one\n"), file("2", "two"));
        let to = "--to https://x/1 --to https://x/2";
        for (options, expected) in [
            (String::new(), [None, None]),
            (format!("--user u --password-file {one}"), [Some(("u", "one")), Some(("u", "one"))]),
            (
                format!("--user u --user v --password-file {one} --password-file {two}"),
                [Some(("u", "one")), Some(("v", "two"))],
            ),
            ("--user u --password p".to_owned(), [Some(("u", "p")), Some(("u", "p"))]),
            ("--password p".to_owned(), [None, None]),
        ] {
            let request = request(format!("{to} {options}").trim()).unwrap();
            let given = request
                .output
                .endpoints
                .iter()
                .map(|endpoint| endpoint.username.as_deref().zip(endpoint.password.as_deref()));
            assert_eq!(given.collect::<Vec<_>>(), expected, "{options}");
        }
        let (empty, three) = (file("3", "\n"), "--to https://x/3");
        for (options, wrong) in [
            ("--user u".to_owned(), "--user needs --password-file"),
            (format!("--user u --password-file {empty}"), "there is no password in"),
            ("--user u --password-file /nowhere/at/all".to_owned(), "cannot read the password"),
            (
                format!("{three} --user u --user v --password-file {one}"),
                "--user must be there once, or as often as --to",
            ),
            ("--header nothing".to_owned(), "--header must be 'Name: value'"),
        ] {
            let error = request(&format!("{to} {options}")).err().unwrap();
            assert!(error.contains(wrong), "{options}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_option() {
        let options = "--to ftp://x/ --to https://x/2 --window 0 --concurrency 17 --header host:x";
        let errors = request(options).unwrap().check(|_| None).unwrap_err();
        let options: Vec<_> = errors.iter().map(|error| as_option(&error.field)).collect();
        assert_eq!(options, ["--header host:", "--to (number 1)", "--window", "--concurrency"]);
    }

    #[tokio::test]
    async fn the_addresses_on_the_command_line_may_be_private() {
        let line = "push http://127.0.0.1:1/main.m3u8 --to http://10.0.0.1/x --to http://[::1]/x";
        let push = Line::try_parse_from(line.split(' ')).unwrap().push;
        let Reach::PublicAnd(named) = push.reach().await else { panic!() };
        let named: Vec<_> = named.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["10.0.0.1", "::1", "127.0.0.1"]);
    }
}
