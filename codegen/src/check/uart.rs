//! What each kind of UART looks like as data: where a byte goes, and how it says that it may.
//!
//! Two registers and a few writes; anything that needs more is no row of this table.

use crate::model::{Uart, UartRegister, Width};

/// A kind with fixed, word-wide registers.
pub(super) struct Fixed {
    /// The word in the file.
    pub(super) kind: &'static str,
    /// Transmit register.
    tx: u16,
    /// Status register.
    ready: u16,
    /// Bits of it that matter.
    mask: u32,
    /// Their value when a byte may be written.
    value: u32,
    /// Writes of `init = "driver"`; empty where the driver has none.
    pub(super) init: &'static [(u16, u32)],
}

/// Arm DDI 0183 (PL011): UARTDR 0x00; UARTFR 0x18, TXFF (bit 5).
pub(super) const PL011: Fixed = Fixed { kind: "pl011", tx: 0x00, ready: 0x18, mask: 1 << 5, value: 0, init: &[] };
/// Xilinx UG1085/UG1087 (UART): FIFO 0x30; Channel_sts 0x2c, TFUL (bit 4); Control 0x00, TXEN (bit 4), RXEN (bit 2).
pub(super) const XUARTPS: Fixed =
    Fixed { kind: "xuartps", tx: 0x30, ready: 0x2c, mask: 1 << 4, value: 0, init: &[(0x00, 1 << 4 | 1 << 2)] };
/// NXP i.MX reference manuals (UART): UTXD 0x40; UTS 0xb4, TXFULL (bit 4).
pub(super) const IMX: Fixed = Fixed { kind: "imx", tx: 0x40, ready: 0xb4, mask: 1 << 4, value: 0, init: &[] };
/// Amlogic data sheets (UART): WFIFO 0x00; STATUS 0x0c, transmit FIFO full (bit 21).
pub(super) const MESON: Fixed = Fixed { kind: "meson", tx: 0x00, ready: 0x0c, mask: 1 << 21, value: 0, init: &[] };
/// NXP i.MX 8 reference manuals (LPUART): DATA 0x1c; STAT 0x14, TDRE (bit 23).
pub(super) const LPUART: Fixed =
    Fixed { kind: "lpuart", tx: 0x1c, ready: 0x14, mask: 1 << 23, value: 1 << 23, init: &[] };
/// Marvell Armada 3720 functional specification (UART): TSH 0x04; STAT 0x0c, TX FIFO full (bit 11).
pub(super) const MVEBU3700: Fixed =
    Fixed { kind: "mvebu3700", tx: 0x04, ready: 0x0c, mask: 1 << 11, value: 0, init: &[] };

impl Fixed {
    /// The descriptor, with the initial writes only where the driver makes them.
    pub(super) fn uart(&self, driver: bool) -> Uart {
        let word = |offset| UartRegister { offset, width: Width::Word };
        let init = if driver { self.init } else { &[] };
        Uart {
            kind: self.kind.to_owned(),
            tx: word(self.tx),
            ready: word(self.ready),
            ready_mask: self.mask,
            ready_value: self.value,
            init: init.iter().map(|(offset, value)| (word(*offset), *value)).collect(),
        }
    }
}

/// TI PC16550D: THR 0, IER 1, FCR 2, LCR 3, LSR 5 with THRE (bit 5); DLL 0 and DLM 1 while LCR.DLAB (bit 7) is set.
pub(super) mod ns16550 {
    use super::{Uart, UartRegister, Width};

    const THR: u16 = 0;
    const IER: u16 = 1;
    const FCR: u16 = 2;
    const LCR: u16 = 3;
    const LSR: u16 = 5;
    const LSR_THRE: u32 = 1 << 5;
    /// Eight data bits, no parity, one stop bit.
    const LCR_8N1: u32 = 0b11;
    const LCR_DLAB: u32 = 1 << 7;
    /// FIFOs on and empty.
    const FCR_ENABLE_CLEAR: u32 = 0b111;
    /// Registers of a 16550.
    pub(in crate::check) const REGISTERS: u64 = 8;

    /// Who sets it up, and at which rate.
    pub(in crate::check) enum Init {
        /// Firmware has.
        Firmware,
        /// The hypervisor; the divisor where the rate is set too.
        Driver(Option<u16>),
    }

    /// The descriptor for registers `1 << shift` bytes apart.
    pub(in crate::check) fn uart(shift: u8, width: Width, init: &Init) -> Uart {
        let register = |number: u16| UartRegister { offset: number << shift, width };
        let mut writes = Vec::new();
        if let Init::Driver(divisor) = init {
            writes.push((register(IER), 0));
            if let Some(divisor) = divisor {
                let [low, high] = divisor.to_le_bytes();
                writes.push((register(LCR), LCR_DLAB | LCR_8N1));
                writes.push((register(THR), low.into()));
                writes.push((register(IER), high.into()));
            }
            writes.push((register(LCR), LCR_8N1));
            writes.push((register(FCR), FCR_ENABLE_CLEAR));
        }
        Uart {
            kind: "ns16550".to_owned(),
            tx: register(THR),
            ready: register(LSR),
            ready_mask: LSR_THRE,
            ready_value: LSR_THRE,
            init: writes,
        }
    }
}
