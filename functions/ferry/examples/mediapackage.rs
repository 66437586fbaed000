//! Carries a live stream to both ingest endpoints of a MediaPackage channel, until it ends.

use ferry::{Ferry, Handle, OutputRequest, Request, Settings, StartError};

/// Starts to carry `source` to two ingest URLs, each with its own credentials.
pub async fn start(ferry: &Ferry, source: &str, ingest: [&str; 2]) -> Result<Handle, StartError> {
    let output = OutputRequest::mediapackage()
        .endpoint(ingest[0], "user-1", "password-1")
        .endpoint(ingest[1], "user-2", "password-2");
    ferry.start(Request::new("news", source, output)).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ferry = Ferry::open("data".as_ref(), Settings::default())?;
    let ingest = ["https://1.example/in/v2/a/a/channel", "https://2.example/in/v2/b/b/channel"];
    let session = start(&ferry, "https://origin.example/live/main.m3u8", ingest).await?;
    let end = session.ended().await;
    println!("{}: {} segments, {} bytes", end.status, end.segments, end.bytes);
    Ok(())
}
