//! What has to be on the machine, what for, and how it gets there.
//!
//! Installs only as the superuser on Debian or Ubuntu, after one line that says what and why; elsewhere
//! it names the exact command and gives up.

use std::path::PathBuf;
use std::sync::Mutex;

use crate::failure::Failure;
use crate::host::{Host, PackageManager, Privilege};
use crate::process;

/// A program of the distribution that some command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The program.
    pub program: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    /// What it is for, as `doctor` and the installer say it.
    pub purpose: &'static str,
    /// The argument that makes it print its version.
    pub version: &'static str,
    /// Which commands cannot do without.
    pub need: Need,
}

/// When a tool is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// `run` of boards of one architecture, and `test`.
    Run,
    /// `test` only.
    Test,
    /// One of several ways to the same end.
    Alternative,
}

/// Emulator of the AArch64 boards.
pub const QEMU_ARM: Tool = Tool {
    program: "qemu-system-aarch64",
    package: "qemu-system-arm",
    purpose: "emulates the AArch64 boards",
    version: "--version",
    need: Need::Run,
};

/// Emulator of the x86-64 boards.
pub const QEMU_X86: Tool = Tool {
    program: "qemu-system-x86_64",
    package: "qemu-system-x86",
    purpose: "emulates the x86-64 boards",
    version: "--version",
    need: Need::Run,
};

/// The distribution's linker.
pub const LLD: Tool = Tool {
    program: "ld.lld",
    package: "lld",
    purpose: "links the image where rustup's rust-lld is absent",
    version: "--version",
    need: Need::Alternative,
};

/// Makes the multiboot2 disc.
pub const GRUB: Tool = Tool {
    program: "grub-mkrescue",
    package: "grub-common",
    purpose: "makes the disc of the multiboot2 boot test",
    version: "--version",
    need: Need::Test,
};

/// Writes the disc for [`GRUB`].
pub const XORRISO: Tool = Tool {
    program: "xorriso",
    package: "xorriso",
    purpose: "writes the disc of the multiboot2 boot test",
    version: "--version",
    need: Need::Test,
};

/// Writes the disc's boot partition for [`GRUB`].
pub const MTOOLS: Tool = Tool {
    program: "mformat",
    package: "mtools",
    purpose: "writes the boot partition of the multiboot2 disc",
    version: "--version",
    need: Need::Test,
};

/// Looks at the pages of maps.
pub const CHROMIUM: Tool = Tool {
    program: "chromium",
    package: "chromium",
    purpose: "looks at the pages of maps",
    version: "--version",
    need: Need::Test,
};

/// GRUB's BIOS modules; a folder, not a program.
pub const GRUB_BIOS_PACKAGE: &str = "grub-pc-bin";

/// Where [`GRUB_BIOS_PACKAGE`] puts them.
pub const GRUB_BIOS_FOLDER: &str = "/usr/lib/grub/i386-pc";

/// Everything `doctor` looks for besides compilers.
pub const TOOLS: [Tool; 7] = [QEMU_ARM, QEMU_X86, LLD, GRUB, XORRISO, MTOOLS, CHROMIUM];

/// Where the tool is, installing it if that is ours to do.
pub fn ensure(host: &Host, tool: Tool) -> Result<PathBuf, Failure> {
    if let Some(found) = host.find(tool.program) {
        return Ok(found);
    }
    install(host, &[tool.package], tool.purpose)?;
    host.find(tool.program).ok_or_else(|| {
        let Tool { program, package, .. } = tool;
        Failure::Environment(format!("package {package} is installed, yet there is no `{program}`"))
    })
}

/// Installs packages, or names the command that would.
pub fn install(host: &Host, packages: &[&str], why: &str) -> Result<(), Failure> {
    let list = packages.join(" ");
    let apt = match (host.packages, host.privilege) {
        (PackageManager::Apt, Privilege::Root) => host.find("apt-get"),
        (PackageManager::Apt | PackageManager::Unknown, Privilege::Root | Privilege::User) => None,
    };
    let Some(apt) = apt else {
        return Err(Failure::Environment(format!(
            "{list} is missing ({why})\n  = help: run `{}`",
            install_command(host, packages)
        )));
    };
    eprintln!("xtask: installing {list}: {why}");
    update_once(host, &apt)?;
    let mut command = process::command(&apt);
    command.args(["install", "-y", "-q", "--no-install-recommends"]).args(packages);
    apt_get(host, &mut command)
}

/// The command that installs `packages` on this machine.
pub fn install_command(host: &Host, packages: &[&str]) -> String {
    let list = packages.join(" ");
    let sudo = match host.privilege {
        Privilege::Root => "",
        Privilege::User => "sudo ",
    };
    match host.packages {
        PackageManager::Apt => {
            format!("{sudo}apt-get update && {sudo}apt-get install -y {list}")
        }
        PackageManager::Unknown => format!("<your package manager> install {list}  (Debian's names)"),
    }
}

/// Package lists are fetched once a run, and again when another machine is asked.
fn update_once(host: &Host, apt: &PathBuf) -> Result<(), Failure> {
    static UPDATED: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut updated = UPDATED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if updated.as_ref() != Some(apt) {
        let mut command = process::command(apt);
        command.args(["update", "-q"]);
        apt_get(host, &mut command)?;
        *updated = Some(apt.clone());
    }
    Ok(())
}

fn apt_get(host: &Host, command: &mut std::process::Command) -> Result<(), Failure> {
    if let Ok(path) = std::env::join_paths(&host.path) {
        command.env("PATH", path);
    }
    let status = process::run(command.env("DEBIAN_FRONTEND", "noninteractive"))?;
    if status.success() {
        return Ok(());
    }
    let line = process::shell_line(command);
    Err(Failure::Environment(format!("`{line}` ended with {status}")))
}
