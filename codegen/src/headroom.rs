//! Whether a plan leaves room to grow: warnings, never errors.
//!
//! Decides nothing about the plan; what is too large for its place has been refused before.

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics, human_bytes};
use crate::map::rows;
use crate::model::Origin;
use crate::plan::Plan;

/// A share of something that is nearly used up.
struct Share {
    left: u64,
    of: String,
    from: Option<Origin>,
    label: &'static str,
    help: &'static str,
}

/// Warnings for what leaves less free than `layout.headroom-min` asks for.
pub fn headroom(plan: &Plan) -> Diagnostics {
    let sources = &plan.board.sources;
    let mut found = Diagnostics::new(sources.clone());
    let least = &plan.board.layout.headroom_min;
    let shares = rows::shares(plan);
    let image = Share {
        left: shares.headroom,
        of: format!("the image's window of {}", human_bytes(rows::WINDOW_BYTES)),
        from: plan.sections.first().map(|section| section.from),
        label: "the first of its extents",
        help: "shrink extents of layout.image that are not used up; `cargo xtask build` prints each one's slack",
    };
    let ram = Share {
        left: shares.free,
        of: format!("{} of RAM", human_bytes(shares.ram_bytes)),
        from: plan.board.memory.banks.first().map(|bank| bank.from),
        label: "the first bank",
        help: "give domains less memory, or list the RAM that is missing",
    };
    for share in [image, ram].into_iter().filter(|share| share.left < u64::from(least.value)) {
        let claim = format!("{} % of {} stay free, less than {} %", share.left, share.of, least.value);
        let place = share.from.and_then(|from| sources.place(from));
        let warning = Diagnostic::new(&codes::E0609, claim).at_some(place, share.label);
        let warning = warning.at_some(sources.place(least.from), "asked for here");
        found.push(warning.help(share.help));
    }
    found
}
