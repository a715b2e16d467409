//! A machine under audit: started with its RAM in a file and a monitor, stopped, sampled, continued.
//!
//! Never changes what runs in it. Its process and its files go when it goes.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::dump::Dump;
use super::gdb::{Gdb, Numbers};
use super::qmp::Qmp;
use super::sample::{self, Stop};
use super::secret::Planted;
use crate::build::{Builder, Built};
use crate::emulator;
use crate::failure::Failure;
use crate::process;

/// Longest wait for the emulator to open a socket, or to answer through one.
const ANSWER: Duration = Duration::from_secs(20);
/// How often a socket is tried.
const POLL: Duration = Duration::from_millis(20);

/// Where a machine is stopped.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Wherever it is.
    Anywhere,
    /// Where a CPU comes to this address next.
    At(u64),
}

/// A running machine.
pub(super) struct Machine {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    files: Files,
    qmp: Qmp,
    numbers: Option<Numbers>,
}

/// The machine's RAM and the sockets it is asked through, in a folder of their own.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn new(target: &Path) -> Result<Self, Failure> {
        let folder = target.join(format!("audit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
        // A socket's name has room for a hundred bytes: from the working directory it is short.
        let here = std::env::current_dir().unwrap_or_default();
        Ok(Self { folder: folder.strip_prefix(here).map_or(folder.clone(), Path::to_path_buf) })
    }

    fn of(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The emulator's arguments. QEMU documentation, "invocation": a machine's RAM may be a file that others see too.
    fn arguments(&self, memory_bytes: u64) -> Vec<String> {
        let path = |name: &str| self.of(name).display().to_string().replace(',', ",,");
        let ram = format!("memory-backend-file,id=ram,size={memory_bytes},mem-path={},share=on", path("ram"));
        let socket = |name: &str| format!("unix:{},server=on,wait=off", path(name));
        let list = ["-object", &ram, "-machine", "memory-backend=ram", "-qmp", &socket("qmp"), "-gdb", &socket("gdb")];
        list.map(str::to_owned).to_vec()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("xtask: cannot remove {}: {error}", self.folder.display());
        }
    }
}

impl Machine {
    /// Starts the emulator and connects to its monitor.
    pub(super) fn start(builder: &Builder<'_>, built: &Built) -> Result<Self, Failure> {
        let files = Files::new(builder.project.target())?;
        let memory = built.planned.plan.board.emulator.as_ref().map_or(0, |emulator| emulator.memory_bytes);
        let mut command = emulator::command(builder.host, built, &files.arguments(memory))?;
        let (child, lines) = emulator::start(&mut command)?;
        // From here on the child ends with this value, also where a step fails.
        let mut starting = Starting(Some(child));
        let qmp = Qmp::new(connect(&files.of("qmp"))?)?;
        let Some(child) = starting.0.take() else {
            return Err(Failure::Run("the emulator is gone".into()));
        };
        Ok(Self { child, lines, said: Vec::new(), files, qmp, numbers: None })
    }

    /// Waits until `domains` guests have said what they planted.
    pub(super) fn planted(&mut self, domains: usize, limit: Duration) -> Result<Vec<Planted>, Failure> {
        let deadline = Instant::now() + limit;
        let mut planted = Vec::new();
        while planted.len() < domains {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    planted.extend(Planted::read(&line));
                    self.said.push(line);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let all = self.said.join("\n");
                    let count = planted.len();
                    return Err(Failure::Run(format!("{count} of {domains} guests planted secrets; console:\n{all}")));
                }
            }
        }
        Ok(planted)
    }

    /// Stops the machine, looks at all of it, lets it go on.
    pub(super) fn stop(&mut self, built: &Built, planted: &[Planted], place: Place) -> Result<Stop, Failure> {
        self.qmp.execute("stop")?;
        let mut gdb = Gdb::new(connect(&self.files.of("gdb"))?)?;
        match place {
            Place::Anywhere => {}
            Place::At(address) => gdb.run_to(address)?,
        }
        let numbers = match self.numbers {
            Some(numbers) => numbers,
            None => *self.numbers.insert(gdb.numbers()?),
        };
        let cpus = 0..built.planned.plan.board.cpus.cores.len();
        let registers = cpus.map(|cpu| gdb.registers(cpu, &numbers)).collect::<Result<Vec<_>, _>>()?;
        // A machine that a breakpoint stopped goes on with the debugger's end, unless it is stopped.
        self.qmp.execute("stop")?;
        drop(gdb);
        let mut dump = Dump::open(&self.files.of("ram"), &built.planned.plan)?;
        let mut stop = sample::stop(&built.planned.plan, &mut dump, &registers, planted)?;
        stop.copying = match place {
            Place::Anywhere => 0,
            Place::At(address) => registers.iter().filter(|registers| registers.pc == address).count(),
        };
        self.qmp.execute("cont")?;
        Ok(stop)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A child that is not a machine yet.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    let ended = process::poll(child).is_ok_and(|status| status.is_some());
    if !ended && let Err(error) = child.kill().and_then(|()| child.wait().map(drop)) {
        eprintln!("xtask: the emulator could not be stopped: {error}");
    }
}

fn connect(path: &Path) -> Result<UnixStream, Failure> {
    let deadline = Instant::now() + ANSWER;
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream
                    .set_read_timeout(Some(ANSWER))
                    .map_err(|error| Failure::Run(format!("cannot bound the wait for {}: {error}", path.display())))?;
                return Ok(stream);
            }
            Err(_) if Instant::now() < deadline => std::thread::sleep(POLL),
            Err(error) => return Err(Failure::Run(format!("the emulator has no socket {}: {error}", path.display()))),
        }
    }
}
