//! Connections that are encrypted.

use crate::server::{Then, ingest, origin, raw, settings};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use relay::ports::{ContentType, Ingest, IngestError, Origin, OriginError};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};
use url::Url;
use web::{Connector, Settings};

/// A server that answers everything by 200, and its certificate.
async fn start() -> (SocketAddr, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = vec![0; 64 << 10];
                while stream.read(&mut head).await.is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nmedia";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    (address, cert.pem())
}

#[tokio::test]
async fn an_authority_that_is_named_is_trusted_and_no_other() {
    let (address, pem) = start().await;
    let url = Url::parse(&format!("https://localhost:{}/live/1.ts", address.port())).unwrap();
    let trusting = Settings { extra_roots_pem: pem.into_bytes(), ..settings() };
    assert_eq!(origin(trusting.clone(), &url, &[]).segment(&url, None).await.unwrap(), "media");
    let endpoint = ingest(trusting, &url, None);
    let put = endpoint.put("a.ts", ContentType("video/mp2t"), "x".into());
    assert_eq!(put.await, Ok(()));

    let reason = "no answer from the origin for live/1.ts: invalid peer certificate: UnknownIssuer";
    let error = origin(settings(), &url, &[]).segment(&url, None).await.unwrap_err();
    assert_eq!(error, OriginError::Unavailable { reason: reason.into() });
    let endpoint = ingest(settings(), &url, None);
    let put = endpoint.put("a.ts", ContentType("video/mp2t"), "x".into());
    let reason = "no answer from the endpoint for a.ts: invalid peer certificate: UnknownIssuer";
    assert_eq!(put.await, Err(IngestError::Unavailable { reason: reason.into() }));
}

#[test]
fn what_is_not_a_certificate_is_said_at_the_start() {
    for (pem, refused) in [
        ("", false),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", true),
        ("-----BEGIN CERTIFICATE-----\n", true),
        ("not a certificate", true),
    ] {
        let settings = Settings { extra_roots_pem: pem.into(), ..Settings::default() };
        assert_eq!(Connector::new(settings).is_err(), refused, "{pem:?}");
    }
}

#[tokio::test]
async fn a_server_that_never_agrees_on_keys_is_given_up() {
    let address = raw(vec![Vec::new()], Then::Hang).await;
    let url = Url::parse(&format!("https://{address}/live/1.ts")).unwrap();
    let mut settings = settings();
    settings.patience.connect = std::time::Duration::from_millis(200);
    let reason = "no answer from the origin for live/1.ts: no connection within the limit of 0 s";
    let error = origin(settings.clone(), &url, &[]).segment(&url, None).await.unwrap_err();
    assert_eq!(error, OriginError::Unavailable { reason: reason.into() });
    let endpoint = ingest(settings, &url, None);
    let put = endpoint.put("a.ts", ContentType("video/mp2t"), "x".into());
    let reason = "no answer from the endpoint for a.ts: no connection within the limit of 0 s";
    assert_eq!(put.await, Err(IngestError::Unavailable { reason: reason.into() }));
}
