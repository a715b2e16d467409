//! The rows that the self-test image must report, by name, on every architecture.
//!
//! A row begins with the patch or item of which it is an acceptance test.

/// In the order in which they run.
pub(super) const ROWS: [&str; 28] = [
    "p6: boot stays below the slots of pmap",
    "p6: pmap refuses one more page than it has slots",
    "p6: a page in pmap is seen while it is mapped",
    "harness: every cpu answers for itself",
    "harness: a probe tells code, constants and variables apart",
    "harness: a load reads what is there and survives what is not",
    "t6: the checker follows every live entry",
    "t6: another address in a valid entry stops its cpu",
    "t6: an entry that is used again before its flush stops its cpu",
    "t6: an entry that is flushed in between may be used again",
    "p6: every slot of pmap is empty at hand-over",
    "p6: pmap cannot be brought up again",
    "p13: each cpu has loaded a root of its own",
    "p13: roots differ in the private entry and in no other",
    "overall: every leaf is one that the plan has",
    "overall: a walk finds as much RAM mapped as the books say",
    "w^x: no live leaf of any cpu lets code be written",
    "identity: no root but the turn-on root has an identity page",
    "page 0: nothing is mapped there",
    "guards: the stack has an unmapped page on either side",
    "guards: no page between windows is mapped",
    "stacks: one address shows another frame on each cpu",
    "stacks: no root leads to another cpu's stack",
    "stacks: a word on one cpu's stack is not read on another",
    "p14: a page that the boot cpu maps is seen on no other",
    "p14: a page that another cpu maps is seen on no other",
    "p14: a block that the boot cpu maps is seen on no other",
    "p14: a block that another cpu maps is seen on no other",
];
