//! The image: the library, its entry code and the way a broken invariant ends.
//!
//! Holds no logic: `arch` owns the entry, `boot` what follows.

#![cfg_attr(bare, no_std, no_main)]

#[cfg(bare)]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hv::fault::panicked(info)
}

/// On the host there is nothing to run.
#[cfg(not(bare))]
fn main() {}
