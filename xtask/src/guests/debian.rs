//! Debian's arm64 kernel for cloud machines and its static busybox, kept under the build folder.
//!
//! Downloaded and unpacked by apt's and dpkg's own programs, with lists of their own: nothing is installed and nothing of
//! the system changes. What was found is recorded beside it, never in generated files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{cache, write};
use crate::failure::Failure;
use crate::host::Host;
use crate::process;
use crate::project::Project;

/// The package that depends on the kernel of the release.
const KERNEL_LATEST: &str = "linux-image-cloud-arm64";
/// What the kernel's own package begins with.
const KERNEL_PREFIX: &str = "linux-image-";
const BUSYBOX: &str = "busybox-static";

/// Debian, as far as guests need it.
pub(super) struct Debian<'a> {
    host: &'a Host,
    folder: PathBuf,
}

/// What was found: written beside the file, compared with it at every use.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    package: String,
    version: String,
    file: String,
    sha256: String,
}

impl<'a> Debian<'a> {
    /// Kept below the project's build folder; nothing is fetched yet.
    pub(super) fn new(project: &Project, host: &'a Host) -> Self {
        Self { host, folder: cache(project).join("debian-arm64") }
    }

    /// The kernel, a flat `Image`.
    pub(super) fn kernel(&self) -> Result<Vec<u8>, Failure> {
        self.kept("kernel", || {
            let package = self.kernel_package()?;
            self.fetch("kernel", &package, "./boot/vmlinuz-*")
        })
    }

    /// The program.
    pub(super) fn busybox(&self) -> Result<Vec<u8>, Failure> {
        self.kept("busybox", || {
            self.update()?;
            self.fetch("busybox", BUSYBOX, "*bin/busybox")
        })
    }

    /// What is kept, a line each.
    pub(super) fn described(&self) -> Result<Vec<String>, Failure> {
        let one = |name: &str| {
            let path = self.folder.join(format!("{name}.json"));
            let record = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
            let found: Found =
                serde_json::from_slice(&record).map_err(|error| Failure::Environment(error.to_string()))?;
            let Found { package, version, file, sha256 } = found;
            Ok(format!("{file} of {package} {version}, sha256 {sha256}"))
        };
        ["kernel", "busybox"].into_iter().map(one).collect()
    }

    /// What is kept under a name, or fetched now; a file that is not what its record says is fetched again.
    fn kept(&self, name: &str, fetch: impl FnOnce() -> Result<Vec<u8>, Failure>) -> Result<Vec<u8>, Failure> {
        let record = std::fs::read(self.folder.join(format!("{name}.json"))).ok();
        let found = record.and_then(|record| serde_json::from_slice::<Found>(&record).ok());
        let kept = std::fs::read(self.folder.join(name)).ok();
        match (found, kept) {
            (Some(found), Some(bytes)) if found.sha256 == sha256(&bytes) => Ok(bytes),
            (Some(_) | None, Some(_) | None) => fetch(),
        }
    }

    /// The name of the newest kernel's package.
    fn kernel_package(&self) -> Result<String, Failure> {
        self.update()?;
        let mut command = self.apt("apt-cache")?;
        let output = process::output(command.args(["depends", KERNEL_LATEST]))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        let found = names.find(|name| name.starts_with(KERNEL_PREFIX));
        found.map(str::to_owned).ok_or_else(|| cannot(&command, &format!("no kernel behind {KERNEL_LATEST}")))
    }

    /// Fetches the lists; they are kept as long as the files are.
    fn update(&self) -> Result<(), Failure> {
        let partial = self.lists().join("partial");
        std::fs::create_dir_all(&partial).map_err(|error| Failure::file("create", &partial, &error))?;
        eprintln!("xtask: asking Debian for arm64 guests");
        succeed(self.apt("apt-get")?.args(["-q", "-oAPT::Update::Error-Mode=any", "update"]))
    }

