//! Numbers as people write them: hexadecimal in groups of four, sizes in binary units.
//!
//! Never parses.

/// The base in which the file writes a number, kept so that answers use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Radix {
    /// `0x4000_0000`.
    Hex,
    /// `1073741824`.
    Decimal,
}

impl Radix {
    /// The base of a number as it stands in the file; sizes in units count as hexadecimal.
    pub fn of(text: &str) -> Self {
        if text.starts_with(|c: char| c.is_ascii_digit()) && !text.starts_with("0x") {
            Self::Decimal
        } else {
            Self::Hex
        }
    }

    /// A number in this base.
    pub fn show(self, number: u128) -> String {
        match self {
            Self::Hex => hex(number),
            Self::Decimal => number.to_string(),
        }
    }

    /// `[base..end) size`; `end` may be 2^64.
    pub fn range(self, base: u64, bytes: u64) -> String {
        let end = u128::from(base) + u128::from(bytes);
        format!("[{}..{}) {}", self.show(base.into()), self.show(end), human_bytes(bytes))
    }
}

fn hex(number: u128) -> String {
    let digits = format!("{number:x}");
    let first = match digits.len() % 4 {
        0 => 4,
        rest => rest,
    };
    let mut text = format!("0x{}", &digits[..first]);
    for group in digits.as_bytes()[first..].chunks(4) {
        text.push('_');
        text.extend(group.iter().map(|&byte| char::from(byte)));
    }
    text
}

/// A length in the largest binary unit that divides it.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} B")
}

/// The next multiple of `unit` at or above `value`, if there is one below 2^64.
pub fn aligned_up(value: u64, unit: u64) -> Option<u64> {
    value.checked_next_multiple_of(unit)
}

#[cfg(test)]
mod tests {
    use super::{Radix, human_bytes};

    #[test]
    fn ranges_keep_the_base_and_reach_the_end_of_the_address_space() {
        assert_eq!(
            Radix::Hex.range(0xffff_ffff_ffff_f000, 0x1000),
            "[0xffff_ffff_ffff_f000..0x1_0000_0000_0000_0000) 4 KiB"
        );
        assert_eq!(Radix::of("4096").range(4096, 10), "[4096..4106) 10 B");
    }

    #[test]
    fn sizes_use_the_largest_exact_unit() {
        let shown: Vec<_> = [0, 1, 1024, 0x9_f000, 1 << 40].map(human_bytes).into();
        assert_eq!(shown, ["0 B", "1 B", "1 KiB", "636 KiB", "1 TiB"]);
    }
}
