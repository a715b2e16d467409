//! `list`: the boards, one a line.

use serde_json::{Value, json};

use crate::boards;
use crate::cli::{Format, List};
use crate::commands::Context;
use crate::failure::Failure;

pub(crate) fn execute(context: &Context, arguments: &List) -> Result<(), Failure> {
    let boards = boards::all(&context.project)?;
    match arguments.format {
        Format::Text => {
            for board in boards {
                println!("{}", board.name);
            }
        }
        Format::Json => {
            let list: Vec<Value> =
                boards.iter().map(|board| json!({ "name": board.name, "file": board.path })).collect();
            println!("{:#}", Value::Array(list));
        }
    }
    Ok(())
}
