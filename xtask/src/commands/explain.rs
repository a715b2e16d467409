//! `explain`: what a diagnostic code means, with a bad and a good example.

use crate::boards::distance;
use crate::cli::Explain;
use crate::failure::Failure;

pub(crate) fn execute(arguments: &Explain) -> Result<(), Failure> {
    let code = arguments.code.to_uppercase();
    if let Some(text) = codegen::explain(&code) {
        print!("{text}");
        return Ok(());
    }
    let nearest = codegen::codes::all().map(|known| known.id).min_by_key(|known| distance(&code, known));
    let hint = nearest.map_or_else(String::new, |known| format!("\n  = help: did you mean {known}?"));
    Err(Failure::Usage(format!("there is no code {code}{hint}")))
}
