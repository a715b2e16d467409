//! Chooses bare metal or host, and the directory with the board's generated files.
//!
//! Never generates anything: `cargo xtask gen` does, and the result is committed.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=TABULA_GENERATED");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-cfg=bare");
    }
    let directory = generated();
    export(&directory, "TABULA_LAYOUT", "layout.rs");
    export(&directory, "TABULA_TABLES", "tables.rs");
}

/// The board's directory; host tests use the first board as their model.
fn generated() -> PathBuf {
    let own = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    match env::var_os("TABULA_GENERATED") {
        Some(directory) => PathBuf::from(directory),
        None => own.join("../generated/qemu-arm64"),
    }
}

fn export(directory: &Path, variable: &str, file: &str) {
    let path = directory.join(file);
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rustc-env={variable}={}", path.display());
}
