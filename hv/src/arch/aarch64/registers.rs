//! Register values this hypervisor runs with, and the registers that `aarch64-cpu` lacks.
//!
//! Writes nothing that switches tables: `entry` and `guest` do, with their own barriers.

// UNSAFETY: reads identification registers and writes a guest's.
#![expect(unsafe_code, reason = "system registers")]

use core::arch::asm;

use aarch64_cpu::registers::{HCR_EL2, SCTLR_EL2};
use paging::{El2, PhysicalSize};

/// SCTLR_EL2 bits that are RES1 where the features behind them are missing. Arm ARM, SCTLR_EL2 (E2H = 0):
/// 4, 5, 11, 16, 18, 22, 23, 28, 29.
const SCTLR_RES1: u64 = 1 << 29 | 1 << 28 | 1 << 23 | 1 << 22 | 1 << 18 | 1 << 16 | 1 << 11 | 1 << 5 | 1 << 4;

/// SCTLR_EL2: MMU and caches on, writable memory never executed, stack alignment checked.
pub(super) const SCTLR: u64 = SCTLR_RES1
    | SCTLR_EL2::M::Enable.value
    | SCTLR_EL2::C::Cacheable.value
    | SCTLR_EL2::I::Cacheable.value
    | SCTLR_EL2::WXN::Enable.value
    | SCTLR_EL2::SA::Enable.value;

/// TCR_EL2 without its PS field, which the CPU's own physical address size goes into.
pub(super) const TCR_WITHOUT_PS: u64 = El2::tcr(PhysicalSize::Bits32);
const _: () = assert!(TCR_WITHOUT_PS >> TCR_PS_SHIFT & 0b111 == 0, "32 bits are encoded as zero");

/// TCR_EL2.PS, bits [18:16]. Arm ARM, TCR_EL2 (E2H = 0).
pub(super) const TCR_PS_SHIFT: u64 = 16;

/// The widest PS that the entry format can use: 48 bits. Arm ARM, TCR_EL2.PS.
pub(super) const TCR_PS_MAX: u64 = 0b101;

/// HCR_EL2 while no guest is loaded: EL1 is AArch64, nothing else. Firmware leaves anything; written whole.
pub(super) const HCR_HOST: u64 = HCR_EL2::RW::EL1IsAarch64.value;

/// HCR_EL2 for a guest: stage 2; physical interrupts and SError to EL2; set/way operations, identification registers, WFI
/// and SMC trapped.
pub(super) const HCR_GUEST: u64 = HCR_HOST
    | HCR_EL2::VM::Enable.value
    | HCR_EL2::SWIO::SET.value
    | HCR_EL2::FMO::EnableVirtualFIQ.value
    | HCR_EL2::IMO::EnableVirtualIRQ.value
    | HCR_EL2::AMO::SET.value
    | HCR_EL2::TWI::SET.value
    | HCR_EL2::TSC::EnableTrapEl1SmcToEl2.value
    | HCR_EL2::TSW::SET.value
    | HCR_EL2::TID3::SET.value
    | HCR_EL2::TACR::SET.value
    | HCR_EL2::TIDCP::SET.value;

/// The same where vCPUs share a CPU: WFE traps too, so that one that spins lets another one go on.
pub(super) const HCR_GUEST_OVERCOMMITTED: u64 = HCR_GUEST | HCR_EL2::TWE::SET.value;

/// CPTR_EL2 for a guest: SIMD and floating point are its own; SVE, trace and activity monitors trap. Arm ARM, CPTR_EL2
/// (E2H = 0): RES1 bits 13, 12, 9 and 7:0; TZ bit 8; TTA bit 20; TAM bit 30.
pub(super) const CPTR_GUEST: u64 = 1 << 13 | 1 << 12 | 1 << 9 | 0xff | 1 << 8 | 1 << 20 | 1 << 30;

/// MDCR_EL2 for a guest: debug and performance monitor registers trap. Arm ARM, MDCR_EL2: TDRA bit 11, TDOSA bit 10,
/// TDA bit 9, TPM bit 6, TPMCR bit 5; HPMN, bits [4:0], is or-ed in.
pub(super) const MDCR_GUEST: u64 = 1 << 11 | 1 << 10 | 1 << 9 | 1 << 6 | 1 << 5;

/// SCTLR_EL1 a guest starts with: MMU and caches off. Arm ARM, SCTLR_EL1, bits that are RES1 without later features:
/// 11, 20, 22, 23, 28, 29.
pub(super) const SCTLR_EL1_START: u64 = 1 << 29 | 1 << 28 | 1 << 23 | 1 << 22 | 1 << 20 | 1 << 11;

macro_rules! read {
    ($register:literal) => {{
        let value: u64;
        // SAFETY: an identification register: reading it has no effect.
        unsafe { asm!(concat!("mrs {}, ", $register), out(reg) value, options(nostack, nomem, preserves_flags)) }
        value
    }};
}

/// The smallest data cache line of this CPU's caches. Arm ARM, CTR_EL0.DminLine, bits [19:16], log2 of words.
pub(super) fn cache_line_bytes() -> u64 {
    4 << (read!("ctr_el0") >> 16 & 0xf)
}

/// What one DC ZVA zeroes; `None` where it is prohibited. Arm ARM, DCZID_EL0: DZP bit 4, BS bits [3:0], log2 of words.
pub(super) fn zero_block_bytes() -> Option<u64> {
    let register = read!("dczid_el0");
    (register & 1 << 4 == 0).then_some(4 << (register & 0xf))
}

/// Event counters the CPU has; none without performance monitors. Arm ARM, ID_AA64DFR0_EL1.PMUVer, bits [11:8], where
/// 0b1111 is another design; PMCR_EL0.N, bits [15:11].
pub(super) fn event_counters() -> u64 {
    match read!("id_aa64dfr0_el1") >> 8 & 0xf {
        0b0000 | 0b1111 => 0,
        _ => read!("pmcr_el0") >> 11 & 0x1f,
    }
}

/// Gives the guest the identity of this CPU, and traps no coprocessor register. Arm ARM, VPIDR_EL2, HSTR_EL2.
pub(super) fn set_guest_identity() {
    let midr = read!("midr_el1");
    // SAFETY: both registers act on EL1 and EL0 only.
    unsafe { asm!("msr vpidr_el2, {}", "msr hstr_el2, xzr", in(reg) midr, options(nostack, preserves_flags)) }
}

/// When this CPU's own timer is due, in ticks of the physical counter. Arm ARM, CNTHP_CVAL_EL2.
pub(super) fn set_own_timer(at: u64) {
    // SAFETY: its interrupt is taken from guests only, and says that something is due.
    unsafe { asm!("msr cnthp_cval_el2, {}", in(reg) at, options(nostack, nomem, preserves_flags)) }
}
