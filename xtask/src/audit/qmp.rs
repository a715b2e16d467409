//! The emulator's machine protocol over a socket: stop, continue.
//!
//! Source: QEMU documentation, "QEMU Machine Protocol Specification".

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::failure::Failure;

/// A connection in command mode.
pub(super) struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Reads the greeting and leaves negotiation.
    pub(super) fn new(stream: UnixStream) -> Result<Self, Failure> {
        let mut qmp = Self { stream: BufReader::new(stream) };
        qmp.line()?;
        qmp.execute("qmp_capabilities")?;
        Ok(qmp)
    }

    /// One command without arguments; events that come in between are passed over.
    pub(super) fn execute(&mut self, command: &str) -> Result<(), Failure> {
        let line = format!("{}\n", json!({ "execute": command }));
        self.stream.get_mut().write_all(line.as_bytes()).map_err(|error| broken(&error))?;
        loop {
            let answer = self.line()?;
            match (answer.get("return"), answer.get("error")) {
                (Some(_), _) => return Ok(()),
                (None, Some(error)) => return Err(Failure::Run(format!("the monitor refused `{command}`: {error}"))),
                (None, None) => {}
            }
        }
    }

    fn line(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).map_err(|error| broken(&error))? {
            0 => Err(Failure::Run("the emulator closed its monitor".into())),
            _ => {
                serde_json::from_str(&line).map_err(|error| Failure::Run(format!("the monitor said {line:?}: {error}")))
            }
        }
    }
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::Run(format!("the emulator's monitor does not answer: {error}"))
}
