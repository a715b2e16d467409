//! `map`: where everything lies, as text, data, table, picture or page.

use crate::cli::{Map, MapFormat};
use crate::commands::Context;
use crate::failure::Failure;
use crate::generate;
use crate::planned::Planned;

/// The generator's page of the same.
const PAGE: &str = "memory-map.md";

pub(crate) fn execute(context: &Context, arguments: &Map) -> Result<(), Failure> {
    let board = context.board(&arguments.board.platform)?;
    let planned = Planned::new(&board, arguments.profile)?;
    let plan = &planned.plan;
    let defect = |error: codegen::render::RenderError| Failure::Generate(error.to_string());
    let text = match arguments.format {
        MapFormat::Text => codegen::map::text(plan),
        MapFormat::Json => codegen::map::json(plan) + "\n",
        MapFormat::Svg => codegen::map::svg(plan).map_err(defect)?,
        MapFormat::Html => codegen::map::html(plan).map_err(defect)?,
        MapFormat::Md => {
            let page = generate::files(&planned)?.into_iter().find(|file| file.name == PAGE);
            page.ok_or_else(|| Failure::Generate(format!("the generator makes no {PAGE}")))?.text
        }
    };
    print!("{text}");
    Ok(())
}
