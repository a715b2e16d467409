//! Compiler versions: asking for one, comparing two.
//!
//! Never guesses: a compiler that does not answer is not a compiler.

use std::path::Path;

use crate::failure::Failure;
use crate::process;

/// The oldest compiler our crates build with; `rust-version` in the workspace manifest says the same.
pub const OLDEST: (u32, u32) = (1, 91);

/// What `rustc --version --verbose` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As printed, for example `1.96.0`.
    pub release: String,
    /// First nine digits of the commit; `unknown` where the build did not record it.
    pub commit: String,
    /// The machine it runs on.
    pub host: String,
}

impl Version {
    /// Asks a compiler, and refuses one that is too old.
    pub fn of(rustc: &Path) -> Result<Self, Failure> {
        let file = rustc.display();
        let text = process::answer(process::command(rustc).arg("-vV"))
            .ok_or_else(|| Failure::Environment(format!("`{file} -vV` does not answer")))?;
        let version = Self::parse(&text)
            .ok_or_else(|| Failure::Environment(format!("`{file} -vV` does not answer like a compiler")))?;
        if version.number() < Some(OLDEST) {
            let (major, minor) = OLDEST;
            let release = &version.release;
            return Err(Failure::Environment(format!(
                "{file} is {release}, and {major}.{minor} is the oldest that works"
            )));
        }
        Ok(version)
    }

    /// Reads the verbose version text.
    pub fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let commit: String = field("commit-hash")?.chars().take(9).collect();
        Some(Self { release: field("release")?.into(), commit, host: field("host")?.into() })
    }

    /// Names a folder: another compiler is another folder.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.release, self.commit)
    }

    fn number(&self) -> Option<(u32, u32)> {
        let mut parts = self.release.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn verbose_text_is_read() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25)\nbinary: rustc\ncommit-hash: \
                    ac68faa20c5a\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0\n";
        let version = Version::parse(text).expect("every field is there");
        assert_eq!(version.folder(), "1.96.0-ac68faa20");
        assert_eq!(version.number(), Some((1, 96)));
    }

    #[test]
    fn other_programs_are_no_compilers() {
        assert_eq!(Version::parse("hello\n"), None);
    }
}
