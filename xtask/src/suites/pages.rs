//! Each board's page, looked at by a browser that has no network: its script runs, every range is there, it zooms.
//!
//! Never compares pixels.

use std::path::Path;
use std::process::Command;

use codegen::map::rows;

use super::Bench;
use crate::boards::{self, BoardFile};
use crate::cli::Profile;
use crate::failure::Failure;
use crate::packages::{self, CHROMIUM};
use crate::planned::Planned;
use crate::process;

/// A picture of a whole map is larger than a blank one of its size.
const SCREENSHOT_LEAST_BYTES: u64 = 20_000;

pub(super) fn run(bench: &mut Bench<'_>) {
    let boards = match boards::all(bench.builder.project) {
        Ok(boards) => boards,
        Err(failure) => return bench.job("pages", Err(failure)),
    };
    for board in boards {
        let result = look(bench, &board);
        bench.job(format!("page of {}", board.name), result);
    }
}

fn look(bench: &Bench<'_>, board: &BoardFile) -> Result<(), Failure> {
    let plan = Planned::new(board, Profile::Release)?.plan;
    let page = codegen::map::html(&plan).map_err(|error| Failure::Generate(error.to_string()))?;
    let folder = bench.builder.project.target().join("pages");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let file = folder.join(format!("{}.html", board.name));
    std::fs::write(&file, &page).map_err(|error| Failure::file("write", &file, &error))?;
    let browser = packages::ensure(bench.builder.host, CHROMIUM)?;
    let seen = process::output(browse(&browser, &folder).arg("--dump-dom").arg(&file))?;
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    let ranges = rows::physical(&plan).len() + rows::virtual_ranges(&plan).len();
    let last = rows::virtual_ranges(&plan).pop().map(|row| row.name).unwrap_or_default();
    let detail = seen.split("id=\"detail\">").nth(1).unwrap_or_default();
    for (what, holds) in [
        (format!("{ranges} ranges"), seen.contains(&format!("data-ranges=\"{ranges}\""))),
        ("a zoom by the wheel".to_owned(), seen.contains("data-zoomed=\"true\"")),
        (format!("the detail of {last} under the pointer"), detail.starts_with(&last)),
    ] {
        if !holds {
            return Err(Failure::Run(format!("{} does not show {what}", file.display())));
        }
    }
    screenshot(&browser, &folder, &file)
}

fn screenshot(browser: &Path, folder: &Path, file: &Path) -> Result<(), Failure> {
    let picture = file.with_extension("png");
    let option = format!("--screenshot={}", picture.display());
    process::output(browse(browser, folder).args([&option, "--window-size=1200,1400"]).arg(file))?;
    let bytes = picture.metadata().map_err(|error| Failure::file("read", &picture, &error))?.len();
    match bytes >= SCREENSHOT_LEAST_BYTES {
        true => Ok(()),
        false => Err(Failure::Run(format!("{} is {bytes} bytes: the page is blank", picture.display()))),
    }
}

/// A browser without a window, a profile of its own and no way to any host.
fn browse(browser: &Path, folder: &Path) -> Command {
    let mut command = process::command(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=2000"]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command
}
