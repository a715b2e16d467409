//! Who claims which physical addresses: RAM against registers, registers against registers.
//!
//! Knows what the file says; places that the planner chooses are the planner's to compare.

use paging::{FrameRange, PAGE_BYTES, PhysAddr};

use super::Checker;
use crate::codes;
use crate::diagnostic::{Diagnostic, Radix, Span};
use crate::model::{Memory, Mmio, ReservedKind};
use crate::schema::{Registers, Written};

/// Whether a claim is mapped by the hypervisor for good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It takes fixmap slots.
    Fixmap,
    /// Its first page takes one.
    FixmapFirst,
    /// It is mapped later, or by nobody.
    Other,
    /// It is given to a domain page by page.
    Passed,
}

/// A range of registers with its owner.
pub(super) struct Claim {
    /// The owner, as messages print it.
    pub(super) name: String,
    /// First byte.
    pub(super) base: u64,
    /// Length.
    pub(super) bytes: u64,
    /// Where the base is written.
    pub(super) span: Span,
    /// What it is for.
    pub(super) kind: Use,
}

impl Claim {
    fn end(&self) -> u64 {
        // `Checker::range` refuses what runs past 2^64 before it becomes a claim.
        self.base + self.bytes
    }

    fn range(&self) -> String {
        Radix::Hex.range(self.base, self.bytes)
    }

    fn pages(&self) -> std::ops::Range<u64> {
        self.base / PAGE_BYTES..self.end().div_ceil(PAGE_BYTES)
    }
}

/// All register ranges of a board, and its banks as written.
#[derive(Default)]
pub(super) struct Claims {
    registers: Vec<Claim>,
    banks: Vec<(FrameRange, Span)>,
}

impl Claims {
    /// Adds a range of registers.
    pub(super) fn add(&mut self, claim: Claim) {
        self.registers.push(claim);
    }

    /// Adds a bank.
    pub(super) fn bank(&mut self, frames: FrameRange, span: Span) {
        self.banks.push((frames, span));
    }

    /// Checks `{ base, size }` and adds it.
    pub(super) fn registers(
        &mut self,
        checker: &mut Checker,
        name: &str,
        written: &Written<Registers>,
        kind: Use,
    ) -> Option<Mmio> {
        let Registers { base, size } = &written.value;
        let (first, bytes) = checker.range(name, base, size)?;
        self.add(Claim { name: name.to_owned(), base: first, bytes, span: base.span, kind });
        Some(Mmio { base: PhysAddr::new(first), bytes, from: checker.origin(base.span) })
    }

    /// Fixmap slots that these registers and the manifest take.
    pub(super) fn pages_mapped_for_good(&self) -> u64 {
        let pages = self.registers.iter().map(|claim| match claim.kind {
            Use::Fixmap => claim.pages().end - claim.pages().start,
            Use::FixmapFirst => 1,
            Use::Other | Use::Passed => 0,
        });
        pages.sum::<u64>() + 1
    }

    /// Compares everything with everything.
    pub(super) fn check(&self, checker: &mut Checker, memory: Option<&Memory>) {
        for (index, claim) in self.registers.iter().enumerate() {
            if let Some(memory) = memory {
                self.against_ram(checker, claim, memory);
                within_bits(checker, claim, memory);
            }
            for other in &self.registers[..index] {
                overlap(checker, claim, other);
            }
        }
    }

    fn against_ram(&self, checker: &mut Checker, claim: &Claim, memory: &Memory) {
        let hole = memory.reserved.iter().any(|reserved| {
            let frames = reserved.frames;
            let (first, end) = (frames.first.address().get(), frames.end().address().get());
            reserved.kind == ReservedKind::Hole && first <= claim.base && claim.end() <= end
        });
        if hole {
            return;
        }
        for (frames, span) in &self.banks {
            let (first, end) = (frames.first.address().get(), frames.end().address().get());
            let (from, to) = (first.max(claim.base), end.min(claim.end()));
            if from < to {
                let text = format!(
                    "{} {} lies in memory.bank {}",
                    claim.name,
                    claim.range(),
                    Radix::Hex.range(first, end - first)
                );
                let found = Diagnostic::new(&codes::E0207, text).at(claim.span, "registers").at(*span, "RAM");
                let found = found.note(format!("both claim {}", Radix::Hex.range(from, to - from)));
                checker.push(found.help("shrink the bank, or reserve the range with `kind = \"hole\"`"));
            }
        }
    }
}

fn within_bits(checker: &mut Checker, claim: &Claim, memory: &Memory) {
    let bits = memory.pa_bits.value;
    if claim.end() > 1_u64 << bits {
        let text = format!("{} {} lies beyond {bits} physical address bits", claim.name, claim.range());
        let need = u64::BITS - (claim.end() - 1).leading_zeros();
        checker.at(
            &codes::E0205,
            claim.span,
            text,
            "out of reach",
            &format!("set memory.pa-bits-min to {need} if the processor has as many"),
        );
    }
}

fn overlap(checker: &mut Checker, claim: &Claim, other: &Claim) {
    let (from, to) = (claim.base.max(other.base), claim.end().min(other.end()));
    if from < to {
        let text = format!("{} {} overlaps {} {}", claim.name, claim.range(), other.name, other.range());
        let found =
            Diagnostic::new(&codes::E0208, text).at(claim.span, claim.name.clone()).at(other.span, other.name.clone());
        let found = found.note(format!("both claim {}", Radix::Hex.range(from, to - from)));
        let free = Radix::Hex.show(other.end().into());
        checker.push(found.help(format!("correct one of the two; the next address behind {} is {free}", other.name)));
    } else if claim.kind == Use::Passed || other.kind == Use::Passed {
        let (mine, theirs) = (claim.pages(), other.pages());
        if mine.start.max(theirs.start) < mine.end.min(theirs.end) {
            let text = format!("{} {} shares a page with {} {}", claim.name, claim.range(), other.name, other.range());
            let found = Diagnostic::new(&codes::E0415, text)
                .at(claim.span, claim.name.clone())
                .at(other.span, other.name.clone());
            checker.push(found.help("keep both with the hypervisor, or pass both to the same domain as one device"));
        }
    }
}
