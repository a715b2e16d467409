//! What ESR_EL2 says about an exception, as values.
//!
//! Pure: reads no register, so the host's tests run it.
//!
//! Source: Arm ARM (DDI 0487), ESR_EL2, EC bits [31:26] and the ISS encodings of each.

use core::fmt;

use crate::fault::Attempt;

#[cfg(test)]
#[path = "syndrome/tests.rs"]
mod tests;

/// ESR_EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syndrome(u64);

/// Exception class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// EC 0x00.
    Unknown,
    /// EC 0x01.
    Wait,
    /// EC 0x07.
    Simd,
    /// EC 0x0e.
    IllegalState,
    /// EC 0x15.
    Svc,
    /// EC 0x16, with its immediate.
    Hvc(u16),
    /// EC 0x17, with its immediate.
    Smc(u16),
    /// EC 0x18.
    SystemRegister,
    /// EC 0x20 and 0x21.
    InstructionAbort(Abort),
    /// EC 0x22.
    ProgramCounter,
    /// EC 0x24 and 0x25.
    DataAbort(Abort),
    /// EC 0x26.
    StackPointer,
    /// EC 0x2f.
    SError,
    /// EC 0x3c.
    Breakpoint,
    /// The rest, by number.
    Other(u8),
}

/// What a vCPU waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// WFI.
    Interrupt,
    /// WFE.
    Event,
}

/// What both kinds of abort tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// What was attempted.
    pub attempt: Attempt,
    /// Why it failed.
    pub status: Status,
    /// Whether FAR_EL2 holds the address. ISS.FnV, bit [10], clear.
    pub address_valid: bool,
}

/// ISS.DFSC and ISS.IFSC, bits [5:0].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0b0001LL.
    Translation,
    /// 0b0010LL.
    AccessFlag,
    /// 0b0011LL.
    Permission,
    /// 0b100001.
    Alignment,
    /// 0b0000LL.
    AddressSize,
    /// 0b010000, 0b0101LL: the memory system refused.
    External,
    /// The rest, by number.
    Other(u8),
}

impl Syndrome {
    /// From the register.
    pub const fn new(esr: u64) -> Self {
        Self(esr)
    }

    /// Its class.
    pub const fn class(self) -> Class {
        let immediate = self.0 as u16;
        match (self.0 >> 26 & 0x3f) as u8 {
            0x00 => Class::Unknown,
            0x01 => Class::Wait,
            0x07 => Class::Simd,
            0x0e => Class::IllegalState,
            0x15 => Class::Svc,
            0x16 => Class::Hvc(immediate),
            0x17 => Class::Smc(immediate),
            0x18 => Class::SystemRegister,
            0x20 | 0x21 => Class::InstructionAbort(self.abort(Attempt::Execute)),
            0x22 => Class::ProgramCounter,
            0x24 | 0x25 => Class::DataAbort(self.abort(self.direction())),
            0x26 => Class::StackPointer,
            0x2f => Class::SError,
            0x3c => Class::Breakpoint,
            other => Class::Other(other),
        }
    }

    /// The immediate of a hypervisor call, and of nothing else. EC 0x16.
    pub const fn hvc(self) -> Option<u16> {
        if self.0 >> 26 & 0x3f == 0x16 { Some(self.0 as u16) } else { None }
    }

    /// Which wait trapped. ISS.TI, bits [1:0]: bit 0 tells WFE from WFI, with and without a time-out.
    pub const fn wait(self) -> Wait {
        if self.0 & 1 == 0 { Wait::Interrupt } else { Wait::Event }
    }

    /// The register.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// ISS.WnR, bit [6].
    const fn direction(self) -> Attempt {
        if self.0 & 1 << 6 == 0 { Attempt::Read } else { Attempt::Write }
    }

    const fn abort(self, attempt: Attempt) -> Abort {
        let code = (self.0 & 0x3f) as u8;
        let status = match code {
            0b00_0000..=0b00_0011 => Status::AddressSize,
            0b00_0100..=0b00_0111 => Status::Translation,
            0b00_1000..=0b00_1011 => Status::AccessFlag,
            0b00_1100..=0b00_1111 => Status::Permission,
            0b01_0000 | 0b01_0100..=0b01_0111 => Status::External,
            0b10_0001 => Status::Alignment,
            _ => Status::Other(code),
        };
        Abort { attempt, status, address_valid: self.0 & 1 << 10 == 0 }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => out.write_str("undefined instruction"),
            Self::Wait => out.write_str("trapped wait"),
            Self::Simd => out.write_str("trapped floating point"),
            Self::IllegalState => out.write_str("illegal execution state"),
            Self::Svc => out.write_str("supervisor call"),
            Self::Hvc(immediate) => write!(out, "hypervisor call #{immediate:#x}"),
            Self::Smc(immediate) => write!(out, "monitor call #{immediate:#x}"),
            Self::SystemRegister => out.write_str("trapped system register"),
            Self::InstructionAbort(abort) => write!(out, "instruction abort ({})", abort.status),
            Self::ProgramCounter => out.write_str("misaligned program counter"),
            Self::DataAbort(abort) => write!(out, "data abort ({})", abort.status),
            Self::StackPointer => out.write_str("misaligned stack pointer"),
            Self::SError => out.write_str("system error"),
            Self::Breakpoint => out.write_str("breakpoint instruction"),
            Self::Other(class) => write!(out, "exception class {class:#x}"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Translation => out.write_str("not mapped"),
            Self::AccessFlag => out.write_str("access flag"),
            Self::Permission => out.write_str("not permitted"),
            Self::Alignment => out.write_str("misaligned"),
            Self::AddressSize => out.write_str("address too wide"),
            Self::External => out.write_str("refused by the memory system"),
            Self::Other(code) => write!(out, "status {code:#x}"),
        }
    }
}
