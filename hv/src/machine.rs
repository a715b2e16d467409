//! What the memory system asks of the processor it runs on.
//!
//! Two implementors: the architecture, and the simulated machine of host tests. Never decides what is mapped; knows
//! nothing of tables beyond the format of their entries.

use paging::{Format, Frame, HostAttributes, VirtAddr};

use crate::cpu::CpuIndex;
use crate::mm::entry::Watch;

/// The processor that runs this. One value per CPU; it does not move to another.
///
/// Memory is reached through the windows of the memory system only (map cache, PMAP, vmap, scrub window). No Rust
/// object lives behind an address that is handed to [`load`](Machine::load) and its kin: builds with checks look whether
/// the address lies in a window of the plan, and panic where it does not.
pub trait Machine {
    /// How the hypervisor's own tables are written.
    type Format: Format<Input = VirtAddr, Attributes = HostAttributes>;
    /// Who looks at entry writes and invalidations: a checker, or nobody.
    type Watch: Watch;

    /// The watcher that all CPUs share.
    fn watch(&self) -> &Self::Watch;

    /// Which CPU this is.
    fn cpu(&self) -> CpuIndex;

    /// Orders entry writes before the next walk; after entries went from invalid to valid.
    ///
    /// AArch64: DSB ISHST, ISB. x86-64: holds back the compiler only.
    fn publish(&self);

    /// Forgets the translation of `at` and the links that led to it, on this CPU; after the entry was made invalid.
    ///
    /// Complete on return. AArch64: DSB NSHST, TLBI VAE2, DSB NSH, ISB. x86-64: INVLPG.
    fn flush_page_local(&self, at: VirtAddr);

    /// Forgets all translations of the hypervisor on this CPU.
    ///
    /// AArch64: DSB NSHST, TLBI ALLE2, DSB NSH, ISB. x86-64: reload of CR3, where nothing is global.
    fn flush_local(&self);

    /// Forgets the translation of `at` and the links that led to it, on every CPU.
    fn flush_page_all(&self, at: VirtAddr);

    /// Forgets all translations of the hypervisor on every CPU.
    fn flush_all(&self);

    /// Runs `body` with interrupts masked on this CPU, then restores what was before. Nests.
    fn without_interrupts<R>(&self, body: impl FnOnce() -> R) -> R;

    /// Where `frame` is mapped for good under the policy `full`; never anywhere under another.
    #[inline(always)]
    fn shown(&self, _frame: Frame) -> Option<VirtAddr> {
        None
    }

    /// Runs `body` while every other CPU waits, then lets them go on.
    ///
    /// For entries that must be invalid for a moment although other CPUs use what they translate: a table that becomes a
    /// block, a block that becomes a table.
    ///
    /// From before `body` until after it, each other CPU that takes part in the memory system
    ///
    /// - executes a waiting loop and nothing else, interrupts masked. The loop lies in the image and needs the image,
    ///   the CPU's private area and the shared per-CPU area: no heap page, no vmap, no window;
    /// - holds no lock that `body` takes: it was stopped where it asked for work, not wherever it was;
    /// - may walk and remember on its own all the same, so `body` invalidates as if nobody waited; `flush_page_all` and
    ///   `flush_all` complete inside `body`;
    /// - passes a context synchronization event before it goes on (AArch64: ISB; x86-64: a serializing instruction).
    ///
    /// One that starts or stops taking part does so before or after. `body` runs once, on this CPU, interrupts masked.
    /// It writes entries, publishes and invalidates; it touches no memory that may lie behind those entries, prints
    /// nothing, and does not call this. The caller may hold the memory system's lock: whoever waits for that lock
    /// answers meanwhile.
    ///
    /// AArch64: an SGI that the others answer in the loop. x86-64: an interrupt and the loop answering shoot-downs; not
    /// an NMI, which stops a CPU that holds locks. [`sync::Mailboxes`](crate::sync::Mailboxes) is the protocol of both.
    fn rendezvous<R>(&self, body: impl FnOnce() -> R) -> R;

    /// Reads the aligned 8 bytes at `at`, once, through this CPU's translation.
    fn load(&self, at: VirtAddr) -> u64;

    /// Writes the aligned 8 bytes at `at`, once; every earlier store is seen before it.
    fn store(&self, at: VirtAddr, value: u64);

    /// Tries once to write the aligned 8 bytes at `at` where they are `old`; whether it has. In one step for all CPUs and
    /// guests, after every earlier access and before every later one. May fail although they are `old`: whoever else
    /// writes there can keep it from happening, but not this from returning.
    fn exchange(&self, at: VirtAddr, old: u64, new: u64) -> bool;

    /// Copies from memory; any alignment.
    fn copy_out(&self, from: VirtAddr, into: &mut [u8]);

    /// Copies to memory; any alignment.
    fn copy_in(&self, to: VirtAddr, from: &[u8]);

    /// Copies from memory to memory; any alignment. Where the ranges overlap, what arrives is open.
    fn copy(&self, from: VirtAddr, to: VirtAddr, bytes: u64);

    /// Fills `bytes` bytes with zeroes; whole cache lines.
    fn zero(&self, at: VirtAddr, bytes: u64);

    /// Cleans `bytes` bytes to the point of coherency, for readers that go past the caches.
    fn clean(&self, at: VirtAddr, bytes: u64);

    /// [`zero`](Machine::zero) and [`clean`](Machine::clean); in one pass, where the processor has a way.
    fn scrub(&self, at: VirtAddr, bytes: u64) {
        self.zero(at, bytes);
        self.clean(at, bytes);
    }
}

/// What a guest's tables ask of the processor.
pub trait GuestMachine: Machine {
    /// Forgets every translation of a guest, of stage 2 and of both stages combined, and the links that led to them, on
    /// every CPU. Waits for this CPU's earlier writes; complete on return.
    ///
    /// AArch64: DSB ISHST; with the guest's VMID in VTTBR_EL2, TLBI VMALLS12E1IS; DSB ISH, ISB. x86-64: every CPU that
    /// ran the guest leaves it and drops its ASID (SVM) or executes INVEPT for its EPTP (VMX) before it enters again.
    fn flush_guest(&self, vmid: u16);
}
