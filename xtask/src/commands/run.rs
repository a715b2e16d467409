//! `run`: build, start, judge.

use std::time::Duration;

use crate::cli::Run;
use crate::commands::Context;
use crate::emulator::{self, Show};
use crate::failure::Failure;
use crate::process;

/// With a debugger attached nobody knows how long it takes.
const DEBUGGER: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn execute(context: &Context, arguments: &Run) -> Result<(), Failure> {
    let boards = context.boards(&arguments.build.boards.platform)?;
    for board in boards {
        let built = context.builder(arguments.build.guest).build(&board, arguments.build.profile)?;
        let mut extra = arguments.emulator.clone();
        if arguments.gdb {
            extra.extend(["-s".to_owned(), "-S".to_owned()]);
            eprintln!(
                "xtask: waiting for a debugger: gdb-multiarch {} -ex 'target remote :1234'",
                context.shown(&built.folder, "tabula.elf")
            );
        }
        let mut command = emulator::command(&context.host, &built, &extra)?;
        if arguments.print_command {
            println!("{}", process::shell_line(&command));
            continue;
        }
        let limit = if arguments.gdb { DEBUGGER } else { Duration::from_secs(arguments.timeout) };
        emulator::run(&mut command, limit, Show::Live)?.verdict()?;
    }
    Ok(())
}
