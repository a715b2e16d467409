//! Real boots of which a frame is refused: each says why it stops, and stops. One that is refused none does not.
//!
//! The image under test is the self-test image, in whose data the number of frames that boot may have is written.

use super::boot;
use crate::build::Built;
use crate::failure::Failure;
use crate::suites::Bench;
use crate::suites::faults::patch;

/// The variable that holds how many frames boot is handed at most.
const RATION: &str = "BOOT_RATION";
/// Boots of a board at most.
const SAMPLE: u64 = 10;

/// How many frames a boot that is refused none is handed, as it says itself.
fn needed(lines: &[String]) -> Option<u64> {
    let number = |line: &String| line.strip_prefix("tabula: boot is handed ")?.strip_suffix(" frames")?.parse().ok();
    lines.iter().find_map(number)
}

/// Boots a board that has booted to these lines again, each time with another frame refused.
pub(super) fn run(bench: &mut Bench<'_>, name: &str, built: &mut Built, lines: &[String]) {
    let Some(needed) = needed(lines).filter(|needed| *needed > 0) else {
        return bench.test(format!("{name}: refusals"), Err("boot does not say how many frames it is handed".into()));
    };
    let sample = SAMPLE.min(needed);
    for frames in (0..sample).map(|number| number * needed / sample) {
        let result = patch::set_word(built, RATION, frames).and_then(|()| stops(bench, built));
        bench.job(format!("{name}: boot is refused frame {frames} of {needed}"), result);
    }
    let result = patch::set_word(built, RATION, needed).and_then(|()| goes_on(bench, built));
    bench.job(format!("{name}: control: boot is refused none of {needed} frames"), result);
}

/// The same image with as many frames as boot needs: its rows run, so nothing but the number stopped the others.
fn goes_on(bench: &Bench<'_>, built: &Built) -> Result<(), Failure> {
    let outcome = boot(bench, built)?;
    match outcome.lines.iter().any(|line| line.ends_with(" passed, 0 failed")) {
        true => Ok(()),
        false => Err(Failure::Run(format!("it does not go on\n{}", outcome.lines.join("\n")))),
    }
}

fn stops(bench: &Bench<'_>, built: &Built) -> Result<(), Failure> {
    let outcome = boot(bench, built)?;
    let said = outcome.lines.iter().any(|line| line.starts_with("tabula: mismatch: "));
    match (said, outcome.status) {
        (true, Some(status)) if status.success() => Ok(()),
        (_, status) => {
            Err(Failure::Run(format!("no word of why, or no end ({status:?})\n{}", outcome.lines.join("\n"))))
        }
    }
}
