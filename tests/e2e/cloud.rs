//! The relay on a local AWS: its stack as the CDK synthesised and deployed it to MiniStack, the real binaries as
//! functions, IAM enforced, and moto as MediaPackage.

mod front;
mod schedule;

use crate::apache::{Apache, DIGEST};
use crate::ferry::built;
use crate::ffmpeg::video;
use crate::origin::Origin;
use crate::process::{Process, free_port};
use crate::program::Program;
use crate::published::{Published, Renditions};
use crate::secrets;
use crate::wire::Wire;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::ministack::{MiniStack, pypi};
use tokio::sync::RwLock;

const FUNCTIONS: [&str; 5] = ["advance", "dispatch", "sessions", "channels", "credentials"];
const REGION: &str = "us-east-1";
const JSON: [&str; 2] = ["-H", "content-type: application/json"];
const STACK: &str = "hls-ferry-relay";
/// How long moto may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The deployed stack and what it was deployed to.
pub struct Cloud {
    stack: MiniStack,
    /// Between the functions and the table.
    pub wire: Wire,
    /// Where moto listens.
    moto: String,
    _moto: Process,
    files: TempDir,
    /// The outputs of the stack.
    outputs: Value,
    /// Where viewers read channels that are made of VODs.
    pub front: String,
    /// VODs.
    pub library: Origin,
    /// The inputs of the channel `main`.
    main: Mutex<Option<Vec<Apache>>>,
    /// Those of the channel `film`, whose source is in the configuration, and what that published.
    film: (Vec<Apache>, Renditions),
    answers: Mutex<String>,
    /// Held for reading by cases in which runs end before their time, and for writing by the one that switches the
    /// schedule off, without which nothing takes their sessions up again.
    pub scheduled: RwLock<()>,
    /// Held for reading while the API is asked once, and for writing by the case that ends what answers.
    pub answering: RwLock<()>,
}

