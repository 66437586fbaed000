//! `ferry check`: what a source holds, and whether it can be carried.

mod analysis;
mod read;
mod report;
mod rules;
mod sample;
mod seen;
mod show;
#[cfg(test)]
mod tests;
mod verdict;

use clap::Args;
use hls::Micros;
use relay::session::{Access, Address};
use std::io::{IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use url::Url;
use web::clock::TokioClock;
use web::{Connector, Reach, Settings};

/// Read a source for a while, and report what it holds and who would take it
///
/// Reports renditions, segment durations, containers, codecs, discontinuities, ad markers, dates and
/// how regularly the source publishes; what RFC 8216 forbids or advises against, with the section and the
/// place; and which outputs would take it. A VOD is read once.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes:
  0  the source keeps RFC 8216, and MediaPackage would take it
  1  the source could not be read
  2  the command line is wrong
  3  the source violates RFC 8216, lacks something that it names, or MediaPackage would not take it;
     what other outputs say is reported beside that")]
pub struct CheckArgs {
    /// The URL of a multivariant or media playlist
    pub source: Url,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// How long to watch a live source; by default five target durations, 10 s at least and 60 s at most
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: Option<u64>,
    /// A request header for the source, such as "Authorization: Bearer ..."; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
}

/// Some of the source violates the RFC, or no output takes it.
const NOT_FINE: u8 = 3;

/// Checks a source, and reports.
pub async fn run(args: CheckArgs) -> ExitCode {
    match check(&args).await {
        Ok(report) => {
            let text = if args.json {
                serde_json::to_string_pretty(&report).expect("a report has string keys") + "\n"
            } else {
                show::Shown(&report).to_string()
            };
            // A reader that has seen enough, such as head, closes the pipe.
            let _ = stdout().write_all(text.as_bytes());
            if report.is_fine() { ExitCode::SUCCESS } else { ExitCode::from(NOT_FINE) }
        }
        Err(error) => {
            eprintln!("ferry: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn check(args: &CheckArgs) -> Result<report::Report, Box<dyn std::error::Error>> {
    // A person typed the address, and may mean one of their own network.
    let settings = Settings { reach: Reach::Anywhere, ..Settings::default() };
    let source = args.source.clone();
    let address = Address::of(&source);
    let access = Access {
        source,
        fallbacks: Vec::new(),
        headers: args.headers.clone(),
        endpoints: Vec::new(),
    };
    let origin = Connector::new(settings)?.origin(&access);
    if stderr().is_terminal() {
        eprintln!("reading {address} for a few target durations");
    }
    let watch = args.seconds.map(Micros::from_secs);
    let seen = read::read(&origin, &TokioClock::new(), &args.source, watch).await?;
    Ok(analysis::report(address, &seen))
}

/// A request header as it is typed.
fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("must be NAME: VALUE")?;
    if name.trim().is_empty() {
        return Err("must have a name before the colon");
    }
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod options {
    use super::header;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let header = |text| header(text).map_err(str::to_owned);
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(header("Authorization: Bearer a:b"), pair("Authorization", "Bearer a:b"));
        assert_eq!(header("X-Empty:"), pair("X-Empty", ""));
        assert!(header("no colon").is_err() && header(": value").is_err());
    }
}
