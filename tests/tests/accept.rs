//! Small and extreme boards that are right.

use tests::{fixtures, verdict};

#[test]
fn every_accepted_file_plans_without_a_word() {
    let files = fixtures("accept", "toml");
    assert!(!files.is_empty());
    for file in files {
        match verdict(&file) {
            Ok(warnings) => assert_eq!(warnings, "", "{}", file.display()),
            Err(text) => panic!("{}\n{text}", file.display()),
        }
    }
}
