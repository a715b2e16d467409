//! From the first line on the console to the first domain, in order.
//!
//! Each stage is a value returned by the last: code cannot use what is not up yet, nor what is gone.

use core::fmt;

use crate::arch::this;
use crate::board::{self, Place};
use crate::cpu::CpuIndex;
use crate::{console, domain, firmware, mm, power, purpose, say, smp, sync};

/// The boot CPU, on its own root and stack.
pub fn start(handoff: this::Handoff) -> ! {
    let console = console::init();
    announce();
    let fixmap = mm::fixmap::init(console);
    let pmap = mm::pmap::init(&fixmap);
    let mut window = mm::firmware_window::init(&fixmap);
    let facts = this::firmware::facts(&handoff, &mut window);
    let found = firmware::check(facts, this::cpu::pa_bits()).unwrap_or_else(|mismatch| stop(&mismatch));
    let decision = mm::directmap::Decision::new(found.directmap);
    say!("directmap: {decision}");
    let mut memory = mm::system::bring_up(&pmap, decision, &found.ram).unwrap_or_else(|error| stop(&error));
    memory.announce();
    let roots = smp::build_roots(&pmap);
    purpose::early(&pmap, &mut memory);
    let retired = pmap.retire();
    say!(
        "pmap retired: {} of {} slots at once, {} maps, all empty",
        retired.high_water,
        board::PMAP.slots,
        retired.maps
    );
    let cache = mm::mapcache::init(&retired);
    memory.say_mapped();
    memory.share(&cache);
    this::controller::init_shared();
    this::controller::init_cpu();
    sync::join();
    smp::arrived(CpuIndex::BOOT);
    let domains = domain::build(&cache).unwrap_or_else(|error| stop(&error));
    smp::start_all(roots, cache).unwrap_or_else(|(cpu, error)| stop(&smp::Missing(cpu, error)));
    purpose::run(domains)
}

/// Each other CPU, on its own root and stack.
pub fn start_secondary(cpu: CpuIndex) -> ! {
    mm::mapcache::init_secondary();
    this::controller::init_cpu();
    sync::join();
    smp::arrived(cpu);
    purpose::idle(cpu)
}

fn announce() {
    let board::types::Platform { name, model, file, .. } = board::PLATFORM;
    let (load, bytes) = (board::BOOT.load, board::BOOT.footprint_bytes);
    say!("Tabula {} on {name} ({model}), {file}", env!("CARGO_PKG_VERSION"));
    say!("image at {load}, {} KiB with tables and stacks", bytes >> 10);
    say!("console: {} ({})", board::CONSOLE.kind, Place(board::CONSOLE.from));
    for board::types::Hole { device, domain, from } in &board::HOLES {
        say!("hole: device {device} can reach all memory, owner {} ({})", domain.unwrap_or("none"), Place(*from));
    }
}

/// The machine is not the one in the board file.
fn stop(why: &dyn fmt::Display) -> ! {
    say!("mismatch: {why}");
    power::off()
}
