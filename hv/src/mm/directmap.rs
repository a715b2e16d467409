//! The directmap policy of this boot: the file's, or what `directmap=` on the boot command line makes of it.
//!
//! Decided once, before the window is populated, and never changed.

#[cfg(test)]
mod tests;

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use paging::{Frame, FrameRange, Level, PAGE_BYTES, VirtAddr};

use crate::board::types::BootOption;
use crate::board::{self, Place};
use crate::mm::heap::Policy;
use crate::say;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// All RAM mapped.
    Full,
    /// Not all RAM mapped.
    Sparse,
}

/// The words of a boolean, as in Xen's command line.
const TRUE: [&[u8]; 5] = [b"yes", b"on", b"true", b"enable", b"1"];
const FALSE: [&[u8]; 5] = [b"no", b"off", b"false", b"disable", b"0"];

/// Reads `directmap=`, `directmap` and `no-directmap`; the last one counts. A value that is none of the words is handed
/// to `unknown` and has no effect.
pub fn parse<'l>(command_line: &'l [u8], mut unknown: impl FnMut(&'l [u8])) -> Option<Wish> {
    let mut wish = None;
    for word in command_line.split(u8::is_ascii_whitespace) {
        if word == b"directmap" {
            wish = Some(Wish::Full);
        } else if word == b"no-directmap" {
            wish = Some(Wish::Sparse);
        } else if let Some(value) = word.strip_prefix(b"directmap=") {
            if TRUE.contains(&value) {
                wish = Some(Wish::Full);
            } else if FALSE.contains(&value) {
                wish = Some(Wish::Sparse);
            } else {
                unknown(value);
            }
        }
    }
    wish
}

/// Reads a command line, where the board lets it choose; says what it does not understand.
pub fn read(command_line: &[u8]) -> Option<Wish> {
    match board::DIRECTMAP.option {
        BootOption::Fixed => None,
        BootOption::AtBoot => parse(command_line, |value| {
            say!("directmap={} is not understood and has no effect; {Words}", value.escape_ascii());
        }),
    }
}

/// The words that are understood.
struct Words;

impl fmt::Display for Words {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("write")?;
        for (number, word) in TRUE.iter().chain(&FALSE).enumerate() {
            let before = if number == 0 { " " } else { ", " };
            write!(out, "{before}{}", word.escape_ascii())?;
        }
        Ok(())
    }
}

/// The policy, and who chose it.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    policy: Policy,
    wish: Option<Wish>,
}

impl Decision {
    /// What the file and the command line come to.
    pub fn new(wish: Option<Wish>) -> Self {
        let file = board::DIRECTMAP.policy;
        let policy = match board::DIRECTMAP.option {
            BootOption::Fixed => file,
            BootOption::AtBoot => decide(file, wish),
        };
        Self { policy, wish }
    }

    /// The policy.
    pub fn policy(self) -> Policy {
        self.policy
    }
}

/// Whether the window was populated at boot, where the file leaves that to the command line.
static POPULATED: AtomicBool = AtomicBool::new(false);

/// The window shows all RAM that it may from now on.
pub(super) fn populated() {
    POPULATED.store(true, Ordering::Relaxed);
}

/// Where the window shows a frame. Reservations that may not be mapped are nobody's, so nobody asks for one; the image
/// and what was planned behind it are not shown.
#[inline(always)]
pub fn shown(frame: Frame) -> Option<VirtAddr> {
    let populated = match (board::DIRECTMAP.option, board::DIRECTMAP.policy) {
        (BootOption::Fixed, Policy::Full) => true,
        (BootOption::Fixed, Policy::OnDemand | Policy::None) => false,
        (BootOption::AtBoot, _) => POPULATED.load(Ordering::Relaxed),
    };
    let apart = frame.number().wrapping_sub(FOOTPRINT.first.number()) >= FOOTPRINT.frames;
    (populated && apart && frame < RAM_END)
        .then(|| VirtAddr::new(board::DIRECTMAP.base.get() + frame.number() * PAGE_BYTES))
}

/// The image and what was planned behind it, whole blocks as the window leaves them out.
const FOOTPRINT: FrameRange = {
    let first = Frame::containing(board::BOOT.load);
    FrameRange::new(first, board::BOOT.footprint_bytes.next_multiple_of(BLOCK_BYTES) / PAGE_BYTES)
};
const BLOCK_BYTES: u64 = Level::L2.entry_bytes();

/// The frame behind the highest bank.
const RAM_END: Frame = {
    let last = &board::RAM[board::RAM.len() - 1];
    Frame::new((last.base.get() + last.bytes) / PAGE_BYTES)
};

/// True means `full`; false the file's policy, or `on-demand` where that is `full`; nothing the file's policy.
fn decide(file: Policy, wish: Option<Wish>) -> Policy {
    match (wish, file) {
        (Some(Wish::Full), _) => Policy::Full,
        (Some(Wish::Sparse), Policy::Full) => Policy::OnDemand,
        (Some(Wish::Sparse), sparse) => sparse,
        (None, file) => file,
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let board::types::Directmap { from, option, option_from, .. } = board::DIRECTMAP;
        write!(out, "{}", self.policy)?;
        match (option, self.wish) {
            (BootOption::Fixed, _) => write!(out, " ({})", Place(from)),
            (BootOption::AtBoot, None) => write!(out, " ({}; no directmap= on the command line)", Place(from)),
            (BootOption::AtBoot, Some(wish)) => {
                let value = match wish {
                    Wish::Full => "true",
                    Wish::Sparse => "false",
                };
                write!(out, " (directmap={value} on the command line, as {} allows)", Place(option_from))
            }
        }
    }
}
