//! Sets of disjoint ranges of one address space, each with the owner that claimed it.
//!
//! Never forgets who came first: an insertion that meets another range says which one and where.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::model::Origin;

/// Who claims a range, and the key that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// As people read it.
    pub name: String,
    /// The key behind the claim.
    pub from: Origin,
}

impl Owner {
    /// An owner by name and origin.
    pub fn new(name: impl Into<String>, from: Origin) -> Owner {
        Owner { name: name.into(), from }
    }
}

/// Two claims on the same addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash<A> {
    /// The range that was to be inserted.
    pub range: Range<A>,
    /// The range that was there.
    pub other: Range<A>,
    /// Whose range was there.
    pub owner: Owner,
}

impl<A: Copy + Ord> Clash<A> {
    /// The addresses that both claim.
    pub fn overlap(&self) -> Range<A> {
        self.range.start.max(self.other.start)..self.range.end.min(self.other.end)
    }
}

/// Disjoint half-open ranges, sorted, each with its owner.
#[derive(Clone, Debug)]
pub struct IntervalSet<A> {
    ranges: BTreeMap<A, (A, Owner)>,
}

impl<A: Copy + Ord> Default for IntervalSet<A> {
    fn default() -> Self {
        IntervalSet { ranges: BTreeMap::new() }
    }
}

impl<A: Copy + Ord> IntervalSet<A> {
    /// Claims `range`; the lowest range that is in the way is the error. Empty ranges claim nothing.
    pub fn insert(&mut self, range: Range<A>, owner: Owner) -> Result<(), Clash<A>> {
        if range.is_empty() {
            return Ok(());
        }
        if let Some((other, owner)) = self.overlapping(&range).next() {
            let owner = owner.clone();
            return Err(Clash { range, other, owner });
        }
        self.ranges.insert(range.start, (range.end, owner));
        Ok(())
    }

    /// Claims what nobody has claimed of `range`: for claims that may overlap, such as reservations.
    pub fn insert_rest(&mut self, range: Range<A>, owner: &Owner) {
        let gaps: Vec<_> = self.gaps(range).collect();
        for gap in gaps {
            self.ranges.insert(gap.start, (gap.end, owner.clone()));
        }
    }

    /// The claims that meet `range`, lowest first.
    pub fn overlapping(&self, range: &Range<A>) -> impl Iterator<Item = (Range<A>, &Owner)> + use<'_, A> {
        let (start, end) = (range.start, range.end);
        let before = self.ranges.range(..start).next_back();
        let within = self.ranges.range(start..end.max(start));
        before
            .into_iter()
            .chain(within)
            .filter(move |(_, (claimed_to, _))| *claimed_to > start && start < end)
            .map(|(from, (to, owner))| (*from..*to, owner))
    }

    /// What nobody claims inside `range`, lowest first.
    pub fn gaps(&self, range: Range<A>) -> impl Iterator<Item = Range<A>> + '_ {
        let mut at = range.start;
        let end = range.end;
        let mut claims = self.overlapping(&range).map(|(claim, _)| claim);
        std::iter::from_fn(move || {
            while at < end {
                let gap = match claims.next() {
                    Some(claim) => {
                        let gap = at..claim.start.max(at);
                        at = claim.end;
                        gap
                    }
                    None => {
                        let gap = at..end;
                        at = end;
                        gap
                    }
                };
                if !gap.is_empty() {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// All claims, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (Range<A>, &Owner)> + '_ {
        self.ranges.iter().map(|(from, (to, owner))| (*from..*to, owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> Owner {
        Owner::new(name, Origin::Default)
    }

    fn names(set: &IntervalSet<u64>) -> Vec<(Range<u64>, &str)> {
        set.iter().map(|(r, o)| (r, o.name.as_str())).collect()
    }

    #[test]
    fn touching_ranges_are_disjoint() {
        let mut set = IntervalSet::default();
        set.insert(10..20, owner("a")).expect("empty set");
        set.insert(20..30, owner("b")).expect("touches a");
        set.insert(0..10, owner("c")).expect("touches a");
        assert_eq!(names(&set), [(0..10, "c"), (10..20, "a"), (20..30, "b")]);
    }

    #[test]
    fn a_clash_names_the_lowest_range_in_the_way() {
        let mut set = IntervalSet::default();
        set.insert(10..20, owner("a")).expect("empty set");
        set.insert(30..40, owner("b")).expect("free");
        let clash = set.insert(15..35, owner("c")).expect_err("meets both");
        assert_eq!((clash.other.clone(), clash.owner.name.as_str()), (10..20, "a"));
        assert_eq!(clash.overlap(), 15..20);
        assert!(set.insert(12..13, owner("inside")).is_err());
        assert!(set.insert(0..100, owner("around")).is_err());
        assert!(set.insert(50..50, owner("empty")).is_ok());
        assert_eq!(names(&set).len(), 2);
    }

    #[test]
    fn gaps_are_what_nobody_claims() {
        let mut set = IntervalSet::default();
        set.insert(10..20, owner("a")).expect("empty set");
        set.insert(20..25, owner("b")).expect("free");
        set.insert(30..40, owner("c")).expect("free");
        let gaps: Vec<_> = set.gaps(0..50).collect();
        assert_eq!(gaps, [0..10, 25..30, 40..50]);
        assert!(set.gaps(12..35).eq(std::iter::once(25..30)));
        assert_eq!(set.gaps(12..18).count(), 0);
    }

    #[test]
    fn rest_keeps_earlier_owners() {
        let mut set = IntervalSet::default();
        set.insert(10..20, owner("a")).expect("empty set");
        set.insert_rest(5..25, &owner("b"));
        assert_eq!(names(&set), [(5..10, "b"), (10..20, "a"), (20..25, "b")]);
    }
}
