//! Trees with the peculiarities that real ones have, and trees that mean harm.

#[path = "import/mutate.rs"]
mod mutate;
#[path = "import/trees.rs"]
mod trees;

use std::path::Path;

use codegen::import::{Answers, Conduit, Guest, IrqClass, Method, Source, consoles, import};
use trees::{Node, blob, machine};

fn source() -> Source {
    Source { name: "board".into(), file: "board.dtb".into(), sha256: "0".repeat(64) }
}

fn text(root: Node) -> String {
    import(&blob(root), &source(), &Answers::default()).expect("it is a tree").text
}

fn holes(root: Node, answers: &Answers) -> Vec<&'static str> {
    let imported = import(&blob(root), &source(), answers).expect("it is a tree");
    imported.holes.iter().map(|hole| hole.key).collect()
}

#[test]
fn a_whole_tree_leaves_nothing_open_and_checks() {
    let imported = import(&blob(machine()), &source(), &Answers::default()).expect("it is a tree");
    assert_eq!(imported.holes, []);
    assert!(imported.class.is_bootable());
    let read = |_: &Path| Ok(imported.text.clone().into_bytes());
    let (board, warnings) = codegen::load_with("board.toml".as_ref(), &read).expect("it checks");
    assert!(warnings.is_empty());
    assert!(codegen::plan(&board, codegen::plan::Flavour::Release).is_ok());
}

#[test]
fn the_file_reads_as_a_person_would_have_written_it() {
    if let Err(text) = tests::expect(Path::new("tests/import/board.toml"), &text(machine())) {
        panic!("{text}");
    }
}

#[test]
fn a_console_is_found_by_alias_with_options_through_ranges_and_a_box_before_the_gic() {
    let text = text(machine());
    assert!(text.contains("base = 0x3f00_1040  # reg, through ranges"), "{text}");
    assert!(text.contains("intid = 37"), "{text}");
}

#[test]
fn what_the_tree_does_not_say_is_open_and_can_be_answered() {
    let silent = machine().without("memory@40000000").without("chosen").without("psci").without("timer");
    let open = ["memory.bank", "cpu.psci", "timer", "console"];
    assert_eq!(holes(silent.clone(), &Answers::default()), open);
    let answers = Answers {
        memory: vec![(0x4000_0000, 1 << 30)],
        console: Some("none".into()),
        conduit: Some(Conduit::Smc),
        timer_intids: Some([29, 30, 27, 26]),
        ..Answers::default()
    };
    assert_eq!(holes(silent, &answers), [""; 0]);
}

#[test]
fn a_size_of_zero_is_no_ram() {
    let root = machine().edit("memory@40000000", |node| node.cells("reg", &[0, 0x4000_0000, 0, 0]));
    assert_eq!(holes(root, &Answers::default()), ["memory.bank"]);
}

#[test]
fn touching_and_overlapping_entries_of_ram_are_taken_once() {
    let entries = [0, 0x4000_0000, 0, 0x1000_0000, 0, 0x4800_0000, 0, 0x1000_0000];
    let text = text(machine().edit("memory@40000000", |node| node.cells("reg", &entries)));
    assert_eq!(text.matches("[[memory.bank]]").count(), 1, "{text}");
    assert!(text.contains("size = \"384 MiB\""), "{text}");
}

#[test]
fn registers_in_what_the_tree_calls_ram_become_holes_in_it() {
    let root = machine().edit("memory@40000000", |node| node.cells("reg", &[0, 0x3000_0000, 0, 0x2000_0000]));
    let text = text(root);
    assert!(text.contains("name = \"registers-3f001040\""), "{text}");
    assert!(text.contains("kind = \"hole\""), "{text}");
}

#[test]
fn a_gicv2_without_a_virtual_half_is_no_place_for_guests() {
    let reg = [0, 0x800_0000, 0, 0x1000, 0, 0x801_0000, 0, 0x1000];
    let root = machine().edit("intc@8000000", |node| {
        node.cells("reg", &reg).text("compatible", "arm,gic-400").drop_property("interrupts")
    });
    let answers = Answers { guest: Guest::Payload, ..Answers::default() };
    let imported = import(&blob(root), &source(), &answers).expect("it is a tree");
    assert_eq!(imported.class.irq, IrqClass::GicV2Plain);
    assert!(imported.text.contains("size = 0x2000 }  # reg says 0x1000"), "{}", imported.text);
    assert!(!imported.text.contains("[[domain]]"), "{}", imported.text);
}

