//! An ingest endpoint: a private Apache with WebDAV and digest authentication, as MediaPackage has it.

use crate::process::{Process, free_port};
use crate::secrets;
use rustix::process::{Signal, geteuid};
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const APACHE: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";
const REALM: &str = "ingest";
/// How long Apache may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// How writers sign in. Reading is always free: it is how the tests look at what arrived.
#[derive(Clone, Copy, Debug)]
pub enum Auth {
    None,
    Basic,
    Digest {
        /// `AuthDigestNonceLifetime` in seconds: 0 for a nonce per request, -1 for one that lasts.
        nonce_lifetime: i32,
        /// `AuthDigestNcCheck`: each request must count on by one.
        counted: bool,
    },
}

/// Digest with Apache's own nonce lifetime.
pub const DIGEST: Auth = Auth::Digest { nonce_lifetime: 300, counted: false };

/// A running or stopped Apache with its own port, folder and user.
pub struct Apache {
    folder: TempDir,
    port: u16,
    auth: Auth,
    pub username: String,
    pub password: String,
    process: Option<Process>,
}

/// One line of the access log.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub status: u16,
    /// Bytes that came in, headers included.
    pub received: u64,
}

impl Apache {
    pub async fn start(auth: Auth) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The workers of an Apache that was started by root are somebody else.
        for (name, mode) in [(".", 0o755), ("www", 0o777), ("locks", 0o777)] {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        let random = || RandomState::new().hash_one("a word");
        let mut apache = Self {
            folder,
            port: free_port(),
            auth,
            username: format!("user{:04x}", random() & 0xffff),
            password: format!("{:016x}{:016x}", random(), random()),
            process: None,
        };
        secrets::add(&apache.password);
        apache.write_users();
        fs::write(apache.path("apache.conf"), apache.configuration()).unwrap();
        apache.up().await;
        apache
    }

