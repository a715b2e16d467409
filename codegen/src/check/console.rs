//! `[console]`: a UART as data, or none.

use paging::PhysAddr;

use super::claims::{Claim, Claims, Use};
use super::uart::{self, Fixed, ns16550};
use super::{Checker, machine};
use crate::codes;
use crate::diagnostic::{Diagnostic, Span, human_bytes};
use crate::model::{self, Arch, ConsolePlace, Mmio, Uart, UartFlag, UartRegister, Width};
use crate::schema::{Console, ConsoleWord, InitWord, PolledReady, Written};

/// Largest error of a baud rate, in per cent.
const BAUD_ERROR_PERCENT: u64 = 3;

/// Checks the table.
pub(super) fn check(
    checker: &mut Checker,
    console: &Written<Console>,
    arch: Arch,
    claims: &mut Claims,
) -> Option<model::Console> {
    let table = &console.value;
    let from = checker.origin(table.kind.span);
    inapplicable(checker, table);
    let uart = match table.kind.value {
        ConsoleWord::Pl011 => fixed(checker, table, &uart::PL011),
        ConsoleWord::Xuartps => fixed(checker, table, &uart::XUARTPS),
        ConsoleWord::Imx => fixed(checker, table, &uart::IMX),
        ConsoleWord::Meson => fixed(checker, table, &uart::MESON),
        ConsoleWord::Lpuart => fixed(checker, table, &uart::LPUART),
        ConsoleWord::Mvebu3700 => fixed(checker, table, &uart::MVEBU3700),
        ConsoleWord::MsmGeni => fixed(checker, table, &uart::MSM_GENI),
        ConsoleWord::MsmUartdm => fixed(checker, table, &uart::MSM_UARTDM),
        ConsoleWord::S3c => fixed(checker, table, &uart::S3C),
        ConsoleWord::Scif => scif(checker, table)?,
        ConsoleWord::Ns16550 => ns16550(checker, table, arch)?,
        ConsoleWord::Polled => polled(checker, table)?,
        ConsoleWord::None => Uart { kind: "none".into(), ..uart::PL011.uart(false) },
    };
    let place = place(checker, table, arch, &uart, claims)?;
    let intid = table.intid.as_ref().map(|intid| intid.value);
    Some(model::Console { place, uart, intid, from })
}

fn span<T>(key: &Option<Written<T>>) -> Option<Span> {
    key.as_ref().map(|key| key.span)
}

fn is_driver(table: &Console) -> bool {
    table.init.as_ref().is_some_and(|init| init.value == InitWord::Driver)
}

fn fixed(checker: &mut Checker, table: &Console, kind: &Fixed) -> Uart {
    let driver = is_driver(table);
    if let (Some(init), true, true) = (&table.init, driver, kind.init.is_empty()) {
        checker.inapplicable(
            "console.init = \"driver\"",
            init.span,
            &format!("kind \"{}\" is set up by firmware only", kind.kind),
        );
    }
    kind.uart(driver)
}

/// Keys that belong to other kinds.
fn inapplicable(checker: &mut Checker, table: &Console) {
    let kind = table.kind.value;
    let is_16550 = kind == ConsoleWord::Ns16550;
    let is_spaced = is_16550 || kind == ConsoleWord::Scif;
    let polled = kind == ConsoleWord::Polled;
    let any = kind != ConsoleWord::None;
    let in_memory = any && table.io_port.is_none();
    let rated = is_16550 && is_driver(table);
    let (another, ports) = ("console.kind is another", "the registers are I/O ports, or there are none");
    let rate = if is_16550 { "it is for init = \"driver\"" } else { another };
    let first = |list: &Option<Vec<Written<[u32; 2]>>>| list.as_ref().and_then(|list| list.first()).map(|key| key.span);
    let keys = [
        ("console.base", span(&table.base), in_memory, ports),
        ("console.size", span(&table.size), in_memory, ports),
        ("console.init", span(&table.init), any, "there is no UART to set up"),
        ("console.intid", span(&table.intid), any, "there is no UART to interrupt"),
        ("console.io-port", span(&table.io_port), is_16550, another),
        ("console.reg-shift", span(&table.reg_shift), is_spaced && in_memory, another),
        ("console.io-width", span(&table.io_width), is_16550 && in_memory, another),
        ("console.clock-hz", span(&table.clock_hz), rated, rate),
        ("console.baud", span(&table.baud), rated, rate),
        ("console.tx", span(&table.tx), polled, another),
        ("console.ready", span(&table.ready), polled, another),
        ("console.init-writes", first(&table.init_writes), polled, another),
        ("console.idle", span(&table.idle), polled, another),
        ("console.before-writes", first(&table.before_writes), polled, another),
        ("console.after-writes", first(&table.after_writes), polled, another),
    ];
    for (key, span, applies, because) in keys {
        if let (Some(span), false) = (span, applies) {
            checker.inapplicable(key, span, because);
        }
    }
}

