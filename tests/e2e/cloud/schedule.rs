//! The minute's schedule.

use super::{Cloud, JSON, off_the_runtime, signed};
use serde_json::{Value, json};

impl Cloud {
    /// Switches the minute's schedule on or off.
    pub async fn schedule(&self, on: bool) {
        let ask = async |method: &'static str, path: &str, body: String| {
            let url = format!("{}/schedules{path}", self.stack.url);
            let (status, text) =
                off_the_runtime(move || signed("scheduler", &url, method, &body, &JSON)).await;
            assert_eq!(status, 200, "{text}");
            serde_json::from_str::<Value>(&text).unwrap()
        };
        let all = ask("GET", "", String::new()).await;
        let names = all["Schedules"].as_array().into_iter().flatten();
        let mut names = names.filter_map(|schedule| schedule["Name"].as_str());
        let name = names.find(|name| name.contains("EveryMinute"));
        let name = name.unwrap_or_else(|| panic!("{all}"));
        let path = format!("/{name}");
        let mut schedule = ask("GET", &path, String::new()).await;
        schedule["State"] = json!(if on { "ENABLED" } else { "DISABLED" });
        ask("PUT", &path, schedule.to_string()).await;
    }
}
