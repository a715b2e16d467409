//! Manifests that must be refused, and one that must not.

use super::{BLOBS, HEADER_WORDS, MAGIC, ManifestError, RECORD_WORDS, Sum, VERSION, WORDS, parse};

/// The page that the model board's build would write.
fn page() -> [u64; WORDS] {
    let mut words = [0; WORDS];
    words[..3].copy_from_slice(&[MAGIC, VERSION, BLOBS.len() as u64]);
    for (index, blob) in BLOBS.iter().enumerate() {
        let first = HEADER_WORDS + index * RECORD_WORDS;
        words[first..first + 3].copy_from_slice(&[blob.base.get(), blob.max_bytes, 7]);
    }
    words
}

fn refused(at: usize, word: u64) -> ManifestError {
    let mut words = page();
    words[at] = word;
    parse(&words).expect_err("the page is wrong")
}

#[test]
fn a_page_that_agrees_with_the_plan_is_believed() {
    let manifest = parse(&page()).expect("it agrees");
    for (record, blob) in manifest.iter().zip(&BLOBS) {
        assert_eq!((record.bytes, record.sum), (blob.max_bytes, 7));
    }
}

#[test]
fn each_disagreement_has_its_own_error() {
    let first = HEADER_WORDS;
    assert!(matches!(refused(0, 0), ManifestError::None));
    assert!(matches!(refused(1, VERSION + 1), ManifestError::None));
    assert!(matches!(refused(2, u64::MAX), ManifestError::Count { found: u64::MAX }));
    assert!(matches!(refused(first, 0x1000), ManifestError::Base { found: 0x1000, .. }));
    assert!(matches!(refused(first + 1, 0), ManifestError::Length { found: 0, .. }));
    assert!(matches!(refused(first + 1, u64::MAX), ManifestError::Length { .. }));
}

#[test]
fn the_sum_depends_on_the_order_of_words() {
    assert_ne!(Sum::EMPTY.with(1).with(2), Sum::EMPTY.with(2).with(1));
    assert_eq!(Sum::EMPTY.get(), 0xcbf2_9ce4_8422_2325);
}
