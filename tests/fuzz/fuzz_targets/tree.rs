//! Any bytes as a device tree: importing never panics, and what is imported is read without a panic.

#![no_main]

use std::path::Path;

use codegen::import::{Answers, Source, import};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let source = Source { name: "fuzz".into(), file: "fuzz.dtb".into(), sha256: "0".repeat(64) };
    if let Ok(imported) = import(bytes, &source, &Answers::default()) {
        let read = |_: &Path| Ok(imported.text.clone().into_bytes());
        drop(codegen::load_with(Path::new("fuzz.toml"), &read));
    }
});
