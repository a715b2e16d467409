//! The map as a picture and as a page: both address spaces side by side, owners in colour.
//!
//! Heights grow with the logarithm of a size, so that one mebibyte is seen beside one tebibyte. Computes places on paper
//! and no address.

use handlebars::{Handlebars, html_escape};
use serde::Serialize;

use super::rows::{self, Row};
use crate::diagnostic::Radix;
use crate::plan::Plan;
use crate::render::RenderError;

const SVG: &str = include_str!("../../../templates/memory-map.svg.hbs");
const PAGE: &str = include_str!("../../../templates/memory-map.html.hbs");

/// Width of a column's boxes, and the distance between columns.
const BOX_WIDTH: u32 = 430;
const COLUMN_STEP: u32 = 600;
/// Left edge of the first column's boxes: addresses stand before it.
const LEFT: u32 = 150;
const TOP: u32 = 84;
/// Height of a page's box, and what each doubling adds.
const LEAST_HEIGHT: u32 = 16;
const DOUBLING_HEIGHT: u32 = 1;
const PAGE_SHIFT: u32 = 12;

#[derive(Serialize)]
struct Picture {
    title: String,
    summary: String,
    width: u32,
    height: u32,
    columns: Vec<Column>,
    legend: Vec<Entry>,
}

#[derive(Serialize)]
struct Column {
    title: &'static str,
    x: u32,
    y: u32,
    boxes: Vec<Box>,
}

#[derive(Serialize)]
struct Box {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    class: &'static str,
    address_x: u32,
    text_x: u32,
    text_y: u32,
    base: String,
    label: String,
    detail: String,
}

#[derive(Serialize)]
struct Entry {
    x: u32,
    text_x: u32,
    class: &'static str,
}

/// The picture.
///
/// # Errors
/// A template that names what its view does not have: a defect of the generator.
pub fn svg(plan: &Plan) -> Result<String, RenderError> {
    render("memory-map.svg", SVG, &picture(plan))
}

/// The picture in a page that zooms and tells what is under the pointer; it fetches nothing.
///
/// # Errors
/// As [`svg`].
pub fn html(plan: &Plan) -> Result<String, RenderError> {
    let picture = svg(plan)?;
    let view = serde_json::json!({ "title": title(plan), "picture": picture });
    render("memory-map.html", PAGE, &view)
}

fn render(file: &'static str, template: &str, view: &impl Serialize) -> Result<String, RenderError> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    // Text of board files stands in attributes and elements here; a finished picture is placed with three braces.
    engine.register_escape_fn(html_escape);
    let text = engine.render_template(template, view);
    text.map_err(|error| RenderError::Template { file, error: std::boxed::Box::new(error) })
}

fn title(plan: &Plan) -> String {
    format!("{} ({}), {} image", plan.board.name, plan.board.model, plan.flavour.word())
}

fn picture(plan: &Plan) -> Picture {
    let spaces = [("physical", rows::physical(plan)), (rows::space(plan.board.arch), rows::virtual_ranges(plan))];
    let columns: Vec<Column> = (0..).zip(spaces).map(|(number, (title, rows))| column(number, title, &rows)).collect();
    let bottom = |column: &Column| column.boxes.last().map_or(TOP, |last| last.y + last.height);
    let height = columns.iter().map(bottom).max().unwrap_or(TOP) + 20;
    let rows::Shares { ram_bytes, free, waste, headroom } = rows::shares(plan);
    let ram = super::size(ram_bytes);
    let summary = format!(
        "{ram} of RAM: {free} % free, {waste} % of it in pieces smaller than 2 MiB; the image leaves {headroom} % of its window"
    );
    let classes = ["hypervisor", "domain", "device", "reserved", "window", "guard", "free", "gap"];
    let legend = (0..).zip(classes).map(|(number, class)| {
        let x = LEFT + number * 115;
        Entry { x, text_x: x + 18, class }
    });
    Picture { title: title(plan), summary, width: COLUMN_STEP * 2, height, legend: legend.collect(), columns }
}

fn column(number: u32, title: &'static str, rows: &[Row]) -> Column {
    let x = LEFT + number * COLUMN_STEP;
    let mut y = TOP;
    let mut boxes = Vec::new();
    for row in rows {
        let height = LEAST_HEIGHT + DOUBLING_HEIGHT * row.bytes.max(1).ilog2().saturating_sub(PAGE_SHIFT);
        boxes.push(boxed(row, x, y, height));
        y += height;
    }
    Column { title, x, y: TOP - 8, boxes }
}

fn boxed(row: &Row, x: u32, y: u32, height: u32) -> Box {
    let size = super::size(row.bytes);
    let access = if row.access.is_empty() { String::new() } else { format!(", {}", row.access) };
    let from = if row.from.is_empty() { String::new() } else { format!(", {}", row.from) };
    Box {
        x,
        y,
        width: BOX_WIDTH,
        height,
        class: row.colour.word(),
        address_x: x - 6,
        text_x: x + 8,
        text_y: y + height / 2 + 4,
        base: Radix::Hex.show(row.base.into()),
        label: format!("{}, {size}", row.name),
        detail: format!("{} {}{access}{from}", row.name, row.shown()),
    }
}
