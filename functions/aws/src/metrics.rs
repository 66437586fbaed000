//! Metrics in CloudWatch's embedded format: log lines that CloudWatch makes metrics of.

use relay::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a metric counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
}

/// CloudWatch takes so many values of a metric in one line.
const VALUES: usize = 100;

/// Values of metrics, by name. A name always has the same unit.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<&'static str, (Unit, Vec<u64>)>);

impl Metrics {
    /// Adds to a count.
    pub fn add(&mut self, name: &'static str, unit: Unit, more: u64) {
        let (_, values) = self.0.entry(name).or_insert((unit, Vec::new()));
        match values.first_mut() {
            Some(sum) => *sum += more,
            None => values.push(more),
        }
    }

    /// Adds a value of its own.
    pub fn sample(&mut self, name: &'static str, unit: Unit, value: u64) {
        let (_, values) = self.0.entry(name).or_insert((unit, Vec::new()));
        if values.len() < VALUES {
            values.push(value);
        } else if let Some(least) = values.iter_mut().min()
            && *least < value
        {
            // The largest are those that matter.
            *least = value;
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The line, with what is not a metric beside them: of one channel, or of all sessions.
    #[must_use]
    pub fn line(
        &self,
        namespace: &str,
        now: Timestamp,
        channel: Option<&str>,
        beside: Map<String, Value>,
    ) -> String {
        let unit = |unit| match unit {
            Unit::Count => "Count",
            Unit::Bytes => "Bytes",
            Unit::Milliseconds => "Milliseconds",
        };
        let metrics: Vec<Value> = self
            .0
            .iter()
            .map(|(name, (of, _))| json!({ "Name": name, "Unit": unit(*of) }))
            .collect();
        let dimensions: &[&str] = if channel.is_some() { &["Channel"] } else { &[] };
        let mut line = beside;
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now.0 / 1_000,
                "CloudWatchMetrics": [{
                    "Namespace": namespace,
                    "Dimensions": [dimensions],
                    "Metrics": metrics,
                }],
            }),
        );
        if let Some(channel) = channel {
            line.insert("Channel".to_owned(), Value::from(channel));
        }
        for (name, (_, values)) in &self.0 {
            let value = match values.as_slice() {
                [one] => Value::from(*one),
                several => Value::from(several),
            };
            line.insert((*name).to_owned(), value);
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
        let mut metrics = Metrics::default();
        metrics.add("Segments", Unit::Count, 2);
        metrics.add("Segments", Unit::Count, 3);
        metrics.sample("Lag", Unit::Milliseconds, 320);
        metrics.sample("Lag", Unit::Milliseconds, 80);
        let beside = Map::from_iter([("run".to_owned(), Value::from("r"))]);
        let line = metrics.line("ferry", Timestamp(1_700_000_000_000_000), Some("main"), beside);
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 1_700_000_000_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "ferry",
                        "Dimensions": [["Channel"]],
                        "Metrics": [
                            { "Name": "Lag", "Unit": "Milliseconds" },
                            { "Name": "Segments", "Unit": "Count" },
                        ],
                    }],
                },
                "Channel": "main",
                "Lag": [320, 80],
                "Segments": 5,
                "run": "r",
            })
        );
    }

    #[test]
    fn of_too_many_values_the_largest_are_kept() {
        let mut metrics = Metrics::default();
        for value in 0..300 {
            metrics.sample("Lag", Unit::Milliseconds, value);
        }
        assert_eq!(metrics.0["Lag"].1.len(), VALUES);
        assert!(metrics.0["Lag"].1.contains(&299) && !metrics.0["Lag"].1.contains(&10));
    }
}
