//! Literals of what a guest sees besides its memory.
//!
//! Emits no item of its own: they are a field of each domain.

use proc_macro2::TokenStream;
use quote::quote;

use super::rust::{count, frame, guest_physical, hex, origin};
use crate::plan::{GuestGic, GuestMap, GuestRange, Passed};

/// `types::GuestMap { … }`.
pub(super) fn tokens(map: &GuestMap) -> TokenStream {
    let gic = gic(map.gic);
    let uart = match map.uart {
        Some(uart) => {
            let (registers, intid) = (range(uart.registers), count(uart.intid));
            quote!(Some(types::GuestUart { registers: #registers, intid: #intid }))
        }
        None => quote!(None),
    };
    let (ring, grants, event) = (range(map.console_ring), range(map.grants), count(map.event_intid));
    let ids = map.vcpu_ids.iter().map(|id| hex((*id).into()));
    let passed = map.passed.iter().map(passed);
    quote!(types::GuestMap {
        gic: #gic, uart: #uart, console_ring: #ring, grants: #grants, event_intid: #event,
        vcpu_ids: &[#(#ids),*], passed: &[#(#passed),*],
    })
}

fn range(range: GuestRange) -> TokenStream {
    let (base, bytes) = (guest_physical(range.base), hex(range.bytes));
    quote!(types::GuestRange { base: #base, bytes: #bytes })
}

fn gic(gic: GuestGic) -> TokenStream {
    match gic {
        GuestGic::V2 { gicd, gicc, gicv } => {
            let (gicd, gicc, gicv) = (range(gicd), range(gicc), gicv.map(frame));
            quote!(types::GuestGic::V2 { gicd: #gicd, gicc: #gicc, gicv: [#(#gicv),*] })
        }
        GuestGic::V3 { gicd, gicr } => {
            let (gicd, gicr) = (range(gicd), range(gicr));
            quote!(types::GuestGic::V3 { gicd: #gicd, gicr: #gicr })
        }
        GuestGic::None => quote!(types::GuestGic::None),
    }
}

fn passed(passed: &Passed) -> TokenStream {
    let registers = passed.frames().map(|frames| {
        let (first, frames) = (frame(frames.first), count(frames.frames));
        quote!(paging::FrameRange::new(#first, #frames))
    });
    let (name, intids, from) = (&passed.name, passed.intids.iter().map(count_of), origin(passed.from));
    quote!(types::Passed { name: #name, registers: &[#(#registers),*], intids: &[#(#intids),*], from: #from })
}

fn count_of(number: &u32) -> TokenStream {
    count(*number)
}
