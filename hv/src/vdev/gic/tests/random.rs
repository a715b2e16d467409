//! Random guests and devices: nothing is lost, nothing comes twice, nobody is served twice at a time.

use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::guest::{Guest, LISTS};
use super::{Intid, State, VcpuNumber, Version};

#[derive(Clone, Copy, Debug)]
enum Step {
    Send { from: usize, to: usize, sgi: u16 },
    Enable(usize, u16),
    Disable(usize, u16),
    Latch(u16),
    Target(u16, u16),
    Take(usize),
    End(usize),
}

const VCPUS: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let vcpu = || 0..VCPUS;
    let step = prop_oneof![
        (vcpu(), vcpu(), 0..16_u16).prop_map(|(from, to, sgi)| Step::Send { from, to, sgi }),
        (vcpu(), 0..64_u16).prop_map(|(vcpu, intid)| Step::Enable(vcpu, intid)),
        (vcpu(), 0..64_u16).prop_map(|(vcpu, intid)| Step::Disable(vcpu, intid)),
        (32..64_u16).prop_map(Step::Latch),
        (32..64_u16, 0..VCPUS as u16).prop_map(|(intid, vcpu)| Step::Target(intid, vcpu)),
        vcpu().prop_map(Step::Take),
        vcpu().prop_map(Step::End),
    ];
    prop::collection::vec(step, 1..200)
}

struct Run {
    guest: Guest,
    version: Version,
    stacks: Vec<Vec<u16>>,
    /// What somebody still has to take: a private interrupt by vCPU, number and sender, a shared one by number.
    owed: BTreeSet<(usize, u16, u8)>,
}

impl Run {
    fn step(&mut self, step: Step) {
        match step {
            Step::Send { from, to, sgi } => {
                self.guest.vcpus[to].send(1 << sgi, VcpuNumber::new(from as u16));
                self.owed.insert((to, sgi, self.sender(from as u8)));
            }
            Step::Enable(vcpu, intid) => self.guest.enable(vcpu, intid),
            Step::Disable(vcpu, intid) => self.guest.disable(vcpu, intid),
            Step::Latch(intid) => {
                self.guest.shared.latch(Intid::new(intid));
                self.owed.insert((0, intid, 0));
            }
            Step::Target(intid, vcpu) => self.guest.target(intid, vcpu),
            Step::Take(vcpu) => {
                if let Some(intid) = self.guest.take(vcpu) {
                    assert!(!self.stacks[vcpu].contains(&intid), "{intid} is taken twice by vCPU {vcpu}");
                    if intid >= 32 {
                        assert!(self.stacks.iter().all(|stack| !stack.contains(&intid)), "{intid} has two handlers");
                    }
                    self.stacks[vcpu].push(intid);
                    let owed = match intid {
                        0..16 => (vcpu, intid, self.sender(self.guest.sender)),
                        _ => (0, intid, 0),
                    };
                    assert!(self.owed.remove(&owed), "{owed:?} is taken, and nobody sent it");
                }
            }
            Step::End(vcpu) => {
                if let Some(intid) = self.stacks[vcpu].pop() {
                    self.guest.end(vcpu, intid);
                }
            }
        }
    }

    /// Who is heard: on a GICv3 nobody in particular.
    fn sender(&self, sender: u8) -> u8 {
        match self.version {
            Version::V2 => sender,
            Version::V3 => 0,
        }
    }

    /// Lets every vCPU work until nothing comes.
    fn drain(&mut self) {
        for vcpu in 0..VCPUS {
            for intid in 0..64 {
                self.guest.enable(vcpu, intid);
            }
        }
        for _ in 0..1000 {
            (0..VCPUS).for_each(|vcpu| {
                self.step(Step::Take(vcpu));
                self.step(Step::End(vcpu));
            });
        }
        assert_eq!(self.owed, BTreeSet::new());
        for vcpu in 0..VCPUS {
            self.guest.refill(vcpu);
            assert_eq!(self.guest.take(vcpu), None, "{:?}", self.version);
            assert_eq!(self.guest.vcpus[vcpu].in_use(), 0);
            assert!((0..LISTS).all(|slot| self.guest.hardware[vcpu][slot].state() == State::Invalid));
        }
    }
}

fn run(version: Version, steps: Vec<Step>) {
    let guest = Guest::booted(version, VCPUS as u16);
    let mut run = Run { guest, version, stacks: vec![Vec::new(); VCPUS], owed: BTreeSet::new() };
    steps.into_iter().for_each(|step| run.step(step));
    run.drain();
    // Everything is served again, on the same books.
    for vcpu in 0..VCPUS {
        run.guest.vcpus[vcpu].send(1, VcpuNumber::new(0));
        assert_eq!(run.guest.take(vcpu), Some(0));
        run.guest.end(vcpu, 0);
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_served_twice_gicv3(steps in steps()) {
        run(Version::V3, steps);
    }

    #[test]
    fn nothing_is_lost_and_nothing_served_twice_gicv2(steps in steps()) {
        run(Version::V2, steps);
    }
}
