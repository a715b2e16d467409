//! Secrets that guests plant: derived from a seed that they draw at run time and print, never from what they were given.
//!
//! A record is thirty decimal digits: two numbers made of the seed, then the number of its page. A page of secrets is
//! full of records, so that a part of one that was copied somewhere is found as well. The seed alone is no secret.

use memchr::memmem::Finder;

/// What a line of a guest that has planted its secrets holds, before its domain's name.
const MARK: &str = "audit: ";
/// Digits of one number.
const DIGITS: usize = 10;

/// What a guest says it planted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Planted {
    /// The domain.
    pub domain: String,
    /// Pages filled with records.
    pub pages: u64,
    /// What they are derived from.
    pub seed: u32,
}

impl Planted {
    /// Reads `audit: NAME planted PAGES pages from seed SEED`, wherever it begins in the line.
    pub(super) fn read(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(MARK)?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        match words[..] {
            [domain, "planted", pages, "pages", "from", "seed", seed] => {
                Some(Self { domain: domain.to_owned(), pages: pages.parse().ok()?, seed: seed.parse().ok()? })
            }
            _ => None,
        }
    }

    /// The two numbers that every record of this guest begins with.
    fn digits(&self) -> String {
        let first = next(self.seed);
        format!("{first:010}{:010}", next(first))
    }

    /// Looks for this guest's records.
    pub(super) fn finder(&self) -> Finder<'static> {
        Finder::new(self.digits().as_bytes()).into_owned()
    }
}

/// Whether a page holds a whole record.
pub(super) fn is_in(finder: &Finder<'_>, page: &[u8]) -> bool {
    finder.find_iter(page).any(|at| {
        let number = page.get(at + 2 * DIGITS..at + 3 * DIGITS);
        number.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
    })
}

/// Marsaglia's generator with multiplier 69069, modulo 2^32: exact also where numbers are doubles.
fn next(number: u32) -> u32 {
    number.wrapping_mul(69069).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::{Planted, is_in};

    fn planted() -> Planted {
        Planted::read("linux0: audit: linux0 planted 1500 pages from seed 7").expect("a whole line")
    }

    #[test]
    fn a_line_is_read_wherever_it_begins() {
        assert_eq!(planted(), Planted { domain: "linux0".into(), pages: 1500, seed: 7 });
        assert_eq!(Planted::read("audit: linux0 planted many pages from seed 7"), None);
        assert_eq!(Planted::read("linux0: audit begins"), None);
    }

    #[test]
    fn a_record_is_found_and_the_seed_is_not() {
        // 7 · 69069 + 1, and the same again.
        let record = "0000483484".to_owned() + "3328985325" + "0000000042";
        let finder = planted().finder();
        let mut page = vec![0; 4096];
        assert!(!is_in(&finder, &page));
        page[1000..1030].copy_from_slice(record.as_bytes());
        assert!(is_in(&finder, &page));
        page[1025] = b'x';
        assert!(!is_in(&finder, &page), "a record is whole");
        assert!(!is_in(&finder, b"audit: linux0 planted 1500 pages from seed 7"));
    }
}
