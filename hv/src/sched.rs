//! Which vCPU runs on which CPU: round robin, whoever has waited longest first.
//!
//! One table for all vCPUs of the plan and one turn number for all CPUs, so that a floating vCPU goes to whichever CPU
//! comes first and a pinned one waits no longer than its turn. Knows numbers only: no register, no clock, no guest data;
//! CPUs are told to look by whoever asked.

#[cfg(test)]
mod tests;

use crate::cpu::CpuIndex;

/// A vCPU, by its place among all of the plan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat(u16);

impl Seat {
    /// The seat with this number.
    pub const fn new(number: usize) -> Self {
        assert!(number <= u16::MAX as usize, "a plan has fewer vCPUs");
        Self(number as u16)
    }

    /// Its number.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// Where a vCPU may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// On any CPU.
    Floating,
    /// On this one.
    Pinned(CpuIndex),
}

/// What a vCPU does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is switched off.
    Off,
    /// It could run; the lowest turn is next.
    Ready { turn: u64 },
    /// It runs, as far as its CPU knows.
    Running(CpuIndex),
    /// It has nothing to do until it is woken, or until this tick.
    Waiting { until: u64 },
}

/// Whether a vCPU that runs was woken: it does not begin to wait then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    state: State,
    affinity: Affinity,
    /// Where it ran last: who waits for it while it waits.
    last: CpuIndex,
    woken: Woken,
}

/// Why a vCPU leaves its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Others have their turn.
    Yield,
    /// It waits to be woken, or until this tick.
    Until(u64),
    /// It switches itself off.
    Off,
}

/// The vCPU is switched on already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyOn;

/// All vCPUs of a plan, and what its CPUs do.
#[derive(Debug)]
pub struct Scheduler<const SEATS: usize, const CPUS: usize> {
    seats: [Entry; SEATS],
    /// What each CPU runs; `None` while it has nothing, or does not take part.
    runs: [Option<Seat>; CPUS],
    present: [bool; CPUS],
    turns: u64,
}

impl<const SEATS: usize, const CPUS: usize> Scheduler<SEATS, CPUS> {
    /// Every vCPU is off, no CPU takes part.
    pub const fn new(affinities: &[Affinity; SEATS]) -> Self {
        let off = Entry { state: State::Off, affinity: Affinity::Floating, last: CpuIndex::BOOT, woken: Woken::No };
        let mut seats = [off; SEATS];
        let mut at = 0;
        while at < SEATS {
            seats[at].affinity = affinities[at];
            if let Affinity::Pinned(cpu) = affinities[at] {
                seats[at].last = cpu;
            }
            at += 1;
        }
        Self { seats, runs: [None; CPUS], present: [false; CPUS], turns: 0 }
    }

    /// Switches a vCPU on; the CPU that is to look is returned.
    ///
    /// # Errors
    /// When it is on: nothing has changed.
    pub fn start(&mut self, seat: Seat) -> Result<CpuIndex, AlreadyOn> {
        match self.seats[seat.get()].state {
            State::Off => Ok(self.ready(seat)),
            State::Ready { .. } | State::Running(_) | State::Waiting { .. } => Err(AlreadyOn),
        }
    }

    /// Switches a vCPU off; the CPU that runs it still is returned, and has to look.
    pub fn stop(&mut self, seat: Seat) -> Option<CpuIndex> {
        match core::mem::replace(&mut self.seats[seat.get()].state, State::Off) {
            State::Running(cpu) => Some(cpu),
            State::Off | State::Ready { .. } | State::Waiting { .. } => None,
        }
    }

    /// Whether a vCPU is switched off.
    pub fn is_off(&self, seat: Seat) -> bool {
        self.seats[seat.get()].state == State::Off
    }

    /// A vCPU may have something to do; the CPU that is to look is returned.
    pub fn wake(&mut self, seat: Seat) -> Option<CpuIndex> {
        match self.seats[seat.get()].state {
            State::Off | State::Ready { .. } => None,
            State::Waiting { .. } => Some(self.ready(seat)),
            State::Running(cpu) => {
                self.seats[seat.get()].woken = Woken::Yes;
                Some(cpu)
            }
        }
    }

