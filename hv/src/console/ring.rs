//! Where lines go on a board without a console: the last of them, for a debugger.
//!
//! Never read by the hypervisor.

/// Bytes kept.
const RING_BYTES: usize = 1024;

/// The last bytes printed; `next` is the oldest.
pub(super) struct Ring {
    bytes: [u8; RING_BYTES],
    next: usize,
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; RING_BYTES], next: 0 }
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.bytes[self.next % RING_BYTES] = byte;
        self.next = (self.next + 1) % RING_BYTES;
    }
}
