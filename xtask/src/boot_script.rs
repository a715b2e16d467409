//! What a boot loader on hardware is told: a U-Boot script or a GRUB menu entry.
//!
//! Addresses come from the manifest; how files reach the loader is the site's business.

use codegen::model::Arch;

use crate::manifest::{Entry, Manifest};

/// A loader's script.
#[derive(Debug)]
pub struct Script {
    /// Its file name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// The script for one build.
pub fn of(arch: Arch, manifest: &Manifest) -> Script {
    match arch {
        Arch::Aarch64 => Script { name: "boot.scr.txt", text: u_boot(manifest) },
        Arch::X86_64 => Script { name: "grub.cfg", text: grub(manifest) },
    }
}

/// `mkimage -T script -d boot.scr.txt boot.scr` makes it a script; `${fdtcontroladdr}` is the board's own tree.
fn u_boot(manifest: &Manifest) -> String {
    let mut text = format!("# Tabula on {}: files lie beside this script on the boot device.\n", manifest.board);
    for Entry { name, file, load, bytes, .. } in manifest.blobs.iter().chain([&manifest.page, &manifest.image]) {
        text +=
            &format!("# {name}: {bytes} bytes\nload ${{devtype}} ${{devnum}}:${{distro_bootpart}} {load:#x} {file}\n");
    }
    text + &format!("booti {:#x} - ${{fdtcontroladdr}}\n", manifest.image.load)
}

fn grub(manifest: &Manifest) -> String {
    let mut text = String::from("set timeout=0\nset default=0\n");
    text += &format!("menuentry \"Tabula on {}\" {{\n", manifest.board);
    text += &format!("    multiboot2 /boot/{}\n", manifest.image.file);
    text + "    boot\n}\n"
}
