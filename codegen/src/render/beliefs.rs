//! What the planner believed, said again where rustc checks it: constant asserts with the file's line.
//!
//! Never believes what a type already says.

use proc_macro2::TokenStream;
use quote::quote;

use super::rust::{belief, count};
use crate::model::Origin;
use crate::plan::Plan;

/// All asserts.
pub(super) fn tokens(plan: &Plan) -> TokenStream {
    let mut list = sections(plan);
    list.extend(ram(plan));
    list.extend(windows(plan));
    list.extend(domains(plan));
    quote!(#(#list)*)
}

/// Sections lie one behind the other, in both address spaces, from the load address on.
fn sections(plan: &Plan) -> Vec<TokenStream> {
    let load = quote!(BOOT.load.is_aligned_to(0x20_0000) && BOOT.load.get() == SECTIONS[0].base.get());
    let mut list = vec![belief(plan, load, plan.load_from, "boot.load")];
    for (number, section) in plan.sections.iter().enumerate().skip(1) {
        let before = &plan.sections[number - 1];
        let (this, previous) = (count(number as u64), count(number as u64 - 1));
        let condition = quote! {
            SECTIONS[#this].base.get() == SECTIONS[#previous].base.get() + SECTIONS[#previous].bytes
                && SECTIONS[#this].link.get() == SECTIONS[#previous].link.get() + SECTIONS[#previous].bytes
        };
        list.push(belief(plan, condition, before.from, &format!("{} ends where {} starts", before.name, section.name)));
    }
    list
}

/// Banks are whole frames, and one of them holds the footprint.
fn ram(plan: &Plan) -> Vec<TokenStream> {
    let banks = plan.board.memory.banks.iter().enumerate();
    let mut list: Vec<_> = banks
        .clone()
        .map(|(number, bank)| {
            let number = count(number as u64);
            belief(plan, quote!(RAM[#number].base.is_frame_aligned()), bank.from, "memory.bank.base")
        })
        .collect();
    let home = banks.clone().find(|(_, bank)| bank.frames.contains_range(plan.footprint));
    if let Some((number, _)) = home {
        let number = count(number as u64);
        let condition = quote! {
            RAM[#number].base.get() <= BOOT.load.get()
                && BOOT.load.get() + BOOT.footprint_bytes <= RAM[#number].base.get() + RAM[#number].bytes
        };
        list.push(belief(plan, condition, plan.load_from, "boot.load"));
    }
    list
}

/// Windows do not meet, and end inside their table.
fn windows(plan: &Plan) -> Vec<TokenStream> {
    let layout = &plan.board.layout;
    let rows = [
        (quote!(FIXMAP_FREE <= FIXMAP.slots), layout.fixmap_slots.from, "layout.fixmap.slots"),
        (quote!(FIXMAP.first + (FIXMAP.slots as usize) < PMAP.first), layout.fixmap_slots.from, "layout.fixmap.slots"),
        (quote!(PMAP.first + (PMAP.slots as usize) < FIRMWARE.first), layout.pmap_slots.from, "layout.pmap.slots"),
        (
            quote!(FIRMWARE.first + (FIRMWARE.slots as usize) < paging::ENTRIES),
            layout.firmware_slots.from,
            "layout.firmware.slots",
        ),
        (quote!(PRIVATE.stack_bytes.is_multiple_of(paging::PAGE_BYTES)), layout.stack_bytes.from, "layout.stack.size"),
        (
            quote!(PRIVATE.mapcache.get() + PRIVATE.mapcache_slots as u64 * paging::PAGE_BYTES < PRIVATE.scrub.get()),
            layout.mapcache_slots.from,
            "layout.mapcache.slots-per-cpu",
        ),
        (
            quote!(
                DOMAIN_AREA.pool.get() + crate::mm::guest_tables::TABLES_MAX * paging::PAGE_BYTES
                    <= DOMAIN_AREA.vcpus.get()
            ),
            plan.board.guest_tables.from,
            "stage2.tables",
        ),
    ];
    rows.into_iter().map(|(condition, from, key)| belief(plan, condition, from, key)).collect()
}

/// Memory of domains is made of blocks and lies outside the footprint.
fn domains(plan: &Plan) -> Vec<TokenStream> {
    let rows = plan.board.domains.iter().enumerate().flat_map(|(number, domain)| {
        let number = count(number as u64);
        let aligned = quote! {
            DOMAINS[#number].memory.is_aligned_to(0x20_0000) && DOMAINS[#number].memory_bytes.is_multiple_of(0x20_0000)
        };
        let apart = quote! {
            DOMAINS[#number].memory.get() + DOMAINS[#number].memory_bytes <= BOOT.load.get()
                || BOOT.load.get() + BOOT.footprint_bytes <= DOMAINS[#number].memory.get()
        };
        let limited = quote!(DOMAINS[#number].tables_limit_frames <= crate::mm::guest_tables::TABLES_MAX);
        let from: Origin = domain.memory_from;
        [aligned, apart, limited].map(|condition| belief(plan, condition, from, "domain.memory"))
    });
    rows.collect()
}
