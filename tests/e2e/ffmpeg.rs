//! A live source: ffmpeg's test picture and tone, encoded in real time.

use crate::process::Process;
use crate::published::Published;
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub const FFMPEG: &str = "/usr/bin/ffmpeg";
/// A small picture at few frames a second: many sources run at once on two cores.
const FRAMES_PER_SECOND: u32 = 12;
/// Every segment of 2 s begins with a key frame, in every variant.
const ENCODER: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1 \
    -g 24 -keyint_min 24 -sc_threshold 0";

/// The same in HEVC; `hvc1` keeps its parameters in the map, as Apple wants it.
const HEVC: &str = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -tag:v hvc1 -x265-params \
    log-level=none:pools=1:frame-threads=1:keyint=24:min-keyint=24:scenecut=0";

/// An encoder at work.
pub struct Live {
    pub folder: TempDir,
    args: Vec<String>,
    process: Process,
}

impl Live {
    /// Two variants with sound, segments of 2 s, and a window of six of them.
    pub async fn start() -> (Self, Published) {
        Self::listing(6).await
    }

    /// The same with a window of so many segments.
    pub async fn listing(window: usize) -> (Self, Published) {
        Self::start_as("-hls_segment_type mpegts", "ts", window).await
    }

    /// The same in fragments of MP4.
    pub async fn start_cmaf() -> (Self, Published) {
        Self::start_as("-hls_segment_type fmp4", "m4s", 6).await
    }

    /// Two variants like those of the library, and its sound apart, with a window of so many segments.
    pub async fn start_apart(window: usize) -> (Self, Published) {
        let folder = tempfile::tempdir().unwrap();
        let args = format!(
            "-hide_banner -loglevel error -re -f lavfi -i testsrc2=s=640x360:r={FRAMES_PER_SECOND} \
             -re -f lavfi -i sine=r=32000 -filter_complex [0:v]split[a][b];[b]scale=320x180[c] \
             -map [a] -map [c] -map 1:a {ENCODER} -b:v:0 200k -b:v:1 60k -c:a aac -ac 2 \
             -b:a 48k -f hls -hls_time 2 -hls_list_size {window} -hls_delete_threshold 20 \
             -hls_flags delete_segments+program_date_time+independent_segments+temp_file -master_pl_name main.m3u8 \
             -var_stream_map v:0,agroup:a,name:high|v:1,agroup:a,name:low|a:0,agroup:a,language:en,name:sound"
        );
        Self::go(folder, split(&args), "ts").await
    }

    async fn start_as(container: &str, extension: &str, window: usize) -> (Self, Published) {
        let folder = tempfile::tempdir().unwrap();
        let args = format!(
            "-hide_banner -loglevel error -re -f lavfi -i testsrc2=s=320x180:r={FRAMES_PER_SECOND} \
             -re -f lavfi -i sine=r=48000 -filter_complex [0:v]split[a][b];[b]scale=160:90[c] \
             -map [a] -map 1:a -map [c] -map 1:a {ENCODER} -b:v:0 200k -b:v:1 60k -c:a aac -b:a 32k \
             -f hls {container} -hls_time 2 -hls_list_size {window} -hls_delete_threshold 4 \
             -hls_flags delete_segments+program_date_time+independent_segments+temp_file \
             -master_pl_name main.m3u8 -var_stream_map v:0,a:0,name:high|v:1,a:1,name:low"
        );
        Self::go(folder, split(&args), extension).await
    }

