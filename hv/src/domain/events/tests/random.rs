//! Random calls of two domains beside a model of what ports are bound to.

use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};

use super::{CLOSE, DONE, PENDING, SEND, alloc, bind, failed, on_port, status};
use crate::domain::events::{CONSOLE_PORT, PORTS};
use crate::domain::hypercall::Errno;
use crate::domain::rig::{ONE, TWO, TestWorld, with_guests};
use crate::domain::world::DomainNumber;

/// A call; ports are among the first few.
#[derive(Clone, Copy, Debug)]
enum Op {
    Alloc {
        remote: u16,
    },
    Bind {
        remote: u16,
        port: u32,
    },
    Close(u32),
    Send(u32),
    /// The guest takes its events.
    Take,
}

/// What the model says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Free,
    Console,
    Unbound(u16),
    To(usize, u32),
}

struct Model {
    ports: [Vec<Bound>; 2],
    pending: [Vec<bool>; 2],
}

impl Model {
    fn new() -> Self {
        let mut ports = std::vec![Bound::Free; PORTS];
        ports[CONSOLE_PORT as usize] = Bound::Console;
        Self { ports: [ports.clone(), ports], pending: [std::vec![false; PORTS], std::vec![false; PORTS]] }
    }

    fn take_port(&mut self, me: usize, bound: Bound) -> u32 {
        let port = (1..PORTS).find(|port| self.ports[me][*port] == Bound::Free).expect("few are used");
        self.ports[me][port] = bound;
        port as u32
    }

    fn bind(&mut self, me: usize, remote: u16, port: u32) -> Option<u32> {
        let peer = usize::from(remote) - 1;
        if self.ports[peer][port as usize] != Bound::Unbound(me as u16 + 1) {
            return None;
        }
        let mine = self.take_port(me, Bound::To(peer, port));
        self.ports[peer][port as usize] = Bound::To(me, mine);
        self.pending[me][mine as usize] = true;
        Some(mine)
    }

    fn close(&mut self, me: usize, port: u32) -> bool {
        match self.ports[me][port as usize] {
            Bound::Free | Bound::Console => return false,
            Bound::Unbound(_) => {}
            Bound::To(peer, theirs) => self.ports[peer][theirs as usize] = Bound::Unbound(me as u16 + 1),
        }
        self.ports[me][port as usize] = Bound::Free;
        self.pending[me][port as usize] = false;
        true
    }

    fn send(&mut self, me: usize, port: u32) -> bool {
        match self.ports[me][port as usize] {
            Bound::Free => return false,
            Bound::Console | Bound::Unbound(_) => {}
            Bound::To(peer, theirs) => self.pending[peer][theirs as usize] = true,
        }
        true
    }

    fn words(&self, me: usize) -> u64 {
        (0..64).fold(0, |word, port| word | u64::from(self.pending[me][port]) << port)
    }
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    let port = || 0..8_u32;
    let op = prop_oneof![
        (1..=3_u16).prop_map(|remote| Op::Alloc { remote }),
        (1..=2_u16, port()).prop_map(|(remote, port)| Op::Bind { remote, port }),
        port().prop_map(Op::Close),
        port().prop_map(Op::Send),
        port().prop_map(Op::Send),
        Just(Op::Take),
    ];
    vec((0..2_usize, op), 1..60)
}

const BOTH: [DomainNumber; 2] = [ONE, TWO];

fn apply(world: &mut TestWorld<'_, '_>, model: &mut Model, me: usize, op: Op) {
    world.run(BOTH[me], 0);
    let or_invalid = |good: bool| if good { DONE } else { failed(Errno::Invalid) };
    match op {
        Op::Alloc { remote } => {
            assert_eq!(alloc(world, remote.into()), Ok(model.take_port(me, Bound::Unbound(remote))));
        }
        Op::Bind { remote, port } => {
            assert_eq!(bind(world, remote.into(), port), model.bind(me, remote, port).ok_or(failed(Errno::Invalid)));
        }
        Op::Close(port) => assert_eq!(on_port(world, CLOSE, port), or_invalid(model.close(me, port))),
        Op::Send(port) => assert_eq!(on_port(world, SEND, port), or_invalid(model.send(me, port))),
        Op::Take => {
            world.poke(PENDING, &[0]);
            model.pending[me].fill(false);
        }
    }
}

fn compare(world: &mut TestWorld<'_, '_>, model: &Model) {
    for me in [0, 1] {
        world.run(BOTH[me], 0);
        assert_eq!(world.peek(BOTH[me], PENDING), model.words(me), "domain {}", me + 1);
        for port in 0..8 {
            let expected = match model.ports[me][port as usize] {
                Bound::Free => [0; 4],
                Bound::Console => [2, 0, 0, 0],
                Bound::Unbound(remote) => [1, 0, remote.into(), 0],
                Bound::To(peer, theirs) => [2, 0, peer as u32 + 1, theirs],
            };
            assert_eq!(status(world, port), Ok(expected), "domain {}, port {port}", me + 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ports_are_bound_as_the_model_says(ops in ops()) {
        with_guests(|world| {
            let mut model = Model::new();
            for (me, op) in &ops {
                apply(world, &mut model, *me, *op);
            }
            compare(world, &model);
        });
    }
}
