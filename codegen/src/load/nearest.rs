//! The known word that a misspelt one was probably meant to be.
//!
//! Never suggests a word that shares too little with what was written.

/// The known word with the fewest edits, when they are at most a third of its letters (and at least one is allowed).
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of this length is not a misspelt key, and the distance takes quadratic time.
    if written.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let written = plain(written);
    let best =
        known.into_iter().map(|word| (distance(&written, &plain(word)), word)).min_by_key(|(edits, _)| *edits)?;
    let (edits, word) = best;
    (edits <= (word.chars().count() / 3).max(1)).then_some(word)
}

/// Edits (insert, delete, replace, swap neighbours) from one word to the other.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replaced = last[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut edits = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                let before: &Vec<usize> = &before_last;
                edits = edits.min(before[j - 2] + 1);
            }
            row.push(edits);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_near_words_only() {
        let words = ["gic-v2", "gic-v3", "apic"];
        assert_eq!(nearest("gicv3", words), Some("gic-v3"));
        assert_eq!(nearest("GIC_V2", words), Some("gic-v2"));
        assert_eq!(nearest("apci", words), Some("apic"));
        assert_eq!(nearest("plic-9000", words), None);
        assert_eq!(nearest("x", []), None);
    }
}