    async fn go(folder: TempDir, mut args: Vec<String>, extension: &str) -> (Self, Published) {
        args.extend(out(folder.path(), extension));
        let mut live = Self { process: Self::process(&args, &folder), args, folder };
        let published = Published::watch(live.folder.path());
        while published.so_far().values().filter(|entries| !entries.is_empty()).count() < 2 {
            assert_eq!(live.process.ended(), None, "{}", live.process.stderr());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (live, published)
    }

    fn process(args: &[String], folder: &TempDir) -> Process {
        Process::start(Path::new(FFMPEG), args, &folder.path().join("ffmpeg"))
    }

    /// Ends it at once, and starts another in its place: it begins with number zero.
    pub fn restart(&mut self) {
        self.process.signal(Signal::KILL);
        self.process = Self::process(&self.args, &self.folder);
    }

    /// Lets it write its last segments and ENDLIST.
    pub async fn finish(&mut self) {
        self.process.signal(Signal::INT);
        self.process.end(Duration::from_secs(10)).await;
    }
}

/// Makes a whole video at once in `folder`: picture, sound and subtitles apart, 24 s of each.
pub fn video(folder: &Path) {
    video_as(folder, "-hls_segment_type mpegts", "ts");
}

/// The same in another form, which arguments of ffmpeg's hls muxer say.
pub fn video_as(folder: &Path, form: &str, extension: &str) {
    coded_video(folder, (ENCODER, "aac"), APART, form, extension);
}

/// The same in HEVC.
pub fn hevc(folder: &Path, form: &str, extension: &str) {
    coded_video(folder, (HEVC, "aac"), APART, form, extension);
}

/// The same with sound of a codec, apart.
pub fn sound_apart(folder: &Path, codec: &str, form: &str, extension: &str) {
    coded_video(folder, (ENCODER, codec), APART, form, extension);
}

/// The same in the segments of the picture.
pub fn sound_within(folder: &Path, codec: &str) {
    coded_video(folder, (ENCODER, codec), WITHIN, "-hls_segment_type mpegts", "ts");
}

/// The same packed: frames of sound after a tag that says when they begin (RFC 8216 section 3.4).
pub fn sound_packed(folder: &Path, codec: &str) {
    sound_apart(folder, codec, "-hls_segment_type mpegts", "ts");
    let format = if codec == "aac" { "adts" } else { codec };
    let playlist = folder.join("audio/index.m3u8");
    let text = std::fs::read_to_string(&playlist).unwrap();
    // ffmpeg's transport streams begin at 1.4 s, in parts of 90,000.
    let (mut begins, mut next) = (0, 126_000);
    for line in text.lines() {
        if let Some(duration) = line.strip_prefix("#EXTINF:") {
            (begins, next) =
                (next, next + hls::duration(duration.trim_end_matches(',')).unwrap().0 * 9 / 100);
        } else if let Some(name) = line.strip_suffix(".ts") {
            let of = |extension: &str| {
                let path = playlist.with_file_name(format!("{name}.{extension}"));
                path.to_str().unwrap().to_owned()
            };
            let args = ["-v", "error", "-i", &of("ts"), "-c", "copy", "-f", format];
            let output = Command::new(FFMPEG).args(args).arg("-").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let bytes = [began_at(begins), output.stdout].concat();
            std::fs::write(of(codec), bytes).unwrap();
        }
    }
    std::fs::write(&playlist, text.replace(".ts", &format!(".{codec}"))).unwrap();
}

/// The ID3 tag with which a segment of packed sound begins.
fn began_at(timestamp: u64) -> Vec<u8> {
    const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";
    let length = |length: usize| [0, 0, (length >> 7) as u8, (length & 0x7F) as u8];
    let frame = [OWNER, &timestamp.to_be_bytes()].concat();
    let head = [b"PRIV", &length(frame.len())[..], &[0, 0]].concat();
    let tag = [b"ID3\x04\0\0", &length(head.len() + frame.len())[..]].concat();
    [tag, head, frame].concat()
}

/// Which streams a video's renditions have: picture and sound apart, or together.
const APART: &str =
    "v:0,agroup:sound,s:0,sgroup:text,language:en,name:video|a:0,agroup:sound,name:audio";
const WITHIN: &str = "v:0,a:0,s:0,sgroup:text,language:en,name:video";

fn coded_video(
    folder: &Path,
    (encoder, sound): (&str, &str),
    streams: &str,
    form: &str,
    extension: &str,
) {
    let cue = |at| format!("{at}\n00:00:{at:02},000 --> 00:00:{at:02},900\nLine {at}\n\n");
    let cues = folder.join("cues.srt");
    std::fs::write(&cues, (0..24).step_by(3).map(cue).collect::<String>()).unwrap();
    let mut args = split(&format!(
        "-hide_banner -loglevel error -f lavfi -i testsrc2=s=320x180:r={FRAMES_PER_SECOND}:d=24 \
         -f lavfi -i sine=r=32000:d=24 -i {} -map 0:v -map 1:a -map 2:s {encoder} -c:a {sound} \
         -f hls {form} -hls_time 2 -hls_playlist_type vod -master_pl_name main.m3u8 -var_stream_map \
         {streams}",
        cues.display(),
    ));
    args.extend(out(folder, extension));
    let output = Command::new(FFMPEG).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Puts the files of each rendition in `folder` into one, and lists them as parts of it.
pub fn into_one_file(folder: &Path) {
    for playlist in ["video/index.m3u8", "audio/index.m3u8", "video/index_vtt.m3u8"] {
        let playlist = folder.join(playlist);
        let text = std::fs::read_to_string(&playlist).unwrap();
        let (mut one, mut listed) = (Vec::new(), String::new());
        let mut part = |name: &str| {
            let bytes = std::fs::read(playlist.with_file_name(name)).unwrap();
            let offset = one.len();
            one.extend(&bytes);
            (bytes.len(), offset)
        };
        let segment = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let extension = segment.rsplit_once('.').unwrap().1;
        let name = format!("all.{extension}");
        for (number, line) in text.lines().enumerate() {
            if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                let (length, offset) = part(map.trim_end_matches('"'));
                listed += &format!("#EXT-X-MAP:URI=\"{name}\",BYTERANGE=\"{length}@{offset}\"\n");
            } else if line.is_empty() || line.starts_with('#') {
                listed += &format!("{line}\n");
            } else {
                let (length, offset) = part(line);
                // Most say only how long they are.
                let at = if number < 10 { format!("@{offset}") } else { String::new() };
                listed += &format!("#EXT-X-BYTERANGE:{length}{at}\n{name}\n");
            }
        }
        std::fs::write(playlist.with_file_name(name), one).unwrap();
        std::fs::write(&playlist, listed).unwrap();
    }
}

/// Makes `folder` name an I-frame playlist: the beginnings of the video's segments.
pub fn add_iframes(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("video/index.m3u8")).unwrap();
    let iframes = text
        .replace("#EXT-X-MEDIA-SEQUENCE", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MEDIA-SEQUENCE")
        .replace("#EXTINF", "#EXT-X-BYTERANGE:1880@0\n#EXTINF");
    std::fs::write(folder.join("video/iframes.m3u8"), iframes).unwrap();
    let main = folder.join("main.m3u8");
    let line = "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000,URI=\"video/iframes.m3u8\"\n";
    std::fs::write(&main, std::fs::read_to_string(&main).unwrap() + line).unwrap();
}

/// Makes a whole video in CMAF in `folder`: two variants and sound apart, cut where AAC frames end.
pub fn cmaf(folder: &Path, tone: u32, seconds: u32) {
    std::fs::create_dir_all(folder).unwrap();
    let mut args = split(&format!(
        "-hide_banner -loglevel error -f lavfi -i testsrc2=s=640x360:r=25:d={seconds} \
         -f lavfi -i sine={tone}:r=48000:d={seconds} -filter_complex \
         [0:v]hue=h={tone},split[a][b];[b]scale=320:180[c] -map [a] -map [c] -map 1:a \
         -c:v libx264 -preset ultrafast -pix_fmt yuv420p -threads 1 -g 50 -keyint_min 50 \
         -sc_threshold 0 -b:v:0 300k -b:v:1 100k -c:a aac -f hls -hls_time 2 -hls_playlist_type vod \
         -hls_segment_type fmp4 -master_pl_name main.m3u8 -var_stream_map \
         v:0,agroup:a,name:big|v:1,agroup:a,name:small|a:0,agroup:a,language:en,name:sound"
    ));
    let path = |name: &str| folder.join("%v").join(name).to_str().unwrap().to_owned();
    args.extend(["-hls_segment_filename".to_owned(), path("%05d.m4s"), path("index.m3u8")]);
    let output = Command::new(FFMPEG).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The arguments for a folder per rendition.
fn out(folder: &Path, extension: &str) -> [String; 3] {
    let path = |name: &str| folder.join("%v").join(name).to_str().unwrap().to_owned();
    let segments = path(&format!("%05d.{extension}"));
    ["-hls_segment_filename".to_owned(), segments, path("index.m3u8")]
}

/// The words of a command line; `|` stands for a space within a word.
fn split(args: &str) -> Vec<String> {
    args.split_whitespace().map(|word| word.replace('|', " ")).collect()
}
