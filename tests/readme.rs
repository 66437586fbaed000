//! The README's table of what is carried to which output: every row is a test.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use hls::Micros;
use relay::abilities::{Abilities, Container, Facet, MEDIAPACKAGE, Protection, Role, WEBDAV};
use std::path::Path;

const E2E: &str = "tests/e2e/cases/formats.rs";
const CARRY: &str = "tests/e2e/cases/carry.rs";
const PLAYLISTS: &str = "tests/formats/playlists.rs";
const SOURCES: &str = "tests/formats/sources.rs";
const DECISIONS: &str = "functions/relay/tests/decisions/carried.rs";
const LAYOUTS: &str = "functions/relay/tests/decisions/playlists.rs";
const LOOKS: &str = "functions/relay/tests/decisions/looks.rs";
const OUTPUTS: &str = "functions/relay/tests/decisions/outputs.rs";

/// A row: how it begins, what the outputs' abilities are asked, and the tests that carry it.
struct Row {
    begins: &'static str,
    asks: Vec<Facet>,
    shown: &'static [(&'static str, &'static str)],
}

fn rows() -> Vec<Row> {
    let holds = |container| Facet { container: Some(container), ..Facet::default() };
    let locked = |protection| Facet { protections: [protection].into(), ..holds(Container::Ts) };
    let row = |begins, asks, shown| Row { begins, asks, shown };
    let subtitles = Facet { role: Role::Subtitles, ..holds(Container::WebVtt) };
    let iframes = Facet { role: Role::IFrames, ..Facet::default() };
    let audible = [Container::Ts, Container::Aac, Container::Ac3, Container::Eac3];
    vec![
        row(
            "TS, packed AAC",
            audible.map(holds).to_vec(),
            &[
                (
                    E2E,
                    "sound_in_aac_ac3_and_eac3_arrives_packed_in_transport_streams_and_in_fragments",
                ),
                (CARRY, "a_video_with_sound_and_subtitles_apart_is_carried_to_its_end"),
            ],
        ),
        row(
            "WebVTT in segments",
            vec![subtitles],
            &[
                (CARRY, "a_video_with_sound_and_subtitles_apart_is_carried_to_its_end"),
                (E2E, "what_arrived_plays_in_a_browser_to_its_end"),
            ],
        ),
        row(
            "fMP4 and CMAF",
            vec![holds(Container::Fmp4)],
            &[
                (E2E, "fragments_of_mp4_arrive_with_their_maps"),
                (E2E, "a_live_source_of_fragments_slides_and_keeps_its_maps"),
                (E2E, "what_an_output_does_not_take_is_refused_with_the_reason"),
                (PLAYLISTS, "a_map_and_a_key_are_read_and_stored_once_and_stated_in_every_window"),
            ],
        ),
        row(
            "byte ranges",
            Vec::new(),
            &[(E2E, "parts_of_one_file_arrive_as_files_whether_or_not_the_source_knows_ranges")],
        ),
        row(
            "AES-128",
            vec![locked(Protection::Aes128)],
            &[
                (E2E, "encrypted_segments_arrive_as_they_are_with_their_key"),
                (E2E, "a_key_may_stay_where_it_is"),
                (E2E, "an_output_without_encryption_gets_clear_segments"),
            ],
        ),
        row(
            "SAMPLE-AES with a key file",
            vec![locked(Protection::SampleAes)],
            &[(DECISIONS, "maps_and_keys_are_stated_where_they_change")],
        ),
        row(
            "DRM",
            vec![locked(Protection::Drm)],
            &[(DECISIONS, "every_quirk_that_was_met_is_carried")],
        ),
        row(
            "I-frame playlists",
            vec![iframes],
            &[(E2E, "iframes_are_carried_where_they_are_taken_and_else_left_out")],
        ),
        row(
            "more than 10 tracks",
            vec![Facet { tracks: 11, ..Facet::default() }],
            &[
                (OUTPUTS, "tracks_are_counted_that_play_together"),
                (OUTPUTS, "captions_in_the_video_are_no_stream_of_their_own"),
            ],
        ),
        row(
            "more than 25 requests a second",
            vec![Facet { segment: Some(Micros::from_millis(79)), ..Facet::default() }],
            &[(LOOKS, "a_source_that_needs_more_requests_than_the_output_takes_is_told")],
        ),
        row(
            "more than 128 renditions",
            Vec::new(),
            &[(
                LAYOUTS,
                "a_session_carries_a_bounded_number_of_renditions_and_looks_through_some_more",
            )],
        ),
        row(
            "codecs",
            Vec::new(),
            &[
                (E2E, "hevc_arrives_in_fragments_and_in_transport_streams"),
                (
                    E2E,
                    "sound_in_aac_ac3_and_eac3_arrives_packed_in_transport_streams_and_in_fragments",
                ),
                (OUTPUTS, "a_codec_goes_by_the_name_that_people_give_it"),
            ],
        ),
        row(
            "the same variant twice",
            Vec::new(),
            &[
                (SOURCES, "the_same_variant_elsewhere_is_read_when_one_fails"),
                (
                    PLAYLISTS,
                    "a_rendition_of_several_groups_and_a_stream_of_two_pathways_are_read_and_stored_once",
                ),
            ],
        ),
        row(
            "a rendition in several groups",
            Vec::new(),
            &[(
                PLAYLISTS,
                "a_rendition_of_several_groups_and_a_stream_of_two_pathways_are_read_and_stored_once",
            )],
        ),
        row(
            "`EXT-X-GAP`",
            Vec::new(),
            &[
                (PLAYLISTS, "a_gap_is_listed_and_never_asked_for"),
                (
                    PLAYLISTS,
                    "what_marks_a_place_goes_to_the_next_segment_when_the_first_is_left_out",
                ),
                (DECISIONS, "every_quirk_that_was_met_is_carried"),
            ],
        ),
        row(
            "`EXT-X-DEFINE`",
            Vec::new(),
            &[(PLAYLISTS, "variables_are_in_their_places_and_defined_nowhere")],
        ),
        row(
            "low latency",
            Vec::new(),
            &[
                (
                    SOURCES,
                    "a_server_that_can_hold_its_answer_is_asked_once_a_segment_and_else_as_any_other",
                ),
                (DECISIONS, "every_quirk_that_was_met_is_carried"),
            ],
        ),
        row(
            "live, EVENT, VOD",
            Vec::new(),
            &[
                (CARRY, "a_live_stream_arrives_whole_at_two_endpoints"),
                (
                    PLAYLISTS,
                    "an_event_that_turns_into_a_vod_ends_as_one_whatever_its_target_duration_was",
                ),
            ],
        ),
    ]
}

