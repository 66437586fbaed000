//! A short run of every target, the same each time: its seeds, and what is like them.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use fuzz::{TARGETS, Target};
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many inputs each target is given, unless the variable `INPUTS` says otherwise.
const INPUTS: usize = 2_000;
/// An input that takes longer is a finding.
const SLOW: Duration = Duration::from_secs(5);
/// What makes playlists, JSON and headers something else.
const PIECES: [&str; 32] = [
    "\n",
    "\r\n",
    "\"",
    ",",
    "=",
    ":",
    "#",
    "@",
    "-",
    ".",
    "0",
    "1",
    "\0",
    "\u{feff}",
    "é",
    "{",
    "}",
    "[",
    "]",
    "null",
    "1e999",
    "-1",
    "18446744073709551615",
    "99999999999999999999",
    "#EXTINF:2,\na.ts\n",
    "#EXT-X-DISCONTINUITY\n",
    "#EXT-X-ENDLIST\n",
    "#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n",
    "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n",
    "#EXT-X-MAP:URI=\"m\",BYTERANGE=\"9@18446744073709551610\"\n",
    "#EXT-X-BYTERANGE:18446744073709551615@1\n",
    "../",
];

/// splitmix64: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}

/// An input that is like the seeds.
fn like(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        let end = (at + dice.below(40)).min(input.len());
        match dice.below(6) {
            // A byte becomes another.
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            // Some bytes go.
            1 => drop(input.drain(at..end)),
            // Some bytes come twice.
            2 => {
                let twice = input[at..end].to_vec();
                input.splice(at..at, twice);
            }
            // It goes on as another seed does.
            3 => {
                let other = &seeds[dice.below(seeds.len())];
                input.truncate(at);
                input.extend(&other[dice.below(other.len() + 1)..]);
            }
            // A piece comes, or takes the place of some bytes.
            kind => {
                let end = if kind == 4 { at } else { end };
                input.splice(at..end, PIECES[dice.below(PIECES.len())].bytes());
            }
        }
    }
    input
}

/// The files in a folder of seeds, in the order of their names.
fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn every_target_takes_what_is_like_its_seeds() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let count = std::env::var("INPUTS").map_or(INPUTS, |count| count.parse().unwrap());
    for Target { name, run, playlists } in TARGETS {
        let mut seeds = seeds(&here.join("seeds").join(name));
        if playlists {
            seeds.extend(self::seeds(&here.join("../fixtures/playlists")));
        }
        assert!(!seeds.is_empty(), "{name} has no seeds");
        let mut dice = Dice(0);
        let began = Instant::now();
        for number in 0..seeds.len() + count {
            let input = seeds.get(number).cloned().unwrap_or_else(|| like(&seeds, &mut dice));
            let this = Instant::now();
            let taken = catch_unwind(|| run(&input)).is_ok();
            let slow = this.elapsed() > SLOW;
            assert!(taken && !slow, "{name}, input {number}: {}", String::from_utf8_lossy(&input));
        }
        println!("{name}: {} inputs in {:?}", seeds.len() + count, began.elapsed());
    }
}
