//! `tables.rs`: the static tables as a constant function, the other CPUs' as builders.
//!
//! Emits stores with constant indices only: no loop, no condition.

use paging::{Frame, HostAccess, HostAttributes, Index, Level, Memory, PAGE_BYTES, VirtAddr};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::rust::{count, hex};
use crate::model::Arch;
use crate::plan::{Plan, PlannedEntry};

/// The whole file.
pub(super) fn tokens(plan: &Plan) -> TokenStream {
    let format = format(plan);
    let tables = count(plan.tables.len() as u64);
    let frames = plan.tables.iter().map(|table| frame(table.frame));
    let attributes = attributes(plan);
    let boot = boot_tables(plan);
    let builders = secondaries(plan);
    quote! {
        use paging::{Entry, Frame, HostAccess, HostAttributes, Index, Level, Memory, Table, #format};

        use crate::board::types::CpuFrames;

        #[doc = " Static tables."]
        pub const TABLES: usize = #tables;
        const _: () = assert!(crate::board::SECTIONS[2].bytes == TABLES as u64 * paging::PAGE_BYTES);
        #[doc = " Where each table lies."]
        pub const FRAMES: [Frame; TABLES] = [#(#frames),*];
        #attributes
        #boot
        #builders
    }
}

fn format(plan: &Plan) -> Ident {
    match plan.board.arch {
        Arch::Aarch64 => format_ident!("El2"),
        Arch::X86_64 => format_ident!("LongMode"),
    }
}

fn frame(frame: Frame) -> TokenStream {
    let number = hex(frame.number());
    quote!(Frame::new(#number))
}

fn level(level: Level) -> TokenStream {
    match level {
        Level::L0 => quote!(Level::L0),
        Level::L1 => quote!(Level::L1),
        Level::L2 => quote!(Level::L2),
        Level::L3 => quote!(Level::L3),
    }
}

/// The name under which the file uses a set of attributes.
fn attributes_name(attributes: HostAttributes) -> Ident {
    let name = match (attributes.access, attributes.memory) {
        (HostAccess::Execute, _) => "CODE",
        (HostAccess::Read, Memory::Normal) => "CONSTANTS",
        (HostAccess::ReadWrite, Memory::Normal) => "DATA",
        (HostAccess::Read, Memory::Device) => "DEVICE_READ",
        (HostAccess::ReadWrite, Memory::Device) => "DEVICE",
    };
    format_ident!("{name}")
}

/// A constant for each set of attributes that the file uses.
fn attributes(plan: &Plan) -> TokenStream {
    let mut seen: Vec<HostAttributes> = Vec::new();
    for mapping in &plan.mappings {
        if !seen.contains(&mapping.attributes) {
            seen.push(mapping.attributes);
        }
    }
    let constants = seen.into_iter().map(|attributes| {
        let name = attributes_name(attributes);
        let access = match attributes.access {
            HostAccess::Execute => quote!(HostAccess::Execute),
            HostAccess::Read => quote!(HostAccess::Read),
            HostAccess::ReadWrite => quote!(HostAccess::ReadWrite),
        };
        let memory = match attributes.memory {
            Memory::Normal => quote!(Memory::Normal),
            Memory::Device => quote!(Memory::Device),
        };
        quote!(const #name: HostAttributes = HostAttributes::new(#access, #memory);)
    });
    quote!(#(#constants)*)
}

/// The static tables, entry by entry.
fn boot_tables(plan: &Plan) -> TokenStream {
    let format = format(plan);
    let mut stores = Vec::new();
    for (number, table) in plan.tables.iter().enumerate() {
        let number = count(number as u64);
        for (index, entry) in &table.entries {
            let index = count(index.get() as u64);
            let value = match entry {
                PlannedEntry::Table(next) => {
                    let next = count(*next as u64);
                    quote!(#format::table(FRAMES[#next]))
                }
                PlannedEntry::Leaf { frame: first, attributes } => {
                    let (level, first, attributes) = (level(table.level), frame(*first), attributes_name(*attributes));
                    quote!(#format::leaf(#level, #first, #attributes))
                }
            };
            stores.push(quote!(tables[#number][#index] = #value;));
        }
    }
    let names = plan.tables.iter().enumerate().map(|(number, table)| format!(" - {number}: {}", table.name));
    let results = (0..plan.tables.len() as u64).map(|number| {
        let number = count(number);
        quote!(Table::from_entries(tables[#number]))
    });
    quote! {
        #[doc = " The static tables:"]
        #(#[doc = #names])*
        pub const fn boot_tables() -> [Table; TABLES] {
            let mut tables = [[Entry::INVALID; 512]; TABLES];
            #(#stores)*
            [#(#results),*]
        }
    }
}

/// Builders of one secondary CPU's own tables.
fn secondaries(plan: &Plan) -> TokenStream {
    let root = cpu_root(plan);
    let l1 = link_builder(plan, "cpu_private_l1", "level 1", plan.private.stack.index(Level::L1), "private_l2");
    let l2 = link_builder(plan, "cpu_private_l2", "level 2", plan.private.stack.index(Level::L2), "private_l3");
    let l3 = cpu_private_l3(plan);
    quote!(#root #l1 #l2 #l3)
}

/// What the boot CPU's root shares with the others, and the entry of the CPU's own private area.
fn cpu_root(plan: &Plan) -> TokenStream {
    let format = format(plan);
    let private = plan.private.stack.index(Level::L0);
    let stores = plan.tables[plan.boot_root].entries.iter().map(|(index, entry)| {
        let at = count(index.get() as u64);
        let value = match entry {
            _ if *index == private => quote!(#format::table(frames.private_l1)),
            PlannedEntry::Table(next) => {
                let next = count(*next as u64);
                quote!(#format::table(FRAMES[#next]))
            }
            PlannedEntry::Leaf { frame: first, attributes } => {
                let (first, attributes) = (frame(*first), attributes_name(*attributes));
                quote!(#format::leaf(Level::L0, #first, #attributes))
            }
        };
        quote!(table.store(Index::new(#at), #value);)
    });
    quote! {
        #[doc = " The root of one CPU: what all share, and its own private area."]
        pub fn cpu_root(table: &Table, frames: &CpuFrames) {
            #(#stores)*
        }
    }
}

/// A table of the private area with one link.
fn link_builder(plan: &Plan, name: &str, what: &str, at: Index, to: &str) -> TokenStream {
    let format = format(plan);
    let (name, to) = (format_ident!("{name}"), format_ident!("{to}"));
    let at = count(at.get() as u64);
    let doc = format!(" The private area of one CPU, {what}.");
    quote! {
        #[doc = #doc]
        pub fn #name(table: &Table, frames: &CpuFrames) {
            table.store(Index::new(#at), #format::table(frames.#to));
        }
    }
}

/// Stack and aliases; the map cache starts empty.
fn cpu_private_l3(plan: &Plan) -> TokenStream {
    let format = format(plan);
    let area = &plan.private;
    let store = |at: VirtAddr, page: u64, value: TokenStream| {
        let at = count(at.index(Level::L3).get() as u64 + page);
        quote!(table.store(Index::new(#at), #format::leaf(Level::L3, #value, DATA));)
    };
    let stack = (0..area.stack_bytes / PAGE_BYTES).map(|page| {
        let number = count(page);
        store(area.stack, page, quote!(frames.stack.add(#number)))
    });
    let scrub = store(area.scrub_table, 0, quote!(frames.private_l2));
    let cache = store(area.mapcache_table, 0, quote!(frames.private_l3));
    let root = store(area.root_table, 0, quote!(frames.root));
    let scratch = (0..area.scratch_bytes / PAGE_BYTES).map(|page| {
        let number = count(page);
        store(area.scratch, page, quote!(frames.scratch.add(#number)))
    });
    quote! {
        #[doc = " The private area of one CPU, level 3: stack, the aliases of its own tables, scratch pages."]
        pub fn cpu_private_l3(table: &Table, frames: &CpuFrames) {
            #(#stack)*
            #scrub
            #cache
            #root
            #(#scratch)*
        }
    }
}