    /// Downloads a package and keeps the one file of it that `pattern` names.
    fn fetch(&self, name: &str, package: &str, pattern: &str) -> Result<Vec<u8>, Failure> {
        let work = self.folder.join(format!("{name}.work"));
        empty(&work)?;
        eprintln!("xtask: fetching {package} (arm64)");
        succeed(self.apt("apt-get")?.args(["-q", "download", package]).current_dir(&work))?;
        let archive = only_file(&work)?;
        let version = self.version(&archive)?;
        let root = work.join("root");
        empty(&root)?;
        self.unpack(&archive, &root, pattern)?;
        let unpacked = only_file(&root)?;
        let bytes = std::fs::read(&unpacked).map_err(|error| Failure::file("read", &unpacked, &error))?;
        let file = unpacked.strip_prefix(&root).unwrap_or(&unpacked).display().to_string();
        let found = Found { package: package.to_owned(), version, file, sha256: sha256(&bytes) };
        let record = serde_json::to_vec_pretty(&found).map_err(|error| Failure::Environment(error.to_string()))?;
        write(&self.folder.join(name), &bytes)?;
        write(&self.folder.join(format!("{name}.json")), &record)?;
        std::fs::remove_dir_all(&work).map_err(|error| Failure::file("remove", &work, &error))?;
        eprintln!("xtask: {} of {} {}, sha256 {}", found.file, found.package, found.version, found.sha256);
        Ok(bytes)
    }

    fn version(&self, archive: &Path) -> Result<String, Failure> {
        let mut command = self.program("dpkg-deb")?;
        let output = process::output(command.arg("--field").arg(archive).arg("Version"))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !text.is_empty() { Ok(text) } else { Err(cannot(&command, "no version")) }
    }

    /// Only the files that `pattern` matches: a kernel's modules are a hundred megabytes that nobody needs.
    fn unpack(&self, archive: &Path, root: &Path, pattern: &str) -> Result<(), Failure> {
        let mut dpkg = self.program("dpkg-deb")?;
        dpkg.arg("--fsys-tarfile").arg(archive).stdout(Stdio::piped());
        let mut tar = self.program("tar")?;
        tar.arg("-x").arg("-C").arg(root).args(["--wildcards", "--no-anchored", pattern]);
        let mut child = dpkg.spawn().map_err(|error| cannot(&dpkg, &error.to_string()))?;
        let Some(pipe) = child.stdout.take() else { return Err(cannot(&dpkg, "it has no output")) };
        let unpacked = succeed(tar.stdin(pipe));
        let status = child.wait().map_err(|error| cannot(&dpkg, &error.to_string()))?;
        unpacked?;
        if status.success() { Ok(()) } else { Err(cannot(&dpkg, &status.to_string())) }
    }

    fn lists(&self) -> PathBuf {
        self.folder.join("lists")
    }

    /// One of apt's programs, with an architecture, lists and a cache of its own.
    fn apt(&self, program: &str) -> Result<Command, Failure> {
        let mut command = self.program(program)?;
        let folder = |key: &str, path: &Path| format!("-oDir::{key}={}", path.display());
        command.args(["-oAPT::Architecture=arm64", "-oAPT::Architectures=arm64", "-oAPT::Sandbox::User=root"]);
        command.arg(folder("State::Lists", &self.lists())).arg(folder("Cache", &self.folder.join("cache")));
        Ok(command)
    }

    fn program(&self, name: &str) -> Result<Command, Failure> {
        let found = self.host.find(name);
        let missing = || Failure::Environment(format!("there is no `{name}`: guests are fetched with Debian's tools"));
        let mut command = process::command(found.ok_or_else(missing)?);
        command.env("LC_ALL", "C");
        Ok(command)
    }
}

fn succeed(command: &mut Command) -> Result<(), Failure> {
    let status = process::run(command)?;
    if status.success() { Ok(()) } else { Err(cannot(command, &status.to_string())) }
}

fn cannot(command: &Command, why: &str) -> Failure {
    Failure::Environment(format!("`{}`: {why}", process::shell_line(command)))
}

/// An empty folder.
fn empty(folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| Failure::file("empty", folder, &error))?;
    }
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))
}

/// The one file below a folder.
fn only_file(folder: &Path) -> Result<PathBuf, Failure> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| Failure::file("list", &folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::file("list", &folder, &error))?;
            let kind = entry.file_type().map_err(|error| Failure::file("look at", &entry.path(), &error))?;
            if kind.is_dir() { &mut folders } else { &mut files }.push(entry.path());
        }
    }
    match <[PathBuf; 1]>::try_from(files) {
        Ok([file]) => Ok(file),
        Err(files) => Err(Failure::Environment(format!("{} files in {}, expected one", files.len(), folder.display()))),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
