//! The registers of EL1 that make a vCPU, as memory: one list for reset, save and load.
//!
//! Knows none that the hypervisor keeps from guests; those trap.

// UNSAFETY: reads and writes registers of EL1.
#![expect(unsafe_code, reason = "system registers")]

use core::arch::asm;

use super::registers;

/// CNTV_CTL_EL0 of a timer that will interrupt: ENABLE, bit 0, without IMASK, bit 1. Arm ARM, CNTV_CTL_EL0.
const ARMED: u64 = 1;
const TIMER_BITS: u64 = 0b11;

macro_rules! registers {
    ($($name:ident = $reset:expr,)*) => {
        /// While the vCPU is not loaded.
        #[repr(C)]
        pub(super) struct System {
            $($name: u64,)*
        }

        impl System {
            /// After a reset: MMU and caches off. Whatever the architecture leaves open is zero.
            pub(super) const RESET: Self = Self { $($name: $reset,)* };

            /// What this CPU has now.
            pub(super) fn save(&mut self) {
                $(
                    // SAFETY: reading the register has no effect.
                    unsafe {
                        asm!(
                            concat!("mrs {}, ", stringify!($name)),
                            out(reg) self.$name,
                            options(nostack, nomem, preserves_flags),
                        );
                    }
                )*
            }

            /// Makes them this CPU's; seen by the guest from its entry on.
            pub(super) fn load(&self) {
                $(
                    // SAFETY: the register acts at EL1 and EL0 only, where nothing runs now.
                    unsafe {
                        asm!(
                            concat!("msr ", stringify!($name), ", {}"),
                            in(reg) self.$name,
                            options(nostack, nomem, preserves_flags),
                        );
                    }
                )*
            }
        }
    };
}

registers! {
    sctlr_el1 = registers::SCTLR_EL1_START,
    ttbr0_el1 = 0,
    ttbr1_el1 = 0,
    tcr_el1 = 0,
    mair_el1 = 0,
    amair_el1 = 0,
    vbar_el1 = 0,
    cpacr_el1 = 0,
    contextidr_el1 = 0,
    elr_el1 = 0,
    spsr_el1 = 0,
    esr_el1 = 0,
    far_el1 = 0,
    afsr0_el1 = 0,
    afsr1_el1 = 0,
    par_el1 = 0,
    csselr_el1 = 0,
    sp_el0 = 0,
    sp_el1 = 0,
    tpidr_el0 = 0,
    tpidr_el1 = 0,
    tpidrro_el0 = 0,
    mdscr_el1 = 0,
    cntkctl_el1 = 0,
    cntp_ctl_el0 = 0,
    cntv_ctl_el0 = 0,
    cntp_cval_el0 = 0,
    cntv_cval_el0 = 0,
}

impl System {
    /// When the vCPU's virtual timer interrupts it, if it will, by the physical counter, which showed `beginning` when
    /// the virtual one showed 0.
    pub(super) fn timer_due(&self, beginning: u64) -> Option<u64> {
        (self.cntv_ctl_el0 & TIMER_BITS == ARMED).then(|| self.cntv_cval_el0.saturating_add(beginning))
    }
}
