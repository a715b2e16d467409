//! What boards cost where they are built: importing, checking, planning, and the memory of all of it.
//!
//! The one report with seconds in it: a person waits for them. It names the machine, and no test reads it.

use std::time::{Duration, Instant};

use codegen::plan::Flavour;

use crate::boards;
use crate::build::Builder;
use crate::corpus::{self, Outcome};
use crate::failure::Failure;
use crate::planned::findings;
use crate::process;
use crate::toolchain::sysroot;

/// How often each board of `platforms/` is checked: the quickest run has had the machine to itself.
const RUNS: usize = 5;
/// Trees whose checks are added up.
const MANY: usize = 1000;
/// Lines of tests that measure in programs of their own begin so.
const FIGURE: &str = "figure: ";
/// Limits.
const CHECK_MOST: Duration = Duration::from_millis(50);
const IMPORT_MOST: Duration = Duration::from_millis(20);
const MANY_MOST: Duration = Duration::from_secs(5);

/// All figures, as the lines of a table.
pub struct Boards {
    machine: String,
    package: String,
    rows: Vec<Row>,
    measured: Vec<String>,
}

/// A time and the most that it may be.
struct Row {
    what: String,
    time: Duration,
    most: Duration,
}

/// Measures.
///
/// # Errors
/// When there are no trees, or something does not check.
pub fn boards(builder: &Builder<'_>) -> Result<Boards, Failure> {
    let trees = corpus::fetch(builder.project, builder.host)?;
    let mut rows = shipped(builder)?;
    let files = corpus::trees(&trees.folder)?;
    // Texts and plans are dropped, as they are by a command that checks one board.
    let times = |outcome: Outcome| (outcome.tree, outcome.import_time, outcome.check_time);
    let all: Vec<_> =
        files.iter().map(|tree| corpus::examine(&trees.folder, tree).map(times)).collect::<Result<_, _>>()?;
    let slowest = |time: fn(&(String, Duration, Duration)) -> Duration| {
        all.iter().max_by_key(|one| time(one)).map(|one| (one.0.clone(), time(one))).unwrap_or_default()
    };
    let (tree, time) = slowest(|one| one.1);
    rows.push(Row { what: format!("import of the slowest tree, {tree}"), time, most: IMPORT_MOST });
    let (tree, time) = slowest(|one| one.2);
    rows.push(Row { what: format!("check of the slowest imported board, {tree}"), time, most: CHECK_MOST });
    let time = all.iter().take(MANY).map(|one| one.2).sum();
    rows.push(Row { what: format!("checks of {} imported boards", all.len().min(MANY)), time, most: MANY_MOST });
    Ok(Boards { machine: machine(), package: trees.package, rows, measured: measured(builder)? })
}

/// The boards of `platforms/`.
fn shipped(builder: &Builder<'_>) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for board in boards::all(builder.project)? {
        let mut quickest = Duration::MAX;
        for _ in 0..RUNS {
            let began = Instant::now();
            let (model, _) = codegen::load(&board.path).map_err(|found| findings(&found))?;
            for flavour in Flavour::ALL {
                codegen::plan(&model, flavour).map_err(|found| findings(&found))?;
            }
            quickest = quickest.min(began.elapsed());
        }
        rows.push(Row { what: format!("check of {}", board.name), time: quickest, most: CHECK_MOST });
    }
    Ok(rows)
}

/// Figures that need a program of their own: the most memory used, and the board that is larger than any.
fn measured(builder: &Builder<'_>) -> Result<Vec<String>, Failure> {
    let mut command = process::command(sysroot::cargo());
    command.current_dir(builder.project.root());
    command.args(["test", "--quiet", "-p", "tests", "--test", "memory", "--test", "scale", "--", "--nocapture"]);
    let output = process::output(&mut command)?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(Failure::Run(format!("{text}{}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(text.lines().filter_map(|line| Some(line.split_once(FIGURE)?.1.to_owned())).collect())
}

/// The processor, as Linux names it, and how many there are.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    format!("{count} x {}", model.map_or("an unnamed processor", |(_, name)| name.trim()))
}

impl Boards {
    /// The page.
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "# What boards cost\n\n\
             Made by `cargo xtask bench boards --write` on {}, the generator compiled with opt-level 1. A check reads the\n\
             file and plans all three flavours. Boards of `platforms/`: the quickest of five; device trees of the package\n\
             `{}`: processor time.\n\n\
             | what | ms | at most |\n| --- | ---: | ---: |\n",
            self.machine, self.package
        );
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        for Row { what, time, most } in &self.rows {
            page.push_str(&format!("| {what} | {:.1} | {} |\n", millis(*time), most.as_millis()));
        }
        page.push_str("\nEach in a program of its own:\n\n");
        self.measured.iter().for_each(|line| page.push_str(&format!("- {line}\n")));
        page
    }

    /// Whether everything is as quick as it should be.
    ///
    /// # Errors
    /// What is not.
    pub fn judge(&self) -> Result<(), Failure> {
        let slow: Vec<_> = self.rows.iter().filter(|row| row.time > row.most).map(|row| row.what.as_str()).collect();
        if slow.is_empty() { Ok(()) } else { Err(Failure::Run(format!("too slow: {}", slow.join("; ")))) }
    }
}
