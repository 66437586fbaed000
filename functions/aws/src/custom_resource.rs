//! The protocol of CloudFormation's custom resources.

use crate::config::{http, sleep};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request as HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a stack asks of a custom resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// What is to happen.
    pub request_type: Kind,
    /// Where the answer goes: whoever knows it may give it.
    #[serde(rename = "ResponseURL")]
    response_url: Secret,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    /// What the creation called it.
    pub physical_resource_id: Option<String>,
    /// What the template says of it.
    #[serde(default)]
    pub resource_properties: Map<String, Value>,
    /// What the template said before an update.
    #[serde(default)]
    pub old_resource_properties: Map<String, Value>,
}

/// What is to happen to a custom resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    /// It is to be made.
    Create,
    /// It is to be what the template says now.
    Update,
    /// It is to go.
    Delete,
}

/// A text that is not shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

/// A custom resource as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// What it is called; when an update calls it otherwise, the stack deletes the one before.
    pub id: String,
    /// What the template can refer to.
    pub data: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    status: &'static str,
    reason: &'a str,
    physical_resource_id: &'a str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    data: &'a Map<String, Value>,
}

impl Request {
    /// A property of the resource that must be there.
    ///
    /// # Errors
    /// A sentence that names it.
    pub fn property(&self, name: &str) -> Result<&str, String> {
        let value = self.resource_properties.get(name).and_then(Value::as_str);
        value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("the property {name} is missing"))
    }

    /// Tells the stack what came of it. What fails becomes the reason that the stack shows.
    ///
    /// # Errors
    /// A sentence, when the stack cannot be told; it then waits until its time is up.
    pub async fn answer(&self, result: &Result<Resource, String>) -> Result<(), String> {
        let body = self.body(result);
        let mut request = HttpRequest::new(SdkBody::from(body.as_str()));
        request.set_method("PUT").expect("it is a method");
        let unfit = |_| "the stack's address for the answer is not one".to_owned();
        request.set_uri(self.response_url.0.as_str()).map_err(unfit)?;
        // What the address is signed for.
        request.headers_mut().insert("content-type", "");
        request.headers_mut().insert("content-length", body.len().to_string());
        let answer = http(sleep()).call(request).await;
        let answer = answer.map_err(|_| "no answer from where the stack waits".to_owned())?;
        match answer.status().as_u16() {
            200..300 => Ok(()),
            status => Err(format!("where the stack waits answered {status}")),
        }
    }

    fn body(&self, result: &Result<Resource, String>) -> String {
        let none = Resource::default();
        let (status, reason, resource) = match result {
            Ok(resource) => ("SUCCESS", "", resource),
            Err(reason) => ("FAILED", reason.as_str(), &none),
        };
        // A creation that failed is deleted again, by this name.
        let id = match (&self.physical_resource_id, resource.id.as_str()) {
            (Some(before), "") => before.as_str(),
            (None, "") => NOT_MADE,
            (_, id) => id,
        };
        let reason: String = reason.chars().take(REASON).collect();
        let answer = Answer {
            status,
            reason: &reason,
            physical_resource_id: id,
            stack_id: &self.stack_id,
            request_id: &self.request_id,
            logical_resource_id: &self.logical_resource_id,
            data: &resource.data,
        };
        serde_json::to_string(&answer).expect("it has string keys only")
    }
}

/// What a resource is called that was not made.
pub const NOT_MADE: &str = "not-made";

/// The longest reason, in characters: a stack takes an answer of 4 KB in all.
const REASON: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request() -> Request {
        serde_json::from_value(json!({
            "RequestType": "Create",
            "ResponseURL": "https://bucket.example/x?Signature=s",
            "StackId": "stack",
            "RequestId": "request",
            "ResourceType": "Custom::Session",
            "LogicalResourceId": "Session",
            "ResourceProperties": { "ServiceToken": "arn", "Name": "main" },
        }))
        .unwrap()
    }

    #[test]
    fn the_stack_is_told_what_came_of_it() {
        let data = Map::from_iter([("A".to_owned(), json!("b"))]);
        let made = Ok(Resource { id: "one".to_owned(), data });
        let body: Value = serde_json::from_str(&request().body(&made)).unwrap();
        assert_eq!(body["Status"], "SUCCESS");
        assert_eq!((&body["PhysicalResourceId"], &body["Data"]["A"]), (&json!("one"), &json!("b")));

        let failed: Value =
            serde_json::from_str(&request().body(&Err("it is not there".to_owned()))).unwrap();
        assert_eq!(
            (&failed["Status"], &failed["Reason"]),
            (&json!("FAILED"), &json!("it is not there"))
        );
        assert_eq!(failed["PhysicalResourceId"], NOT_MADE);

        let long = request().body(&Err("ä".repeat(5_000)));
        assert!(long.len() < 4_096 && long.contains("ääää"), "{long}");
    }

    #[test]
    fn where_the_answer_goes_is_not_shown() {
        assert!(!format!("{:?}", request()).contains("Signature"));
        assert_eq!(request().property("Name"), Ok("main"));
        assert_eq!(
            request().property("Channel"),
            Err("the property Channel is missing".to_owned())
        );
    }
}