/// The one stack that all cases share: it takes half a minute to deploy.
pub fn cloud() -> &'static Cloud {
    static CLOUD: OnceLock<Cloud> = OnceLock::new();
    CLOUD.get_or_init(|| {
        let (deployed, cloud) = mpsc::channel();
        // What it starts ends with this thread, which ends with the last test.
        std::thread::spawn(move || {
            // What it serves goes on while it waits for the CDK.
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                deployed.send(Cloud::deploy().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        cloud.recv().expect("it is deployed")
    })
}

impl Cloud {
    async fn deploy() -> Self {
        let files = tempfile::tempdir().unwrap();
        let main = vec![Apache::start(DIGEST).await, Apache::start(DIGEST).await];
        let film = vec![Apache::start(DIGEST).await, Apache::start(DIGEST).await];
        let inputs = |apaches: &[Apache]| json!([apaches[0].input("1"), apaches[1].input("2")]);
        let channels = json!({ "hls-ferry-main": inputs(&main), "hls-ferry-film": inputs(&film) });
        let told = files.path().join("channels.json");
        fs::write(&told, channels.to_string()).unwrap();
        let folder = files.path().join("film");
        fs::create_dir(&folder).unwrap();
        video(&folder);
        let published = Published::watch(&folder).so_far();
        let source = Origin::serve(&folder).await.url("main.m3u8");

        let (wire, port) = (Wire::serve().await, free_port());
        let moto = format!("http://127.0.0.1:{port}");
        let stack = MiniStack::start_with(&[
            ("AUTH", "true"),
            ("FERRY_ALSO_REACH", "127.0.0.1"),
            ("AWS_ENDPOINT_URL_DYNAMODB", &wire.url),
            ("AWS_ENDPOINT_URL_MEDIAPACKAGE", &moto),
        ]);
        wire.lead_to(&stack.url);
        let process = start_moto(port, &stack.url, &told, files.path());
        answers(&moto).await;

        let mut cloud = Self {
            stack,
            wire,
            moto,
            _moto: process,
            files,
            outputs: Value::Null,
            front: String::new(),
            library: front::library().await,
            main: Mutex::new(Some(main)),
            film: (film, published),
            answers: Mutex::default(),
            scheduled: RwLock::default(),
            answering: RwLock::default(),
        };
        // What the packaging stacks would have left.
        for channel in ["main", "film"] {
            let arn = format!("arn:aws:mediapackage:{REGION}:000000000000:channels/{channel}");
            let name = format!("/hls-ferry/channels/{channel}/arn");
            let parameter = json!({ "Name": name, "Type": "String", "Value": arn });
            cloud.call("ssm", "AmazonSSM.PutParameter", parameter).await;
        }
        cloud.outputs = cloud.deploy_stack(&source);
        cloud.front = cloud.put_front().await;
        cloud
    }

    fn deploy_stack(&self, source: &str) -> Value {
        let folder = self.files.path();
        zip(&folder.join("built"));
        let config = folder.join("config.json");
        // No alarms and no rotation by a schedule: MiniStack knows neither.
        let channel = json!({ "name": "main", "rotateCredentialsDays": 0 });
        let film = json!({ "name": "film", "rotateCredentialsDays": 0, "source": source });
        let deployment = json!({
            "removal": "destroy", "alarms": false, "relay": { "logLevel": "debug" },
            "channels": [channel, film], "playout": self.playout(),
        });
        fs::write(&config, deployment.to_string()).unwrap();
        let outputs = folder.join("outputs.json");
        let cdk = |args: &[&str]| {
            let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra");
            let output = Command::new("npx")
                .args(["--no-install", "cdk"])
                .args(args)
                .args(["-c", &format!("config={}", config.display())])
                .args(["-c", "credentials=cli", "--no-notices"])
                .args(["-c", &format!("built={}", folder.join("built").display())])
                .arg(format!("--output={}", folder.join("cdk.out").display()))
                .current_dir(&infra)
                .env("AWS_ENDPOINT_URL", &self.stack.url)
                .env("AWS_REGION", REGION)
                .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
                .output()
                .expect("infra's npm packages are installed");
            let told = [output.stdout, output.stderr].concat();
            let log = || self.logs("/aws/lambda/hls-ferry-sessions");
            let told = String::from_utf8_lossy(&told);
            assert!(output.status.success(), "cdk {args:?}\n{told}\n{}", log());
        };
        cdk(&["bootstrap", &format!("aws://000000000000/{REGION}")]);
        let into = format!("--outputs-file={}", outputs.display());
        cdk(&["deploy", STACK, "--require-approval=never", "--no-rollback", &into]);
        let outputs: Value = serde_json::from_slice(&fs::read(outputs).unwrap()).unwrap();
        outputs[STACK].clone()
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> &str {
        self.outputs[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.outputs))
    }

    /// The endpoints that stand for the inputs of the channel `main`, for the one case that uses them.
    pub fn channel(&self) -> Vec<Apache> {
        self.main.lock().unwrap().take().expect("one case uses them")
    }

    /// The endpoints of the channel that is on air by configuration, and what its source has.
    pub fn film(&self) -> (&[Apache], &Renditions) {
        (&self.film.0, &self.film.1)
    }

    /// Calls an action of AWS, such as `AmazonSSM.PutParameter`, which must go well.
    pub async fn call(&self, service: &'static str, action: &'static str, content: Value) -> Value {
        let url = self.stack.url.clone();
        off_the_runtime(move || call(&url, service, action, &content)).await
    }

    /// Calls an action of moto's Step Functions, which must go well.
    pub async fn call_moto(&self, action: &'static str, content: Value) -> Value {
        let url = self.moto.clone();
        off_the_runtime(move || call(&url, "states", action, &content)).await
    }

    /// The status of the API's answer to somebody who does not sign.
    pub async fn ask_unsigned(&self, path: &str) -> u16 {
        let (url, here) = self.route(path);
        off_the_runtime(move || curl(&url, "GET", "", &["--connect-to", &here])).await.0
    }

    /// An address of the API, and how curl gets there: the name does not resolve.
    fn route(&self, path: &str) -> (String, String) {
        let here = self.stack.url.trim_start_matches("http://");
        (format!("{}{path}", self.output("ApiUrl")), format!("::{here}"))
    }

    /// Invokes a function, and gives what it answers or fails with.
    pub async fn invoke(&self, function: &str, event: Value) -> Value {
        let path = format!("/2015-03-31/functions/hls-ferry-{function}/invocations");
        let url = format!("{}{path}", self.stack.url);
        let (_, text) =
            off_the_runtime(move || signed("lambda", &url, "POST", &event.to_string(), &JSON))
                .await;
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// Changes the password of one input of the channel, as Secrets Manager has it done.
    pub async fn rotate(&self) {
        let secret = json!({ "SecretId": "hls-ferry/channels/main" });
        let (_, version) = self.secret(&secret).await;
        // Secrets Manager names the version that is to be made.
        let next = format!("{}{}", &version[1..], &version[..1]);
        for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
            let event = json!({
                "Step": step, "SecretId": secret["SecretId"], "ClientRequestToken": next,
            });
            assert_eq!(self.invoke("credentials", event).await, Value::Null, "{step}");
        }
        let (held, version) = self.secret(&secret).await;
        assert_eq!(version, next, "the new version is the one in use");
        let endpoints = held["endpoints"].as_array().unwrap();
        let password =
            |endpoint: &Value| endpoint["credentials"]["password"].as_str().unwrap().to_owned();
        endpoints.iter().map(password).for_each(|word| secrets::add(&word));
    }

    async fn secret(&self, id: &Value) -> (Value, String) {
        let answer = self.call("secretsmanager", "secretsmanager.GetSecretValue", id.clone()).await;
        let held = serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
        (held, answer["VersionId"].as_str().unwrap().to_owned())
    }

    /// Gives a function another description, so that its next invocation is by another version of it.
    pub async fn change(&self, function: &str, description: &str) {
        let path = format!("/2015-03-31/functions/hls-ferry-{function}/configuration");
        let url = format!("{}{path}", self.stack.url);
        let body = json!({ "Description": description }).to_string();
        let (status, text) =
            off_the_runtime(move || signed("lambda", &url, "PUT", &body, &JSON)).await;
        assert_eq!(status, 200, "{text}");
    }

    /// Puts `value` into a secret, and gives what was there.
    pub async fn put_secret(&self, name: &str, value: &str) -> String {
        let id = json!({ "SecretId": name });
        let before = self.call("secretsmanager", "secretsmanager.GetSecretValue", id).await;
        let value = json!({ "SecretId": name, "SecretString": value });
        self.call("secretsmanager", "secretsmanager.PutSecretValue", value).await;
        before["SecretString"].as_str().unwrap().to_owned()
    }

    /// Runs the deployed machine's definition in moto, for one session, and gives the execution's ARN.
    pub async fn run_in_moto(&self, session: &str, name: &str) -> String {
        let config = json!({ "stepfunctions": { "execute_state_machine": true } }).to_string();
        let url = format!("{}/moto-api/config", self.moto);
        off_the_runtime(move || signed("moto", &url, "POST", &config, &JSON)).await;
        let machine = json!({ "stateMachineArn": self.output("StateMachineArn") });
        let machine = self.call("states", "AWSStepFunctions.DescribeStateMachine", machine).await;
        let made = json!({
            "name": name, "type": "STANDARD", "definition": machine["definition"],
            "roleArn": "arn:aws:iam::123456789012:role/advance",
        });
        let made = self.call_moto("AWSStepFunctions.CreateStateMachine", made).await;
        let start = json!({
            "stateMachineArn": made["stateMachineArn"], "name": name, "input": input(&[session]),
        });
        let run = self.call_moto("AWSStepFunctions.StartExecution", start).await;
        run["executionArn"].as_str().unwrap().to_owned()
    }

    /// Starts a run of these sessions, as `dispatch` does, and gives its ARN.
    pub async fn start_run(&self, sessions: &[&str]) -> String {
        let start = json!({
            "stateMachineArn": self.output("StateMachineArn"), "input": input(sessions),
        });
        let started = self.call("states", "AWSStepFunctions.StartExecution", start).await;
        started["executionArn"].as_str().unwrap().to_owned()
    }

    /// The runs whose status is this, newest first.
    pub async fn runs(&self, status: &str) -> Vec<Value> {
        let machine = self.output("StateMachineArn");
        let content = json!({ "stateMachineArn": machine, "statusFilter": status });
        let answer = self.call("states", "AWSStepFunctions.ListExecutions", content).await;
        let mut runs = Vec::new();
        for run in answer["executions"].as_array().into_iter().flatten() {
            let which = json!({ "executionArn": run["executionArn"] });
            runs.push(self.call("states", "AWSStepFunctions.DescribeExecution", which).await);
        }
        runs
    }

    /// Ends at once, as `kill -9` does, every environment of a function, and says how many there were.
    pub fn kill(&self, function: &str) -> usize {
        let name = format!("AWS_LAMBDA_FUNCTION_NAME=hls-ferry-{function}");
        let here = format!("AWS_ENDPOINT_URL={}", self.stack.url);
        let mut killed = 0;
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            let has = |wanted: &str| {
                environment.split(|byte| *byte == 0).any(|it| it == wanted.as_bytes())
            };
            let id = process.file_name().to_str().and_then(|id| id.parse().ok());
            if let Some(id) = id.and_then(Pid::from_raw).filter(|_| has(&name) && has(&here)) {
                // It may end by itself in between.
                killed += usize::from(kill_process(id, Signal::KILL).is_ok());
            }
        }
        killed
    }

    /// What the functions logged, at every level.
    fn everything(&self) -> String {
        let logs = |function| self.logs(&format!("/aws/lambda/hls-ferry-{function}"));
        FUNCTIONS.map(logs).concat()
    }

    fn logs(&self, group: &str) -> String {
        let (mut told, mut next) = (String::new(), None::<String>);
        loop {
            let mut content = json!({ "logGroupName": group });
            if let Some(next) = next {
                content["nextToken"] = json!(next);
            }
            let answer = call(&self.stack.url, "logs", "Logs_20140328.FilterLogEvents", &content);
            for event in answer["events"].as_array().into_iter().flatten() {
                told.push_str(event["message"].as_str().unwrap_or_default());
                told.push('\n');
            }
            next = answer["nextToken"].as_str().map(str::to_owned);
            if next.is_none() {
                return told;
            }
        }
    }
}

impl Program for &'static Cloud {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let (url, here) = self.route(path);
        body.iter().for_each(secrets::of_request);
        let body = body.map_or_else(String::new, |body| body.to_string());
        let _answering = self.answering.read().await;
        let (status, text) = off_the_runtime(move || {
            signed(
                "execute-api",
                &url,
                method.as_str(),
                &body,
                &["--connect-to", &here, "-H", "content-type: application/json"],
            )
        })
        .await;
        self.answers.lock().unwrap().push_str(&text);
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn log(&self) -> String {
        let told = self.everything();
        let lines = told.lines().filter(|line| !line.contains(r#""level":"DEBUG""#));
        lines.fold(String::new(), |log, line| log + line + "\n")
    }

    fn keeps(&self) {
        let call = |service, action, content| call(&self.stack.url, service, action, &content);
        let scan = json!({ "TableName": self.output("TableName") });
        let table = call("dynamodb", "DynamoDB_20120810.Scan", scan);
        let machine = json!({ "stateMachineArn": self.output("StateMachineArn") });
        let runs = call("states", "AWSStepFunctions.ListExecutions", machine);
        let mut history = String::new();
        for run in runs["executions"].as_array().into_iter().flatten() {
            let which = json!({ "executionArn": run["executionArn"] });
            history.push_str(
                &call("states", "AWSStepFunctions.GetExecutionHistory", which).to_string(),
            );
        }
        let answers = self.answers.lock().unwrap().clone();
        let told = [self.everything(), answers, table.to_string(), history];
        for (place, text) in ["log", "answers", "table", "history"].iter().zip(told) {
            assert!(!text.is_empty(), "the {place} cannot be read");
            secrets::keep_out_of(place, text.as_bytes());
        }
    }

    async fn end(&mut self) {}
}

/// The functions, built and packed as they are deployed: the tests' profile, without symbols.
fn zip(folder: &Path) {
    let binaries = std::env::var_os("FUNCTIONS").map_or_else(|| built(&FUNCTIONS), PathBuf::from);
    for function in FUNCTIONS {
        let folder = folder.join(function);
        fs::create_dir_all(&folder).unwrap();
        run(
            &folder,
            "strip",
            &[OsStr::new("-o"), OsStr::new("bootstrap"), binaries.join(function).as_os_str()],
        );
        let args = ["-m", "zipfile", "-c", "bootstrap.zip", "bootstrap"].map(OsStr::new);
        run(&folder, "python3", &args);
    }
}

fn run(folder: &Path, program: &str, args: &[&OsStr]) {
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

fn start_moto(port: u16, ministack: &str, channels: &Path, log: &Path) -> Process {
    let python = pypi("moto", &["moto[server]==5.2.5", "jsonata-python==0.7.1"]).join("python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/moto_server.py");
    // Where the functions are that its state machines call.
    let other = format!("MOTO_PORT={}", ministack.rsplit(':').next().unwrap());
    let args = [
        other.into(),
        python.into_os_string(),
        script.into_os_string(),
        port.to_string().into(),
        channels.into(),
    ];
    Process::start(Path::new("/usr/bin/env"), &args, &log.join("moto"))
}

async fn answers(url: &str) {
    let (client, deadline) = (crate::http::client(), Instant::now() + PATIENCE);
    while client.get(format!("{url}/moto-api/")).send().await.is_err() {
        assert!(Instant::now() < deadline, "moto does not answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn call(url: &str, service: &str, action: &str, content: &Value) -> Value {
    let version = if matches!(service, "dynamodb" | "states") { "1.0" } else { "1.1" };
    let headers = [
        "-H".to_owned(),
        format!("x-amz-target: {action}"),
        "-H".to_owned(),
        format!("content-type: application/x-amz-json-{version}"),
    ];
    let headers = headers.each_ref().map(String::as_str);
    let (status, text) =
        signed(service, &format!("{url}/"), "POST", &content.to_string(), &headers);
    assert_eq!(status, 200, "{action}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The status and the body of the answer to a request.
fn curl(url: &str, method: &str, body: &str, more: &[&str]) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "60", "-X", method, "-w", "\n%{http_code}"]).args(more);
    if !body.is_empty() {
        curl.args(["--data-raw", body]);
    }
    let output = curl.arg(url).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let wrong = || format!("{url}: {}", String::from_utf8_lossy(&output.stderr));
    let (text, status) = told.rsplit_once('\n').unwrap_or_else(|| panic!("{}", wrong()));
    (status.parse().unwrap(), text.to_owned())
}

/// The same, signed.
fn signed(service: &str, url: &str, method: &str, body: &str, more: &[&str]) -> (u16, String) {
    let scope = format!("aws:amz:{REGION}:{service}");
    curl(url, method, body, &[&["--aws-sigv4", &scope, "--user", "test:test"], more].concat())
}

/// Does something that waits for another program; what this test serves goes on meanwhile.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// What starts a run of these sessions, as `dispatch` gives it.
#[expect(clippy::disallowed_methods, reason = "it plays the part of a function")]
fn input(sessions: &[&str]) -> String {
    let sessions: Vec<Value> = sessions.iter().map(|id| json!({ "id": id })).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let until = u64::try_from(now.as_millis()).unwrap() + 240_000;
    json!({ "run": { "until": until, "sessions": sessions } }).to_string()
}
