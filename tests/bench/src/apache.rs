//! An endpoint: Debian's Apache with mod_dav_fs and mod_auth_digest, a private instance of it.

use crate::Result;
use crate::process::{self, Process};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user name and the password of every endpoint.
pub const CREDENTIALS: (&str, &str) = ("bench", "bench");

/// The MD5 of `bench:bench:bench`: user name, realm and password (RFC 7616 section 3.4.2).
const DIGEST: &str = "70f118c5fafe10a75379746ca6ab6181";

/// One running instance.
pub struct Apache {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub port: u16,
    /// What it stores: the collection of session N is the folder `sN`.
    pub root: PathBuf,
    /// What was asked of it: method, status, when in Unix time, for how many microseconds, as which
    /// request of its connection, and the path.
    pub log: PathBuf,
}

/// What the access log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// PUTs that stored something.
    pub stored: u64,
    /// PUTs of any outcome.
    pub puts: u64,
    /// Requests of any kind that were answered 401.
    pub denied: u64,
    /// Requests of any kind that were answered with another error.
    pub failed: u64,
}

impl Requests {
    /// Adds what another endpoint was asked.
    pub fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.puts += other.puts;
        self.denied += other.denied;
        self.failed += other.failed;
    }
}

impl Apache {
    /// Starts an instance in `dir` with a collection for each session.
    ///
    /// # Errors
    ///
    /// When it is not installed or does not listen.
    pub fn start(dir: &Path, sessions: u32) -> Result<Self> {
        let root = dir.join("root");
        // Apache's workers have another user where it is started by root.
        for folder in [dir.to_path_buf(), root.clone(), dir.join("lock")] {
            fs::create_dir_all(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o777))?;
        }
        for session in 0..sessions {
            let folder = root.join(format!("s{session}"));
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o777))?;
        }
        fs::write(dir.join("users"), format!("{}:bench:{DIGEST}\n", CREDENTIALS.0))?;
        let port = process::free_port()?;
        fs::write(dir.join("httpd.conf"), configuration(dir, port))?;
        let mut command = Command::new("/usr/sbin/apache2");
        command.arg("-DFOREGROUND").arg("-f").arg(dir.join("httpd.conf"));
        let mut process = Process::start("apache2", &mut command, &dir.join("stderr.log"))?;
        process.wait_for_port(port)?;
        Ok(Self { process, port, root, log: dir.join("access.log") })
    }

    /// The ingest address of a session, as MediaPackage would give it.
    #[must_use]
    pub fn address(&self, session: u32) -> String {
        format!("http://127.0.0.1:{}/s{session}/channel", self.port)
    }

    /// How far the access log has grown.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn log_length(&self) -> Result<u64> {
        Ok(fs::metadata(&self.log)?.len())
    }

    /// What was asked between two lengths of the access log.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn requests(&self, from: u64, until: u64) -> Result<Requests> {
        let log = fs::read(&self.log)?;
        let part = log.get(usize::try_from(from)?..usize::try_from(until)?).unwrap_or_default();
        Ok(count(&String::from_utf8_lossy(part)))
    }
}

/// Adds up lines of method and status.
fn count(log: &str) -> Requests {
    let mut requests = Requests::default();
    for line in log.lines() {
        let mut fields = line.split(' ');
        let (Some(method), Some(status)) = (fields.next(), fields.next()) else { continue };
        requests.puts += u64::from(method == "PUT");
        match status {
            "401" => requests.denied += 1,
            _ if status.starts_with(['4', '5']) => requests.failed += 1,
            _ => requests.stored += u64::from(method == "PUT"),
        }
    }
    requests
}

fn configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    let modules: String = [
        "mpm_event",
        "authn_core",
        "authn_file",
        "authz_core",
        "authz_user",
        "auth_digest",
        "dav",
        "dav_fs",
    ]
    .iter()
    .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
    .collect();
    format!(
        r#"ServerRoot "{dir}"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile "{dir}/pid"
DefaultRuntimeDir "{dir}"
User www-data
Group www-data
{modules}
ServerLimit 4
StartServers 4
ThreadsPerChild 64
MaxRequestWorkers 256
MinSpareThreads 1
MaxSpareThreads 256
AsyncRequestWorkerFactor 16
MaxConnectionsPerChild 0
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
ErrorLog "{dir}/error.log"
LogFormat "%m %>s %{{sec}}t.%{{usec_frac}}t %D %k %U" put
CustomLog "{dir}/access.log" put
DocumentRoot "{dir}/root"
DavLockDB "{dir}/lock/db"
<Directory "{dir}/root">
  Dav On
  AuthType Digest
  AuthName bench
  AuthDigestProvider file
  AuthUserFile "{dir}/users"
  Require valid-user
</Directory>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_log_is_counted_by_outcome() {
        let log = "PUT 401 90 0 /s0/channel_1.ts\nPUT 201 90 1 /s0/channel_1.ts\n\
                   PUT 204 90 2 /s0/channel.m3u8\nPUT 500 90 2 /x\nDELETE 404 1 3 /y\n";
        let counted = Requests { stored: 2, puts: 4, denied: 1, failed: 2 };
        assert_eq!(count(log), counted);
    }
}
