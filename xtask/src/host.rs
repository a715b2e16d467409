//! The machine we run on, as far as jobs depend on it: programs, package manager, compilers.
//!
//! Every look at the surroundings goes through a [`Host`] value, so that tests can hand in another one.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What surrounds us.
#[derive(Debug, Clone)]
pub struct Host {
    /// Folders searched for programs, in order.
    pub path: Vec<PathBuf>,
    /// Whether packages can be installed without asking.
    pub privilege: Privilege,
    /// Which package manager there is.
    pub packages: PackageManager,
    /// Where the distribution puts its compiler.
    pub distribution_rustc: PathBuf,
    /// Where the distribution puts the compiler's source, as `rustc-<version>/library`.
    pub distribution_source: PathBuf,
    /// Longest wait for `rustup target add`.
    pub rustup_wait: Duration,
}

/// Who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// The superuser.
    Root,
    /// Anybody else.
    User,
}

/// How packages get onto this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageManager {
    /// Debian, Ubuntu and their kin.
    Apt,
    /// Not one we know.
    Unknown,
}

impl Host {
    /// The machine as it is.
    pub fn current() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
        Self {
            path: std::env::split_paths(&path).collect(),
            privilege: privilege(),
            packages: package_manager(),
            distribution_rustc: PathBuf::from("/usr/bin/rustc"),
            distribution_source: PathBuf::from("/usr/src"),
            rustup_wait: Duration::from_secs(60),
        }
    }

    /// The first program of that name on the path.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(program)).find(|file| is_executable(file))
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn privilege() -> Privilege {
    match std::fs::metadata("/proc/self") {
        Ok(own) if own.uid() == 0 => Privilege::Root,
        Ok(_) | Err(_) => Privilege::User,
    }
}

fn package_manager() -> PackageManager {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let kin = release.lines().any(|line| {
        (line.starts_with("ID=") || line.starts_with("ID_LIKE="))
            && (line.contains("debian") || line.contains("ubuntu"))
    });
    if kin { PackageManager::Apt } else { PackageManager::Unknown }
}
