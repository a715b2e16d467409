//! The rows that the self-test image must report, by name, and on which boards.
//!
//! A row begins with the patch or item of which it is an acceptance test.

/// On which boards a row holds; the image decides by the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// On all.
    Always,
    /// Not all RAM is mapped.
    Sparse,
    /// All RAM is mapped.
    Full,
    /// There is a directmap window, and not all RAM is mapped in it.
    OnDemand,
    /// There is no window.
    NoWindow,
    /// Heap pages are mapped one by one.
    ByPage,
    /// The heap takes its pools from all free memory.
    Elastic,
    /// The heap's pools were set aside at boot.
    Fixed,
    /// The map cache keeps pages of the loaded domain.
    Lazy,
    /// It does not.
    Strict,
    /// RAM is of several nodes.
    Nodes,
    /// RAM needs several root entries of the window.
    TwoSlots,
    /// The processor walks a guest's tables for the hypervisor: AArch64's AT.
    GuestAt,
}

/// A row's name, and on which boards it is due.
pub(super) type Row = (&'static str, When);

/// In the order in which they run.
pub(super) const ROWS: [Row; 74] = [
    ("p6: boot stays below the slots of pmap", When::Always),
    ("p6: pmap refuses one more page than it has slots", When::Always),
    ("p6: a page in pmap is seen while it is mapped", When::Always),
    ("harness: every cpu answers for itself", When::Always),
    ("harness: a probe tells code, constants and variables apart", When::Always),
    ("harness: a load reads what is there and survives what is not", When::Always),
    ("t6: another address in a valid entry stops its cpu", When::Always),
    ("t6: an entry that is used again before its flush stops its cpu", When::Always),
    ("t6: an entry that is flushed in between may be used again", When::Always),
    ("p6: every slot of pmap is empty at hand-over", When::Always),
    ("p6: pmap cannot be brought up again", When::Always),
    ("p13: each cpu has loaded a root of its own", When::Always),
    ("p13: roots differ in the private entry and in no other", When::Always),
    ("p13: a cpu goes off and on again and again, and every page is where it was", When::Always),
    ("p13: while a cpu is off the others allocate, free and forget without it", When::Always),
    ("overall: every leaf is one that the plan has", When::Always),
    ("overall: a walk finds as much RAM mapped as the books say", When::Sparse),
    ("w^x: no live leaf of any cpu lets code be written", When::Always),
    ("identity: no root but the turn-on root has an identity page", When::Always),
    ("page 0: nothing is mapped there", When::Always),
    ("guards: the stack has an unmapped page on either side", When::Always),
    ("guards: no page between windows is mapped", When::Always),
    ("stacks: one address shows another frame on each cpu", When::Always),
    ("stacks: no root leads to another cpu's stack", When::Always),
    ("stacks: a word on one cpu's stack is not read on another", When::Always),
    ("stacks: what returned frames leave is gone after a wipe", When::Always),
    ("p14: a page that the boot cpu maps is seen on no other", When::Sparse),
    ("p14: a page that another cpu maps is seen on no other", When::Sparse),
    ("p14: a block that the boot cpu maps is seen on no other", When::Sparse),
    ("p14: a block that another cpu maps is seen on no other", When::Sparse),
    ("map cache: a page is mapped once, and gone with its last guard", When::Sparse),
    ("map cache: strict keeps no page of the loaded domain", When::Strict),
    ("map cache: lazy keeps a page of the loaded domain until the next one's turn", When::Lazy),
    ("map cache: lazy reuses slots after one invalidation for many", When::Lazy),
    ("map cache: who cannot be masked, or is not loaded, is refused", When::Always),
    ("xsa-494: a switch that fails leaves nobody loaded", When::Always),
    ("imbalance: a guard that is alive is counted", When::Sparse),
    ("p14: under full the map cache is passed by", When::Full),
    ("overall: a domain's canary is read on no cpu", When::Sparse),
    ("overall: under full every cpu reads a domain's canary", When::Full),
    ("overall: under full all RAM is mapped", When::Full),
    ("p7: after boot the map cache maps whatever is mapped", When::Sparse),
    ("p11: every root has the window's entries, and heap pages alone are mapped below", When::OnDemand),
    ("p15: RAM behind the window's second root entry is mapped and seen on every cpu", When::TwoSlots),
    ("long term: no root has a directmap, and heap pages lie in an area of their own", When::NoWindow),
    ("p3: a domain is built and destroyed in each format and retention, and every frame is back", When::Always),
    ("p2: an image is copied to the byte from where nothing is mapped, and its tail is zero", When::Always),
    ("p1: entry and exit pages and the root's alias are seen while the domain is loaded", When::Always),
    ("p1: two domains take turns on a cpu, and the alias is always the loaded root", When::Always),
    ("p4: the map cache serves a loaded domain, also after making one has failed at any frame", When::Always),
    ("xsa-494: loading a domain that is being destroyed leaves nobody loaded and the slot empty", When::Always),
    ("walks: four levels over four cost 20 maps by map cache, 4 resident or in a pool window", When::Sparse),
    ("walks: four levels over blocks cost 16 maps by map cache, 4 resident or in a pool window", When::Sparse),
    ("walks: the processor's own walk maps nothing and leads where the software's does", When::GuestAt),
    ("p10: each node's lists lie in its own memory and are nobody's to take", When::Always),
    ("p10: lists come from the end of whole gigabytes, and else from the start", When::Nodes),
    ("p10: memory comes from the node that it is asked of", When::Nodes),
    ("p8: a heap page is the same page on every cpu", When::Always),
    ("p8: a freed page is seen on no cpu, not even by one that has just used it", When::Sparse),
    ("p8: under full a freed page stays in sight, and nothing is mapped for one", When::Full),
    ("p8: whichever frame is refused, a page leaves nothing mapped", When::Always),
    ("p8: random allocations and frees end where they began", When::Elastic),
    ("p8: two cpus allocate and free at once", When::Always),
    ("p9: tables come from the heap once it has its first block", When::ByPage),
    ("heap: pools grow out of free memory and go back to it", When::Elastic),
    ("heap: fixed pools have what was set aside and no page more", When::Fixed),
    ("vmap: a run of frames is seen on every cpu, with nothing behind it", When::Always),
    ("vmap: an unmapped run is seen on no cpu, not even by one that has just used it", When::Always),
    ("vmap: whichever frame is refused, a run leaves nothing mapped", When::Always),
    ("8.3: a pool becomes a block and pages again while another cpu uses it", When::ByPage),
    ("8.3: control: without a rendezvous the other cpu faults", When::Sparse),
    ("8.3: a block is pages again before one of them is freed, and every table comes back", When::ByPage),
    ("t6: the checker follows every live entry", When::Always),
    ("imbalance: a guard that is alive stops a domain switch", When::Sparse),
];