fn scif(checker: &mut Checker, table: &Console) -> Option<Uart> {
    let because = "registers of a SCIF lie 2 or 4 bytes apart";
    if let Some(init) = table.init.as_ref().filter(|_| is_driver(table)) {
        checker.inapplicable("console.init = \"driver\"", init.span, "kind \"scif\" is set up by firmware only");
    }
    let shift = checker.needed("console.reg-shift", table.reg_shift.as_ref(), table.kind.span, because)?;
    if !(1..=2).contains(&shift.value) {
        let claim = format!("console.reg-shift is {}; {because}", shift.value);
        checker.at(
            &codes::E0110,
            shift.span,
            claim,
            "out of range",
            "write 2 for R-Car and RZ/G2, 1 for RZ/G2L and RZ/V2",
        );
        return None;
    }
    Some(uart::scif(shift.value))
}

fn ns16550(checker: &mut Checker, table: &Console, arch: Arch) -> Option<Uart> {
    let divisor = divisor(checker, table)?;
    let init = if is_driver(table) { ns16550::Init::Driver(divisor) } else { ns16550::Init::Firmware };
    if let Some(port) = &table.io_port {
        if arch == Arch::Aarch64 {
            checker.inapplicable("console.io-port", port.span, "aarch64 has no I/O ports");
            return None;
        }
        return Some(ns16550::uart(0, Width::Byte, &init));
    }
    let because = "an ns16550 without io-port has registers in memory";
    let shift = checker.needed("console.reg-shift", table.reg_shift.as_ref(), table.kind.span, because);
    let width = checker.needed("console.io-width", table.io_width.as_ref(), table.kind.span, because);
    let (shift, written) = (shift?, width?);
    let width = machine::width(checker, "console.io-width", written)?;
    if shift.value > 3 {
        let claim = format!("console.reg-shift is {}, at most 3", shift.value);
        checker.at(&codes::E0110, shift.span, claim, "out of range", "registers lie 1, 2, 4 or 8 bytes apart: 0 to 3");
        return None;
    }
    let bytes = u64::from(written.value);
    if bytes > 1 << shift.value {
        let claim =
            format!("accesses of {bytes} bytes reach over registers that lie {} apart", human_bytes(1 << shift.value));
        let found = Diagnostic::new(&codes::E0307, claim).at(written.span, "width").at(shift.span, "spacing");
        checker.push(found.help(format!(
            "write io-width = {}, or reg-shift = {}",
            1 << shift.value.min(2),
            bytes.trailing_zeros()
        )));
        return None;
    }
    Some(ns16550::uart(shift.value, width, &init))
}

/// The divisor of a rate, where one is asked for.
fn divisor(checker: &mut Checker, table: &Console) -> Option<Option<u16>> {
    let (clock, baud) = match (&table.clock_hz, &table.baud) {
        (None, None) => return Some(None),
        (Some(clock), Some(baud)) => (clock, baud),
        (Some(one), None) => {
            checker.needed::<u32>("console.baud", None, one.span, "clock-hz is given");
            return None;
        }
        (None, Some(one)) => {
            checker.needed::<u32>("console.clock-hz", None, one.span, "baud is given");
            return None;
        }
    };
    let (hertz, rate) = (u64::from(clock.value), u64::from(baud.value.max(1)));
    let divisor = (hertz + 8 * rate) / (16 * rate);
    let made = hertz.checked_div(16 * divisor).unwrap_or(0);
    let error = made.abs_diff(rate) * 100;
    match u16::try_from(divisor) {
        Ok(small) if divisor > 0 && error <= BAUD_ERROR_PERCENT * rate => Some(Some(small)),
        Ok(_) | Err(_) => {
            let claim = format!("console.baud {} cannot be made from console.clock-hz {}", baud.value, clock.value);
            let found = Diagnostic::new(&codes::E0308, claim)
                .at(baud.span, "asked for")
                .at(clock.span, "divided by 16 and a whole number");
            checker.push(found.help(format!("the nearest rate is {made}; the fastest is {}", hertz / 16)));
            None
        }
    }
}

