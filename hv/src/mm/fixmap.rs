//! Slots that are mapped in the image and stay so: console, registers, manifest.
//!
//! Writes no entry: the static tables hold them. What is left here is the proof that boot is past that point.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::console::Console;

/// Proof that the boot CPU runs on its own root, with the fixmap in it. There is one.
#[derive(Debug)]
pub struct Fixmap(());

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The first stage of memory; the console is a slot of it.
pub fn init(_console: Console) -> Fixmap {
    assert!(!TAKEN.swap(true, Ordering::Relaxed), "boot runs once");
    Fixmap(())
}
