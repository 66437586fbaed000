//! HLS Ferry on one machine.
fn main() {}
