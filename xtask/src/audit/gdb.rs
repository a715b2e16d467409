//! Registers of every CPU through the emulator's debugger interface, which has those of EL2.
//!
//! Reads only. Source: GDB documentation, appendix "GDB Remote Serial Protocol"; the register descriptions are QEMU's.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::failure::Failure;

/// Numbers of the registers that every description begins with. QEMU `gdb-xml/aarch64-core.xml`: x0 to x30, sp, pc, cpsr.
const PC: u32 = 32;
const CPSR: u32 = 33;
/// The description that holds system registers.
const SYSTEM: &str = "system-registers.xml";
/// Bytes asked for at once; below the packet size of every stub.
const CHUNK: usize = 0x800;

/// A connection; the machine stands still while there is one.
pub(super) struct Gdb {
    stream: UnixStream,
    read: Vec<u8>,
}

/// Numbers of the registers that an audit reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    ttbr0_el2: u32,
    vttbr_el2: u32,
    sctlr_el2: u32,
}

/// What an audit reads of one CPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Registers {
    pub(super) pc: u64,
    pub(super) cpsr: u64,
    pub(super) ttbr0_el2: u64,
    pub(super) vttbr_el2: u64,
    pub(super) sctlr_el2: u64,
}

impl Gdb {
    /// Agrees on features.
    pub(super) fn new(stream: UnixStream) -> Result<Self, Failure> {
        let mut gdb = Self { stream, read: Vec::new() };
        gdb.ask("qSupported:multiprocess+;xmlRegisters=aarch64")?;
        // The stub shows registers to those who have asked for their description.
        gdb.description("target.xml")?;
        Ok(gdb)
    }

    /// Finds the registers by name.
    pub(super) fn numbers(&mut self) -> Result<Numbers, Failure> {
        let text = self.description(SYSTEM)?;
        let number = |name: &str| {
            number(&text, name).ok_or_else(|| Failure::Run(format!("the emulator does not show register {name}")))
        };
        Ok(Numbers {
            ttbr0_el2: number("TTBR0_EL2")?,
            vttbr_el2: number("VTTBR_EL2")?,
            sctlr_el2: number("SCTLR_EL2")?,
        })
    }

    /// The registers of CPU `cpu`, which is thread `cpu` + 1 of process 1.
    pub(super) fn registers(&mut self, cpu: usize, numbers: &Numbers) -> Result<Registers, Failure> {
        let answer = self.ask(&format!("Hgp1.{:x}", cpu + 1))?;
        if answer != "OK" {
            return Err(Failure::Run(format!("the emulator has no CPU {cpu}: {answer}")));
        }
        Ok(Registers {
            pc: self.register(PC)?,
            cpsr: self.register(CPSR)?,
            ttbr0_el2: self.register(numbers.ttbr0_el2)?,
            vttbr_el2: self.register(numbers.vttbr_el2)?,
            sctlr_el2: self.register(numbers.sctlr_el2)?,
        })
    }

    /// Lets the machine go on until a CPU is about to execute the instruction at `address`. It stands still then.
    ///
    /// GDB manual, "Packets" and "Stop Reply Packets": a hardware breakpoint, as the code is not to be changed.
    pub(super) fn run_to(&mut self, address: u64) -> Result<(), Failure> {
        self.agreed(&format!("Z1,{address:x},4"))?;
        let stopped = self.ask("c")?;
        if !stopped.starts_with("T05") {
            return Err(Failure::Run(format!("the machine stopped for another reason than {address:#x}: {stopped}")));
        }
        self.agreed(&format!("z1,{address:x},4"))
    }

    fn agreed(&mut self, packet: &str) -> Result<(), Failure> {
        match self.ask(packet)?.as_str() {
            "OK" => Ok(()),
            answer => Err(Failure::Run(format!("the emulator answers {answer:?} to {packet}"))),
        }
    }

    /// A register's bytes come in the machine's order, little-endian.
    fn register(&mut self, number: u32) -> Result<u64, Failure> {
        let answer = self.ask(&format!("p{number:x}"))?;
        let digits = answer.as_bytes().chunks(2).rev().map(|pair| String::from_utf8_lossy(pair)).collect::<String>();
        u64::from_str_radix(&digits, 16).map_err(|_| Failure::Run(format!("register {number} reads as {answer:?}")))
    }

    fn description(&mut self, name: &str) -> Result<String, Failure> {
        let mut text = String::new();
        loop {
            let part = self.ask(&format!("qXfer:features:read:{name}:{:x},{CHUNK:x}", text.len()))?;
            text.push_str(part.get(1..).unwrap_or_default());
            match part.chars().next() {
                Some('m') => {}
                Some('l') => return Ok(text),
                Some(_) | None => return Err(Failure::Run(format!("the emulator has no {name}: {part:?}"))),
            }
        }
    }

    fn ask(&mut self, packet: &str) -> Result<String, Failure> {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        self.stream.write_all(format!("${packet}#{sum:02x}").as_bytes()).map_err(|error| broken(&error))?;
        self.answer()
    }

    /// The next packet, acknowledged: `$text#xx`.
    fn answer(&mut self) -> Result<String, Failure> {
        loop {
            let start = self.read.iter().position(|byte| *byte == b'$');
            let end = self.read.iter().position(|byte| *byte == b'#');
            if let (Some(start), Some(end)) = (start, end)
                && start < end
                && self.read.len() >= end + 3
            {
                let text = String::from_utf8_lossy(&self.read[start + 1..end]).into_owned();
                self.read.drain(..end + 3);
                self.stream.write_all(b"+").map_err(|error| broken(&error))?;
                return Ok(text);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes).map_err(|error| broken(&error))? {
                0 => return Err(Failure::Run("the emulator closed its debugger interface".into())),
                length => self.read.extend_from_slice(&bytes[..length]),
            }
        }
    }
}

/// `<reg name="NAME" … regnum="N" …>`.
fn number(text: &str, name: &str) -> Option<u32> {
    let start = text.find(&format!("<reg name=\"{name}\""))?;
    let element = text[start..].split('>').next()?;
    element.split("regnum=\"").nth(1)?.split('"').next()?.parse().ok()
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::Run(format!("the emulator's debugger interface does not answer: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::{Gdb, number};

    #[test]
    fn a_register_is_found_by_its_whole_name() {
        let text = "<reg name=\"VTTBR_EL2\" bitsize=\"64\" regnum=\"212\"/><reg name=\"TTBR_EL2\" regnum=\"7\"/>";
        assert_eq!(number(text, "TTBR_EL2"), Some(7));
        assert_eq!(number(text, "TTBR0_EL2"), None);
    }

    #[test]
    fn a_packet_may_come_in_pieces() {
        let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
        let answering = std::thread::spawn(move || {
            let mut asked = [0; 6];
            theirs.read_exact(&mut asked).expect("a packet");
            for piece in ["+", "$6400", "000000000000#", "a", "b"] {
                theirs.write_all(piece.as_bytes()).expect("it listens");
            }
            // Kept open: the answer is acknowledged.
            (asked, theirs)
        });
        let mut gdb = Gdb { stream: ours, read: Vec::new() };
        assert_eq!(gdb.register(0x1f).expect("a number"), 0x64);
        let (asked, _open) = answering.join().expect("it answered");
        assert_eq!(&asked, b"$p1f#0");
    }
}
