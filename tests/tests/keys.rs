//! platforms/README.md is what the schema's types give.

use std::path::Path;

#[test]
fn the_schema_for_editors_is_current() {
    let file = Path::new("../platforms/platform.schema.json");
    if let Err(text) = tests::expect(file, &codegen::keys::schema()) {
        panic!("{text}");
    }
}

#[test]
fn the_page_of_keys_is_current() {
    let page = Path::new("../platforms/README.md");
    if let Err(text) = tests::expect(page, &codegen::keys::page()) {
        panic!("{text}");
    }
}