    /// The vCPU that a CPU runs from now on, if there is one for it. What it ran before has left ([`Self::rest`]).
    pub fn pick(&mut self, cpu: CpuIndex, now: u64) -> Option<Seat> {
        self.present[cpu.get()] = true;
        self.runs[cpu.get()] = None;
        self.expire(now);
        let next = self.waiting_for(cpu).min_by_key(|(turn, _)| *turn).map(|(_, seat)| seat)?;
        let entry = &mut self.seats[next.get()];
        *entry = Entry { state: State::Running(cpu), last: cpu, woken: Woken::No, ..*entry };
        self.runs[cpu.get()] = Some(next);
        Some(next)
    }

    /// Those whose tick has come could run.
    pub fn expire(&mut self, now: u64) {
        for at in 0..SEATS {
            if let State::Waiting { until } = self.seats[at].state
                && until <= now
            {
                self.ready(Seat::new(at));
            }
        }
    }

    /// The vCPU that a CPU runs leaves it; one that was switched off meanwhile stays off, or is somebody else's again.
    pub fn rest(&mut self, cpu: CpuIndex, rest: Rest) {
        let Some(seat) = self.runs[cpu.get()].take() else { return };
        let entry = &mut self.seats[seat.get()];
        match (entry.state, rest, entry.woken) {
            (State::Running(runs), ..) if runs != cpu => {}
            (State::Off | State::Ready { .. } | State::Waiting { .. }, ..) => {}
            (State::Running(_), Rest::Off, _) => entry.state = State::Off,
            (State::Running(_), Rest::Until(until), Woken::No) => entry.state = State::Waiting { until },
            (State::Running(_), Rest::Yield, _) | (State::Running(_), Rest::Until(_), Woken::Yes) => {
                entry.state = State::Ready { turn: self.turns };
                self.turns += 1;
            }
        }
    }

    /// Whether a CPU goes on with what it runs: nobody has switched it off.
    pub fn goes_on(&self, cpu: CpuIndex) -> bool {
        self.runs[cpu.get()].is_some_and(|seat| self.seats[seat.get()].state == State::Running(cpu))
    }

    /// Whether somebody waits for a CPU's turn to end.
    pub fn is_wanted(&self, cpu: CpuIndex) -> bool {
        self.waiting_for(cpu).next().is_some()
    }

    /// The earliest tick at which a vCPU that waits where it ran last, on this CPU, goes on.
    pub fn next_due(&self, cpu: CpuIndex) -> Option<u64> {
        let due = |entry: &Entry| match entry.state {
            State::Waiting { until } if entry.last == cpu => Some(until),
            State::Waiting { .. } | State::Off | State::Ready { .. } | State::Running(_) => None,
        };
        self.seats.iter().filter_map(due).min()
    }

    /// Those that this CPU could run now, with their turns.
    fn waiting_for(&self, cpu: CpuIndex) -> impl Iterator<Item = (u64, Seat)> {
        self.seats.iter().enumerate().filter_map(move |(at, entry)| match (entry.state, entry.affinity) {
            (State::Ready { .. }, Affinity::Pinned(other)) if other != cpu => None,
            (State::Ready { turn }, _) => Some((turn, Seat::new(at))),
            (State::Off | State::Running(_) | State::Waiting { .. }, _) => None,
        })
    }

    /// It takes the next turn, on the CPU that is returned: where it is pinned, where it ran last if that has nothing to
    /// do, on any that has nothing, or else where it ran last.
    fn ready(&mut self, seat: Seat) -> CpuIndex {
        let entry = &mut self.seats[seat.get()];
        entry.state = State::Ready { turn: self.turns };
        self.turns += 1;
        let Entry { affinity, last, .. } = *entry;
        let idle = |cpu: &CpuIndex| self.present[cpu.get()] && self.runs[cpu.get()].is_none();
        match affinity {
            Affinity::Pinned(cpu) => cpu,
            Affinity::Floating if idle(&last) => last,
            Affinity::Floating => (0..CPUS).filter_map(CpuIndex::new).find(idle).unwrap_or(last),
        }
    }
}
