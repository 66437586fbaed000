//! A product under test, driven through the API that both have.

use crate::apache::CREDENTIALS;
use crate::process::{self, Process};
use crate::schedule::Micros;
use crate::{Options, Result, clock};
use std::fs;
use std::process::Command;

/// What carries the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// hls-pull-push.
    Peer,
    /// This project.
    Ferry,
}

impl Product {
    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Peer => "hls-pull-push 0.6.0",
            Self::Ferry => "ferry",
        }
    }

    /// Its name in the settings.
    #[must_use]
    pub fn party(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Ferry => "ferry",
        }
    }

    /// Starts it, with no session yet.
    ///
    /// # Errors
    ///
    /// When it does not start or does not listen.
    pub fn start(self, options: &Options, sessions: u32) -> Result<Server> {
        let port = process::free_port()?;
        let mut command = match self {
            Self::Peer => {
                let mut command = Command::new("node");
                command.arg(&options.peer).arg(port.to_string()).env("NODE_ENV", "production");
                command
            }
            Self::Ferry => {
                // On a disk: what its store costs is part of it.
                let data = options.keep.join("data");
                let _ = fs::remove_dir_all(&data);
                let mut command = Command::new(&options.ferry);
                command.args(["serve", "--allow-private-addresses"]);
                command.arg("--listen").arg(format!("127.0.0.1:{port}")).arg("--data").arg(data);
                command
            }
        };
        let log = options.keep.join(format!("{}-{sessions}.log", self.party()));
        command.stdout(fs::File::create(log.with_extension("out"))?);
        let mut process = Process::start(self.name(), &mut command, &log)?;
        process.wait_for_port(port)?;
        Ok(Server { process, port })
    }
}

/// A product that runs.
pub struct Server {
    /// Its process.
    pub process: Process,
    port: u16,
}

impl Server {
    /// Makes a session.
    ///
    /// # Errors
    ///
    /// When it is refused.
    pub fn carry(
        &mut self,
        session: u32,
        source: &str,
        endpoints: Vec<String>,
        window: u64,
    ) -> Result<()> {
        let (user, password) = CREDENTIALS;
        let endpoints: Vec<String> = endpoints
            .iter()
            .map(|url| format!(r#"{{"url":"{url}","username":"{user}","password":"{password}"}}"#))
            .collect();
        let body = format!(
            r#"{{"name":"s{session}","url":"{source}","output":"mediapackage","payload":{{"ingestUrls":[{}]}},"windowSize":{window}}}"#,
            endpoints.join(",")
        );
        let url = format!("http://127.0.0.1:{}/api/v1/fetcher", self.port);
        let output = Command::new("curl")
            .args(["-s", "-S", "--fail-with-body", "--json", &body, &url])
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let answer = [output.stdout, output.stderr].concat();
        Err(format!("session {session} is refused: {}", String::from_utf8_lossy(&answer)).into())
    }

    /// Waits, and fails when the process ends before.
    ///
    /// # Errors
    ///
    /// With how it ended.
    pub fn watch_until(&mut self, moment: Micros) -> Result<()> {
        while clock::now() < moment {
            clock::sleep_until(moment.min(clock::now() + 1_000_000));
            self.process.check()?;
        }
        Ok(())
    }
}
