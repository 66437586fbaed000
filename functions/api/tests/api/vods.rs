//! VODs that are made up.

use api::channels::Vods;
use bytes::Bytes;
use relay::ports::OriginError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use url::Url;

/// VODs at `https://vod.example/<name>/main.m3u8`: two variants of as many 2 s segments as the name says. What is
/// called `poor..` has one, the segments of `slow..` take 12 s, and `huge..` has as many renditions of 8 MiB. Each is
/// at `again.m3u8` as well. What is called `rich..` has one of 7 Mbit/s, and `beside..` has its sound beside it, in AAC. Those of `locked..` are encrypted, and have a map. Those of `signed..` are signed anew each time that they are asked for.
/// What is called `open..` has no end, and names other playlists where it was packaged anew.
#[derive(Default)]
pub struct MadeUp {
    /// The names of those that are gone.
    pub gone: Mutex<BTreeSet<String>>,
    /// The names of those that never answer.
    pub silent: Mutex<BTreeSet<String>>,
    /// The names of those that were packaged anew, and how many segments they have since; the old ones are gone.
    pub anew: Mutex<BTreeMap<String, usize>>,
    /// How often something was signed.
    pub signed: AtomicU64,
    /// What was signed before is no longer good.
    pub expired: AtomicU64,
}

impl Vods for MadeUp {
    async fn segment(&self, url: &Url) -> Result<(), OriginError> {
        let name = url.path_segments().into_iter().flatten().next().unwrap_or_default();
        if self.silent.lock().unwrap().contains(name) {
            std::future::pending::<()>().await;
        }
        let lost = self.gone.lock().unwrap().clone();
        if lost.contains(url.path()) {
            return Err(OriginError::Gone { reason: "gone".to_owned(), for_good: false });
        }
        if lost.contains(&format!("segments of {name}"))
            || lost.contains(&format!("403 {}", url.path()))
        {
            return Err(OriginError::Unavailable { reason: "origin answered 403".to_owned() });
        }
        let anew = self.anew.lock().unwrap().contains_key(name);
        let token = url.query().and_then(|query| query.strip_prefix("token=")).unwrap_or("999");
        let is_good = token.parse::<u64>().unwrap() >= self.expired.load(Ordering::Relaxed);
        if !is_good || anew != url.path().contains("/anew") {
            return Err(OriginError::Unavailable { reason: "origin answered 403".to_owned() });
        }
        Ok(())
    }

    async fn playlist(&self, url: &Url) -> Result<(Bytes, Url), OriginError> {
        let gone =
            || OriginError::Gone { reason: "origin answered 404".to_owned(), for_good: false };
        let path: Vec<&str> = url.path_segments().into_iter().flatten().collect();
        let [name, file] = path.as_slice() else { return Err(gone()) };
        let silent = self.silent.lock().unwrap().clone();
        if silent.contains(*name) || silent.contains(&format!("playlists of {name}")) {
            std::future::pending::<()>().await;
        }
        let lost = self.gone.lock().unwrap().clone();
        if lost.contains(*name) || lost.contains(&format!("{name}/{file}")) {
            return Err(gone());
        }
        let segments: usize = name.trim_matches(char::is_alphabetic).parse().map_err(|_| gone())?;
        let anew = self.anew.lock().unwrap().get(*name).copied();
        let (segments, kind) = anew.map_or((segments, ""), |segments| (segments, "anew"));
        let token = match name.starts_with("signed") {
            true => format!("?token={}", self.signed.fetch_add(1, Ordering::Relaxed)),
            false => String::new(),
        };
        let text = match *file {
            "main.m3u8" if name.starts_with("huge") => {
                let media = |n| {
                    format!(
                        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"{n}\",URI=\"a{n}.m3u8\"\n"
                    )
                };
                let media: String = (0..segments).map(media).collect();
                format!("#EXTM3U\n{media}#EXT-X-STREAM-INF:BANDWIDTH=400000,AUDIO=\"a\"\nv0.m3u8\n")
            }
            file if name.starts_with("huge") && file.starts_with('a') => {
                let segment = format!("#EXTINF:1,\n0.aac?{}\n", "x".repeat((4 << 20) - 40));
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segment}{segment}#EXT-X-ENDLIST\n")
            }
            "main.m3u8" if name.starts_with("poor") => {
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180\nv0.m3u8\n"
                    .to_owned()
            }
            "main.m3u8" if name.starts_with("rich") => {
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=7000000,RESOLUTION=640x360\nv1.m3u8\n"
                    .to_owned()
            }
            "main.m3u8" if name.starts_with("beside") => {
                "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",URI=\"a0.m3u8\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180,AUDIO=\"a\"\nv0.m3u8\n"
                    .to_owned()
            }
            "a0.m3u8" if name.starts_with("beside") => {
                let segments: String = (0..segments).map(|n| format!("#EXTINF:2,\n{n}.aac\n")).collect();
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{segments}#EXT-X-ENDLIST\n")
            }
            "main.m3u8" if name.starts_with("open") && anew.is_some() => {
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nw1.m3u8\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180\nw0.m3u8\n"
                    .to_owned()
            }
            "v0.m3u8" | "v1.m3u8" | "w0.m3u8" | "w1.m3u8" if name.starts_with("open") => {
                let run = &file[..1];
                let lines = (0..segments).map(|n| format!("#EXTINF:2,\n{run}{n}.ts\n"));
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{}", lines.collect::<String>())
            }
            "main.m3u8" | "again.m3u8" => {
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nv1.m3u8\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180\nv0.m3u8\n"
                    .to_owned()
            }
            "v0.m3u8" | "v1.m3u8" => {
                let uneven = usize::from(name.starts_with("uneven") && *file == "v1.m3u8");
                let (seconds, more) = match name {
                    _ if name.starts_with("slow") => (12, ""),
                    _ if name.starts_with("odd") => (2, ".000333"),
                    _ => (2, ""),
                };
                let segments = 0..segments + uneven;
                let segments =
                    segments.map(|n| format!("#EXTINF:{seconds}{more},\n{kind}{n}.ts{token}\n"));
                let segments: String = segments.collect();
                let state = match name.starts_with("locked") {
                    true => "#EXT-X-MAP:URI=\"map.mp4\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n",
                    false => "",
                };
                format!(
                    "#EXTM3U\n#EXT-X-TARGETDURATION:{seconds}\n{state}{segments}#EXT-X-ENDLIST\n"
                )
            }
            _ => return Err(gone()),
        };
        Ok((text.into(), url.clone()))
    }
}
