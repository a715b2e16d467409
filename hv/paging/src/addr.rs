//! Addresses, one type for each address space.
//!
//! Never mixes spaces: there is no conversion from one kind of address to another.

use core::fmt;

use crate::level::{Index, Level};

/// Bytes of a page and of a frame.
pub const PAGE_BYTES: u64 = 4096;

/// An address that a page table translates.
pub trait InputAddress: Copy + Ord + fmt::Debug + fmt::Display {
    /// The address as an integer, bytes.
    fn get(self) -> u64;
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The address of byte number `address`.
            pub const fn new(address: u64) -> Self {
                Self(address)
            }

            /// The address as an integer, bytes.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Whether it is the first byte of a 4 KiB page.
            pub const fn is_frame_aligned(self) -> bool {
                self.is_aligned_to(PAGE_BYTES)
            }

            /// Whether it is a multiple of `bytes`, which is a power of two.
            pub const fn is_aligned_to(self, bytes: u64) -> bool {
                assert!(bytes.is_power_of_two(), "alignments are powers of two");
                self.0 & (bytes - 1) == 0
            }

            /// The address `bytes` further on; `None` past the end of the integer.
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// Bytes from the start of its 4 KiB page.
            pub const fn page_offset(self) -> u64 {
                self.0 & (PAGE_BYTES - 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_grouped(out, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(concat!(stringify!($name), "("))?;
                write_grouped(out, self.0)?;
                out.write_str(")")
            }
        }
    };
}

address! {
    /// Physical address: what leaves the last translation, bytes.
    PhysAddr
}
address! {
    /// Virtual address of the hypervisor, bytes.
    VirtAddr
}
address! {
    /// Intermediate physical address: what a guest believes is physical, bytes.
    Ipa
}

macro_rules! input_address {
    ($name:ident) => {
        impl $name {
            /// Which entry of a table at `level` translates it.
            pub const fn index(self, level: Level) -> Index {
                Index::of(self.0, level)
            }
        }

        impl InputAddress for $name {
            fn get(self) -> u64 {
                self.0
            }
        }
    };
}

input_address!(VirtAddr);
input_address!(Ipa);

/// Writes `0x4020_0000`: groups of four digits, the first one padded.
pub(crate) fn write_grouped(out: &mut fmt::Formatter<'_>, value: u64) -> fmt::Result {
    const GROUPS: u32 = 4;
    const GROUP_BITS: u32 = 16;
    out.write_str("0x")?;
    let used = GROUPS - (value.leading_zeros() / GROUP_BITS).min(GROUPS - 1);
    for group in (0..used).rev() {
        let digits = value >> (group * GROUP_BITS) & 0xffff;
        write!(out, "{digits:04x}{}", if group == 0 { "" } else { "_" })?;
    }
    Ok(())
}
