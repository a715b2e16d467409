//! `explain`: what a diagnostic code means, or what an address is.

use codegen::schema::Size;

use crate::boards::distance;
use crate::cli::Explain;
use crate::commands::Context;
use crate::failure::Failure;
use crate::planned::Planned;

pub(crate) fn execute(context: &Context, arguments: &Explain) -> Result<(), Failure> {
    match (&arguments.platform, arguments.what.parse::<Size>()) {
        (Some(board), Ok(address)) => {
            let plan = Planned::new(&context.board(board)?, arguments.profile)?.plan;
            print!("{}", codegen::map::address::explain(&plan, address.0));
            Ok(())
        }
        (Some(_), Err(accepted)) => Err(Failure::Usage(format!("{:?} is no address: {accepted}", arguments.what))),
        (None, Ok(_)) => Err(Failure::Usage("an address means something on a board: add --platform BOARD".into())),
        (None, Err(_)) => code(&arguments.what),
    }
}

fn code(word: &str) -> Result<(), Failure> {
    let code = word.to_uppercase();
    if let Some(text) = codegen::explain(&code) {
        print!("{text}");
        return Ok(());
    }
    let nearest = codegen::codes::all().map(|known| known.id).min_by_key(|known| distance(&code, known));
    let hint = nearest.map_or_else(String::new, |known| format!("\n  = help: did you mean {known}?"));
    Err(Failure::Usage(format!("there is no code {code}{hint}")))
}
