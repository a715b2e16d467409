//! `layout.rs`, interrupt controller and timer.
//!
//! Names the pages' addresses; what their registers mean is the hypervisor's to know.

use proc_macro2::TokenStream;
use quote::quote;

use super::rust::{count, virtual_address};
use crate::model::Timer;
use crate::plan::{Interrupts, Plan};

/// Both.
pub(super) fn tokens(plan: &Plan) -> TokenStream {
    let (interrupts, timer) = (controller(&plan.interrupts), timer(plan.board.timer));
    quote! {
        #[doc = " The interrupt controller, and where its registers are mapped."]
        pub const INTERRUPTS: types::Interrupts = #interrupts;
        #[doc = " The processors' timers."]
        pub const TIMER: types::Timer = #timer;
    }
}

fn controller(interrupts: &Interrupts) -> TokenStream {
    match *interrupts {
        Interrupts::GicV2 { distributor, cpu_interface, control, maintenance_intid } => {
            let (distributor, cpu_interface) = (virtual_address(distributor), virtual_address(cpu_interface));
            let maintenance = count(maintenance_intid);
            let control = match control {
                Some(control) => {
                    let control = virtual_address(control);
                    quote!(Some(#control))
                }
                None => quote!(None),
            };
            quote!(types::Interrupts::GicV2 {
                distributor: #distributor, cpu_interface: #cpu_interface, control: #control,
                maintenance_intid: #maintenance,
            })
        }
        Interrupts::GicV3 { distributor, redistributors, count: number, maintenance_intid } => {
            let (distributor, redistributors) = (virtual_address(distributor), virtual_address(redistributors));
            let (number, maintenance) = (count(number as u64), count(maintenance_intid));
            quote!(types::Interrupts::GicV3 {
                distributor: #distributor, redistributors: #redistributors, count: #number,
                maintenance_intid: #maintenance,
            })
        }
        Interrupts::Apic => quote!(types::Interrupts::Apic),
        Interrupts::None => quote!(types::Interrupts::None),
    }
}

fn timer(timer: Timer) -> TokenStream {
    match timer {
        Timer::ArmGeneric { phys, virt, hyp_phys, .. } => {
            let (phys, virt, hyp_phys) = (count(phys), count(virt), count(hyp_phys));
            quote!(types::Timer::ArmGeneric { phys: #phys, virt: #virt, hyp_phys: #hyp_phys })
        }
        Timer::Tsc => quote!(types::Timer::Tsc),
    }
}
