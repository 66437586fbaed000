//! `ferry push`: one session in the foreground.

mod display;
mod options;

use crate::ending::Ending;
use crate::serve::read_authorities;
use display::Display;
use ferry::{Ferry, Handle, OpenError, Request, StartError};
pub use options::PushArgs;
use relay::ports::CreateError;
use relay::progress::Status;
use std::process::ExitCode;
use std::time::Duration;
use web::Settings;

/// How long what is under way may take when the push is interrupted.
const FINISH: Duration = Duration::from_secs(3);

/// Why a push came to nothing.
enum Failure {
    /// What was written on the command line is wrong.
    Usage(String),
    /// It could not be done.
    Failed(String),
}

/// Pushes until the source ends.
pub async fn run(args: PushArgs) -> ExitCode {
    match push(args).await {
        Ok(code) => code,
        Err(Failure::Usage(what)) => {
            eprintln!("error: {what}\n\nFor more information, try '--help'.");
            ExitCode::from(2)
        }
        Err(Failure::Failed(what)) => {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        }
    }
}

async fn push(args: PushArgs) -> Result<ExitCode, Failure> {
    let request = args.request().map_err(Failure::Usage)?;
    let mut ending = Ending::listen().map_err(Failure::Failed)?;
    let kept = match &args.data {
        Some(_) => None,
        None => Some(temporary().map_err(|error| Failure::Failed(error.to_string()))?),
    };
    let data = args.data.as_deref().or(kept.as_ref().map(tempfile::TempDir::path));
    let data = data.expect("there is one or the other");
    let extra_roots_pem = read_authorities(args.ca_file.as_deref()).map_err(Failure::Usage)?;
    let reach = args.reach().await;
    let settings = Settings { reach, extra_roots_pem, ..Settings::default() };
    let ferry = Ferry::open(data, settings)
        .map_err(|error: OpenError| Failure::Failed(error.to_string()))?;
    let session = start(&ferry, request).await?;
    let mut display = Display::new(session.session().clone(), args.json);
    let finished = watch(&session, &mut display, &mut ending).await;
    if !finished {
        ferry.finish(FINISH).await;
    }
    let progress = session.progress();
    display.last(&progress);
    Ok(match progress.status {
        Status::Ended if progress.causes.is_empty() => ExitCode::SUCCESS,
        Status::Ended | Status::Failed => ExitCode::FAILURE,
        Status::Starting | Status::Running | Status::Degraded | Status::Stopped => {
            if let Some(data) = &args.data {
                let data = data.display();
                eprintln!("interrupted: the same command goes on where it was, from {data}");
            }
            ExitCode::from(130)
        }
    })
}

async fn start(ferry: &Ferry, request: Request) -> Result<Handle, Failure> {
    ferry.start(request).await.map_err(|error| match error {
        StartError::Invalid(errors) => {
            let word = |error: &ferry::FieldError| {
                format!("{} {}", options::as_option(&error.field), error.detail)
            };
            Failure::Usage(errors.iter().map(word).collect::<Vec<_>>().join("\nerror: "))
        }
        StartError::NotMade(CreateError::Taken { by, endpoint }) => Failure::Failed(format!(
            "session {by} in that directory writes to endpoint {}, from another source or in another \
             way: name another directory to begin anew",
            endpoint + 1
        )),
        StartError::NotMade(CreateError::Store(error)) => Failure::Failed(error.to_string()),
    })
}

/// Shows how a session is doing until it is over (true), or somebody wants to end.
async fn watch(session: &Handle, display: &mut Display, ending: &mut Ending) -> bool {
    let mut session = session.clone();
    let mut ticks = tokio::time::interval(display.interval());
    loop {
        let shown = tokio::select! {
            carried = session.changed() => {
                if !carried {
                    return true;
                }
                display.changed(&session.progress())
            }
            _ = ticks.tick() => display.tick(&session.progress()),
            () = ending.told() => return false,
        };
        // Nobody reads it any more, such as `head` that has what it wants.
        if shown.is_err() {
            return false;
        }
    }
}

fn temporary() -> std::io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("ferry-push-").tempdir()
}
