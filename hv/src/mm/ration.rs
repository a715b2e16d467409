//! How many frames may be handed out: as many as there are, or fewer where a test wants one refused.
//!
//! Both allocators ask before they hand a frame to anybody. Which of the two rations an image has is chosen with its
//! purpose; one that is not limited takes no space and no time.

use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};

/// Asked for each frame, or chunk of frames, that somebody wants.
pub trait Ration {
    /// What boot begins with.
    fn at_boot() -> Self;

    /// One more; `None` where it is to be refused.
    fn take(&mut self) -> Option<()>;
}

/// As many as there are.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

impl Ration for Unlimited {
    fn at_boot() -> Self {
        Self
    }

    #[inline(always)]
    fn take(&mut self) -> Option<()> {
        Some(())
    }
}

/// As many as a test says; counts them.
#[derive(Clone, Copy, Debug)]
pub struct Limited {
    taken: u64,
    limit: u64,
}

/// What boot may have: all, unless `xtask` has written another number into the image.
static BOOT_RATION: AtomicU64 = AtomicU64::new(u64::MAX);

impl Ration for Limited {
    fn at_boot() -> Self {
        // Nothing in the image stores to it, which the compiler must not conclude anything from.
        Self { taken: 0, limit: black_box(&BOOT_RATION).load(Ordering::Relaxed) }
    }

    fn take(&mut self) -> Option<()> {
        if self.taken >= self.limit {
            return None;
        }
        self.taken += 1;
        Some(())
    }
}

impl Limited {
    /// Refuses what comes after the next `more`.
    pub fn limit(&mut self, more: u64) {
        self.limit = self.taken + more;
    }

    /// Refuses nothing any more.
    pub fn lift(&mut self) {
        self.limit = u64::MAX;
    }

    /// How many there were so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}
