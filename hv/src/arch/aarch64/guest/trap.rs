//! A guest's access to a system register that traps: carried out, ignored, or undefined, as `vdev` answers.
//!
//! Never lets a guest see a register of the machine as it is, identification registers of AArch32 apart.

use super::control::{self, Devices};
use super::interrupts::Vcpu;
use super::{Context, identification};
use crate::vdev::gic::{Effect, Sgi};
use crate::vdev::system_register::{Access, Answer, Direction};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Carried out, or ignored.
    Done,
    /// There is no such register for a guest.
    Undefined,
}

/// Answers the access that made the guest leave with this syndrome; its counter stays where it is.
pub(super) fn access(context: &mut Context, vcpu: Vcpu, syndrome: u64) -> Outcome {
    let Access { register, direction, .. } = Access::from_syndrome(syndrome);
    let answer = Access::from_syndrome(syndrome).answer();
    let value = register.get(&context.x);
    let read = match (answer, direction) {
        (Answer::Undefined, _) | (Answer::Send, Direction::Read) => return Outcome::Undefined,
        (Answer::Nothing | Answer::Identification(_), _) if direction == Direction::Write => return Outcome::Done,
        (Answer::Nothing, _) => 0,
        (Answer::Identification(which), _) => which.shown(identification::read(which), control::version(vcpu.domain)),
        (Answer::PhysicalTimer(of), Direction::Read) => vcpu.read_timer(of),
        (Answer::PhysicalTimer(of), Direction::Write) => {
            vcpu.write_timer(of, value);
            return Outcome::Done;
        }
        (Answer::Send, Direction::Write) => {
            let mut devices = Devices::lock(vcpu.domain);
            vcpu.apply(&mut devices, Effect::Send(Sgi::from_sgi1r(value)));
            return Outcome::Done;
        }
    };
    register.set(&mut context.x, read);
    Outcome::Done
}
