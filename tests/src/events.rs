//! What AWS hands to a function.

use serde_json::{Value, json};

/// A request as an HTTP API hands it on; `route` is that by which it came, such as `ANY /sessions`.
#[must_use]
pub fn request(route: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "content-type": "application/json",
            // Not that of the body: some gateways tell that of something else.
            "content-length": "9",
            "accept-encoding": "gzip;q=0",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl",
            },
            "requestId": "r",
            "routeKey": route,
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64,
        },
        "body": body.map(Value::to_string),
        "isBase64Encoded": false,
    })
}

/// What a stack asks about a resource of its own: `kind` is `Create`, `Update` or `Delete`, `id` what the resource was
/// called before, `waits` where the answer goes, `properties` and `before` what the resource is to be and was.
#[must_use]
pub fn resource(
    kind: &str,
    id: Option<&str>,
    waits: &str,
    properties: &Value,
    before: Option<&Value>,
) -> Value {
    let mut event = json!({
        "RequestType": kind,
        "ResponseURL": waits,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Resource",
        "ResourceProperties": properties,
    });
    if let Some(before) = before {
        event["OldResourceProperties"] = before.clone();
    }
    if let Some(id) = id {
        event["PhysicalResourceId"] = Value::from(id);
    }
    event
}
