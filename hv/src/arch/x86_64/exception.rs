//! The processor's exceptions: their names, which push an error code, and what that code says.
//!
//! Pure decoding; touches no register. Intel SDM vol. 3A, "Exception and Interrupt Reference"; AMD APM vol. 2,
//! "Vectors".

use crate::fault::Attempt;

/// Vectors that the architecture keeps for exceptions.
pub const EXCEPTIONS: usize = 32;

/// A vector of the interrupt descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(pub u8);

impl Vector {
    /// `#PF`.
    pub const PAGE_FAULT: Self = Self(14);
    /// `#DF`.
    pub const DOUBLE_FAULT: Self = Self(8);
    /// Non-maskable interrupt.
    pub const NMI: Self = Self(2);
    /// `#MC`.
    pub const MACHINE_CHECK: Self = Self(18);

    /// What a fault report calls it.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "divide error",
            1 => "debug exception",
            2 => "non-maskable interrupt",
            3 => "breakpoint",
            4 => "overflow",
            5 => "bound range exceeded",
            6 => "invalid opcode",
            7 => "device not available",
            8 => "double fault",
            10 => "invalid task state segment",
            11 => "segment not present",
            12 => "stack fault",
            13 => "general protection fault",
            14 => "page fault",
            16 => "x87 floating-point error",
            17 => "alignment check",
            18 => "machine check",
            19 => "SIMD floating-point error",
            20 => "virtualization exception",
            21 => "control protection exception",
            28 => "hypervisor injection exception",
            29 => "VMM communication exception",
            30 => "security exception",
            9 | 15 | 22..=27 | 31 => "reserved exception",
            32..=255 => "unexpected interrupt",
        }
    }

    /// Whether the processor pushes an error code: AMD APM vol. 2, "Error Codes", and Intel SDM vol. 3A, table
    /// "Protected-Mode Exceptions and Interrupts".
    pub const fn error_code(self) -> ErrorCode {
        match self.0 {
            8 | 10..=14 | 17 | 21 | 29 | 30 => ErrorCode::Pushed,
            _ => ErrorCode::None,
        }
    }
}

/// Whether an exception comes with an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The processor pushes one.
    Pushed,
    /// It does not; the stub pushes zero so that frames are alike.
    None,
}

/// The error code of `#PF`. Intel SDM vol. 3A, "Page-Fault Error Code".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault(pub u64);

impl PageFault {
    /// P, bit 0: a translation exists and forbids the access.
    const PRESENT: u64 = 1 << 0;
    /// W/R, bit 1.
    const WRITE: u64 = 1 << 1;
    /// RSVD, bit 3: a reserved bit is set in an entry.
    const RESERVED: u64 = 1 << 3;
    /// I/D, bit 4.
    const FETCH: u64 = 1 << 4;

    /// What was attempted.
    pub const fn attempt(self) -> Attempt {
        if self.0 & Self::FETCH != 0 {
            Attempt::Execute
        } else if self.0 & Self::WRITE != 0 {
            Attempt::Write
        } else {
            Attempt::Read
        }
    }

    /// Why it failed.
    pub const fn reason(self) -> &'static str {
        if self.0 & Self::RESERVED != 0 {
            "an entry has a reserved bit set"
        } else if self.0 & Self::PRESENT != 0 {
            "the mapping forbids it"
        } else {
            "nothing is mapped"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, EXCEPTIONS, ErrorCode, PageFault, Vector};

    #[test]
    fn page_fault_codes_say_what_and_why() {
        let check = |code, attempt, reason| {
            let fault = PageFault(code);
            assert_eq!((fault.attempt(), fault.reason()), (attempt, reason));
        };
        check(0b0_0000, Attempt::Read, "nothing is mapped");
        check(0b0_0010, Attempt::Write, "nothing is mapped");
        check(0b0_0011, Attempt::Write, "the mapping forbids it");
        check(0b1_0001, Attempt::Execute, "the mapping forbids it");
        check(0b0_1001, Attempt::Read, "an entry has a reserved bit set");
    }

    #[test]
    fn ten_exceptions_push_a_code() {
        let pushed = (0..EXCEPTIONS as u8).filter(|v| Vector(*v).error_code() == ErrorCode::Pushed);
        assert_eq!(pushed.collect::<std::vec::Vec<_>>(), [8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
    }
}
