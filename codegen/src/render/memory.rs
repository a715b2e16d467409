//! `layout.rs`, the memory system's part: directmap policy, heap, guests' tables, windows for books and maps.
//!
//! The policy's type is named here, so that an image has no code of a policy that it cannot have.

use proc_macro2::TokenStream;
use quote::quote;

use super::rust::{count, hex, origin, physical, virtual_address};
use crate::model::{DirectmapPolicy, GuestTables, MappedBy, PolicyChoice, Pools, Retention};
use crate::plan::{AddressRange, Plan};

/// All of it.
pub(super) fn tokens(plan: &Plan) -> TokenStream {
    let directmap = directmap(plan);
    let heap = heap(plan);
    let windows = windows(plan);
    let domain_area = domain_area(plan);
    quote!(#directmap #heap #windows #domain_area)
}

fn directmap(plan: &Plan) -> TokenStream {
    let board = &plan.board;
    let policy = match board.directmap.value {
        DirectmapPolicy::Full => quote!(Policy::Full),
        DirectmapPolicy::OnDemand => quote!(Policy::OnDemand),
        DirectmapPolicy::None => quote!(Policy::None),
    };
    let backing = match (board.directmap_choice.value, board.directmap.value) {
        (PolicyChoice::Fixed, DirectmapPolicy::Full) => quote!(Full),
        (PolicyChoice::Fixed, DirectmapPolicy::OnDemand) => quote!(OnDemand),
        (PolicyChoice::Fixed, DirectmapPolicy::None) => quote!(NoWindow),
        (PolicyChoice::AtBoot, _) => quote!(Chosen),
    };
    let from = origin(board.directmap.from);
    let option = match board.directmap_choice.value {
        PolicyChoice::Fixed => quote!(types::BootOption::Fixed),
        PolicyChoice::AtBoot => quote!(types::BootOption::AtBoot),
    };
    let option_from = origin(board.directmap_choice.from);
    let base = virtual_address(plan.directmap.unwrap_or(paging::VirtAddr::new(0)));
    let length = count(plan.directmap_ram.len() as u64);
    let ram = plan.directmap_ram.iter().map(|frames| {
        let (first, bytes) = (physical(frames.first.address()), hex(frames.bytes()));
        quote!(types::RamRange { base: #first, bytes: #bytes })
    });
    quote! {
        #[doc = " Which RAM is mapped while nobody asks for it."]
        pub const DIRECTMAP: types::Directmap = types::Directmap {
            policy: crate::mm::heap::#policy,
            from: #from,
            option: #option,
            option_from: #option_from,
            base: #base,
        };
        #[doc = " RAM that the directmap window may show."]
        pub static DIRECTMAP_RAM: [types::RamRange; #length] = [#(#ram),*];
        #[doc = " Where heap pages are."]
        pub type Backing = crate::mm::heap::#backing;
    }
}

fn heap(plan: &Plan) -> TokenStream {
    let board = &plan.board;
    let fixed_blocks = match board.heap.pools.value {
        Pools::Elastic => quote!(None),
        Pools::Fixed(bytes) => {
            let blocks = count(bytes / paging::Level::L2.entry_bytes());
            quote!(Some(#blocks))
        }
    };
    let pools_from = origin(board.heap.pools.from);
    let mapped_by = match board.heap.mapped_by.value {
        MappedBy::Page => quote!(Leaves::Pages),
        MappedBy::Block => quote!(Leaves::Blocks),
    };
    let retention = match board.layout.mapcache_retention.value {
        Retention::Strict => quote!(Retention::Strict),
        Retention::Lazy => quote!(Retention::Lazy),
    };
    quote! {
        #[doc = " Where the hypervisor's own pages come from."]
        pub const HEAP: types::Heap =
            types::Heap { fixed_blocks: #fixed_blocks, pools_from: #pools_from, mapped_by: crate::mm::heap::#mapped_by };
        #[doc = " How long the map cache keeps a page of the loaded domain."]
        pub const RETENTION: crate::mm::mapcache::Retention = crate::mm::mapcache::#retention;
    }
}

fn windows(plan: &Plan) -> TokenStream {
    let memory = &plan.memory;
    let range = |range: &AddressRange| {
        let (base, bytes, from) = (virtual_address(range.base), hex(range.bytes), origin(range.from));
        quote!(types::AddressRange { base: #base, bytes: #bytes, from: #from })
    };
    let [lists, blocks, frames, vmap] =
        [&memory.lists, &memory.block_records, &memory.frame_records, &memory.vmap].map(range);
    let none = AddressRange { base: paging::VirtAddr::new(0), bytes: 0, from: crate::model::Origin::Default };
    let heap = range(memory.heap.as_ref().unwrap_or(&none));
    quote! {
        #[doc = " Addresses of the memory system."]
        pub const MEMORY: types::MemoryWindows = types::MemoryWindows {
            lists: #lists,
            block_records: #blocks,
            frame_records: #frames,
            vmap: #vmap,
            heap: #heap,
        };
    }
}

fn domain_area(plan: &Plan) -> TokenStream {
    let area = &plan.domain_area;
    let (slot, pool, vcpus) = (virtual_address(area.slot), virtual_address(area.pool), virtual_address(area.vcpus));
    let pages = count(area.vcpu_pages);
    let tables = match plan.board.guest_tables.value {
        GuestTables::MapCache => quote!(Retention::MapCache),
        GuestTables::Resident => quote!(Retention::Resident),
        GuestTables::PoolWindow => quote!(Retention::PoolWindow),
    };
    quote! {
        #[doc = " What lies behind the domain slot, for every domain."]
        pub const DOMAIN_AREA: crate::mm::domain_area::AreaLayout = crate::mm::domain_area::AreaLayout {
            slot: #slot,
            pool: #pool,
            vcpus: #vcpus,
            vcpu_pages: #pages,
        };
        #[doc = " How guests' tables are reached."]
        pub const GUEST_TABLES: crate::mm::guest_tables::Retention = crate::mm::guest_tables::#tables;
    }
}