    /// Starts it again, where it was.
    pub async fn up(&mut self) {
        let configuration = self.path("apache.conf");
        let args = ["-D", "FOREGROUND", "-f", configuration.to_str().unwrap()];
        let mut process = Process::start(Path::new(APACHE), &args, &self.path("apache"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || fs::read_to_string(self.path("error.log")).unwrap_or_default();
            let ended = process.ended();
            assert!(ended.is_none(), "apache: {ended:?}\n{}\n{}", process.stderr(), log());
            assert!(Instant::now() < deadline, "apache does not listen:\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.process = Some(process);
    }

    /// Stops it: connections are refused, requests under way are cut off.
    pub async fn down(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        process.end(PATIENCE).await;
    }

    /// Ends it as a power cut would, in the middle of whatever it does.
    pub fn kill(&mut self) {
        drop(self.process.take().expect("it runs"));
    }

    /// Makes it hang: connections are taken, and nothing is answered until [`Self::thaw`].
    pub async fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal_all(Signal::STOP);
        // Its threads stop when they are next looked at by the kernel, not at once.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    pub fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal_all(Signal::CONT);
    }

    /// Answers every write with `status` (403 or 500) from now on; absent: as it should.
    pub fn refuse(&self, status: Option<u16>) {
        for each in [403, 500] {
            let _ = fs::remove_file(self.path(&format!("refuse-{each}")));
        }
        if let Some(status) = status {
            fs::write(self.path(&format!("refuse-{status}")), "").unwrap();
        }
    }

    /// The endpoint's address, in a collection that nobody has made yet.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/in/channel", self.port)
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where players read what arrived.
    pub fn playlist(&self) -> String {
        format!("{}.m3u8", self.endpoint())
    }

    /// A page beside what arrived that plays it: a browser reads only what comes from where the page does.
    pub fn page(&self) -> String {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let player = here.join("../functions/ferry/node_modules/hls.js/dist/hls.min.js");
        for (from, to) in [(here.join("browser/channel.html"), "channel.html"), (player, "hls.js")]
        {
            fs::copy(from, self.path("www").join(to)).unwrap();
        }
        format!("http://127.0.0.1:{}/channel.html?playlist=/in/channel.m3u8", self.port)
    }

    /// The endpoint as the session API takes it.
    pub fn json(&self) -> serde_json::Value {
        match self.auth {
            Auth::None => serde_json::json!({ "url": self.endpoint() }),
            Auth::Basic | Auth::Digest { .. } => serde_json::json!({
                "url": self.endpoint(), "username": self.username, "password": self.password,
            }),
        }
    }

    /// The endpoint as MediaPackage tells an input of a channel, and where its users are kept.
    pub fn input(&self, id: &str) -> serde_json::Value {
        serde_json::json!({
            "id": id, "url": self.endpoint(), "username": self.username, "password": self.password,
            "realm": REALM, "users": self.path("users.digest"),
        })
    }

    /// What was asked of it so far, in the order of the answers.
    pub fn requests(&self) -> Vec<Request> {
        let log = fs::read_to_string(self.path("access.log")).unwrap_or_default();
        let request = |line: &str| {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default().to_owned();
            Request {
                method: field(),
                path: field(),
                status: field().parse().unwrap_or(0),
                received: field().parse().unwrap_or(0),
            }
        };
        log.lines().map(request).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_users(&self) {
        // What htpasswd -s and htdigest write; Debian has them in another package.
        let script = "import sys, hashlib, base64\n\
            realm, user, word = sys.argv[1:]\n\
            sha = base64.b64encode(hashlib.sha1(word.encode()).digest()).decode()\n\
            print(f'{user}:{{SHA}}{sha}')\n\
            print(f'{user}:{realm}:' + hashlib.md5(f'{user}:{realm}:{word}'.encode()).hexdigest())";
        let args = ["-c", script, REALM, &self.username, &self.password];
        let output = Command::new("python3").args(args).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let (basic, digest) = lines.split_once('\n').expect("two lines");
        fs::write(self.path("users.basic"), basic).unwrap();
        fs::write(self.path("users.digest"), digest).unwrap();
    }

    fn configuration(&self) -> String {
        let folder = self.folder.path().display();
        let mut text = String::new();
        for module in [
            "mpm_event",
            "authn_core",
            "authn_file",
            "authz_core",
            "authz_user",
            "auth_basic",
            "auth_digest",
            "dav",
            "dav_fs",
            "mime",
            "rewrite",
        ] {
            writeln!(text, "LoadModule {module}_module {MODULES}/mod_{module}.so").unwrap();
        }
        if geteuid().is_root() {
            text.push_str("User www-data\nGroup www-data\n");
        }
        let sign_in = match self.auth {
            Auth::None => "Require all granted".to_owned(),
            Auth::Basic => format!(
                "AuthType Basic\nAuthName {REALM}\nAuthUserFile {folder}/users.basic\n\
                 <LimitExcept GET HEAD>\nRequire valid-user\n</LimitExcept>"
            ),
            Auth::Digest { nonce_lifetime, counted } => format!(
                "AuthType Digest\nAuthName {REALM}\nAuthUserFile {folder}/users.digest\n\
                 AuthDigestNonceLifetime {nonce_lifetime}\nAuthDigestNcCheck {}\n\
                 <LimitExcept GET HEAD>\nRequire valid-user\n</LimitExcept>",
                if counted { "On" } else { "Off" }
            ),
        };
        let port = self.port;
        write!(
            text,
            r#"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
LogLevel warn
LogFormat "%m\t%U\t%>s\t%I" request
CustomLog {folder}/access.log request
DocumentRoot {folder}/www
DavLockDB {folder}/locks/lock
KeepAlive On
MaxKeepAliveRequests 0
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
TypesConfig /dev/null
AddType application/vnd.apple.mpegurl .m3u8
AddType video/mp2t .ts
AddType video/mp4 .m4s .mp4
AddType text/html .html
AddType text/javascript .js
AddType text/vtt .vtt
AddType audio/aac .aac
<Directory {folder}/www>
Dav On
{sign_in}
</Directory>
RewriteEngine On
"#
        )
        .unwrap();
        for (status, flag) in [(403, "F"), (500, "R=500")] {
            writeln!(
                text,
                "RewriteCond %{{REQUEST_METHOD}} !^(GET|HEAD)$\n\
                 RewriteCond {folder}/refuse-{status} -f\nRewriteRule ^ - [{flag},L]"
            )
            .unwrap();
        }
        text
    }
}
