//! The interrupt command register of the local APIC: what wakes another processor.
//!
//! Pure encoding; sends nothing. Intel SDM vol. 3A, "Interrupt Command Register (ICR)".

use paging::Frame;

/// A command without its destination: bits 31..0 of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command(pub u32);

impl Command {
    /// Delivery Status, bit 12: the last command has not been accepted yet.
    pub const PENDING: u32 = 1 << 12;
    /// Level, bit 14: assert. All but INIT de-assert send it.
    const ASSERT: u32 = 1 << 14;
    /// Delivery Mode, bits 10..8: INIT.
    const MODE_INIT: u32 = 0b101 << 8;
    /// Delivery Mode, bits 10..8: Start Up.
    const MODE_STARTUP: u32 = 0b110 << 8;

    /// Delivery Mode, bits 10..8: NMI.
    const MODE_NMI: u32 = 0b100 << 8;

    /// Interrupts the destination whatever it masks.
    pub const NMI: Self = Self(Self::ASSERT | Self::MODE_NMI);

    /// Puts the destination into its wait-for-SIPI state.
    pub const INIT: Self = Self(Self::ASSERT | Self::MODE_INIT);

    /// Starts the destination in real mode at the first byte of `frame`.
    ///
    /// Intel SDM vol. 3A, "MP Initialization Protocol Algorithm": vector VV starts it at 000VV000H. `None` for a frame
    /// at or above 1 MiB, and for frame 0, which means "none planned".
    pub const fn startup(frame: Frame) -> Option<Self> {
        match frame.number() {
            number @ 1..0x100 => Some(Self(Self::ASSERT | Self::MODE_STARTUP | number as u32)),
            _ => None,
        }
    }
}

/// Who receives a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApicId(pub u32);

impl ApicId {
    /// xAPIC mode: bits 63..56 of the register, which are bits 31..24 of its upper half. `None` past 8 bits.
    pub const fn xapic_destination(self) -> Option<u32> {
        if self.0 < 0x100 { Some(self.0 << 24) } else { None }
    }

    /// x2APIC mode: the whole register, destination in bits 63..32. Intel SDM vol. 3A, "ICR Operation in x2APIC Mode".
    pub const fn x2apic_command(self, command: Command) -> u64 {
        (self.0 as u64) << 32 | command.0 as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{ApicId, Command};
    use paging::{Frame, PhysAddr};

    #[test]
    fn start_up_carries_the_frame_as_its_vector() {
        let startup = |at| Command::startup(Frame::containing(PhysAddr::new(at)));
        assert_eq!(Command::INIT, Command(0x4500));
        assert_eq!(startup(0x9_e000), Some(Command(0x469e)));
        assert_eq!(startup(0), None);
        assert_eq!(startup(0x10_0000), None);
    }

    #[test]
    fn a_destination_fits_its_mode() {
        assert_eq!(ApicId(3).xapic_destination(), Some(0x0300_0000));
        assert_eq!(ApicId(0x100).xapic_destination(), None);
        assert_eq!(ApicId(0x100).x2apic_command(Command::INIT), 0x0000_0100_0000_4500);
    }
}
