//! The measured image: the library with its measurements, its entry code and the way a broken invariant ends.
//!
//! Holds no logic: `purpose` chooses the measurements where the main image runs domains.

#![cfg_attr(bare, no_std, no_main)]

#[cfg(bare)]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hv::fault::panicked(info)
}

/// On the host there is nothing to run.
#[cfg(not(bare))]
fn main() {}
