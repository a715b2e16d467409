//! Starting a built board in its emulator and judging what it printed.
//!
//! Every argument comes from the build folder; every run has an end.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use codegen::model::Arch;

use crate::build::{Built, names};
use crate::failure::Failure;
use crate::host::Host;
use crate::packages::{self, QEMU_ARM, QEMU_X86};
use crate::process;

/// Longest run of a machine that tests or counts. A good one takes seconds; this one only ends what hangs, also where the machine is busy.
pub const LIMIT: Duration = Duration::from_secs(900);

/// The last line of a good run with domains.
pub const DOMAINS_OFF: &str = "tabula: all domains are off; powering off";
/// The last line of a good run without.
pub const NO_DOMAINS: &str = "tabula: no domains; powering off";

/// Whether serial lines are shown while they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// On stdout.
    Live,
    /// Kept for the caller only.
    Quiet,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What the console carried, a line each.
    pub lines: Vec<String>,
    /// The emulator's exit; `None` when its time was up.
    pub status: Option<ExitStatus>,
}

impl Outcome {
    /// Whether the hypervisor reached its last line and the emulator went with it.
    pub fn verdict(&self) -> Result<(), Failure> {
        let finished = self.lines.iter().any(|line| is_good_end(line));
        let last = self.lines.iter().rev().find(|line| line.starts_with("tabula: ")).map_or("nothing", |line| line);
        match self.status {
            None => Err(Failure::Run(format!("the machine did not power off in time; it said last: {last}"))),
            Some(status) if !status.success() => {
                Err(Failure::Run(format!("the emulator ended with {status}; last: {last}")))
            }
            Some(_) if !finished => Err(Failure::Run(format!("the machine stopped early; it said last: {last}"))),
            Some(_) => Ok(()),
        }
    }
}

/// The last line of a good run, of whichever image: domains that are off, or tests of which none failed.
fn is_good_end(line: &str) -> bool {
    let passed = line.strip_prefix("tabula: ").and_then(|line| line.strip_suffix(" passed, 0 failed"));
    line == DOMAINS_OFF || line == NO_DOMAINS || passed.is_some_and(|count| count.parse::<u32>().is_ok_and(|n| n > 0))
}

/// The emulator's command for a build. Installs the emulator where that is ours to do.
pub fn command(host: &Host, built: &Built, extra: &[String]) -> Result<Command, Failure> {
    let plan = &built.planned.plan;
    let file = built.folder.join(names::EMULATOR);
    if plan.board.emulator.is_none() {
        let text = format!("{} has no [emulator]: it runs on hardware only", plan.board.file);
        return Err(Failure::Usage(text));
    }
    let arguments = std::fs::read_to_string(&file).map_err(|error| Failure::file("read", &file, &error))?;
    let tool = match plan.board.arch {
        Arch::Aarch64 => QEMU_ARM,
        Arch::X86_64 => QEMU_X86,
    };
    let mut command = process::command(packages::ensure(host, tool)?);
    // zcu102's audio device would look for a sound server.
    command.env("QEMU_AUDIO_DRV", "none");
    command.args(arguments.lines().filter(|line| !line.is_empty()));
    command.arg("-kernel").arg(built.image());
    let placed = [&built.manifest.page];
    let files = if built.manifest.blobs.is_empty() { &placed[..0] } else { &placed[..] };
    for entry in built.manifest.blobs.iter().chain(files.iter().copied()) {
        command.arg("-device").arg(loader(&built.folder.join(&entry.file), entry.load));
    }
    command.args(extra);
    Ok(command)
}

/// A file put into RAM. A comma in a path ends an option, so it is doubled.
pub fn loader(file: &Path, address: u64) -> String {
    let path = file.display().to_string().replace(',', ",,");
    format!("loader,file={path},addr={address:#x},force-raw=on")
}

/// Starts the emulator; its console's lines arrive as they come, and end with it.
pub fn start(command: &mut Command) -> Result<(Child, Receiver<String>), Failure> {
    command.stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| Failure::Environment(format!("cannot start `{}`: {error}", process::shell_line(command))))?;
    let (sender, lines) = channel();
    let stdout = child.stdout.take();
    // It ends with the pipe or with whoever listens; nobody has to wait for it.
    std::thread::spawn(move || {
        let mut bytes = stdout.map(BufReader::new);
        let mut line = Vec::new();
        while let Some(input) = &mut bytes {
            line.clear();
            match input.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() => break,
                Ok(_) => {}
            }
        }
    });
    Ok((child, lines))
}

/// Runs the emulator until it ends or `limit` is over.
pub fn run(command: &mut Command, limit: Duration, show: Show) -> Result<Outcome, Failure> {
    let (mut child, lines) = start(command)?;
    let (lines, stop) = collect(&lines, Instant::now() + limit, show, |_| false);
    finish(&mut child, lines, stop)
}

/// Runs a machine that will not power off until it says `last`, or `limit` is over.
pub fn run_until(command: &mut Command, limit: Duration, last: impl Fn(&str) -> bool) -> Result<Outcome, Failure> {
    let (mut child, lines) = start(command)?;
    let (lines, stop) = collect(&lines, Instant::now() + limit, Show::Quiet, last);
    finish(&mut child, lines, stop)
}

/// Who ends the emulator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It has ended.
    Itself,
    /// Its time is up, or it has said what was waited for.
    Ours,
}

fn finish(child: &mut Child, lines: Vec<String>, stop: Stop) -> Result<Outcome, Failure> {
    if stop == Stop::Ours
        && let Err(error) = child.kill()
    {
        eprintln!("xtask: the emulator was gone before it could be stopped: {error}");
    }
    let status =
        child.wait().map_err(|error| Failure::Environment(format!("cannot wait for the emulator: {error}")))?;
    Ok(Outcome { lines, status: (stop == Stop::Itself).then_some(status) })
}

fn collect(
    lines: &Receiver<String>,
    deadline: Instant,
    show: Show,
    last: impl Fn(&str) -> bool,
) -> (Vec<String>, Stop) {
    let mut kept = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => {
                if show == Show::Live {
                    let mut stdout = std::io::stdout().lock();
                    // A closed pipe behind us is no reason to stop the machine early.
                    if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
                        eprintln!("{line}");
                    }
                }
                let is_last = last(&line);
                kept.push(line);
                if is_last {
                    return (kept, Stop::Ours);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return (kept, Stop::Itself),
            Err(RecvTimeoutError::Timeout) => return (kept, Stop::Ours),
        }
    }
}
