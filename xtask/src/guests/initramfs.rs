//! The initial RAM disk that tests run in: busybox, and a script that says what it sees and switches off.
//!
//! The same busybox gives the same bytes: no clock, no user, no order that a file system chose.

use std::io::Write;

use cpio::newc::Builder;

use crate::failure::Failure;

/// What runs in the guest.
const INIT: &str = include_str!("init.sh");
/// Where busybox lies in it.
const BUSYBOX: &str = "bin/busybox";
/// What the script calls, each a link to busybox.
const APPLETS: [&str; 16] = [
    "cat", "cmp", "cp", "dd", "grep", "head", "mkdir", "mount", "nproc", "poweroff", "reboot", "rm", "seq", "sh", "tr",
    "uname",
];

/// File types and permissions. POSIX `sys/stat.h`.
const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// An archive without a file: a kernel takes it for an initial RAM disk.
pub(super) fn empty() -> Result<Vec<u8>, Failure> {
    cpio::newc::trailer(Vec::new()).map_err(|error| failed(&error))
}

/// The archive around a busybox.
pub(super) fn around(busybox: &[u8]) -> Result<Vec<u8>, Failure> {
    archive(busybox).map_err(|error| failed(&error))
}

fn archive(busybox: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut entries = Entries::default();
    for folder in ["bin", "dev", "proc", "sys", "tmp"] {
        entries.add(Builder::new(folder).mode(FOLDER).nlink(2), &[])?;
    }
    // Linux Documentation/admin-guide/devices.txt: character device 5, 1.
    entries.add(Builder::new("dev/console").mode(CHARACTER_DEVICE).rdev_major(5).rdev_minor(1), &[])?;
    entries.add(Builder::new(BUSYBOX).mode(PROGRAM), busybox)?;
    for applet in APPLETS {
        entries.add(Builder::new(&format!("bin/{applet}")).mode(LINK), b"busybox")?;
    }
    entries.add(Builder::new("init").mode(PROGRAM), INIT.as_bytes())?;
    cpio::newc::trailer(entries.bytes)
}

/// Entries of an archive, numbered in the order they come.
#[derive(Default)]
struct Entries {
    bytes: Vec<u8>,
    count: u32,
}

impl Entries {
    fn add(&mut self, entry: Builder, data: &[u8]) -> std::io::Result<()> {
        self.count += 1;
        let length = u32::try_from(data.len()).map_err(std::io::Error::other)?;
        let entry = entry.ino(self.count).uid(0).gid(0).mtime(0);
        let mut writer = entry.write(&mut self.bytes, length);
        writer.write_all(data)?;
        writer.finish()?;
        Ok(())
    }
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::Generate(format!("the initial RAM disk cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{APPLETS, INIT, around, empty};

    /// Names and what they hold.
    fn read(mut archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        loop {
            let mut reader = cpio::newc::Reader::new(archive).expect("an archive");
            let entry = reader.entry().clone();
            assert_eq!((entry.uid(), entry.gid(), entry.mtime()), (0, 0, 0), "{}", entry.name());
            if entry.is_trailer() {
                return files;
            }
            let mut data = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut data).expect("its data");
            files.insert(entry.name().to_owned(), data);
            archive = reader.finish().expect("the next entry");
        }
    }

    #[test]
    fn the_same_busybox_gives_the_same_bytes() {
        assert_eq!(around(b"busybox").expect("an archive"), around(b"busybox").expect("an archive"));
        assert_ne!(around(b"busybox").expect("an archive"), around(b"busyboy").expect("an archive"));
    }

    #[test]
    fn everything_that_the_script_needs_is_in_it() {
        let files = read(&around(b"program").expect("an archive"));
        assert_eq!(files["bin/busybox"], b"program");
        assert_eq!(files["init"], INIT.as_bytes());
        assert!(APPLETS.iter().all(|applet| files[&format!("bin/{applet}")] == b"busybox"));
        assert!(read(&empty().expect("an archive")).is_empty());
    }
}
