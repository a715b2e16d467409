//! Pictures, comparisons and explanations of a small board.

use std::path::Path;

use super::{address, diff, html, rows, svg};
use crate::plan::{Flavour, Plan};

/// The shipped board, with its text changed.
fn plan(change: impl Fn(String) -> String) -> Plan {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../platforms/qemu-arm64.toml");
    let text = change(std::fs::read_to_string(file).expect("it is shipped"));
    let read = |_: &Path| Ok(text.clone().into_bytes());
    let (board, _) = crate::load_with("platforms/qemu-arm64.toml".as_ref(), &read).expect("it checks");
    crate::plan(&board, Flavour::Release).expect("it plans")
}

#[test]
fn rows_are_in_order_and_cover_every_bank() {
    let plan = plan(|text| text);
    let physical = rows::physical(&plan);
    assert!(physical.windows(2).all(|pair| pair[0].end() <= pair[1].base), "{physical:#?}");
    let bank = plan.board.memory.banks[0].frames;
    let (first, end) = (bank.first.address().get(), bank.end().address().get());
    let in_bank = physical.iter().filter(|row| first <= row.base && row.end() <= end);
    assert_eq!(in_bank.map(|row| row.bytes).sum::<u64>(), end - first);
}

#[test]
fn a_picture_shows_every_range_and_escapes_what_board_files_say() {
    let plan = plan(|text| text.replace("QEMU virt, GICv3", "a <b> & \\\"c\\\""));
    let picture = svg(&plan).expect("it renders");
    let ranges = rows::physical(&plan).len() + rows::virtual_ranges(&plan).len();
    assert_eq!(picture.matches("class=\"range ").count(), ranges);
    assert!(picture.contains("a &lt;b&gt; &amp; &quot;c&quot;"), "{picture}");
    let page = html(&plan).expect("it renders");
    assert!(page.contains("<svg") && !page.contains("http://localhost") && !page.contains("src="), "{page}");
}

#[test]
fn nothing_differs_from_itself_and_a_larger_stack_grows() {
    let (old, new) = (
        plan(|text| text),
        plan(|text| text.replace("stack = { size = \"16 KiB\" }", "stack = { size = \"32 KiB\" }")),
    );
    let (same, compared) = diff::diff(&old, &old);
    assert!(same.is_empty() && compared > 10, "{same:?}");
    let (changes, _) = diff::diff(&old, &new);
    let grown =
        changes.iter().find(|change| change.space == "virtual" && change.what.contains("grew from 16 KiB to 32 KiB"));
    assert!(grown.is_some(), "{}", diff::text(&changes, compared));
}

#[test]
fn an_address_is_explained_in_every_space_level_by_level() {
    let plan = plan(|text| text);
    let text = plan.sections[0].link.get();
    let found = address::explain(&plan, text);
    assert!(found.contains("virtual: text") && found.contains("L3") && found.contains("shows 0x4020_0000"), "{found}");
    let found = address::explain(&plan, 0x900_0000);
    assert!(found.contains("physical: console"), "{found}");
    let guest = address::explain(&plan, 0x4000_0000);
    assert!(guest.contains("guest-physical in linux0"), "{guest}");
    assert!(address::explain(&plan, u64::MAX).contains("nothing that the plan knows"));
}
