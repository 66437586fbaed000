//! A minute over a stand-in for AWS.

use aws::{DynamoSessions, Executions, Input, Secrets, Table};
use aws_sdk_sfn::types::StateMachineType;
use dispatch::{Dispatch, counted};
use relay::Timestamp;
use relay::ports::Sessions;
use relay::progress::{Progress, Status};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};
use tests::conformance;
use tests::ministack::MiniStack;
use web::clock::TokioClock;

#[tokio::test]
async fn a_minute_that_comes_twice_starts_a_run_for_every_active_session_once() {
    let stack = MiniStack::start();
    let config = aws::sdk_at(&stack.url).await;
    stack.table("table");
    let states = aws_sdk_sfn::Client::new(&config);
    let definition = r#"{"StartAt":"End","States":{"End":{"Type":"Succeed"}}}"#;
    let machine = states.create_state_machine().name("loop").definition(definition);
    let machine = machine.role_arn("arn:aws:iam::000000000000:role/loop");
    let machine = machine.r#type(StateMachineType::Express).send().await.unwrap().state_machine_arn;
    let table = Table::new(&config, "table".to_owned());
    let secrets = Arc::new(Secrets::new(&config, "ferry/".to_owned()));
    let sessions = DynamoSessions::new(table.clone(), secrets, Arc::new(TokioClock::new()));
    for (number, name) in ["a", "b"].into_iter().enumerate() {
        let place = format!("https://in.example/{name}/channel");
        let (session, access) = conformance::session(name, number as u64, &[&place]);
        sessions.create(&session, &access).await.unwrap();
    }

    let executions = Executions::new(&config, machine.clone());
    let metrics = "hls-ferry".to_owned();
    let dispatch = Dispatch { table, executions, run_seconds: 240, metrics };
    let lines = Mutex::new(Vec::new());
    let print = |line: &str| lines.lock().unwrap().push(line.to_owned());
    for second in [0, 40] {
        dispatch.minute(Timestamp((1_700_000_040 + second) * 1_000_000), &print).await.unwrap();
    }

    let started = states.list_executions().state_machine_arn(&machine).send().await.unwrap();
    for execution in started.executions() {
        let arn = execution.execution_arn();
        let told = states.describe_execution().execution_arn(arn).send().await.unwrap();
        let input: Input = serde_json::from_str(told.input().unwrap()).unwrap();
        let names: Vec<&str> = input.run.sessions.iter().map(|due| due.id.0.as_str()).collect();
        assert_eq!(names, ["a", "b"], "{told:?}");
        assert!(execution.name().starts_with("minute-28333334-shard-0-a"), "{execution:?}");
    }
    assert!(!started.executions().is_empty());
    let lines = lines.into_inner().unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains(r#""ActiveSessions":2"#), "{}", lines[0]);
}

/// What `infra/causes.json` promises to those who operate it; what ends a session or breaks a turn is counted by `advance`.
#[tokio::test]
async fn every_cause_that_degrades_a_session_is_counted() {
    let stack = MiniStack::start();
    let config = aws::sdk_at(&stack.url).await;
    stack.table("table");
    let table = Table::new(&config, "table".to_owned());
    let secrets = Arc::new(Secrets::new(&config, "ferry/".to_owned()));
    let sessions = DynamoSessions::new(table.clone(), secrets, Arc::new(TokioClock::new()));
    let causes: Vec<Value> =
        serde_json::from_str(include_str!("../../../infra/causes.json")).unwrap();
    let mut expected = (0, 0);
    for (number, row) in causes.iter().enumerate() {
        let name = row["cause"].as_str().unwrap();
        let place = format!("https://in.example/{name}/channel");
        let (session, access) = conformance::session(name, number as u64, &[&place]);
        sessions.create(&session, &access).await.unwrap();
        let causes = [serde_json::from_value(row["cause"].clone()).unwrap()].into();
        let status = serde_json::from_value(row["status"].clone()).unwrap();
        let progress = Progress { status, causes, ..Progress::default() };
        sessions.report(&session.id, &progress).await.unwrap();
        assert!(row["metric"] != "DegradedSessions" || status == Status::Degraded, "{row}");
        expected.0 += usize::from(status.is_active());
        expected.1 += usize::from(status == Status::Degraded);
        let counted = counted(&table.active().await.unwrap());
        let line = counted.line("hls-ferry", Timestamp(0), None, Map::new());
        let line: Value = serde_json::from_str(&line).unwrap();
        let seen = (&line["ActiveSessions"], &line["DegradedSessions"]);
        assert_eq!(seen, (&json!(expected.0), &json!(expected.1)), "{row}");
    }
    assert!(expected.1 > 0 && expected.1 < causes.len(), "{expected:?}");
}
