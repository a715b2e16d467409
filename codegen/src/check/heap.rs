//! `[directmap]`, `[heap]`, `[stage2]`: which RAM is mapped when, and where the hypervisor's own pages come from.
//!
//! Places nothing: whether there is so much RAM is the planner's question.

use super::{Checker, layout};
use crate::model::{self, DirectmapPolicy, GuestTables, MappedBy, Origin, PolicyChoice, Pools, Sourced};
use crate::schema::{Directmap, Heap, MappedByWord, PolicyWord, PoolsWord, Stage2, TablesWord, Written};

/// Checks `directmap.policy`.
pub(super) fn policy(checker: &Checker, table: &Directmap) -> Sourced<DirectmapPolicy> {
    let value = match table.policy.value {
        PolicyWord::Full => DirectmapPolicy::Full,
        PolicyWord::OnDemand => DirectmapPolicy::OnDemand,
        PolicyWord::None => DirectmapPolicy::None,
    };
    Sourced { value, from: checker.origin(table.policy.span) }
}

/// Checks `directmap.boot-option`.
pub(super) fn choice(checker: &Checker, table: &Directmap) -> Sourced<PolicyChoice> {
    match &table.boot_option {
        None => Sourced { value: PolicyChoice::Fixed, from: Origin::Default },
        Some(written) => {
            let value = if written.value { PolicyChoice::AtBoot } else { PolicyChoice::Fixed };
            Sourced { value, from: checker.origin(written.span) }
        }
    }
}

/// Checks `[heap]`.
pub(super) fn heap(checker: &mut Checker, table: Option<&Written<Heap>>) -> model::Heap {
    let Some(table) = table else {
        return model::Heap {
            pools: Sourced { value: Pools::Elastic, from: Origin::Default },
            mapped_by: Sourced { value: MappedBy::Page, from: Origin::Default },
        };
    };
    model::Heap { pools: pools(checker, table), mapped_by: mapped_by(checker, &table.value) }
}

fn pools(checker: &mut Checker, table: &Written<Heap>) -> Sourced<Pools> {
    let Heap { pools, size, .. } = &table.value;
    match pools.as_ref().map(|written| (written.value, written.span)) {
        Some((PoolsWord::Fixed, span)) => {
            let bytes = checker
                .needed("heap.size", size.as_ref(), span, "fixed pools are set aside at boot")
                .map(|written| layout::blocks(checker, "heap.size", written));
            match bytes {
                Some(bytes) => Sourced { value: Pools::Fixed(bytes.value), from: bytes.from },
                None => Sourced { value: Pools::Elastic, from: checker.origin(span) },
            }
        }
        elastic => {
            if let Some(written) = size {
                checker.inapplicable("heap.size", written.span, "elastic pools take what they need");
            }
            let from = elastic.map_or(Origin::Default, |(_, span)| checker.origin(span));
            Sourced { value: Pools::Elastic, from }
        }
    }
}

fn mapped_by(checker: &Checker, heap: &Heap) -> Sourced<MappedBy> {
    let Some(written) = &heap.mapped_by else { return Sourced { value: MappedBy::Page, from: Origin::Default } };
    let value = match written.value {
        MappedByWord::Page => MappedBy::Page,
        MappedByWord::Block => MappedBy::Block,
    };
    Sourced { value, from: checker.origin(written.span) }
}

/// Checks `[stage2]`.
pub(super) fn guest_tables(checker: &Checker, table: Option<&Written<Stage2>>) -> Sourced<GuestTables> {
    let Some(written) = table.and_then(|table| table.value.tables.as_ref()) else {
        return Sourced { value: GuestTables::PoolWindow, from: Origin::Default };
    };
    let value = match written.value {
        TablesWord::Mapcache => GuestTables::MapCache,
        TablesWord::Resident => GuestTables::Resident,
        TablesWord::PoolWindow => GuestTables::PoolWindow,
    };
    Sourced { value, from: checker.origin(written.span) }
}
