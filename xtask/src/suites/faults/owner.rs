//! Who owns an address, by the plan's regions and the board file's text.
//!
//! Does not ask the plan which line a region came from where the file itself can be asked.

use codegen::model::Origin;
use codegen::plan::{Plan, VirtualRegion};
use paging::VirtAddr;

use crate::failure::Failure;
use crate::project::Project;

/// The table and key whose line owns a region; `None` where no key does.
type Key = Option<(&'static str, &'static str)>;

/// Regions and their keys.
const KEYS: [(&[&str], Key); 9] = [
    (&["text", "rodata", "data"], Some(("[layout]", "image"))),
    (&["stack", "guard below stack", "guard above stack"], Some(("[layout]", "stack"))),
    (&["fixmap"], Some(("[layout]", "fixmap"))),
    (&["pmap", "guard above fixmap"], Some(("[layout]", "pmap"))),
    (&["firmware window", "guard above pmap", "guard above firmware window"], Some(("[layout]", "firmware"))),
    (
        &["map cache", "map cache table", "guard below map cache", "guard above map cache"],
        Some(("[layout]", "mapcache")),
    ),
    (&["console"], Some(("[console]", "base"))),
    (&["local apic"], Some(("[irq]", "lapic"))),
    (
        &[
            "page 0",
            "tables",
            "manifest",
            "pool window",
            "guard above pool window",
            "vcpu pages",
            "guard above vcpu pages",
            "scrub table",
            "scrub window",
        ],
        None,
    ),
];

/// The owners of one board's addresses.
pub(super) struct Owners {
    regions: Vec<VirtualRegion>,
    /// The board file, then its base: as reports name them, with their text.
    files: Vec<(String, String)>,
}

impl Owners {
    pub(super) fn new(project: &Project, plan: &Plan) -> Result<Self, Failure> {
        let board = &plan.board;
        let mut files = Vec::new();
        for file in [Some(&board.file), board.base_file.as_ref()].into_iter().flatten() {
            let path = project.root().join(file);
            let text = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
            files.push((file.clone(), text));
        }
        Ok(Self { regions: plan.regions.clone(), files })
    }

    /// As a report must put it.
    pub(super) fn of(&self, at: VirtAddr) -> String {
        let region = self
            .regions
            .iter()
            .find(|region| at.get().checked_sub(region.base.get()).is_some_and(|skip| skip < region.bytes));
        match region {
            Some(region) => format!("`{}` ({})", region.name, self.line(region)),
            None => "no region of the plan".to_owned(),
        }
    }

    fn line(&self, region: &VirtualRegion) -> String {
        let known = KEYS.iter().find(|(names, _)| names.contains(&region.name.as_str()));
        let file = |index: usize| self.files.get(index).map_or("", |(name, _)| name);
        match (known, region.from) {
            (Some((_, Some((table, key)))), _) => self.find(table, key),
            (Some((_, None)), _) | (None, Origin::Default) => format!("{}, by default", file(0)),
            (None, Origin::Line(line)) => format!("{}:{line}", file(0)),
            (None, Origin::BaseLine(line)) => format!("{}:{line}", file(1)),
        }
    }

    /// The first file that has the key in that table.
    fn find(&self, table: &str, key: &str) -> String {
        let found = self.files.iter().find_map(|(name, text)| Some(format!("{name}:{}", line_of(text, table, key)?)));
        found.unwrap_or_else(|| format!("no file has {key} in {table}"))
    }
}

/// One-based number of the line that sets `key` in `table`.
fn line_of(text: &str, table: &str, key: &str) -> Option<usize> {
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim_end() == table;
        } else if inside && line.split('=').next().is_some_and(|word| word.trim() == key) {
            return Some(number + 1);
        }
    }
    None
}
