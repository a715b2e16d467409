//! Instructions written over a function of a built image.
//!
//! Changes a copy; refuses to write beyond the function's end.

use codegen::model::Arch;
use codegen::plan::Plan;
use paging::VirtAddr;

use crate::build::{Built, names};
use crate::failure::Failure;
use crate::symbols::{self, Function};
use crate::verify::LinkedImage;

/// When the instructions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the boot CPU, before the others are started.
    Boot,
    /// On the boot CPU, before its first line.
    BeforeConsole,
    /// On another CPU, once its faults can be reported.
    Secondary,
}

impl Place {
    /// Functions that every boot reaches there, as compilers mangle them; the first that the image has is taken, as
    /// which of them are inlined is the compiler's choice.
    const fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Boot => &["2hv3smp9start_all", "2hv4boot8announce"],
            Self::BeforeConsole => &["2hv4boot5start", "2hv4arch7aarch645entry7entered"],
            Self::Secondary => &["2hv4boot15start_secondary", "2hv4arch7aarch645entry17entered_secondary"],
        }
    }
}

/// Makes `built` start from a copy of its image with `code` in it; where that code is.
pub(super) fn apply(built: &mut Built, place: Place, code: &[u8]) -> Result<VirtAddr, Failure> {
    let elf = read(built, names::ELF)?;
    let function = function(&elf, place)?;
    if code.len() as u64 > function.bytes {
        let text = format!("{} bytes of code for a function of {} at {place:?}", code.len(), function.bytes);
        return Err(Failure::Mismatch(text));
    }
    write(built, &elf, function.first, code)?;
    Ok(VirtAddr::new(function.first))
}

/// Makes `built` start from a copy of its image in which a variable of 8 bytes has another value.
pub(in crate::suites) fn set_word(built: &mut Built, variable: &str, value: u64) -> Result<(), Failure> {
    let elf = read(built, names::ELF)?;
    let found = symbols::find(&elf, |name| name.contains(variable))?.filter(|found| found.bytes == 8);
    let found = found.ok_or_else(|| Failure::Mismatch(format!("the image has no {variable} of 8 bytes")))?;
    write(built, &elf, found.first, &value.to_le_bytes())
}

fn read(built: &Built, name: &str) -> Result<Vec<u8>, Failure> {
    let path = built.folder.join(name);
    std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))
}

/// Writes bytes at a linked address, into a copy that `built` starts from.
fn write(built: &mut Built, elf: &[u8], at: u64, bytes: &[u8]) -> Result<(), Failure> {
    let plan = &built.planned.plan;
    let whole = match plan.board.arch {
        Arch::Aarch64 => names::FLAT,
        Arch::X86_64 => names::ELF,
    };
    let mut image = read(built, whole)?;
    let offset = offset(plan, elf, at)
        .filter(|offset| offset + bytes.len() <= image.len())
        .ok_or_else(|| Failure::Mismatch(format!("the image does not hold {at:#x}")))?;
    image[offset..offset + bytes.len()].copy_from_slice(bytes);
    built.manifest.image.file = format!("faulty-{whole}");
    let path = built.image();
    std::fs::write(&path, image).map_err(|error| Failure::file("write", &path, &error))
}

fn function(elf: &[u8], place: Place) -> Result<Function, Failure> {
    for path in place.functions() {
        if let Some(function) = symbols::find(elf, |name| is(name, path))? {
            return Ok(function);
        }
    }
    Err(Failure::Mismatch(format!("the image has none of the functions {:?} to patch", place.functions())))
}

/// Whether a mangled name is that path and nothing inside it: at most the old scheme's hash follows.
fn is(name: &str, path: &str) -> bool {
    name.split_once(path).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with("17h"))
}

/// Where the image's file holds a linked address: arm64's is flat from the first byte of text, x86-64's is the ELF.
fn offset(plan: &Plan, elf: &[u8], at: u64) -> Option<usize> {
    let text = plan.sections.first()?;
    let offset = match plan.board.arch {
        Arch::Aarch64 => at - text.link.get(),
        Arch::X86_64 => {
            let image = LinkedImage::parse(elf).ok()?;
            let holds = |first: u64, bytes: u64| at.checked_sub(first).is_some_and(|offset| offset < bytes);
            let segment = image.segments.iter().find(|segment| holds(segment.link, segment.file_bytes))?;
            segment.file_offset + (at - segment.link)
        }
    };
    usize::try_from(offset).ok()
}
