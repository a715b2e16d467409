//! Any bytes as a board file: load, check and plan never panic.

#![no_main]

use std::path::Path;

use codegen::plan::Flavour;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read = |_: &Path| Ok(bytes.to_vec());
    if let Ok((board, _)) = codegen::load_with(Path::new("fuzz.toml"), &read) {
        drop(codegen::plan(&board, Flavour::Release));
    }
});
