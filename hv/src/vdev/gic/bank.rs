//! Thirty-two interrupts: what the guest wrote about each, and what has come.
//!
//! The same for private and shared ones; whom a shared one goes to is the distributor's.

use super::numbers;
use super::register::{Field, Kind};
use super::{Intid, ListRegister, State, Width};

/// Thirty-two interrupts, a bit each.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Bank {
    enabled: u32,
    /// Came, and is remembered: edges, SGIs, what the guest made pending, what hardware is waiting for.
    latched: u32,
    /// The line is up.
    line: u32,
    active: u32,
    /// Configured as edge.
    edge: u32,
    /// The guest may configure it.
    configurable: u32,
    /// Stands for the physical interrupt of the same number.
    hardware: u32,
    /// Is in a list register.
    listed: u32,
    /// Is in a list register, and the guest has written that it is over.
    ended: u32,
    /// Is in a list register, and the guest has written that it never came.
    cancelled: u32,
    priority: [u8; 32],
}

impl Bank {
    /// As after a reset; `configurable` says which of them have a choice of trigger, `edge` which are edges.
    pub const fn new(configurable: u32, edge: u32) -> Self {
        Self {
            enabled: 0,
            latched: 0,
            line: 0,
            active: 0,
            edge,
            configurable,
            hardware: 0,
            listed: 0,
            ended: 0,
            cancelled: 0,
            priority: [0; 32],
        }
    }

    /// Ties interrupts to the physical ones of the same numbers.
    pub const fn tie(&mut self, bits: u32) {
        self.hardware |= bits;
    }

    /// Something came, once.
    pub fn latch(&mut self, bits: u32) {
        self.latched |= bits;
    }

    /// What was remembered never came.
    pub(super) fn unlatch(&mut self, bits: u32) {
        self.latched &= !bits;
    }

    /// A line goes up or down; edges are remembered as they go up.
    pub fn drive(&mut self, bits: u32, up: Line) {
        match up {
            Line::Up => {
                self.latched |= bits & self.edge & !self.line;
                self.line |= bits;
            }
            Line::Down => self.line &= !bits,
        }
    }

    /// Whether a line would change.
    pub(super) fn drives(&self, bit: u32, to: Line) -> bool {
        (self.line & bit != 0) != (to == Line::Up)
    }

    /// What has come and may come again.
    pub(super) fn pending(&self) -> u32 {
        self.latched | self.line & !self.edge
    }

    /// What could be put into a list register now.
    pub(super) fn waiting(&self) -> u32 {
        self.pending() & self.enabled & !self.active & !self.listed
    }

    /// Of `bits`, the most urgent one, if it is more urgent than `best`; `first` is the number of this bank's first.
    pub(super) fn most_urgent(&self, bits: u32, first: u16, best: &mut Option<(Intid, u8)>) {
        for lane in numbers(bits) {
            let priority = self.priority[lane];
            if best.is_none_or(|(_, other)| priority < other) {
                *best = Some((Intid::new(first + lane as u16), priority));
            }
        }
    }

    pub(super) fn is_tied(&self, bit: u32) -> bool {
        self.hardware & bit != 0
    }

    /// Those that stand for physical ones and are in a list register.
    pub(super) fn in_flight(&self) -> u32 {
        self.hardware & (self.listed | self.latched)
    }

    /// Puts one into a list register: what was latched is in there now.
    pub(super) fn list(&mut self, bit: u32) -> Latched {
        let latched = if self.latched & bit != 0 { Latched::Yes } else { Latched::No };
        self.latched &= !bit;
        self.listed |= bit;
        latched
    }

    /// What a list register says of the interrupt in it; tells what becomes of the register.
    pub(super) fn look(&mut self, bit: u32, register: ListRegister, latched: Latched) -> Verdict {
        let (ended, cancelled) = (self.ended & bit != 0, self.cancelled & bit != 0);
        self.ended &= !bit;
        self.cancelled &= !bit;
        match register.state() {
            State::Invalid => {
                self.active &= !bit;
                self.listed &= !bit;
                Verdict::Over
            }
            State::Pending if cancelled => {
                self.listed &= !bit;
                Verdict::Withdrawn
            }
            State::Pending if self.enabled & bit == 0 || self.fell(bit, latched) => {
                self.evict(bit, latched);
                Verdict::Withdrawn
            }
            State::Pending => {
                // Not taken yet: another one of the same is the same one.
                self.latched &= !bit;
                Verdict::Stays
            }
            State::Active | State::Both if ended => {
                self.active &= !bit;
                self.listed &= !bit;
                Verdict::Finished
            }
            State::Active | State::Both => {
                self.active |= bit;
                Verdict::Stays
            }
        }
    }

