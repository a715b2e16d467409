//! Chooses the architecture; common code says `arch::this::…`.
//!
//! The only file besides the two architecture roots that tests `target_arch`.

#[cfg(all(bare, target_arch = "aarch64"))]
pub mod aarch64;
#[cfg(all(bare, target_arch = "aarch64"))]
pub use aarch64 as this;

/// Its decoders build on the host too, for their tests.
#[cfg(any(not(bare), target_arch = "x86_64"))]
pub mod x86_64;
#[cfg(all(bare, target_arch = "x86_64"))]
pub use x86_64 as this;

#[cfg(not(bare))]
pub mod hosted;
#[cfg(not(bare))]
pub use hosted as this;

mod contract;
