//! `domain.kernel`, `domain.initrd`: which images a guest is started from, and that its memory has room for them.
//!
//! Never opens one: whether a file is there is found when it is packed.

use paging::{Level, PAGE_BYTES};

use super::Checker;
use crate::codes;
use crate::diagnostic::{Diagnostic, human_bytes};
use crate::model::{Initrd, InitrdSource, Kernel, Sourced};
use crate::schema::Domain;

/// Where the kernel lies in its domain's memory, and what the device tree takes at its end.
const KERNEL_OFFSET: u64 = Level::L2.entry_bytes();
const DEVICE_TREE_BYTES: u64 = 64 * 1024;

/// Which kernel.
pub(super) fn kernel(checker: &Checker, table: &Domain) -> Sourced<Kernel> {
    let value = match table.kernel.value.as_str() {
        "payload" => Kernel::Payload,
        "debian-cloud" => Kernel::DebianCloud,
        path => Kernel::File(path.to_owned()),
    };
    Sourced { value, from: checker.origin(table.kernel.span) }
}

/// Which initial RAM disk; none where a key is missing, which is reported.
pub(super) fn initrd(checker: &mut Checker, table: &Domain) -> Option<Initrd> {
    let Some(written) = &table.initrd else {
        if let Some(max) = &table.initrd_max {
            checker.inapplicable("domain.initrd-max", max.span, "there is no domain.initrd");
        }
        return None;
    };
    let max = checker.needed("domain.initrd-max", table.initrd_max.as_ref(), written.span, "there is an initrd")?;
    let value = match written.value.as_str() {
        "busybox" => InitrdSource::Busybox,
        path => InitrdSource::File(path.to_owned()),
    };
    let source = Sourced { value, from: checker.origin(written.span) };
    Some(Initrd { source, max: Sourced { value: max.value.0, from: checker.origin(max.span) } })
}

/// Kernel, initial RAM disk and device tree lie one behind the other in memory of `bytes`.
pub(super) fn room(checker: &mut Checker, table: &Domain, initrd: Option<&Initrd>, bytes: u64) {
    let name = &table.name.value;
    let size = &table.memory.value.size;
    let before = bytes.saturating_sub(KERNEL_OFFSET + DEVICE_TREE_BYTES);
    let taken = initrd.map_or(0, |initrd| initrd.max.value.checked_next_multiple_of(PAGE_BYTES).unwrap_or(u64::MAX));
    if let (Some(initrd), Some(written)) = (initrd, &table.initrd_max)
        && (taken == 0 || taken >= before)
    {
        let (asked, most) = (human_bytes(initrd.max.value), human_bytes(before));
        let claim = format!("domain {name} reserves {asked} for its initrd, its memory has {most} for all images");
        let found = Diagnostic::new(&codes::E0406, claim).at(written.span, "reserved").at(size.span, "its memory");
        checker.push(found.help("reserve at least 4 KiB and leave room for the kernel, or give it more memory"));
        return;
    }
    let (max, room) = (table.kernel_max.value.0, before - taken);
    if max == 0 || max > room {
        let (asked, most) = (human_bytes(max), human_bytes(room));
        let claim = format!("domain {name} reserves {asked} for its kernel, its memory has room for {most}");
        let mut found =
            Diagnostic::new(&codes::E0406, claim).at(table.kernel_max.span, "reserved").at(size.span, "its memory");
        if let Some(written) = &table.initrd_max {
            found = found.at(written.span, "and this for the initrd");
        }
        checker.push(found.help(format!("reserve between 4 KiB and {most}, or give it more memory")));
    }
}
