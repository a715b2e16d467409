//! The timers of a vCPU: the physical one emulated, the virtual one while it is not loaded.
//!
//! Reads no counter: the caller says what time it is, in ticks.
//!
//! Source: Arm ARM (DDI 0487), "The Generic Timer", CNTP_CTL_EL0, CNTP_CVAL_EL0, CNTP_TVAL_EL0.

#[cfg(test)]
mod tests;

use super::gic::Line;

/// CNTP_CTL_EL0: ENABLE bit 0, IMASK bit 1, ISTATUS bit 2.
const ENABLE: u64 = 1 << 0;
const MASK: u64 = 1 << 1;
const STATUS: u64 = 1 << 2;

/// A timer's registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Timer {
    /// CTL without ISTATUS.
    pub control: u64,
    /// CVAL.
    pub compare: u64,
}

/// One of a timer's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// CTL.
    Control,
    /// CVAL.
    Compare,
    /// TVAL: what is left, 32 bits with a sign.
    Left,
}

impl Timer {
    /// What its line to the interrupt controller is.
    pub const fn line(&self, now: u64) -> Line {
        if self.control & (ENABLE | MASK) == ENABLE && now >= self.compare { Line::Up } else { Line::Down }
    }

    /// When its line goes up, if nothing is written until then.
    pub const fn deadline(&self) -> Option<u64> {
        if self.control & (ENABLE | MASK) == ENABLE { Some(self.compare) } else { None }
    }

    /// What the guest reads.
    pub const fn read(&self, register: Register, now: u64) -> u64 {
        match register {
            Register::Control => {
                let met = self.control & ENABLE != 0 && now >= self.compare;
                self.control | if met { STATUS } else { 0 }
            }
            Register::Compare => self.compare,
            Register::Left => self.compare.wrapping_sub(now) & 0xffff_ffff,
        }
    }

    /// What the guest writes.
    pub const fn write(&mut self, register: Register, now: u64, value: u64) {
        match register {
            Register::Control => self.control = value & (ENABLE | MASK),
            Register::Compare => self.compare = value,
            Register::Left => self.compare = now.wrapping_add(value as i32 as i64 as u64),
        }
    }
}
