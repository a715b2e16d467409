//! The trees from Debian's lists, without touching the system: lists and packages of another architecture in a folder of
//! their own.
//!
//! Never installs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::host::Host;
use crate::process;
use crate::project::Project;

/// The version that the figures are about.
const WANTED: &str = "6.12";

/// Where the trees are, and which kernel they are of.
#[derive(Debug, Clone)]
pub struct Trees {
    /// The folder.
    pub folder: PathBuf,
    /// The package.
    pub package: String,
}

/// The trees, fetched where they are not there yet.
pub fn fetch(project: &Project, host: &Host) -> Result<Trees, Failure> {
    let folder = project.target().join("corpus");
    if let Some(trees) = cached(&folder) {
        return Ok(trees);
    }
    let apt = Apt::new(host, &folder)?;
    eprintln!("xtask: fetching Debian's arm64 kernel for its device trees (about 90 MiB, once)");
    apt.run(&["update", "-q"])?;
    let package = apt.newest()?;
    if !package.contains(WANTED) {
        eprintln!("xtask: {WANTED} is in none of this machine's lists; {package} has other trees and other counts");
    }
    apt.run(&["download", "-q", &package])?;
    unpack(&folder, &package)
}

/// A folder named after its package, if there is one.
fn cached(folder: &Path) -> Option<Trees> {
    let entries = folder.read_dir().ok()?.flatten();
    let mut packages: Vec<_> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("linux-image-"))
        .collect();
    packages.sort();
    let package = packages.pop()?;
    Some(Trees { folder: folder.join(&package), package })
}

struct Apt {
    get: PathBuf,
    cache: PathBuf,
    folder: PathBuf,
}

impl Apt {
    fn new(host: &Host, folder: &Path) -> Result<Self, Failure> {
        let find = |program: &str| {
            let missing = || Failure::Environment(format!("there is no `{program}`: the trees come from Debian"));
            host.find(program).ok_or_else(missing)
        };
        for part in ["lists/partial", "cache/archives/partial"] {
            let path = folder.join(part);
            std::fs::create_dir_all(&path).map_err(|error| Failure::file("create", &path, &error))?;
        }
        Ok(Self { get: find("apt-get")?, cache: find("apt-cache")?, folder: folder.to_path_buf() })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = process::command(program);
        command.current_dir(&self.folder);
        command.args(["-oAPT::Architecture=arm64", "-oAPT::Architectures=arm64"]);
        command.arg(format!("-oDir::State::Lists={}", self.folder.join("lists").display()));
        command.arg(format!("-oDir::Cache={}", self.folder.join("cache").display()));
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<(), Failure> {
        let mut command = self.command(&self.get);
        let status = process::run(command.args(arguments))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::Environment(format!("`{}` ended with {status}", process::shell_line(&command)))),
        }
    }

    /// The newest kernel of the wanted version, else the newest of all.
    fn newest(&self) -> Result<String, Failure> {
        let mut command = self.command(&self.cache);
        let output = process::output(command.args(["search", "--names-only", "^linux-image-[0-9].*-arm64$"]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        names.retain(|name| !["cloud", "rt-", "dbg", "unsigned"].iter().any(|part| name.contains(part)));
        names.sort_by_key(|name| (name.contains(WANTED), numbers(name)));
        let newest = names.pop().map(str::to_owned);
        newest.ok_or_else(|| Failure::Environment("no list of this machine has an arm64 kernel".into()))
    }
}

/// The numbers in a name, for comparison.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Takes the trees out of the package.
fn unpack(folder: &Path, package: &str) -> Result<Trees, Failure> {
    let entries = folder.read_dir().map_err(|error| Failure::file("read", folder, &error))?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    let file = entries.flatten().map(|entry| entry.path()).find(is_package);
    let file = file.ok_or_else(|| Failure::Environment(format!("apt-get left no package {package}")))?;
    let failed = |what: &str| Failure::Environment(format!("{what} cannot read {}", file.display()));
    let mut open = process::command("dpkg-deb");
    let mut child = open
        .arg("--fsys-tarfile")
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::Environment(format!("cannot start dpkg-deb: {error}")))?;
    let pipe = child.stdout.take().ok_or_else(|| failed("dpkg-deb"))?;
    let mut tar = process::command("tar");
    let inside = format!("./usr/lib/{package}");
    tar.current_dir(folder).args(["-x", "--strip-components=3", &inside]).stdin(pipe);
    let unpacked = process::run(&mut tar)?;
    let ended = child.wait().map_err(|error| Failure::Environment(format!("cannot wait for dpkg-deb: {error}")))?;
    if !unpacked.success() || !ended.success() {
        return Err(failed("tar"));
    }
    std::fs::remove_file(&file).map_err(|error| Failure::file("remove", &file, &error))?;
    cached(folder).ok_or_else(|| failed("nobody"))
}
