//! Chance that repeats itself, and how long a loop of it goes on.
//!
//! Never asks the machine for chance: a failure comes again.

use std::fmt;
use std::time::{Duration, Instant};

/// Seed of every run.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Seconds of a loop unless `TABULA_FUZZ_SECONDS` says how many.
const SECONDS: u64 = 2;
/// A machine this many times slower than the slow one that rates are for ends its loop early.
const SLOWER: u64 = 10;

/// Marsaglia's xorshift64.
pub struct Random(u64);

impl Random {
    /// The same sequence every time.
    pub fn seeded() -> Self {
        Self(SEED)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    /// Any word.
    pub fn word(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap_or(0)
    }
}

/// Rounds of a loop: a number of them, so that every machine does the same, and an end in time.
pub struct Rounds {
    done: u64,
    due: u64,
    deadline: Instant,
}

impl Rounds {
    /// As many as the seconds that there are, times `a_second`.
    pub fn new(a_second: u64) -> Self {
        let asked = std::env::var("TABULA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
        let seconds: u64 = asked.unwrap_or(SECONDS);
        let deadline = Instant::now() + Duration::from_secs(seconds * SLOWER);
        Self { done: 0, due: seconds * a_second, deadline }
    }

    /// Whether there is another one, which is counted.
    pub fn go_on(&mut self) -> bool {
        let more = self.done < self.due && Instant::now() < self.deadline;
        self.done += u64::from(more);
        more
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}", self.done, self.due)
    }
}
