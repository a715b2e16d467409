//! Stories of guests and interrupts, with list registers that behave as the manual says.

mod guest;
mod list;
mod random;
mod registers;

use std::vec;
use std::vec::Vec;

use super::{Effect, Intid, Line, ListRegister, Private, Refill, State, VcpuNumber, Version, Width};
use guest::Guest;

const TIMER: u16 = 27;
const EVENTS: u16 = 31;
const UART: Intid = Intid::new(33);

#[test]
fn an_interrupt_waits_until_the_guest_enables_it_and_its_distributor() {
    for version in [Version::V2, Version::V3] {
        let mut guest = Guest::reset(version, 1);
        guest.vcpus[0].latch(1 << EVENTS);
        assert_eq!(guest.take(0), None);
        guest.enable(0, EVENTS);
        assert_eq!(guest.take(0), None, "the distributor is off");
        guest.switch_on();
        assert_eq!(guest.take(0), Some(EVENTS));
        guest.end(0, EVENTS);
        assert_eq!(guest.take(0), None, "it came once");
    }
}

#[test]
fn a_physical_interrupt_is_deactivated_by_the_guest_alone() {
    for version in [Version::V2, Version::V3] {
        let mut guest = Guest::booted(version, 1);
        guest.enable(0, TIMER);
        guest.vcpus[0].latch(1 << TIMER);
        assert_eq!(guest.vcpus[0].in_flight(), 1 << TIMER);
        assert_eq!(guest.take(0), Some(TIMER));
        assert_eq!(guest.deactivated, []);
        guest.end(0, TIMER);
        assert_eq!(guest.deactivated, [TIMER]);
        guest.refill(0);
        assert_eq!(guest.vcpus[0].in_flight(), 0);
    }
}

#[test]
fn a_physical_interrupt_that_is_disabled_before_it_is_taken_comes_when_it_is_enabled() {
    let mut guest = Guest::booted(Version::V3, 1);
    guest.enable(0, TIMER);
    guest.vcpus[0].latch(1 << TIMER);
    guest.refill(0);
    guest.disable(0, TIMER);
    assert_eq!(guest.take(0), None);
    assert_eq!((guest.vcpus[0].in_flight(), guest.deactivated.len()), (1 << TIMER, 0), "hardware holds it active");
    guest.enable(0, TIMER);
    assert_eq!(guest.take(0), Some(TIMER));
}

#[test]
fn a_level_comes_again_for_as_long_as_it_is_up() {
    for version in [Version::V2, Version::V3] {
        let mut guest = Guest::booted(version, 1);
        guest.enable(0, UART.get());
        guest.shared.drive(UART, Line::Up);
        for _ in 0..3 {
            assert_eq!(guest.take(0), Some(UART.get()));
            guest.end(0, UART.get());
            assert!(guest.maintenance(0), "the end of a level that is up is announced");
        }
        assert_eq!(guest.take(0), Some(UART.get()));
        // The handler silences the device while the interrupt is active.
        guest.shared.drive(UART, Line::Down);
        guest.refill(0);
        guest.end(0, UART.get());
        assert!(!guest.maintenance(0), "nobody waits for the end of a level that is down");
        assert_eq!(guest.take(0), None);
    }
}

#[test]
fn a_level_that_goes_down_before_it_is_taken_is_not_taken() {
    let mut guest = Guest::booted(Version::V3, 1);
    guest.enable(0, UART.get());
    guest.shared.drive(UART, Line::Up);
    guest.refill(0);
    guest.shared.drive(UART, Line::Down);
    assert_eq!(guest.take(0), None);
}

#[test]
fn an_edge_while_the_last_one_is_handled_comes_after_it_and_two_before_it_are_one() {
    let mut guest = Guest::booted(Version::V3, 1);
    guest.enable(0, 3);
    guest.vcpus[0].send(1 << 3, VcpuNumber::new(0));
    guest.refill(0);
    guest.vcpus[0].send(1 << 3, VcpuNumber::new(0));
    assert_eq!(guest.take(0), Some(3));
    guest.vcpus[0].send(1 << 3, VcpuNumber::new(0));
    assert_eq!(guest.take(0), None, "active");
    guest.end(0, 3);
    assert!(guest.maintenance(0));
    assert_eq!(guest.take(0), Some(3));
    guest.end(0, 3);
    assert!(!guest.maintenance(0));
    assert_eq!(guest.take(0), None);
}

#[test]
fn on_a_gicv2_each_sender_of_an_sgi_is_heard() {
    let mut guest = Guest::booted(Version::V2, 4);
    guest.enable(0, 5);
    for sender in [3, 1, 2] {
        guest.sgir(sender, 1 << 16 | 5);
    }
    let mut senders = Vec::new();
    while guest.take(0) == Some(5) {
        senders.push(guest.sender);
        guest.end(0, 5);
    }
    assert_eq!(senders, [1, 2, 3]);
}

