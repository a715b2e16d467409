//! The boards that Linux is counted on, made from a shipped one: TOML only.
//!
//! One CPU, other guests, and images that the loader has verified, as where they lie in their places already.

use crate::boards::{BoardFile, Place};
use crate::failure::Failure;
use crate::guests;
use crate::project::Project;

/// The shipped board.
const BASE: &str = "qemu-arm64";

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What it has, in a phrase.
    pub what: &'static str,
    guests: Guests,
    policy: &'static str,
    retention: &'static str,
    images: &'static str,
}

/// Its guests, one vCPU each.
#[derive(Debug, Clone, Copy)]
enum Guests {
    /// One of 512 MiB.
    One(Console),
    /// Two of 256 MiB.
    Two(Console),
}

/// Where a guest prints.
#[derive(Debug, Clone, Copy)]
enum Console {
    /// The board's PL011, passed through.
    Board,
    /// Xen's.
    Hypercall,
    /// An emulated PL011.
    Pl011,
}

impl Console {
    /// `domain.console`, and what Linux calls it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Board => ("board", "ttyAMA0"),
            Self::Hypercall => ("hypercall", "hvc0"),
            Self::Pl011 => ("pl011", "ttyAMA0"),
        }
    }
}

const XEN: Case = Case {
    name: "xen",
    what: "on Xen's console",
    guests: Guests::One(Console::Hypercall),
    policy: "none",
    retention: "strict",
    images: "trusted",
};

const PARTITION: Case =
    Case { name: "partition", what: "with the board's UART", guests: Guests::One(Console::Board), ..XEN };

/// What is counted, in this order.
pub const CASES: [Case; 7] = [
    PARTITION,
    XEN,
    Case { name: "xen-lazy", what: "the same, pages retained", retention: "lazy", ..XEN },
    Case { name: "xen-full", what: "the same, all RAM mapped", policy: "full", ..XEN },
    Case { name: "pl011", what: "on an emulated PL011", guests: Guests::One(Console::Pl011), ..XEN },
    Case { name: "two", what: "two domains on Xen's console", guests: Guests::Two(Console::Hypercall), ..XEN },
    Case { name: "checked", what: "as `partition`, images added up", images: "checked", ..PARTITION },
];

impl Case {
    /// Writes its file, and says where.
    pub(super) fn board(&self, project: &Project) -> Result<BoardFile, Failure> {
        let whole = guests::replaced(project, BASE, &self.guests.text())?;
        let name = format!("linux-{}", self.name);
        let folder = project.target().join("bench");
        std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
        let path = folder.join(format!("{name}.toml"));
        std::fs::write(&path, self.text(&whole, &name)).map_err(|error| Failure::file("write", &path, &error))?;
        let path = path.strip_prefix(project.root()).map_or(path.clone(), std::path::Path::to_path_buf);
        Ok(BoardFile { name, path, place: Place::Elsewhere })
    }

    /// The base with its first core only, and other words where this case has its own.
    fn text(&self, whole: &str, name: &str) -> String {
        let mut text = String::new();
        let mut cores = 0;
        for table in guests::tables(whole) {
            let mut table = table.replace(&format!("name = \"{BASE}\""), &format!("name = \"{name}\""));
            if table.starts_with("[[cpu.core]]") {
                cores += 1;
            }
            if table.starts_with("[[cpu.core]]") && cores > 1 {
                continue;
            }
            if table.starts_with("[boot]") {
                table = format!("{}\nimages = \"{}\"\n\n", table.trim_end(), self.images);
            } else if table.starts_with("[directmap]") {
                table = format!("[directmap]\npolicy = \"{}\"\nboot-option = false\n\n", self.policy);
            } else if table.starts_with("[layout]") {
                let kept = table.lines().filter(|line| !line.starts_with("mapcache"));
                let kept: String = kept.map(|line| format!("{line}\n")).collect();
                let cache = format!("mapcache = {{ slots-per-cpu = 64, retention = \"{}\" }}\n\n", self.retention);
                table = kept.trim_end().to_owned() + "\n" + &cache;
            }
            text.push_str(&table);
        }
        text
    }
}

impl Guests {
    fn text(self) -> String {
        match self {
            Self::One(console) => domain("linux0", 512, console),
            Self::Two(console) => domain("linux0", 256, console) + &domain("linux1", 256, console),
        }
    }
}

fn domain(name: &str, mib: u32, console: Console) -> String {
    let (word, device) = console.words();
    format!(
        "[[domain]]\nname = \"{name}\"\nvcpus = 1\nmemory = {{ base = 0x4000_0000, size = \"{mib} MiB\" }}\n\
         kernel = \"debian-cloud\"\nkernel-max = \"64 MiB\"\ninitrd = \"busybox\"\ninitrd-max = \"4 MiB\"\n\
         command-line = \"console={device}\"\nconsole = \"{word}\"\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{CASES, Case, XEN};

    const WHOLE: &str = "schema = 1\n[platform]\nname = \"qemu-arm64\"\n[[cpu.core]]\nmpidr = 0x0\n[[cpu.core]]\n\
                         mpidr = 0x1\n[boot]\nload = \"auto\"\n[layout]\nmapcache = { slots-per-cpu = 64 }\n\
                         [directmap]\npolicy = \"none\"\n";

    #[test]
    fn a_case_has_one_core_and_its_own_words() {
        let text = Case { retention: "lazy", policy: "full", ..XEN }.text(WHOLE, "linux-xen");
        assert!(!text.contains("0x1\n"), "{text}");
        for part in
            ["\"linux-xen\"", "mpidr = 0x0", "policy = \"full\"", "retention = \"lazy\"", "images = \"trusted\""]
        {
            assert_eq!(text.matches(part).count(), 1, "{part}: {text}");
        }
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        for (number, case) in CASES.iter().enumerate() {
            assert!(CASES[..number].iter().all(|other| other.name != case.name), "{}", case.name);
        }
    }
}