/// The word for what an output does with something.
fn word(abilities: &Abilities, facet: &Facet) -> &'static str {
    let verdict = abilities.verdict(std::slice::from_ref(facet));
    let opened = facet.protections.contains(&Protection::Aes128) && !abilities.encrypted;
    match (verdict.refused.is_empty(), verdict.left_out.is_empty()) {
        (false, _) => "refused",
        (true, false) => "left out",
        (true, true) if opened => "decrypted",
        (true, true) => "carried",
    }
}

fn here(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

#[test]
fn every_row_of_what_is_carried_is_shown_by_a_test() {
    let readme = here("README.md");
    let chapter = readme.split("## What is carried to which output").nth(1).unwrap();
    let table = chapter.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let table: Vec<Vec<&str>> = table
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let rows = rows();
    assert_eq!(table.len(), rows.len(), "each row of the README is here, and the reverse");
    for (cells, row) in table.iter().zip(&rows) {
        let [what, mediapackage, webdav] = cells[..] else { panic!("{cells:?}") };
        assert!(what.starts_with(row.begins), "{what} where {} should be", row.begins);
        for facet in &row.asks {
            for (abilities, cell) in [(MEDIAPACKAGE, mediapackage), (WEBDAV, webdav)] {
                let word = word(&abilities, facet);
                assert!(cell.starts_with(word), "{what}: {cell}, and it is {word}");
            }
        }
        for (file, test) in row.shown {
            assert!(here(file).contains(&format!("fn {test}()")), "{what}: no {test} in {file}");
        }
        if row.begins == "codecs" {
            let taken = MEDIAPACKAGE.codecs.unwrap().iter().filter(|codec| **codec != "WebVTT");
            let taken: Vec<&str> = taken.copied().collect();
            assert_eq!(mediapackage, format!("{}; others refused", taken.join(", ")));
            assert_eq!((WEBDAV.codecs, webdav), (None, "any"));
        }
        if row.begins == "byte ranges" {
            let files = !MEDIAPACKAGE.byte_ranges && !WEBDAV.byte_ranges;
            assert!(
                files && mediapackage == webdav && webdav == "each a file of its own",
                "{cells:?}"
            );
        }
    }
}
