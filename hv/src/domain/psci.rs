//! PSCI and SMCCC as a guest sees them: what a call means, and what it is answered with.
//!
//! Pure: registers and vCPU numbers in, a decision out. Who carries it out asks the scheduler.
//!
//! Source: Arm Power State Coordination Interface (DEN 0022), "Function prototypes", "Return codes"; SMC Calling
//! Convention (DEN 0028), "General service queries".

#[cfg(test)]
mod tests;

/// PSCI 1.1 and SMCCC 1.1: major in the upper half, minor in the lower.
const VERSION_1_1: u64 = 1 << 16 | 1;
/// MIGRATE_INFO_TYPE: no trusted operating system that would have to move.
const NOT_PRESENT: u64 = 2;

const PSCI_VERSION: u32 = 0x8400_0000;
const CPU_SUSPEND_32: u32 = 0x8400_0001;
const CPU_SUSPEND_64: u32 = 0xc400_0001;
const CPU_OFF: u32 = 0x8400_0002;
const CPU_ON_32: u32 = 0x8400_0003;
const CPU_ON_64: u32 = 0xc400_0003;
const AFFINITY_INFO_32: u32 = 0x8400_0004;
const AFFINITY_INFO_64: u32 = 0xc400_0004;
const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
const SYSTEM_OFF: u32 = 0x8400_0008;
const SYSTEM_RESET: u32 = 0x8400_0009;
const PSCI_FEATURES: u32 = 0x8400_000a;
const SMCCC_VERSION: u32 = 0x8000_0000;
const SMCCC_ARCH_FEATURES: u32 = 0x8000_0001;

/// Functions that there are.
const FUNCTIONS: [u32; 14] = [
    PSCI_VERSION,
    CPU_SUSPEND_32,
    CPU_SUSPEND_64,
    CPU_OFF,
    CPU_ON_32,
    CPU_ON_64,
    AFFINITY_INFO_32,
    AFFINITY_INFO_64,
    MIGRATE_INFO_TYPE,
    SYSTEM_OFF,
    SYSTEM_RESET,
    PSCI_FEATURES,
    SMCCC_VERSION,
    SMCCC_ARCH_FEATURES,
];

/// Bit 30 of a function's number: arguments are 64 bits wide. DEN 0028, "Function Identifiers".
const WIDE: u32 = 1 << 30;

/// "Return codes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Code {
    /// Done.
    Success = 0,
    /// There is no such function.
    NotSupported = -1,
    /// No such vCPU, or no such state.
    InvalidParameters = -2,
    /// It is on.
    AlreadyOn = -4,
    /// The entry point is outside of the domain's memory.
    InvalidAddress = -9,
}

impl Code {
    /// As x0 holds it.
    pub const fn bits(self) -> u64 {
        self as i64 as u64
    }
}

/// Where a vCPU is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its first instruction, as an intermediate physical address.
    pub at: u64,
    /// Its x0.
    pub context: u64,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Nothing: this is the answer.
    Answer(u64),
    /// Switch vCPU number `vcpu` on.
    On {
        /// Which one.
        vcpu: u32,
        /// Where it begins.
        entry: Entry,
    },
    /// The caller is switched off.
    Off,
    /// The caller has nothing to do until an interrupt comes: a standby state, whatever state was asked for. "CPU_SUSPEND"
    /// allows it to be a shallower one.
    Suspend,
    /// Whether vCPU number `vcpu` is on.
    IsOn {
        /// Which one.
        vcpu: u32,
    },
    /// The domain is switched off.
    SystemOff,
    /// The domain starts anew.
    SystemReset,
}

/// What the caller's domain is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// vCPUs that it has.
    pub vcpus: u32,
    /// Its memory: first byte and length.
    pub memory: (u64, u64),
}

/// Affinity fields of vCPU number `vcpu`, as MPIDR_EL1 has them: Aff0 counts to 16, as many as one target list of an SGI
/// names.
pub const fn affinity(vcpu: u32) -> u64 {
    ((vcpu as u64 / 16) << 8) | (vcpu as u64 % 16)
}

impl Caller {
    /// What the call in `x`, x0 to x3, asks for.
    pub fn decode(&self, x: [u64; 4]) -> Call {
        let function = x[0] as u32;
        // "Arguments": those of 32-bit functions are the lower halves.
        let arguments = [x[1], x[2], x[3]].map(|value| if function & WIDE == 0 { value & 0xffff_ffff } else { value });
        let [first, second, third] = arguments;
        match function {
            PSCI_VERSION | SMCCC_VERSION => Call::Answer(VERSION_1_1),
            PSCI_FEATURES if FUNCTIONS.contains(&(first as u32)) => Call::Answer(Code::Success.bits()),
            SMCCC_ARCH_FEATURES if matches!(first as u32, SMCCC_VERSION | SMCCC_ARCH_FEATURES) => {
                Call::Answer(Code::Success.bits())
            }
            MIGRATE_INFO_TYPE => Call::Answer(NOT_PRESENT),
            CPU_SUSPEND_32 | CPU_SUSPEND_64 => Call::Suspend,
            CPU_OFF => Call::Off,
            CPU_ON_32 | CPU_ON_64 => self.on(first, Entry { at: second, context: third }),
            AFFINITY_INFO_32 | AFFINITY_INFO_64 => match (self.vcpu(first), second) {
                (Some(vcpu), 0) => Call::IsOn { vcpu },
                (Some(_), _) | (None, _) => Call::Answer(Code::InvalidParameters.bits()),
            },
            SYSTEM_OFF => Call::SystemOff,
            SYSTEM_RESET => Call::SystemReset,
            _ => Call::Answer(Code::NotSupported.bits()),
        }
    }

    fn on(&self, target: u64, entry: Entry) -> Call {
        let (base, bytes) = self.memory;
        let inside = entry.at.checked_sub(base).is_some_and(|offset| offset < bytes);
        match self.vcpu(target) {
            None => Call::Answer(Code::InvalidParameters.bits()),
            // An A64 instruction is a word, and an odd address would ask for T32.
            Some(_) if !inside || !entry.at.is_multiple_of(4) => Call::Answer(Code::InvalidAddress.bits()),
            Some(vcpu) => Call::On { vcpu, entry },
        }
    }

    /// The vCPU with these affinity fields.
    fn vcpu(&self, target: u64) -> Option<u32> {
        (0..self.vcpus).find(|vcpu| affinity(*vcpu) == target)
    }
}
