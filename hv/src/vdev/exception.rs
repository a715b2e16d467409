//! Exceptions that a guest is made to take at EL1, as register values.
//!
//! Pure: who has the guest's registers writes them.
//!
//! Source: Arm ARM (DDI 0487), "AArch64.TakeException", "Exception vectors", SPSR_EL1, ESR_EL1.

use super::mmio::Direction;

/// PSTATE as SPSR_EL2 holds it: M bits [3:0], nRW bit [4], F, I, A, D bits [9:6], PAN bit [22].
const MODE: u64 = 0b1_1111;
const EL1H: u64 = 0b0_0101;
const EL1T: u64 = 0b0_0100;
const EL0T: u64 = 0b0_0000;
const MASKED: u64 = 0b1111 << 6;
const PAN: u64 = 1 << 22;
/// N, Z, C and V, bits [31:28], and PAN stay as they are.
const KEPT: u64 = 0b1111 << 28 | PAN;
/// SCTLR_EL1.SPAN, bit [23]: PAN is left alone.
const SPAN: u64 = 1 << 23;

/// ESR_EL1.IL, bit [25]: a 32-bit instruction.
const LONG: u64 = 1 << 25;
/// ESR_EL1.EC of a data abort from EL0, bits [31:26]; from EL1 it is one more.
const DATA_ABORT: u64 = 0x24 << 26;
/// ISS.DFSC: synchronous external abort, not on a table walk.
const EXTERNAL: u64 = 0b01_0000;

/// An exception at EL1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// Of an undefined instruction.
    Undefined,
    /// Of an access that nothing answers.
    External(Direction),
}

/// What the guest's registers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// ESR_EL1.
    pub syndrome: u64,
    /// Bytes from VBAR_EL1 to where it goes on.
    pub vector_bytes: u64,
    /// PSTATE.
    pub state: u64,
}

impl Exception {
    /// Taken with this PSTATE and this SCTLR_EL1.
    pub const fn take(self, state: u64, sctlr: u64) -> Taken {
        let (vector_bytes, same_level) = match state & MODE {
            EL1H => (0x200, true),
            EL1T => (0x000, true),
            EL0T => (0x400, false),
            _ => (0x600, false),
        };
        let syndrome = match self {
            // EC 0: unknown reason.
            Self::Undefined => LONG,
            Self::External(direction) => {
                let class = if same_level { DATA_ABORT + (1 << 26) } else { DATA_ABORT };
                let write = match direction {
                    Direction::Store => 1 << 6,
                    Direction::Load(_) => 0,
                };
                class | LONG | write | EXTERNAL
            }
        };
        let pan = if sctlr & SPAN == 0 { PAN } else { 0 };
        Taken { syndrome, vector_bytes, state: state & KEPT | pan | MASKED | EL1H }
    }
}

#[cfg(test)]
mod tests {
    use super::Exception;
    use crate::vdev::mmio::{Direction, Extension};

    #[test]
    fn the_vector_is_that_of_the_level_it_comes_from() {
        let vectors = [0x5, 0x4, 0x0, 0x10].map(|mode| Exception::Undefined.take(mode, 0).vector_bytes);
        assert_eq!(vectors, [0x200, 0, 0x400, 0x600]);
    }

    #[test]
    fn an_external_abort_says_where_from_and_which_way() {
        let load = Exception::External(Direction::Load(Extension::Zero));
        assert_eq!(load.take(0x5, 0).syndrome, 0x9600_0010);
        assert_eq!(Exception::External(Direction::Store).take(0x0, 0).syndrome, 0x9200_0050);
        assert_eq!(Exception::Undefined.take(0x0, 0).syndrome, 0x0200_0000);
    }

    #[test]
    fn the_new_state_is_masked_and_keeps_its_flags() {
        assert_eq!(Exception::Undefined.take(0x6000_0000, 0).state, 0x6040_03c5);
        assert_eq!(Exception::Undefined.take(0x0020_0000, 1 << 23).state, 0x3c5, "single step ends");
        assert_eq!(Exception::Undefined.take(1 << 22, 1 << 23).state, 0x0040_03c5);
    }
}