#[test]
fn targets_of_sgis_are_decoded() {
    let mut guest = Guest::booted(Version::V3, 18);
    let targets = |guest: &Guest, sgi: super::Sgi, from| {
        let targets = sgi.targets(VcpuNumber::new(from), guest.shared.vcpus());
        targets.map(VcpuNumber::get).collect::<Vec<_>>()
    };
    // SGI 7 to Aff1 = 1, Aff0 0, 1 and 2: the domain has 18 vCPUs.
    let sgi = super::Sgi::from_sgi1r(7 << 24 | 1 << 16 | 0b111);
    assert_eq!((sgi.bit(), targets(&guest, sgi, 0)), (1 << 7, vec![16, 17]));
    assert_eq!(targets(&guest, super::Sgi::from_sgi1r(0x8001), 3), [0, 15]);
    assert_eq!(targets(&guest, super::Sgi::from_sgi1r(1 << 40), 3).len(), 17, "all but the sender");
    for nobody in [1 << 32 | 1, 1 << 44 | 1, 1 << 48 | 1, 0xff << 16 | 1] {
        assert_eq!(targets(&guest, super::Sgi::from_sgi1r(nobody), 0), []);
    }
    guest.shared = super::Distributor::new(Version::V2, 3, UART);
    let sgir = |value| super::Sgi::from_sgir(value, VcpuNumber::new(1));
    assert_eq!(targets(&guest, sgir(0xff << 16 | 2), 1), [0, 1, 2]);
    assert_eq!(targets(&guest, sgir(1 << 24 | 2), 1), [0, 2]);
    assert_eq!(targets(&guest, sgir(2 << 24 | 2), 1), [1]);
    assert_eq!(targets(&guest, sgir(3 << 24 | 0xff << 16), 1), []);
}

#[test]
fn more_than_fits_comes_in_order_of_urgency_with_one_refill_when_low() {
    let mut guest = Guest::booted(Version::V3, 1);
    for intid in 0..8 {
        guest.enable(0, intid);
        guest.priority(0, intid, 0xf0 - 8 * intid as u8);
    }
    guest.vcpus[0].send(0b0000_1111, VcpuNumber::new(0));
    assert_eq!(guest.refill(0), Refill::NotNeeded);
    // More urgent ones push what was not taken out.
    guest.vcpus[0].send(0b1111_0000, VcpuNumber::new(0));
    assert_eq!(guest.refill(0), Refill::WhenLow);
    let mut order = Vec::new();
    let mut exits = 0;
    loop {
        if let Some(intid) = guest.take_without_refill(0) {
            order.push(intid);
            guest.end(0, intid);
        } else if guest.underflow(0) {
            exits += 1;
            guest.refill(0);
        } else {
            break;
        }
    }
    assert_eq!(order, [7, 6, 5, 4, 3, 2, 1, 0]);
    assert!(exits <= 2, "{exits}");
}

#[test]
fn a_shared_interrupt_goes_to_its_target_and_to_nobody_else() {
    for version in [Version::V2, Version::V3] {
        let mut guest = Guest::booted(version, 4);
        guest.enable(0, UART.get());
        guest.target(UART.get(), 2);
        assert_eq!(guest.shared.latch(UART), Some(VcpuNumber::new(2)));
        assert_eq!([0, 1, 3].map(|vcpu| guest.take(vcpu)), [None; 3]);
        assert!(guest.vcpus[2].has_work(&guest.shared) && !guest.vcpus[0].has_work(&guest.shared));
        assert_eq!(guest.take(2), Some(UART.get()));
        // Retargeted while vCPU 2 handles it: the next one goes to vCPU 1, once this one is over.
        guest.target(UART.get(), 1);
        guest.shared.latch(UART);
        assert_eq!(guest.take(1), None);
        guest.end(2, UART.get());
        guest.refill(2);
        assert_eq!(guest.take(1), Some(UART.get()));
    }
}

#[test]
fn what_a_vcpu_has_not_taken_when_it_is_put_away_is_work() {
    let mut guest = Guest::booted(Version::V3, 1);
    guest.enable(0, 1);
    assert!(!guest.vcpus[0].has_work(&guest.shared));
    guest.vcpus[0].send(1 << 1, VcpuNumber::new(0));
    assert!(guest.vcpus[0].has_work(&guest.shared));
    guest.refill(0);
    assert!(guest.vcpus[0].has_work(&guest.shared), "it is in a list register, and not taken");
    assert_eq!(guest.take(0), Some(1));
    guest.put_away(0);
    assert!(!guest.vcpus[0].has_work(&guest.shared));
}

#[test]
fn a_kernel_that_clears_active_bits_ends_what_an_earlier_one_left() {
    let mut guest = Guest::booted(Version::V3, 1);
    guest.enable(0, TIMER);
    guest.vcpus[0].latch(1 << TIMER);
    assert_eq!(guest.take(0), Some(TIMER));
    guest.write_private(0, 0x380, u32::MAX);
    guest.refill(0);
    assert_eq!((guest.deactivated.as_slice(), guest.vcpus[0].in_flight()), ([TIMER].as_slice(), 0));
    assert_eq!(guest.vcpus[0].in_use(), 0);
}
