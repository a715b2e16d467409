//! Hypercalls of the Xen ABI: from registers to values and back.
//!
//! Source: Xen, public/arch-arm.h: the number in x16, arguments from x0, the answer in x0.

use super::Context;
use super::exit::{self, INSTRUCTION_BYTES};
use crate::domain::here;
use crate::domain::hypercall::Outcome;
use crate::sched::Rest;

/// Answers HVC #0xEA1. With a frame of its own: other exits need none of it.
#[inline(never)]
pub(super) fn call(context: &mut Context) {
    let vcpu = context.vcpu().number;
    let x = &mut context.x;
    match here::call(context.domain, vcpu, x[16], [x[0], x[1], x[2], x[3], x[4]]) {
        Outcome::Answer(answer) => x[0] = answer,
        Outcome::Yield => {
            x[0] = 0;
            exit::rest(context, Rest::Yield)
        }
        Outcome::Block => {
            x[0] = 0;
            exit::wait(context);
        }
        Outcome::Again(arguments) => {
            x[..arguments.len()].copy_from_slice(&arguments);
            context.counter = context.counter.wrapping_sub(INSTRUCTION_BYTES);
        }
        Outcome::End(end) => exit::end(context, end),
    }
}
