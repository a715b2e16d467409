//! PSCI and SMCCC as a guest sees them, for one running vCPU.
//!
//! Source: Arm Power State Coordination Interface (DEN 0022), "Function prototypes"; SMC Calling Convention (DEN 0028).

use super::Context;
use crate::domain::{End, ended};

/// PSCI_VERSION: 1.1.
const VERSION: u32 = 0x8400_0000;
const CPU_OFF: u32 = 0x8400_0002;
const AFFINITY_INFO: u32 = 0xc400_0004;
const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
const SYSTEM_OFF: u32 = 0x8400_0008;
const SYSTEM_RESET: u32 = 0x8400_0009;
const FEATURES: u32 = 0x8400_000a;
const SMCCC_VERSION: u32 = 0x8000_0000;

/// "Return codes", NOT_SUPPORTED, as a 64-bit register holds it.
pub(super) const NOT_SUPPORTED: u64 = -1_i64 as u64;
/// "Return codes", INVALID_PARAMETERS.
const INVALID_PARAMETERS: u64 = -2_i64 as u64;
const SUCCESS: u64 = 0;

/// PSCI 1.1 and SMCCC 1.1: major in the upper half, minor in the lower.
const VERSION_1_1: u64 = 1 << 16 | 1;
/// MIGRATE_INFO_TYPE: no trusted operating system that would have to move.
const NOT_PRESENT: u64 = 2;

/// Answers HVC #0. CPU_ON is not supported: one vCPU runs.
pub(super) fn call(context: &mut Context) {
    let [function, argument, level] = [context.x[0], context.x[1], context.x[2]];
    context.x[0] = match function as u32 {
        VERSION | SMCCC_VERSION => VERSION_1_1,
        MIGRATE_INFO_TYPE => NOT_PRESENT,
        FEATURES => features(argument as u32),
        // The only vCPU asks, so it is on: state 0.
        AFFINITY_INFO if (argument, level) == (0, 0) => SUCCESS,
        AFFINITY_INFO => INVALID_PARAMETERS,
        // The last vCPU goes, and with it the domain.
        CPU_OFF | SYSTEM_OFF => ended(context.domain, End::PoweredOff),
        SYSTEM_RESET => ended(context.domain, End::Reset),
        _ => NOT_SUPPORTED,
    };
}

fn features(function: u32) -> u64 {
    match function {
        VERSION | CPU_OFF | AFFINITY_INFO | MIGRATE_INFO_TYPE | SYSTEM_OFF | SYSTEM_RESET | FEATURES
        | SMCCC_VERSION => SUCCESS,
        _ => NOT_SUPPORTED,
    }
}
