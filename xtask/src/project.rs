//! Where things are: the project's root, its build folder, the folders of a board.
//!
//! Never touches a file; it only says where one belongs.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The project on disk.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    target: PathBuf,
}

impl Project {
    /// The project this program was built from, entered: board files are named relative to its root,
    /// in diagnostics and in generated files, so the root becomes the working directory.
    pub fn enter() -> Result<Self, Failure> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .ancestors()
            .find(|folder| folder.join("platforms").is_dir())
            .ok_or_else(|| Failure::Environment("no folder `platforms` above this crate".into()))?
            .to_path_buf();
        std::env::set_current_dir(&root).map_err(|error| Failure::file("enter", &root, &error))?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target));
        Ok(Self { root, target })
    }

    /// The folder that holds `platforms/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's build folder.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Private sysroots, one folder per compiler.
    pub fn sysroots(&self) -> PathBuf {
        self.target.join("sysroot")
    }

    /// What `build` leaves for one board.
    pub fn output(&self, board: &str, profile: &str) -> PathBuf {
        self.target.join("tabula").join(board).join(profile)
    }

    /// Committed output of the generator for one board of ours.
    pub fn generated(&self, board: &str) -> PathBuf {
        self.root.join("generated").join(board)
    }

    /// Generated output for a board file that lies elsewhere.
    pub fn generated_elsewhere(&self, board: &str) -> PathBuf {
        self.target.join("boards").join(board).join("generated")
    }

    /// Where cargo builds the hypervisor: a folder for each board of ours, so that switching boards
    /// rebuilds nothing, and one for all boards from elsewhere.
    pub fn image_target(&self, board: Option<&str>) -> PathBuf {
        self.target.join("hv").join(board.unwrap_or("elsewhere"))
    }

    /// `path` as a person would type it from the root.
    pub fn display<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
