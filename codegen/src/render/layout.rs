//! `layout.rs`: the plan as literals of the hypervisor's hand-written types.
//!
//! Emits no function. Types are named by path, since the file is included into a module that has its own imports.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::rust::{count, frame, guest_physical, hex, origin, physical, virtual_address};
use super::{beliefs, guest, interrupts, memory};
use crate::model::{
    BanksFrom, Conduit, ConsolePlace, EnableMethod, GuestConsole, Images, OnReboot, PowerOff, UartFlag, UartRegister,
    Width,
};
use crate::plan::{Access, Plan, Window};

/// The whole file.
pub(super) fn tokens(plan: &Plan) -> TokenStream {
    let platform = platform(plan);
    let boot = boot(plan);
    let image = image(plan);
    let machine = machine(plan);
    let windows = windows(plan);
    let memory = memory::tokens(plan);
    let devices = devices(plan);
    let interrupts = interrupts::tokens(plan);
    let domains = domains(plan);
    let beliefs = beliefs::tokens(plan);
    quote!(#platform #boot #image #machine #windows #memory #devices #interrupts #domains #beliefs)
}

/// A sorted array of literals, with its length in its type.
fn array(doc: &str, name: &str, of: TokenStream, items: Vec<TokenStream>) -> TokenStream {
    let name = format_ident!("{name}");
    let length = count(items.len() as u64);
    let doc = format!(" {doc}");
    quote! {
        #[doc = #doc]
        pub static #name: [#of; #length] = [#(#items),*];
    }
}

fn platform(plan: &Plan) -> TokenStream {
    let board = &plan.board;
    let (name, model, file) = (&board.name, &board.model, &board.file);
    let base_file = board.base_file.as_deref().unwrap_or("");
    let bits = count(board.memory.pa_bits.value);
    let bits_from = origin(board.memory.pa_bits.from);
    quote! {
        #[doc = " The board and its files."]
        pub const PLATFORM: types::Platform = types::Platform {
            name: #name,
            model: #model,
            file: #file,
            base_file: #base_file,
            pa_bits: #bits,
            pa_bits_from: #bits_from,
        };
    }
}

fn boot(plan: &Plan) -> TokenStream {
    let boot = &plan.board.boot;
    let load = physical(plan.load);
    let load_from = origin(plan.load_from);
    let footprint = hex(plan.footprint.bytes());
    let entry_el = count(boot.entry_el.value);
    let entry_el_from = origin(boot.entry_el.from);
    let turn_on = frame(plan.tables[plan.turn_on_root].frame);
    let root = frame(plan.tables[plan.boot_root].frame);
    let trampoline = frame(plan.trampoline.unwrap_or(paging::Frame::new(0)));
    quote! {
        #[doc = " How and where the image is entered."]
        pub const BOOT: types::Boot = types::Boot {
            load: #load,
            load_from: #load_from,
            footprint_bytes: #footprint,
            entry_el: #entry_el,
            entry_el_from: #entry_el_from,
            turn_on_root: #turn_on,
            boot_root: #root,
            trampoline: #trampoline,
        };
    }
}

fn access(access: Access) -> TokenStream {
    match access {
        Access::Execute => quote!(types::Access::Execute),
        Access::Read => quote!(types::Access::Read),
        Access::ReadWrite => quote!(types::Access::ReadWrite),
        Access::Device => quote!(types::Access::Device),
        Access::Guard => quote!(types::Access::Guard),
        Access::Window => quote!(types::Access::Window),
    }
}

/// Sections, virtual regions and physical regions.
fn image(plan: &Plan) -> TokenStream {
    let sections = plan.sections.iter().map(|section| {
        let (name, base, link) = (section.name, physical(section.base), virtual_address(section.link));
        let (bytes, access, from) = (hex(section.bytes), access(section.access), origin(section.from));
        quote!(types::Section { name: #name, base: #base, link: #link, bytes: #bytes, access: #access, from: #from })
    });
    let regions = plan.regions.iter().map(|region| {
        let (name, base, bytes) = (&region.name, virtual_address(region.base), hex(region.bytes));
        let (access, from) = (access(region.access), origin(region.from));
        quote!(types::Region { name: #name, base: #base, bytes: #bytes, access: #access, from: #from })
    });
    let owners = plan.physical.iter().map(|region| {
        let (name, base) = (&region.name, physical(region.base));
        let (bytes, from) = (hex(region.bytes), origin(region.from));
        quote!(types::PhysRegion { name: #name, base: #base, bytes: #bytes, from: #from })
    });
    let sections = array("The image, section by section.", "SECTIONS", quote!(types::Section), sections.collect());
    let regions = array(
        "Hypervisor addresses with a name, sorted and disjoint.",
        "REGIONS",
        quote!(types::Region),
        regions.collect(),
    );
    let owners = array(
        "Physical addresses with an owner, sorted and disjoint.",
        "PHYS_REGIONS",
        quote!(types::PhysRegion),
        owners.collect(),
    );
    quote!(#sections #regions #owners)
}

/// RAM and processors.
fn machine(plan: &Plan) -> TokenStream {
    let ram = plan.board.memory.banks.iter().map(|bank| {
        let base = physical(bank.frames.first.address());
        let (bytes, node, from) = (hex(bank.frames.bytes()), count(bank.node), origin(bank.from));
        quote!(types::RamBank { base: #base, bytes: #bytes, node: #node, from: #from })
    });
    let banks_from = match plan.board.memory.banks_from {
        BanksFrom::File => quote!(types::BanksFrom::File),
        BanksFrom::Firmware => quote!(types::BanksFrom::Firmware),
    };
    let banks_from = quote! {
        #[doc = " What the banks of `RAM` stand for."]
        pub const BANKS_FROM: types::BanksFrom = #banks_from;
    };
    let cpus = plan.board.cpus.cores.iter().map(|core| {
        let (id, from) = (hex(core.id), origin(core.from));
        let release = optional(core.release.map(physical));
        quote!(types::Cpu { id: #id, release: #release, from: #from })
    });
    let frames = plan.cpu_frames.iter().map(|cpu| {
        let (root, stack, scratch) = (frame(cpu.root), frame(cpu.stack), frame(cpu.scratch));
        let (l1, l2, l3) = (frame(cpu.private_l1), frame(cpu.private_l2), frame(cpu.private_l3));
        quote!(types::CpuFrames {
            root: #root, private_l1: #l1, private_l2: #l2, private_l3: #l3, stack: #stack, scratch: #scratch,
        })
    });
    let ram = array("RAM, sorted and disjoint.", "RAM", quote!(types::RamBank), ram.collect());
    let cpus = array("Processors in logical order; the first boots.", "CPUS", quote!(types::Cpu), cpus.collect());
    let frames =
        array("What each processor owns, in the same order.", "CPU_FRAMES", quote!(types::CpuFrames), frames.collect());
    quote!(#banks_from #ram #cpus #frames)
}

fn window(window: &Window) -> TokenStream {
    let (base, slots, from) = (virtual_address(window.base), count(window.slots), origin(window.from));
    let (table, first) = (count(window.table as u64), count(window.first as u64));
    quote!(types::Window { base: #base, slots: #slots, table: #table, first: #first, from: #from })
}

/// Shared windows and the private area.
fn windows(plan: &Plan) -> TokenStream {
    let (fixmap, pmap, firmware) = (window(&plan.fixmap), window(&plan.pmap), window(&plan.firmware));
    let free = count(plan.fixmap_free);
    let area = &plan.private;
    let (stack, stack_bytes) = (virtual_address(area.stack), hex(area.stack_bytes));
    let (mapcache, slots) = (virtual_address(area.mapcache), count(area.mapcache_slots));
    let (scrub, scrub_table) = (virtual_address(area.scrub), virtual_address(area.scrub_table));
    let mapcache_table = virtual_address(area.mapcache_table);
    let root_table = virtual_address(area.root_table);
    let (scratch, scratch_bytes) = (virtual_address(area.scratch), hex(area.scratch_bytes));
    quote! {
        #[doc = " Pages mapped for good, then slots that are free at run time."]
        pub const FIXMAP: types::Window = #fixmap;
        #[doc = " First slot of the fixmap that is free at run time."]
        pub const FIXMAP_FREE: u32 = #free;
        #[doc = " Early window onto table pages."]
        pub const PMAP: types::Window = #pmap;
        #[doc = " Window onto what firmware left."]
        pub const FIRMWARE: types::Window = #firmware;
        #[doc = " Each processor's own area, at the same addresses."]
        pub const PRIVATE: types::PrivateArea = types::PrivateArea {
            stack: #stack,
            stack_bytes: #stack_bytes,
            scratch: #scratch,
            scratch_bytes: #scratch_bytes,
            mapcache: #mapcache,
            mapcache_slots: #slots,
            scrub: #scrub,
            scrub_table: #scrub_table,
            mapcache_table: #mapcache_table,
            root_table: #root_table,
        };
    }
}

fn width(width: Width) -> TokenStream {
    match width {
        Width::Byte => quote!(types::Width::Byte),
        Width::Half => quote!(types::Width::Half),
        Width::Word => quote!(types::Width::Word),
    }
}

fn register(register: UartRegister) -> TokenStream {
    let (offset, width) = (hex(register.offset.into()), width(register.width));
    quote!(types::Register { offset: #offset, width: #width })
}

fn flag(flag: UartFlag) -> TokenStream {
    let (at, mask, value) = (register(flag.register), hex(flag.mask.into()), hex(flag.value.into()));
    quote!(types::Flag { register: #at, mask: #mask, value: #value })
}

fn writes(list: &[(UartRegister, u32)]) -> TokenStream {
    let list = list.iter().map(|(at, value)| {
        let (at, value) = (register(*at), hex((*value).into()));
        quote!((#at, #value))
    });
    quote!(&[#(#list),*])
}

fn optional(tokens: Option<TokenStream>) -> TokenStream {
    tokens.map_or(quote!(None), |tokens| quote!(Some(#tokens)))
}

/// Console, power-off, how secondaries start, manifest.
fn devices(plan: &Plan) -> TokenStream {
    let console = console(plan);
    let power_off = power_off(plan);
    let enable = match plan.board.cpus.enable.value {
        EnableMethod::Psci(Conduit::Smc) => quote!(types::EnableMethod::PsciSmc),
        EnableMethod::Psci(Conduit::Hvc) => quote!(types::EnableMethod::PsciHvc),
        EnableMethod::Psci01(conduit, number) => {
            let number = hex(number.into());
            match conduit {
                Conduit::Smc => quote!(types::EnableMethod::Psci01Smc(#number)),
                Conduit::Hvc => quote!(types::EnableMethod::Psci01Hvc(#number)),
            }
        }
        EnableMethod::SpinTable => quote!(types::EnableMethod::SpinTable),
        EnableMethod::Sipi => {
            let lapic = virtual_address(plan.fixed.lapic.unwrap_or(paging::VirtAddr::new(0)));
            quote!(types::EnableMethod::Sipi { lapic: #lapic })
        }
        EnableMethod::None => quote!(types::EnableMethod::None),
    };
    let (manifest, mapped) = (frame(plan.manifest), virtual_address(plan.fixed.manifest));
    let images = match plan.board.boot.images.value {
        Images::Checked => quote!(types::Images::Checked),
        Images::Trusted => quote!(types::Images::Trusted),
    };
    quote! {
        #console
        #[doc = " How the machine is switched off."]
        pub const POWER_OFF: types::PowerOff = #power_off;
        #[doc = " How the other processors start."]
        pub const ENABLE: types::EnableMethod = #enable;
        #[doc = " The page with each blob's length and sum."]
        pub const MANIFEST: types::Manifest = types::Manifest { frame: #manifest, mapped: #mapped };
        #[doc = " What is done with guests' images before a guest starts."]
        pub const IMAGE_CARE: types::Images = #images;
    }
}

fn console(plan: &Plan) -> TokenStream {
    let console = &plan.board.console;
    let uart = &console.uart;
    let place = match (console.place, plan.fixed.console) {
        (ConsolePlace::Mmio(mmio), Some(mapped)) => {
            let (at, mapped) = (physical(mmio.base), virtual_address(mapped));
            quote!(types::ConsolePlace::Mmio { physical: #at, mapped: #mapped })
        }
        (ConsolePlace::Port(port), _) => {
            let port = hex(port.into());
            quote!(types::ConsolePlace::Port(#port))
        }
        (ConsolePlace::Mmio(_) | ConsolePlace::None, _) => quote!(types::ConsolePlace::None),
    };
    let (kind, tx, ready, idle) = (&uart.kind, register(uart.tx), flag(uart.ready), optional(uart.idle.map(flag)));
    let [init, before, after] = [&uart.init, &uart.before, &uart.after].map(|list| writes(list));
    let from = origin(console.from);
    quote! {
        #[doc = " Where the hypervisor's own lines go."]
        pub const CONSOLE: types::Console = types::Console {
            kind: #kind,
            place: #place,
            tx: #tx,
            ready: #ready,
            idle: #idle,
            init: #init,
            before: #before,
            after: #after,
            from: #from,
        };
    }
}

fn power_off(plan: &Plan) -> TokenStream {
    match plan.board.power_off.value {
        PowerOff::Psci => match plan.board.cpus.enable.value {
            EnableMethod::Psci(Conduit::Hvc) => quote!(types::PowerOff::PsciHvc),
            EnableMethod::Psci(Conduit::Smc)
            | EnableMethod::Psci01(..)
            | EnableMethod::SpinTable
            | EnableMethod::Sipi
            | EnableMethod::None => quote!(types::PowerOff::PsciSmc),
        },
        PowerOff::Sleep => quote!(types::PowerOff::Sleep),
        PowerOff::Port { port, width: size, value } => {
            let (port, size, value) = (hex(port.into()), width(size), hex(value.into()));
            quote!(types::PowerOff::Port { port: #port, width: #size, value: #value })
        }
        PowerOff::Mmio { width: size, value, .. } => {
            let mapped = virtual_address(plan.fixed.power_off.unwrap_or(paging::VirtAddr::new(0)));
            let (size, value) = (width(size), hex(value.into()));
            quote!(types::PowerOff::Mmio { mapped: #mapped, width: #size, value: #value })
        }
    }
}

/// Guests and the files they are started from.
fn domains(plan: &Plan) -> TokenStream {
    let blobs = plan.blobs.iter().map(|blob| {
        let (name, base, ipa) = (&blob.name, physical(blob.base), guest_physical(blob.ipa));
        let (bytes, from) = (hex(blob.max_bytes), origin(blob.from));
        quote!(types::Blob { name: #name, base: #base, ipa: #ipa, max_bytes: #bytes, from: #from })
    });
    let domains = plan.domains.iter().map(|domain| {
        let (name, vmid, vcpus) = (&domain.name, count(domain.vmid), count(domain.vcpus));
        let (ipa, memory) = (guest_physical(domain.ipa), physical(domain.memory.first.address()));
        let (bytes, ipa_bits) = (hex(domain.memory.bytes()), count(domain.ipa_bits));
        let limit = count(domain.tables_limit_frames);
        let (kernel, tree) = (count(domain.kernel as u64), count(domain.device_tree as u64));
        let console = match domain.console {
            GuestConsole::Hypercall => quote!(types::GuestConsole::Hypercall),
            GuestConsole::Pl011 => quote!(types::GuestConsole::Pl011),
            GuestConsole::Board => quote!(types::GuestConsole::Board),
            GuestConsole::None => quote!(types::GuestConsole::None),
        };
        let initrd = match domain.initrd {
            Some(index) => {
                let index = count(index as u64);
                quote!(Some(#index))
            }
            None => quote!(None),
        };
        let on_reboot = match domain.on_reboot {
            OnReboot::Restart => quote!(types::OnReboot::Restart),
            OnReboot::Off => quote!(types::OnReboot::Off),
        };
        let pins = domain.pins.iter().map(|cpu| count(*cpu));
        let (map, from) = (guest::tokens(&domain.map), origin(domain.from));
        quote!(types::Domain {
            name: #name, vmid: #vmid, vcpus: #vcpus, pins: &[#(#pins),*], ipa: #ipa, memory: #memory, memory_bytes: #bytes,
            ipa_bits: #ipa_bits, tables_limit_frames: #limit, kernel: #kernel, initrd: #initrd,
            device_tree: #tree, console: #console, on_reboot: #on_reboot, map: #map, from: #from,
        })
    });
    let blobs =
        array("Files that the loader places, in the manifest's order.", "BLOBS", quote!(types::Blob), blobs.collect());
    let domains = array("Guests, in file order.", "DOMAINS", quote!(types::Domain), domains.collect());
    let holes = holes(plan);
    quote!(#blobs #domains #holes)
}

/// Devices that can reach all memory.
fn holes(plan: &Plan) -> TokenStream {
    let holes = plan.holes.iter().map(|hole| {
        let (device, from) = (&hole.device, origin(hole.from));
        let domain = match &hole.domain {
            Some(name) => quote!(Some(#name)),
            None => quote!(None),
        };
        quote!(types::Hole { device: #device, domain: #domain, from: #from })
    });
    array("Devices that no isolation holds, in file order.", "HOLES", quote!(types::Hole), holes.collect())
}
