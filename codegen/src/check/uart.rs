//! What each kind of UART looks like as data: where a byte goes, and how it says that it may.
//!
//! Registers, flags and writes; a UART that needs a decision for each byte is no row of this table.

use crate::model::{Uart, UartFlag, UartRegister, Width};

/// A kind with fixed, word-wide registers.
pub(super) struct Fixed {
    /// The word in the file.
    pub(super) kind: &'static str,
    /// Transmit register.
    tx: u16,
    /// Status register, bits of it that matter, their value when a byte may be written.
    ready: (u16, u32, u32),
    /// The same for when the byte before is gone.
    idle: Option<(u16, u32, u32)>,
    /// Writes of `init = "driver"`; empty where the driver has none.
    pub(super) init: &'static [(u16, u32)],
    /// Writes for each byte before `ready` is waited for.
    before: &'static [(u16, u32)],
}

const fn fixed(kind: &'static str, tx: u16, ready: (u16, u32, u32)) -> Fixed {
    Fixed { kind, tx, ready, idle: None, init: &[], before: &[] }
}

/// Arm DDI 0183 (PL011): UARTDR 0x00; UARTFR 0x18, TXFF (bit 5).
pub(super) const PL011: Fixed = fixed("pl011", 0x00, (0x18, 1 << 5, 0));
/// Xilinx UG1085/UG1087 (UART): FIFO 0x30; Channel_sts 0x2c, TFUL (bit 4); Control 0x00, TXEN (bit 4), RXEN (bit 2).
pub(super) const XUARTPS: Fixed =
    Fixed { init: &[(0x00, 1 << 4 | 1 << 2)], ..fixed("xuartps", 0x30, (0x2c, 1 << 4, 0)) };
/// NXP i.MX reference manuals (UART): UTXD 0x40; UTS 0xb4, TXFULL (bit 4).
pub(super) const IMX: Fixed = fixed("imx", 0x40, (0xb4, 1 << 4, 0));
/// Amlogic data sheets (UART): WFIFO 0x00; STATUS 0x0c, transmit FIFO full (bit 21).
pub(super) const MESON: Fixed = fixed("meson", 0x00, (0x0c, 1 << 21, 0));
/// NXP i.MX 8 reference manuals (LPUART): DATA 0x1c; STAT 0x14, TDRE (bit 23).
pub(super) const LPUART: Fixed = fixed("lpuart", 0x1c, (0x14, 1 << 23, 1 << 23));
/// Marvell Armada 3720 functional specification (UART): TSH 0x04; STAT 0x0c, TX FIFO full (bit 11).
pub(super) const MVEBU3700: Fixed = fixed("mvebu3700", 0x04, (0x0c, 1 << 11, 0));
/// Samsung Exynos user's manuals (UART): UTXH 0x20; UTRSTAT 0x10, "transmitter empty" (bit 2), which holds with and
/// without the FIFO.
pub(super) const S3C: Fixed = fixed("s3c", 0x20, (0x10, 1 << 2, 1 << 2));
/// Linux `drivers/tty/serial/qcom_geni_serial.c`, `qcom_geni_serial_poll_put_char`, and `include/linux/soc/qcom/geni-se.h`:
/// each byte is a command. SE_GENI_STATUS 0x40, M_GENI_CMD_ACTIVE (bit 0); SE_GENI_M_IRQ_CLEAR 0x618; SE_UART_TX_TRANS_LEN
/// 0x270; SE_GENI_M_CMD0 0x600, UART_START_TX (1) from bit 27; SE_GENI_M_IRQ_STATUS 0x610, M_TX_FIFO_WATERMARK_EN (bit
/// 30); SE_GENI_TX_WATERMARK_REG 0x80c; SE_GENI_TX_FIFOn 0x700.
pub(super) const MSM_GENI: Fixed = Fixed {
    idle: Some((0x40, 1 << 0, 0)),
    before: &[(0x80c, 2), (0x618, 1 << 30 | 1 << 0), (0x270, 1), (0x600, 1 << 27)],
    ..fixed("msm-geni", 0x700, (0x610, 1 << 30, 1 << 30))
};
/// Linux `drivers/tty/serial/msm_serial.c`, `__msm_console_write` and `msm_reset_dm_count`: UARTDM_SR 0xa4, TX_EMPTY
/// (bit 3), TX_READY (bit 2); UARTDM_CR 0xa8, "reset TX ready" (3 from bit 8); UARTDM_NCF_TX 0x40; UARTDM_TF 0x100 (version 1.4, which all 64-bit
/// chips have).
pub(super) const MSM_UARTDM: Fixed = Fixed {
    idle: Some((0xa4, 1 << 3, 1 << 3)),
    before: &[(0xa8, 3 << 8), (0x40, 1)],
    ..fixed("msm-uartdm", 0x100, (0xa4, 1 << 2, 1 << 2))
};

impl Fixed {
    /// The descriptor, with the initial writes only where the driver makes them.
    pub(super) fn uart(&self, driver: bool) -> Uart {
        let word = |offset| UartRegister { offset, width: Width::Word };
        let flag = |(offset, mask, value)| UartFlag { register: word(offset), mask, value };
        let writes = |list: &[(u16, u32)]| list.iter().map(|(offset, value)| (word(*offset), *value)).collect();
        Uart {
            kind: self.kind.to_owned(),
            tx: word(self.tx),
            ready: flag(self.ready),
            idle: self.idle.map(flag),
            init: writes(if driver { self.init } else { &[] }),
            before: writes(self.before),
            after: Vec::new(),
        }
    }
}

/// Renesas R-Car and RZ hardware manuals (SCIF): registers numbered 0 to 4 lie 2 or 4 bytes apart; SCFTDR 3; SCFSR 4,
/// TDFE (bit 5) and TEND (bit 6), which are cleared by writing 0 once a byte is written and keep 1 otherwise.
pub(super) fn scif(shift: u8) -> Uart {
    const SCFTDR: u16 = 3;
    const SCFSR: u16 = 4;
    const TDFE: u32 = 1 << 5;
    const TEND: u32 = 1 << 6;
    let status = UartRegister { offset: SCFSR << shift, width: Width::Half };
    Uart {
        kind: "scif".to_owned(),
        tx: UartRegister { offset: SCFTDR << shift, width: Width::Byte },
        ready: UartFlag { register: status, mask: TDFE, value: TDFE },
        idle: None,
        init: Vec::new(),
        before: Vec::new(),
        after: vec![(status, 0xffff & !(TDFE | TEND))],
    }
}

/// TI PC16550D: THR 0, IER 1, FCR 2, LCR 3, LSR 5 with THRE (bit 5); DLL 0 and DLM 1 while LCR.DLAB (bit 7) is set.
pub(super) mod ns16550 {
    use super::{Uart, UartFlag, UartRegister, Width};

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
            ready: UartFlag { register: register(LSR), mask: LSR_THRE, value: LSR_THRE },
            idle: None,
            init: writes,
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}
