//! Other programs: run one, with a bounded wait where it might hang.
//!
//! Never leaves a child behind: what is not waited for to its end is killed with all it started.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How often a bounded wait looks.
const POLL: Duration = Duration::from_millis(10);

/// How a bounded run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It was killed when its time was up.
    TimedOut,
}

/// A command that does not inherit what `cargo run` sets for this program alone.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_remove("LD_LIBRARY_PATH").stdin(Stdio::null());
    command
}

/// Runs to the end and returns what it printed; failing to start is a failure, a bad exit is not.
pub fn output(command: &mut Command) -> Result<Output, Failure> {
    command.output().map_err(|error| cannot_start(command, &error))
}

/// The trimmed stdout of a command that succeeds; `None` when it cannot start or fails.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Runs with inherited stderr, stdout sent there too: results of ours alone go to stdout.
pub fn run(command: &mut Command) -> Result<ExitStatus, Failure> {
    command.stdout(std::io::stderr());
    command.status().map_err(|error| cannot_start(command, &error))
}

/// Runs in a process group of its own, which is killed as a whole after `limit`.
pub fn run_bounded(command: &mut Command, limit: Duration) -> Result<Ended, Failure> {
    command.process_group(0).stdout(std::io::stderr());
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = poll(&mut child)? {
            return Ok(Ended::Exited(status));
        }
        if Instant::now() >= deadline {
            kill_group(&mut child);
            return Ok(Ended::TimedOut);
        }
        std::thread::sleep(POLL);
    }
}

/// Whether the child has ended.
pub fn poll(child: &mut Child) -> Result<Option<ExitStatus>, Failure> {
    child.try_wait().map_err(|error| Failure::Environment(format!("cannot wait for a child process: {error}")))
}

/// Everything a pipe still holds, as text.
pub fn drain(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks ends here: what came before is still worth showing.
    if pipe.read_to_end(&mut bytes).is_err() {
        bytes.extend_from_slice(b"\n(output cut short)");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The command as a person would type it into a shell.
pub fn shell_line(command: &Command) -> String {
    let mut line = quote(command.get_program());
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&quote(argument));
    }
    line
}

fn kill_group(child: &mut Child) {
    // `Child::kill` ends one process; a shell's children would live on.
    let group = format!("-{}", child.id());
    let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
    if !killed.is_ok_and(|status| status.success()) && child.kill().is_err() {
        eprintln!("xtask: process {} was gone before it could be killed", child.id());
    }
    if let Err(error) = child.wait() {
        eprintln!("xtask: cannot wait for process {}: {error}", child.id());
    }
}

fn quote(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    let program = Path::new(command.get_program()).display();
    Failure::Environment(format!("cannot start {program}: {error}"))
}
