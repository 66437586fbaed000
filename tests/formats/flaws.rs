//! Playlists with a line that is wrong.

use crate::noted::Scene;
use crate::standing::recording;
use crate::timetables::steady;
use relay::progress::Status;
use relay::session::{OutputKind, Start};

#[test]
fn a_segment_that_its_playlist_states_wrongly_is_left_out_and_the_rest_goes_on() {
    for (good, bad) in [
        ("#EXTINF:2,\n3.ts", "#EXTINF:-1,\n3.ts"),
        ("#EXTINF:2,\n3.ts", "#EXTINF:2,\n#EXT-X-BYTERANGE:0@0\n3.ts"),
        ("#EXTINF:2,\n3.ts", "#EXTINF:2,\n#EXT-X-BYTERANGE:x\n3.ts"),
        (
            "#EXTINF:2,\n3.ts",
            "#EXTINF:2,\n#EXT-X-BYTERANGE:9223372036854775808@9223372036854775808\n3.ts",
        ),
    ] {
        let scene = Scene {
            output: OutputKind::WebDav,
            until: 20_000,
            of: |it| it.start = Start::Window,
            ..Scene::default()
        };
        let noted = scene.carry(move |what, ms| match what {
            "get a/v.m3u8" => (10, Ok(recording(6, "").replace(good, bad))),
            _ => steady(what, ms),
        });
        let progress = &noted.progress;
        assert_eq!((progress.jumps, progress.missed), (1, 1), "{bad}");
        assert_eq!(progress.status, Status::Ended, "{bad}: {:?}", progress.reason);
        assert_eq!(noted.moments("say segment 3 of video-9 is left out: ").len(), 1, "{bad}");
    }
}

#[test]
fn a_rendition_that_is_listed_wrongly_is_left_out_and_the_others_are_carried() {
    for wrong in [
        "#EXT-X-STREAM-INF:BANDWIDTH=300000.5\nw.m3u8\n",
        "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"e\",URI=\"w.m3u8\"\n",
    ] {
        let noted = Scene::default().carry(move |what, ms| match what {
            "get a/main.m3u8" => {
                (10, Ok(format!("#EXTM3U\n{wrong}#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n")))
            }
            _ => steady(what, ms),
        });
        assert_eq!(noted.progress.status, Status::Running, "{:?}", noted.progress.reason);
        assert_eq!(noted.moments("say source playlist: line 2: ").len(), 1, "{wrong}");
        assert_eq!(noted.moments("get a/w.m3u8").len(), 0, "{wrong}");
    }
}
