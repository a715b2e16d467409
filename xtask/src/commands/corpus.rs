//! `corpus`: what comes of every device tree of Debian's arm64 kernel.

use std::time::Duration;

use crate::cli::Corpus;
use crate::commands::Context;
use crate::corpus::{self, Outcome};
use crate::failure::Failure;

/// The committed page.
const PAGE: &str = "docs/corpus.md";

pub(crate) fn execute(context: &Context, arguments: &Corpus) -> Result<(), Failure> {
    let trees = corpus::fetch(&context.project, &context.host)?;
    let mut outcomes = Vec::new();
    for tree in corpus::trees(&trees.folder)? {
        if arguments.filter.as_ref().is_none_or(|text| tree.to_string_lossy().contains(text.as_str())) {
            let outcome = corpus::examine(&trees.folder, &tree)?;
            if arguments.each {
                println!("{}", line(&outcome));
            }
            outcomes.push(outcome);
        }
    }
    if outcomes.is_empty() {
        return Err(Failure::Usage("no tree has such a path: there is nothing to import".into()));
    }
    let page = corpus::markdown(&trees, &outcomes);
    print!("{page}");
    let total = |time: fn(&Outcome) -> Duration| outcomes.iter().map(time).sum::<Duration>().as_secs_f64();
    let most = |time: fn(&Outcome) -> Duration| outcomes.iter().map(time).max().unwrap_or_default().as_secs_f64();
    for (what, time) in
        [("import", (|one| one.import_time) as fn(&Outcome) -> Duration), ("check", |one| one.check_time)]
    {
        eprintln!("{what}: {:.2} s in all, {:.1} ms at most", total(time), most(time) * 1000.0);
    }
    if arguments.write && arguments.filter.is_none() {
        let file = context.project.root().join(PAGE);
        std::fs::write(&file, page).map_err(|error| Failure::file("write", &file, &error))?;
    }
    Ok(())
}

fn line(outcome: &Outcome) -> String {
    let verdict = match &outcome.plan {
        Ok(_) if outcome.class.is_bootable() => "bootable".to_owned(),
        Ok(_) => "checks".to_owned(),
        Err(codes) => codes.join(" "),
    };
    format!("{}: {verdict}; open: {}; {:?}", outcome.tree, outcome.holes.join(" "), outcome.class)
}
