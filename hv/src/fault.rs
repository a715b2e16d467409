//! The last lines of a CPU that cannot go on: what happened, where, and which line of the board file owns the place.
//!
//! Never returns. Allocates nothing and takes no lock it could wait on for ever.

use core::fmt;
use core::panic::PanicInfo;

use paging::VirtAddr;

use crate::board::{self, Place};
use crate::console::last_words;
use crate::power;

/// What was being done to the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// A fault of the hypervisor itself.
pub struct Fault<'a> {
    /// The exception's class, as lines print it.
    pub class: &'a dyn fmt::Display,
    /// The address it was about, where there is one.
    pub access: Option<(Attempt, VirtAddr)>,
    /// What the architecture calls the program counter: `elr`, `rip`.
    pub counter_name: &'static str,
    /// Its value.
    pub counter: VirtAddr,
}

/// Reports a fault and switches the machine off.
pub fn report(fault: &Fault<'_>) -> ! {
    last_words(format_args!("fault: {fault}"));
    power::off()
}

/// Reports a broken invariant and switches the machine off.
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) => last_words(format_args!("panic: {} ({}:{})", info.message(), place.file(), place.line())),
        None => last_words(format_args!("panic: {}", info.message())),
    }
    power::off()
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, ", self.class)?;
        if let Some((attempt, at)) = self.access {
            write!(out, "{attempt} {at} in {}, ", Owner(at))?;
        }
        write!(out, "{} {} in {}", self.counter_name, self.counter, Owner(self.counter))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Read => "read at",
            Self::Write => "write at",
            Self::Execute => "fetch at",
        })
    }
}

/// The region that an address lies in, and the line that made it.
struct Owner(VirtAddr);

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match board::region(self.0) {
            Some(region) => write!(out, "`{}` ({})", region.name, Place(region.from)),
            None => out.write_str("no region of the plan"),
        }
    }
}