fn polled(checker: &mut Checker, table: &Console) -> Option<Uart> {
    let because = "kind is \"polled\"";
    let tx = checker.needed("console.tx", table.tx.as_ref(), table.kind.span, because);
    let ready = checker.needed("console.ready", table.ready.as_ref(), table.kind.span, because);
    let (tx, ready) = (&tx?.value, &ready?.value);
    let tx = UartRegister { offset: tx.off.value, width: machine::width(checker, "console.tx.width", &tx.width)? };
    let ready = flag(checker, "console.ready", ready)?;
    let idle = match &table.idle {
        Some(idle) => Some(flag(checker, "console.idle", &idle.value)?),
        None => None,
    };
    let status = ready.register.width;
    Some(Uart {
        kind: "polled".into(),
        tx,
        ready,
        idle,
        init: writes(checker, "console.init-writes", &table.init_writes, tx.width),
        before: writes(checker, "console.before-writes", &table.before_writes, status),
        after: writes(checker, "console.after-writes", &table.after_writes, status),
    })
}

fn writes(
    checker: &mut Checker,
    key: &str,
    list: &Option<Vec<Written<[u32; 2]>>>,
    width: Width,
) -> Vec<(UartRegister, u32)> {
    let mut writes = Vec::new();
    for pair in list.iter().flatten() {
        let [offset, value] = pair.value;
        match u16::try_from(offset) {
            Ok(offset) => writes.push((UartRegister { offset, width }, value)),
            Err(_) => {
                let claim = format!("{key} offset {offset:#x} is above 0xffff");
                checker.at(&codes::E0110, pair.span, claim, "out of range", "offsets count from console.base");
            }
        }
    }
    writes
}

fn flag(checker: &mut Checker, key: &str, written: &PolledReady) -> Option<UartFlag> {
    let width = machine::width(checker, &format!("{key}.width"), &written.width)?;
    let register = UartRegister { offset: written.off.value, width };
    let (mask, value) = (written.mask.value, written.value.value);
    if value & !mask != 0 {
        let claim = format!("{key}.value has bits outside mask, so it never holds");
        let found = Diagnostic::new(&codes::E0307, claim).at(written.value.span, "value").at(written.mask.span, "mask");
        let inside = checker.radix(written.value.span).show((value & mask).into());
        checker.push(found.help(format!("write value = {inside}, or widen the mask")));
    }
    Some(UartFlag { register, mask, value })
}

fn place(checker: &mut Checker, table: &Console, arch: Arch, uart: &Uart, claims: &mut Claims) -> Option<ConsolePlace> {
    if table.kind.value == ConsoleWord::None {
        return Some(ConsolePlace::None);
    }
    if let (Some(port), Arch::X86_64) = (&table.io_port, arch) {
        if u64::from(port.value) + ns16550::REGISTERS > 1 << 16 {
            let claim = format!("console ports from {:#x} run past 0xffff", port.value);
            checker.at(&codes::E0204, port.span, claim, "starts here", "COM1 is 0x3f8");
        }
        return Some(ConsolePlace::Port(port.value));
    }
    let because = "the console's registers are in memory";
    let base = checker.needed("console.base", table.base.as_ref(), table.kind.span, because);
    let size = checker.needed("console.size", table.size.as_ref(), table.kind.span, because);
    let (base, size) = (base?, size?);
    let (first, bytes) = checker.range("console", base, size)?;
    reach(checker, uart, bytes, size.span);
    claims.add(Claim { name: "console".into(), base: first, bytes, span: base.span, kind: Use::Fixmap });
    Some(ConsolePlace::Mmio(Mmio { base: PhysAddr::new(first), bytes, from: checker.origin(base.span) }))
}

/// Each register lies inside the window, aligned to its width.
fn reach(checker: &mut Checker, uart: &Uart, bytes: u64, span: Span) {
    let flags = [Some(uart.ready), uart.idle].into_iter().flatten().map(|flag| flag.register);
    let written = [&uart.init, &uart.before, &uart.after].into_iter().flatten().map(|(register, _)| *register);
    let registers = std::iter::once(uart.tx).chain(flags).chain(written);
    for UartRegister { offset, width } in registers {
        let wide = match width {
            Width::Byte => 1,
            Width::Half => 2,
            Width::Word => 4,
        };
        let offset = u64::from(offset);
        if offset % wide != 0 || offset + wide > bytes {
            let claim = format!(
                "console register at offset {offset:#x}, {wide} bytes wide, is outside its window or misaligned"
            );
            let label = format!("the window is {bytes:#x} bytes");
            checker.at(
                &codes::E0307,
                span,
                claim,
                &label,
                "correct console.size, reg-shift or the register's offset and width",
            );
            return;
        }
    }
}