#[test]
fn cores_that_spin_need_an_address_each() {
    let spin = |node: Node| node.text("enable-method", "spin-table");
    let root = machine().without("psci").edit("cpus", |cpus| {
        cpus.edit("cpu@0", spin).edit("cpu@100", |core| spin(core).cells("cpu-release-addr", &[0, 0xe0]))
    });
    let found = text(root.clone());
    assert!(found.contains("release-addr = 0xe0"), "{found}");
    let root = root.edit("cpus", |cpus| cpus.edit("cpu@100", |core| core.drop_property("cpu-release-addr")));
    assert_eq!(holes(root.clone(), &Answers::default()), ["cpu.core.release-addr"]);
    let answers = Answers { enable_method: Some(Method::Psci), conduit: Some(Conduit::Smc), ..Answers::default() };
    assert_eq!(holes(root, &answers), [""; 0]);
}

#[test]
fn the_first_version_of_psci_brings_its_own_number() {
    let root = machine().edit("psci", |node| node.text("compatible", "arm,psci").cells("cpu_on", &[0xc400_0003]));
    assert!(text(root).contains("cpu-on = 0xc400_0003"));
}

#[test]
fn an_overlay_is_refused() {
    let root = Node::new("").child(Node::new("fragment@0").child(Node::new("__overlay__")));
    let error = import(&blob(root), &source(), &Answers::default()).expect_err("it is an overlay");
    assert!(error.to_string().contains("overlay"), "{error}");
}

#[test]
fn names_longer_than_the_specification_allows_are_read() {
    let long = "a-property-whose-name-is-longer-than-thirty-one-characters";
    assert!(text(machine().text(long, "x")).contains("[platform]"));
}

#[test]
fn what_is_wrong_is_named_by_its_node() {
    let cases: [(Node, &str); 4] = [
        (machine().edit("memory@40000000", |node| node.cells("reg", &[1, 2, 3])), "/memory@40000000: reg has 3 cells"),
        (machine().edit("memory@40000000", |node| node.cells("reg", &[!0, !0, 1, 0])), "does not end below 2^64"),
        (machine().edit("bus@7e000000", |node| node.cells("#address-cells", &[99])), "/bus@7e000000: #address-cells"),
        (machine().edit("bus@7e000000", |node| node.drop_property("ranges")), "/bus@7e000000: no ranges"),
    ];
    for (root, words) in cases {
        let found = text(root);
        assert!(found.contains(words), "no {words:?} in {found}");
    }
}

#[test]
fn cycles_of_interrupt_parents_end() {
    let root = machine()
        .edit("intc@8000000", |node| node.cells("interrupt-parent", &[2]))
        .edit("box@10200000", |node| node.cells("interrupt-parent", &[2]));
    assert!(text(root).contains("its interrupt does not lead to the GIC"));
}

#[test]
fn a_blob_cut_anywhere_is_refused_and_names_the_node_that_was_open() {
    let whole = blob(machine());
    for length in 0..whole.len() {
        let error = import(&whole[..length], &source(), &Answers::default()).expect_err("it is cut");
        assert!(!error.to_string().is_empty());
    }
    // The structure block ends earlier than its nodes do: the header's last word. Its end is inside some node.
    let length = u32::from_be_bytes(whole[36..40].try_into().expect("four bytes"));
    let mut cut = whole;
    cut[36..40].copy_from_slice(&(length - 64).to_be_bytes());
    let error = import(&cut, &source(), &Answers::default()).expect_err("it is cut");
    assert!(error.to_string().starts_with("/bus@7e000000"), "{error}");
}

#[test]
fn uarts_that_could_be_meant_are_listed_and_none_is_chosen() {
    let root = machine().without("chosen");
    assert_eq!(consoles(&blob(root.clone())).expect("a tree"), ["/bus@7e000000/serial@1040"]);
    assert_eq!(holes(root, &Answers::default()), ["console"]);
}