    /// A level that went down before it was taken.
    fn fell(&self, bit: u32, latched: Latched) -> bool {
        latched == Latched::No && self.line & bit == 0
    }

    /// Makes room: one that was not taken waits again.
    pub(super) fn evict(&mut self, bit: u32, latched: Latched) {
        self.listed &= !bit;
        if latched == Latched::Yes {
            self.latched |= bit;
        }
    }

    /// Whether there is more of a listed one than the list register holds: its end must be announced.
    pub(super) fn more(&self, bit: u32) -> bool {
        self.pending() & !self.hardware & bit != 0
    }

    /// Reads a register that is made of this bank's bits or bytes.
    pub(super) fn read(&self, field: &Field, width: Width) -> u32 {
        let word = match field.kind {
            Kind::SetEnable | Kind::ClearEnable => self.enabled,
            Kind::SetPending | Kind::ClearPending => self.pending(),
            Kind::SetActive | Kind::ClearActive => self.active,
            Kind::Priority => return self.read_priority(field.lane, width),
            Kind::Config => spread(self.edge >> field.lane),
            Kind::Group | Kind::Target => 0,
        };
        if width == Width::Word { word } else { 0 }
    }

    /// Writes such a register; returns the interrupts that may have changed.
    pub(super) fn write(&mut self, field: &Field, width: Width, value: u32) -> u32 {
        if field.kind == Kind::Priority {
            return self.write_priority(field.lane, width, value);
        }
        if width != Width::Word {
            return 0;
        }
        match field.kind {
            Kind::SetEnable => self.enabled |= value,
            Kind::ClearEnable => self.enabled &= !value,
            Kind::SetPending => self.latched |= value & field.settable,
            Kind::ClearPending => {
                // What is tied to a physical interrupt goes with that one.
                let bits = value & field.settable & !self.hardware;
                self.latched &= !bits;
                self.cancelled |= bits & self.listed;
            }
            Kind::SetActive => self.active |= value,
            Kind::ClearActive => {
                self.ended |= value & self.listed;
                self.active &= !value;
            }
            Kind::Config => {
                let changes = 0xffff << field.lane & self.configurable;
                self.edge = self.edge & !changes | gather(value) << field.lane & changes;
            }
            Kind::Priority | Kind::Group | Kind::Target => return 0,
        }
        value
    }

    fn lanes(lane: usize, width: Width) -> core::ops::Range<usize> {
        match width {
            Width::Byte => lane..lane + 1,
            Width::Word => lane & !3..(lane & !3) + 4,
            Width::Half | Width::Double => 0..0,
        }
    }

    fn read_priority(&self, lane: usize, width: Width) -> u32 {
        let bytes = self.priority.get(Self::lanes(lane, width)).unwrap_or(&[]);
        bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
    }

    fn write_priority(&mut self, lane: usize, width: Width, value: u32) -> u32 {
        for (number, lane) in Self::lanes(lane, width).enumerate() {
            if let Some(byte) = self.priority.get_mut(lane) {
                // Five bits, as list registers of a GICv2 hold. IHI 0048, GICH_LR<n>.Priority.
                *byte = (value >> (8 * number)) as u8 & 0xf8;
            }
        }
        0
    }
}

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Up: it asks.
    Up,
    /// Down: it no longer does.
    Down,
}

/// Whether what went into a list register had been latched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Latched {
    /// It had: it comes back when the register is taken away.
    Yes,
    /// Its line was up.
    No,
}

/// What becomes of a list register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The guest ended it: empty.
    Over,
    /// Not taken, and not to be taken now: to be emptied.
    Withdrawn,
    /// Taken, and ended by a register's write: to be emptied; what it is tied to has to be deactivated.
    Finished,
    /// Left as it is.
    Stays,
}

/// Sixteen bits to the upper ones of sixteen pairs. ICFGR: Int_config<n>, bits [2n+1:2n].
fn spread(bits: u32) -> u32 {
    (0..16).fold(0, |word, lane| word | (bits >> lane & 1) << (2 * lane + 1))
}

/// The upper bits of sixteen pairs.
fn gather(word: u32) -> u32 {
    (0..16).fold(0, |bits, lane| bits | (word >> (2 * lane + 1) & 1) << lane)
}
