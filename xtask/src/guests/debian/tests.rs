//! Fetching by stand-ins for apt's and dpkg's programs: what is kept, when it is fetched again, what a failure says.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Debian;
use crate::host::Host;

/// Programs that write down how they were called and bring a package with one kernel or one busybox.
const APT_GET: &str = r#"
echo "$*" >> "$here/calls"
case "$*" in
*" update") test -d "$here/kept/lists/partial" ;;
*" download "*) for package in "$@"; do :; done; echo "$package" > "$package.deb" ;;
esac"#;
const APT_CACHE: &str = r#"
echo "linux-image-cloud-arm64"
echo "  Depends: linux-image-6.1.0-1-cloud-arm64""#;
const DPKG_DEB: &str = r#"
case "$1" in
--field) echo 6.1.1-1 ;;
--fsys-tarfile)
    mkdir -p "$here/tree/boot" "$here/tree/bin" "$here/tree/lib"
    cat "$2" > "$here/tree/boot/vmlinuz-6.1"
    cat "$2" > "$here/tree/bin/busybox"
    echo module > "$here/tree/lib/module.ko"
    tar -c -C "$here/tree" .
    ;;
esac"#;

struct Rig {
    folder: PathBuf,
    host: Host,
}

impl Rig {
    fn new(name: &str, apt_get: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tabula-debian-{name}-{}", std::process::id()));
        super::empty(&folder).expect("a folder of its own");
        let programs = folder.join("programs");
        std::fs::create_dir(&programs).expect("a folder of programs");
        for (program, script) in [("apt-get", apt_get), ("apt-cache", APT_CACHE), ("dpkg-deb", DPKG_DEB)] {
            let path = programs.join(program);
            let text = format!("#!/bin/sh\nset -e\nhere='{}'\n{script}\n", folder.display());
            std::fs::write(&path, text).expect("a program");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("an executable");
        }
        let mut host = Host::current();
        host.path.insert(0, programs);
        Self { folder, host }
    }

    fn debian(&self) -> Debian<'_> {
        Debian { host: &self.host, folder: self.folder.join("kept") }
    }

    fn downloads(&self) -> usize {
        let calls = std::fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.contains(" download ")).count()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).expect("the rig made it");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it exists");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_is_fetched_is_kept_and_recorded() {
    let rig = Rig::new("kept", APT_GET);
    let expected = b"linux-image-6.1.0-1-cloud-arm64\n".to_vec();
    assert_eq!(rig.debian().kernel(), Ok(expected.clone()));
    assert_eq!(rig.debian().kernel(), Ok(expected.clone()));
    assert_eq!(rig.downloads(), 1, "the second time it was there");
    assert_eq!(rig.debian().busybox(), Ok(b"busybox-static\n".to_vec()));
    let kept = rig.folder.join("kept");
    assert_eq!(names(&kept), ["busybox", "busybox.json", "kernel", "kernel.json", "lists"]);
    let record = std::fs::read_to_string(kept.join("kernel.json")).expect("a record");
    for fact in ["linux-image-6.1.0-1-cloud-arm64", "6.1.1-1", "boot/vmlinuz-6.1", &super::sha256(&expected)] {
        assert!(record.contains(fact), "{fact} in {record}");
    }
}

#[test]
fn apt_is_told_to_leave_the_system_alone() {
    let rig = Rig::new("apart", APT_GET);
    rig.debian().busybox().expect("the stand-in brings it");
    let calls = std::fs::read_to_string(rig.folder.join("calls")).expect("it was called");
    let lists = format!("-oDir::State::Lists={}", rig.folder.join("kept/lists").display());
    assert!(calls.lines().count() >= 2, "{calls}");
    for call in calls.lines() {
        assert!(call.contains(&lists) && call.contains("-oAPT::Architecture=arm64"), "{call}");
        assert!(!call.contains("install"), "{call}");
    }
}

#[test]
fn a_file_that_is_not_what_its_record_says_is_fetched_again() {
    let rig = Rig::new("damaged", APT_GET);
    let expected = rig.debian().kernel().expect("the stand-in brings it");
    std::fs::write(rig.folder.join("kept/kernel"), "damaged").expect("it is ours");
    assert_eq!(rig.debian().kernel(), Ok(expected));
    assert_eq!(rig.downloads(), 2);
}

#[test]
fn without_a_network_nothing_is_kept_and_the_command_is_named() {
    let rig = Rig::new("offline", "echo 'no network' >&2; exit 100");
    let failure = rig.debian().kernel().expect_err("there is nothing to give");
    assert_eq!(failure.code(), 3);
    assert!(failure.text().contains("apt-get") && failure.text().contains("100"), "{failure}");
    assert_eq!(names(&rig.folder.join("kept")), ["lists"]);
}

#[test]
fn without_the_programs_the_missing_one_is_named() {
    let mut rig = Rig::new("bare", APT_GET);
    rig.host.path.clear();
    let failure = rig.debian().busybox().expect_err("there is nothing to fetch with");
    assert!(failure.text().contains("no `apt-get`"), "{failure}");
}
