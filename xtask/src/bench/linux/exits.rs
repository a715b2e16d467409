//! Why guests left, out of the emulator's log of exceptions.
//!
//! Counts those that were taken from EL0 or EL1 to EL2, and no others.

use std::collections::BTreeMap;

/// What the log says of each exception: its kind, where it went, and the syndrome.
const TAKEN: &str = "Taking exception ";
const TO_EL2: [&str; 2] = ["...from EL1 to EL2", "...from EL0 to EL2"];
const SYNDROME: &str = "...with ESR 0x";
/// The kind of an interrupt, whose syndrome is an older one.
const INTERRUPT: &str = "[IRQ]";

/// How often each reason was one.
pub(super) fn by_reason(log: &str) -> BTreeMap<String, u64> {
    let mut reasons = BTreeMap::new();
    let (mut interrupt, mut to_el2) = (false, false);
    for line in log.lines() {
        if line.starts_with(TAKEN) {
            (interrupt, to_el2) = (line.contains(INTERRUPT), false);
        } else if TO_EL2.contains(&line) {
            to_el2 = true;
        } else if let (Some(syndrome), true) = (line.strip_prefix(SYNDROME), to_el2) {
            let reason = if interrupt { "interrupts".to_owned() } else { reason(syndrome) };
            *reasons.entry(reason).or_default() += 1;
            to_el2 = false;
        }
    }
    reasons
}

/// `EC/0xESR`, both hexadecimal. Arm ARM (DDI 0487), ESR_EL2.EC.
fn reason(syndrome: &str) -> String {
    let (class, whole) = syndrome.split_once("/0x").unwrap_or((syndrome, ""));
    match (class, whole) {
        ("1", _) => "waits".to_owned(),
        ("16", "5a000ea1") => "hypercalls".to_owned(),
        ("16", _) => "firmware calls".to_owned(),
        ("18", _) => "system registers".to_owned(),
        ("24", _) => "device accesses".to_owned(),
        (class, _) => format!("class 0x{class}"),
    }
}

#[cfg(test)]
mod tests {
    use super::by_reason;

    #[test]
    fn what_a_guest_keeps_to_itself_is_not_counted() {
        let log = "Taking exception 2 [SVC] on CPU 0\n...from EL0 to EL1\n...with ESR 0x15/0x56000000\n\
                   Taking exception 5 [IRQ] on CPU 0\n...from EL1 to EL2\n...with ESR 0x15/0x56000000\n\
                   Taking exception 13 [Hypervisor Call] on CPU 0\n...from EL1 to EL2\n...with ESR 0x16/0x5a000ea1\n\
                   Taking exception 13 [Hypervisor Call] on CPU 0\n...from EL1 to EL2\n...with ESR 0x16/0x5a000000\n\
                   Taking exception 4 [Data Abort] on CPU 0\n...from EL1 to EL2\n...with ESR 0x24/0x93810046\n\
                   Taking exception 4 [Data Abort] on CPU 0\n...from EL1 to EL1\n...with ESR 0x25/0x96000044\n";
        let reasons: Vec<_> = by_reason(log).into_iter().collect();
        let expected = [("device accesses", 1), ("firmware calls", 1), ("hypercalls", 1), ("interrupts", 1)];
        assert_eq!(reasons, expected.map(|(what, count)| (what.to_owned(), count)));
    }
}
