//! Segment descriptors, interrupt gates and the task state segment, as bits.
//!
//! Pure encoding; loads nothing. AMD APM vol. 2, "Long-Mode Segment Descriptors", "Interrupt-Gate and Trap-Gate
//! Descriptors", "64-Bit Task State Segment".

use core::mem::size_of;

use paging::VirtAddr;

/// Present, descriptor type "code or data", DPL 0, writable or readable, accessed.
///
/// The accessed bit (type bit 0) is set beforehand: the table is read-only text in the entry page, and a processor that
/// has to set the bit writes there. AMD APM vol. 2, "Data-Segment Descriptors".
const SEGMENT: u64 = 0x0000_9300_0000_0000;
/// Executable, type bit 3.
const CODE: u64 = 1 << 43;
/// L, bit 53: 64-bit code.
const LONG: u64 = 1 << 53;
/// G and D/B, bits 55 and 54, with limit 0xf_ffff: flat 4 GiB, 32-bit.
const FLAT_32: u64 = 0x00cf_0000_0000_ffff;

/// 64-bit code.
pub const CODE_64: u64 = SEGMENT | CODE | LONG;
/// Flat 32-bit code.
pub const CODE_32: u64 = SEGMENT | CODE | FLAT_32;
/// Flat data, for both.
pub const DATA: u64 = SEGMENT | FLAT_32;

/// A selector into the global descriptor table, RPL 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Selector {
    /// 64-bit code.
    Code64 = 0x08,
    /// Data.
    Data = 0x10,
    /// 32-bit code (entry page only) or the task state segment (per-CPU table).
    Code32OrTask = 0x18,
}

/// Stacks that the processor switches to by itself: entries of the interrupt stack table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum InterruptStack {
    /// Every exception but the following.
    Fault = 1,
    /// Double fault, machine check and NMI, which may come while a fault is being reported.
    Critical = 2,
}

/// A 64-bit interrupt gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Gate([u64; 2]);

impl Gate {
    /// No gate: its type is none that long mode has, so the vector raises `#GP`. Intel SDM vol. 2A, "INT n", Operation.
    pub const ABSENT: Self = Self([0; 2]);

    /// P, bit 47; type 0xe, bits 43..40: 64-bit interrupt gate, which clears IF.
    const INTERRUPT: u64 = 1 << 47 | 0xe << 40;

    /// A gate to `handler` on `stack`.
    pub const fn new(handler: VirtAddr, stack: InterruptStack) -> Self {
        let at = handler.get();
        let low = at & 0xffff
            | (Selector::Code64 as u64) << 16
            | (stack as u64) << 32
            | Self::INTERRUPT
            | (at >> 16 & 0xffff) << 48;
        Self([low, at >> 32])
    }

    /// The gate as words.
    pub const fn words(self) -> [u64; 2] {
        self.0
    }
}

/// The 64-bit task state segment: only the stacks in it matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed(4))]
pub struct TaskState {
    reserved_0: u32,
    ring_stacks: [u64; 3],
    reserved_1: u64,
    interrupt_stacks: [u64; 7],
    reserved_2: u64,
    reserved_3: u16,
    /// Past the segment's limit: no port permission map.
    io_map: u16,
}

impl TaskState {
    /// With the tops of the two stacks of [`InterruptStack`].
    pub const fn new(fault: VirtAddr, critical: VirtAddr) -> Self {
        Self {
            reserved_0: 0,
            ring_stacks: [0; 3],
            reserved_1: 0,
            interrupt_stacks: [fault.get(), critical.get(), 0, 0, 0, 0, 0],
            reserved_2: 0,
            reserved_3: 0,
            io_map: size_of::<Self>() as u16,
        }
    }
}

/// A CPU's global descriptor table: null, code, data, and the two words of its task state segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct GlobalTable([u64; Self::WORDS]);

impl GlobalTable {
    /// With the descriptor of the task state segment at `task`: type 9, available 64-bit TSS.
    pub const fn new(task: VirtAddr) -> Self {
        let (at, limit) = (task.get(), size_of::<TaskState>() as u64 - 1);
        let low = limit | (at & 0xff_ffff) << 16 | 0x89 << 40 | (at >> 24 & 0xff) << 56;
        Self([0, CODE_64, DATA, low, at >> 32])
    }

    /// Words of the table.
    pub const WORDS: usize = 5;

    /// The table as words.
    pub const fn words(self) -> [u64; Self::WORDS] {
        self.0
    }

    /// Limit as `lgdt` wants it.
    pub const LIMIT: u16 = size_of::<Self>() as u16 - 1;
}

const _: () = assert!(size_of::<TaskState>() == 104);
const _: () = assert!(size_of::<Gate>() == 16);

#[cfg(test)]
mod tests {
    use super::{CODE_32, CODE_64, DATA, Gate, GlobalTable, InterruptStack};
    use paging::VirtAddr;

    #[test]
    fn segments_are_flat_and_accessed() {
        assert_eq!(CODE_64, 0x0020_9b00_0000_0000);
        assert_eq!(CODE_32, 0x00cf_9b00_0000_ffff);
        assert_eq!(DATA, 0x00cf_9300_0000_ffff);
    }

    #[test]
    fn a_gate_splits_its_address_in_three() {
        let gate = Gate::new(VirtAddr::new(0xffff_ffff_8020_1234), InterruptStack::Critical);
        assert_eq!(gate, Gate([0x8020_8e02_0008_1234, 0xffff_ffff]));
    }

    #[test]
    fn a_task_descriptor_splits_its_address_in_three() {
        let GlobalTable(words) = GlobalTable::new(VirtAddr::new(0xffff_ffff_8041_2340));
        assert_eq!(words[3], 0x8000_8941_2340_0067);
        assert_eq!(words[4], 0xffff_ffff);
    }
}
