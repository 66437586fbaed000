//! Ad breaks as SCTE 35 says them: a `splice_info_section` with a `splice_insert` command.

use crate::schedule::Spot;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The section that says that a break begins (`out`) or ends.
pub(crate) fn splice(spot: &Spot, out: bool) -> Vec<u8> {
    let mut command = Vec::with_capacity(16);
    // What is left of seconds over 136 years tells the breaks of a channel apart.
    let event = u32::try_from(spot.start.as_secs() & 0xffff_ffff).unwrap_or(u32::MAX);
    command.extend(event.to_be_bytes());
    // It is not cancelled; the rest is reserved.
    command.push(0x7f);
    // Out of the network, the whole programme, with a duration, at once; the rest is reserved.
    command.push(if out { 0b1111_1111 } else { 0b0101_1111 });
    if out {
        // The duration in 90 kHz, 33 bits, behind "returns by itself" and six reserved bits.
        let ticks = (spot.duration.0.saturating_mul(9) / 100) & 0x1_ffff_ffff;
        let duration = (0x7f_u64 << 33) + ticks;
        command.extend(duration.to_be_bytes().iter().skip(3));
    }
    // A programme id of 1, and the first of one avail.
    command.extend([0, 1, 1, 1]);

    let length = command.len() as u8;
    // The length of what follows: 11 bytes, the command, no descriptors (2), the checksum (4).
    let mut section = vec![0xfc, 0x30, length + 17];
    // Version 0; not encrypted and no adjustment of time (5); no control word; the tier and the
    // command's length, of 12 bits each.
    section.extend([0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xf0, length]);
    section.push(0x05);
    section.extend(command);
    section.extend([0, 0]);
    let checksum = checksum(&section);
    section.extend(checksum.to_be_bytes());
    section
}

/// The checksum of MPEG-2 sections (ISO/IEC 13818-1 annex A).
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { (sum << 1) ^ 0x04c1_1db7 }
        })
    })
}

/// As `EXT-X-DATERANGE` writes it.
pub(crate) fn hexadecimal(section: &[u8]) -> String {
    let digits = section.iter().map(|byte| format!("{byte:02X}"));
    std::iter::once("0x".to_owned()).chain(digits).collect()
}

/// As `EXT-OATCLS-SCTE35` writes it.
pub(crate) fn base64(section: &[u8]) -> String {
    STANDARD.encode(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hls::{Micros, Timestamp};

    #[test]
    fn a_break_is_said_as_scte_35_writes_it() {
        let spot = Spot { start: Timestamp(1_207_959_695_000_000), duration: Micros(60_293_566) };
        // Bit by bit after ANSI/SCTE 35 2019, tables 5, 7 and 10.
        assert_eq!(
            hexadecimal(&splice(&spot, true)[..31]),
            "0xFC3020000000000000FFFFF00F054800008F7FFFFE0052CCF4000101010000"
        );
        for out in [true, false] {
            let section = splice(&spot, out);
            assert_eq!(checksum(&section), 0, "a section with its checksum sums up to nothing");
            assert_eq!(usize::from(section[2]) + 3, section.len());
        }
    }
}
