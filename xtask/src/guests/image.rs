//! What can be told about an image before it runs: whether it is one, and whether its place is large enough.
//!
//! Source: Linux Documentation/arch/arm64/booting, "Call the kernel image" (the decompressed kernel's 64-byte header).

use codegen::plan::{Blob, BlobKind};

/// "ARM\x64" at byte 56.
const MAGIC: [u8; 4] = *b"ARM\x64";
const MAGIC_AT: usize = 56;
/// Distance from a 2 MiB aligned base that the kernel asks for.
const TEXT_OFFSET_AT: usize = 8;
/// Memory that it takes while it runs.
const IMAGE_SIZE_AT: usize = 16;
/// First bytes of what must be unpacked first.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ELF: &[u8] = b"\x7fELF";
/// "zimg" at byte 4: an EFI program that unpacks the kernel. Linux drivers/firmware/efi/libstub, `zboot-header.S`.
const ZBOOT: &[u8] = b"zimg";

/// Says what is wrong with a file that is to become `blob`.
pub(super) fn check(blob: &Blob, bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    match blob.kind {
        BlobKind::Kernel => kernel(bytes).and_then(|memory| fits(blob, "kernel-max", bytes, memory)),
        BlobKind::Initrd => fits(blob, "initrd-max", bytes, bytes.len() as u64),
        BlobKind::DeviceTree => Ok(()),
    }
}

/// Bytes of memory that a kernel takes; what has no header is taken for a flat program of its own length.
fn kernel(bytes: &[u8]) -> Result<u64, String> {
    for (start, at, what) in [(GZIP, 0, "compressed"), (ELF, 0, "an ELF file"), (ZBOOT, 4, "a compressed EFI program")]
    {
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(start)) {
            return Err(format!("the file is {what}; a flat `Image` is needed, which is entered at its first byte"));
        }
    }
    if bytes.get(MAGIC_AT..).is_none_or(|rest| !rest.starts_with(&MAGIC)) {
        return Ok(bytes.len() as u64);
    }
    match (word(bytes, TEXT_OFFSET_AT), word(bytes, IMAGE_SIZE_AT)) {
        (0, memory @ 1..) => Ok(memory.max(bytes.len() as u64)),
        (0, 0) => Err("the kernel does not say how much memory it takes: it is older than Linux 3.17".into()),
        (offset, _) => Err(format!("the kernel wants to start {offset:#x} bytes behind 2 MiB: it is older than 5.10")),
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    field.map_or(0, u64::from_le_bytes)
}

fn fits(blob: &Blob, key: &str, bytes: &[u8], memory: u64) -> Result<(), String> {
    if memory <= blob.max_bytes {
        return Ok(());
    }
    let (file, max) = (bytes.len(), blob.max_bytes);
    let enough = memory.next_multiple_of(1 << 20) >> 20;
    Err(format!(
        "the file has {file} bytes and takes {memory} in memory, {key} is {max}\n  = help: write {key} = \"{enough} MiB\""
    ))
}

#[cfg(test)]
mod tests {
    use codegen::model::Origin;
    use codegen::plan::{Blob, BlobKind};
    use paging::{Ipa, PhysAddr};

    use super::check;

    fn said(kind: BlobKind, bytes: &[u8]) -> String {
        let (base, ipa) = (PhysAddr::new(0x4020_0000), Ipa::new(0x4020_0000));
        let blob = Blob { name: "linux".into(), base, ipa, max_bytes: 4096, domain: 0, kind, from: Origin::Default };
        check(&blob, bytes).err().unwrap_or_default()
    }

    fn image(text_offset: u64, image_size: u64) -> Vec<u8> {
        let mut bytes = vec![0; 100];
        bytes[8..16].copy_from_slice(&text_offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&image_size.to_le_bytes());
        bytes[56..60].copy_from_slice(b"ARM\x64");
        bytes
    }

    #[test]
    fn a_kernel_must_fit_as_it_runs() {
        assert_eq!(said(BlobKind::Kernel, &image(0, 4096)), "");
        assert!(said(BlobKind::Kernel, &image(0, 4097)).contains("write kernel-max = \"1 MiB\""));
        assert_eq!(said(BlobKind::Kernel, &[1; 4096]), "", "a flat program is as long as it is");
        assert!(said(BlobKind::Kernel, &[1; 4097]).contains("has 4097 bytes"));
    }

    #[test]
    fn what_cannot_be_entered_is_named() {
        assert!(said(BlobKind::Kernel, &image(0x8_0000, 4096)).contains("0x80000"));
        assert!(said(BlobKind::Kernel, &image(0, 0)).contains("3.17"));
        assert!(said(BlobKind::Kernel, b"\x7fELF....").contains("an ELF file"));
        assert!(said(BlobKind::Kernel, b"\x1f\x8b......").contains("compressed"));
        assert!(said(BlobKind::Kernel, b"MZ\0\0zimg").contains("EFI"));
        assert!(said(BlobKind::Kernel, b"").contains("empty"));
    }

    #[test]
    fn an_initrd_must_fit_as_it_is() {
        assert_eq!(said(BlobKind::Initrd, b"\x1f\x8b: it may be compressed"), "");
        assert!(said(BlobKind::Initrd, &[1; 4097]).contains("write initrd-max = \"1 MiB\""));
    }
}
