//! Puts the player of the demo page into the binary, where npm has installed it.
//!
//! Building needs no npm: without the player the page says how to get it.

use std::path::Path;
use std::{env, fs};

fn main() {
    let player = Path::new("node_modules/hls.js/dist/hls.min.mjs");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    // The name of a file that is not there would make cargo run this every time; a folder is scanned.
    let watched = if player.exists() { player } else { Path::new(".") };
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed=build.rs");
    let bytes = fs::read(player).unwrap_or_default();
    fs::write(Path::new(&out).join("hls.js"), bytes).expect("cargo's folder can be written to");
}
