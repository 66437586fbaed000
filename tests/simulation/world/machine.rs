//! The state machine's own file, walked in virtual time. It knows what the file uses and nothing else: anything
//! else in it fails the test.

use super::{Dice, wait};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

const FILE: &str = include_str!("../../../statemachine/advance.asl.json");

pub struct Machine(Value);

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Succeeded(String),
    Failed(String),
    TimedOut,
}

impl Machine {
    pub fn load() -> Self {
        let machine: Value = serde_json::from_str(FILE).unwrap();
        knows(&machine, &["Comment", "QueryLanguage", "TimeoutSeconds", "StartAt", "States"]);
        assert_eq!(machine["QueryLanguage"], "JSONata");
        Self(machine)
    }

    /// Walks it once. `task` does what the only function does; an error is its name.
    pub async fn execute(
        &self,
        input: Value,
        dice: &Dice,
        task: impl AsyncFnMut(Value) -> Result<Value, String>,
    ) -> Ended {
        let limit = Duration::from_secs(self.0["TimeoutSeconds"].as_u64().unwrap());
        timeout(limit, self.walk(input, dice, task)).await.unwrap_or(Ended::TimedOut)
    }

    async fn walk(
        &self,
        mut data: Value,
        dice: &Dice,
        mut task: impl AsyncFnMut(Value) -> Result<Value, String>,
    ) -> Ended {
        let mut name = text(&self.0["StartAt"]);
        loop {
            let state = &self.0["States"][&name];
            name = match text(&state["Type"]).as_str() {
                "Task" => {
                    let known = ["Type", "Comment", "Resource", "TimeoutSeconds", "Retry", "Catch"];
                    knows(state, &[&known[..], &["Next"]].concat());
                    let next;
                    (data, next) = attempt(state, data, dice, &mut task).await;
                    next
                }
                "Choice" => {
                    knows(state, &["Type", "Comment", "Choices", "Default"]);
                    choose(state, &data)
                }
                "Wait" => {
                    knows(state, &["Type", "Comment", "Seconds", "Next"]);
                    wait(evaluate(&state["Seconds"], &data).as_u64().unwrap() * 1_000).await;
                    text(&state["Next"])
                }
                "Succeed" => {
                    knows(state, &["Type", "Comment"]);
                    return Ended::Succeeded(name);
                }
                "Fail" => {
                    knows(state, &["Type", "Comment", "Error", "Cause"]);
                    return Ended::Failed(text(&evaluate(&state["Error"], &data)));
                }
                other => panic!("state {name} is a {other}, which the walk does not know"),
            };
        }
    }
}

/// Does a task, as often as its retries say: what came of it, and the next state.
async fn attempt(
    state: &Value,
    input: Value,
    dice: &Dice,
    task: &mut impl AsyncFnMut(Value) -> Result<Value, String>,
) -> (Value, String) {
    let limit = Duration::from_secs(state["TimeoutSeconds"].as_u64().unwrap());
    let mut tries: BTreeMap<usize, u64> = BTreeMap::new();
    loop {
        let done = timeout(limit, task(input.clone())).await;
        let error = match done.unwrap_or_else(|_| Err("States.Timeout".to_owned())) {
            Ok(output) => return (output, text(&state["Next"])),
            Err(error) => error,
        };
        let matches = |rule: &&Value| {
            let names = rule["ErrorEquals"].as_array().unwrap();
            names.iter().any(|name| *name == *error || name == "States.ALL")
        };
        let retries = state["Retry"].as_array().unwrap();
        let known = ["ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxDelaySeconds"];
        retries.iter().for_each(|rule| {
            knows(rule, &[&known[..], &["MaxAttempts", "JitterStrategy"]].concat())
        });
        let rule = retries.iter().enumerate().find(|(_, rule)| matches(rule));
        let (number, rule) = rule.expect("the last one is for all");
        let tried = tries.entry(number).or_default();
        if *tried == rule["MaxAttempts"].as_u64().unwrap() {
            let catch = state["Catch"].as_array().unwrap().iter().find(matches);
            let next = text(&catch.expect("the last one is for all")["Next"]);
            return (json!({ "Error": error, "Cause": "in words" }), next);
        }
        let rate = rule["BackoffRate"].as_u64().unwrap_or(2);
        let pause = rule["IntervalSeconds"].as_u64().unwrap() * 1_000 * rate.pow(*tried as u32);
        let pause = pause.min(rule["MaxDelaySeconds"].as_u64().map_or(u64::MAX, |max| max * 1_000));
        *tried += 1;
        let jitter = rule["JitterStrategy"] == "FULL";
        wait(if jitter { dice.between(0, pause) } else { pause }).await;
    }
}

fn choose(state: &Value, data: &Value) -> String {
    for choice in state["Choices"].as_array().unwrap() {
        knows(choice, &["Condition", "Next"]);
        if evaluate(&choice["Condition"], data) == true {
            return text(&choice["Next"]);
        }
    }
    text(&state["Default"])
}

/// The value of a text: itself, or of the two expressions that the file uses, a field of the input and its
/// comparison with a text.
fn evaluate(expression: &Value, input: &Value) -> Value {
    let Some(inner) = expression.as_str().and_then(|text| text.strip_prefix("{%")) else {
        return expression.clone();
    };
    let words: Vec<&str> = inner.strip_suffix("%}").unwrap().split_whitespace().collect();
    let field = |word: &str| {
        let name =
            word.strip_prefix("$states.input.").unwrap_or_else(|| panic!("{word} in {expression}"));
        assert!(name.chars().all(char::is_alphanumeric), "{name} in {expression}");
        input.get(name).unwrap_or_else(|| panic!("no {name} in {input}")).clone()
    };
    match words[..] {
        [path] => field(path),
        [path, "=", quoted] => json!(field(path) == quoted.trim_matches('\'')),
        _ => panic!("{expression} is an expression that the walk does not know"),
    }
}

/// Fails when a value has a field that is not one of these.
fn knows(value: &Value, fields: &[&str]) {
    for field in value.as_object().unwrap().keys() {
        assert!(fields.contains(&field.as_str()), "the walk does not know {field} in {value}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
