//! The figures for people, as a page.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Linux;

impl Linux {
    /// The page.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# Linux\n\nWhat unmodified kernels cost the hypervisor, in instructions: before the first guest's first one, and \
             from there to\nthe last domain's end, which follows its marker. Clearing memory is apart. Images lie in their \
             places, one CPU, one\ndomain of 512 MiB (`two`: two of 256 MiB). Made by `cargo xtask bench linux` on {}.\n\n",
            self.machine
        );
        for line in &self.guests {
            writeln!(text, "- {line}").expect(STRING);
        }
        text.push_str(
            "\n| run | | entry to entry | clearing | after entry | exits | each | guests |\n\
             | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for run in &self.runs {
            let each = run.after / run.exits.max(1);
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {each} | {} |",
                run.name, run.what, run.entry, run.scrub, run.after, run.exits, run.guests
            )
            .expect(STRING);
        }
        let reasons: BTreeSet<&String> = self.runs.iter().flat_map(|run| run.reasons.keys()).collect();
        let heads: String = self.runs.iter().map(|run| format!(" {} |", run.name)).collect();
        let rules: String = self.runs.iter().map(|_| " ---: |").collect();
        writeln!(
            text,
            "\nWhy guests left, by the emulator's log of the whole run.\n\n| reason |{heads}\n| --- |{rules}"
        )
        .expect(STRING);
        for reason in reasons {
            let cells = self.runs.iter().map(|run| run.reasons.get(reason).copied().unwrap_or(0));
            let cells: String = cells.map(|count| format!(" {count} |")).collect();
            writeln!(text, "| {reason} |{cells}").expect(STRING);
        }
        text
    }
}

/// Why writing cannot fail.
const STRING: &str = "a string takes everything";
