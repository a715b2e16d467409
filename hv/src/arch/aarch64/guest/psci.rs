//! A guest's PSCI call, carried out.
//!
//! Decides nothing: what a call means is `domain::psci`'s.

use super::{Context, exit};
use crate::domain::End;
use crate::domain::psci::{Call, Caller, Code};
use crate::domain::run;
use crate::sched::Rest;

/// "Return codes", NOT_SUPPORTED, as a 64-bit register holds it.
pub(super) const NOT_SUPPORTED: u64 = Code::NotSupported.bits();
/// AFFINITY_INFO: ON and OFF. DEN 0022, "AFFINITY_INFO".
const ON: u64 = 0;
const OFF: u64 = 1;

/// Answers HVC #0.
pub(super) fn call(context: &mut Context) {
    let domain = context.domain;
    let caller = Caller { vcpus: domain.vcpus, memory: (domain.ipa.get(), domain.memory_bytes) };
    let [x0, x1, x2, x3, ..] = context.x;
    context.x[0] = match caller.decode([x0, x1, x2, x3]) {
        Call::Answer(answer) => answer,
        Call::On { vcpu, entry } => run::switch_on(domain, vcpu, entry).bits(),
        Call::IsOn { vcpu } => {
            if run::is_on(domain, vcpu) {
                ON
            } else {
                OFF
            }
        }
        Call::Off => exit::rest(context, Rest::Off),
        Call::Suspend => {
            context.x[0] = Code::Success.bits();
            return exit::wait(context);
        }
        Call::SystemOff => exit::end(context, End::PoweredOff),
        Call::SystemReset => exit::end(context, End::Reset),
    };
}
