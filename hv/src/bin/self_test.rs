//! The self-test image: the library with its tests, its entry code, and what a broken invariant does to a test.
//!
//! Holds no logic: `purpose` chooses the tests where the main image runs domains.

#![cfg_attr(bare, no_std, no_main)]

#[cfg(bare)]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hv::self_test::panicked(info)
}

/// On the host there is nothing to run.
#[cfg(not(bare))]
fn main() {}
