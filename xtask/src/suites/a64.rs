//! A64 instructions as words, for suites that put a few of them into an image or a guest.
//!
//! Encodings: Arm ARM (DDI 0487), "Alphabetical list of A64 base instructions". No assembler: what is not listed here
//! is not needed.

/// LDR (immediate): X1 from [X0].
pub(super) const LDR: u32 = 0xf940_0001;
/// STR (immediate): X1 to [X0].
pub(super) const STR: u32 = 0xf900_0001;
/// BR X0.
pub(super) const BR: u32 = 0xd61f_0000;
/// UDF #0.
pub(super) const UDF: u32 = 0;
/// ERET.
pub(super) const ERET: u32 = 0xd69f_03e0;
/// DSB SY.
pub(super) const DSB: u32 = 0xd503_3f9f;
/// ISB.
pub(super) const ISB: u32 = 0xd503_3fdf;

/// MOVZ and three MOVK: `value` into a register.
pub(super) fn load(register: u32, value: u64) -> [u32; 4] {
    const MOVZ: u32 = 0xd280_0000;
    const MOVK: u32 = 0xf280_0000;
    [0, 1, 2, 3].map(|part| {
        let base = if part == 0 { MOVZ } else { MOVK };
        let immediate = (value >> (16 * part) & 0xffff) as u32;
        base | (part << 21) | (immediate << 5) | register
    })
}

/// HVC with an immediate.
pub(super) const fn hvc(immediate: u16) -> u32 {
    0xd400_0002 | (immediate as u32) << 5
}

/// Instructions as memory holds them.
pub(super) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
