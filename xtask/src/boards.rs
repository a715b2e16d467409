//! Which boards there are, and which one a word on the command line means.
//!
//! A board exists because its file exists; no board is named in this program.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::project::Project;

/// A board's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardFile {
    /// The file's stem; the file itself says the same as `platform.name`.
    pub name: String,
    /// Relative to the project's root for boards of ours, as diagnostics print it.
    pub path: PathBuf,
    /// Whose it is.
    pub place: Place,
}

/// Whose board it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `platforms/`: its generated files are committed.
    Ours,
    /// Anywhere else: its generated files lie under the build folder.
    Elsewhere,
}

/// Every board of ours, by name.
pub fn all(project: &Project) -> Result<Vec<BoardFile>, Failure> {
    let folder = project.root().join("platforms");
    let entries = folder.read_dir().map_err(|error| Failure::file("read", &folder, &error))?;
    let mut boards: Vec<BoardFile> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().strip_suffix(".toml")?.to_owned();
            Some(ours(&name))
        })
        .collect();
    boards.sort_by(|a, b| a.name.cmp(&b.name));
    if boards.is_empty() {
        return Err(Failure::Usage("platforms/ holds no board: there is nothing to do".into()));
    }
    Ok(boards)
}

/// The boards that words mean, each once, in the order given.
pub fn resolve(project: &Project, from: &Path, words: &[String]) -> Result<Vec<BoardFile>, Failure> {
    let mut found: Vec<BoardFile> = Vec::new();
    for word in words {
        let boards = match word.as_str() {
            "all" => all(project)?,
            word => vec![resolve_one(project, from, word)?],
        };
        for board in boards {
            if !found.contains(&board) {
                found.push(board);
            }
        }
    }
    Ok(found)
}

/// The board that a word means; `from` is the folder that paths start at.
pub fn resolve_one(project: &Project, from: &Path, word: &str) -> Result<BoardFile, Failure> {
    let boards = all(project)?;
    let stem = word.strip_suffix(".toml").unwrap_or(word);
    if let Some(board) = boards.iter().find(|board| board.name == stem) {
        return Ok(board.clone());
    }
    if word.contains('/') || (word.ends_with(".toml") && from.join(word).exists()) {
        return Ok(by_path(project, from, word, stem));
    }
    if let Some(path) = search(&search_path(), stem) {
        return Ok(BoardFile { name: stem.to_owned(), path, place: Place::Elsewhere });
    }
    Err(unknown(stem, &boards))
}

/// Folders beside `platforms/` in which names are looked for: `TABULA_PLATFORMS`, separated as `PATH` is.
fn search_path() -> Vec<PathBuf> {
    let variable = std::env::var_os("TABULA_PLATFORMS").unwrap_or_default();
    std::env::split_paths(&variable).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

/// The first folder that has the board.
fn search(folders: &[PathBuf], stem: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(format!("{stem}.toml"))).find(|path| path.is_file())
}

fn ours(name: &str) -> BoardFile {
    BoardFile { name: name.to_owned(), path: Path::new("platforms").join(format!("{name}.toml")), place: Place::Ours }
}

fn by_path(project: &Project, from: &Path, word: &str, stem: &str) -> BoardFile {
    let name = Path::new(stem).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = from.join(word);
    let folder = project.root().join("platforms");
    let folder_of = |path: &Path| path.parent().and_then(|parent| parent.canonicalize().ok());
    if folder_of(&path).is_some_and(|parent| Some(parent) == folder.canonicalize().ok()) {
        return ours(&name);
    }
    let shown = if from == project.root() { PathBuf::from(word) } else { path };
    BoardFile { name, path: shown, place: Place::Elsewhere }
}

fn unknown(word: &str, boards: &[BoardFile]) -> Failure {
    let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
    let nearest = names.iter().min_by_key(|name| distance(word, name));
    let hint = match nearest {
        Some(name) if distance(word, name) <= name.len() / 2 => {
            format!("\n  = help: did you mean `{name}`?")
        }
        Some(_) | None => String::new(),
    };
    let list = names.join(", ");
    Failure::Usage(format!("there is no board `{word}`{hint}\n  = note: boards are {list}, and `all`"))
}

/// Insertions, deletions and substitutions that turn one word into another.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{Place, distance, resolve, resolve_one, search};
    use crate::project::Project;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("qemu-arm46", "qemu-arm64"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn name_file_name_and_path_mean_the_same_board() {
        let project = Project::enter().expect("tests run inside the project");
        let from = project.root().to_path_buf();
        for word in ["qemu-arm64", "qemu-arm64.toml", "platforms/qemu-arm64.toml"] {
            let board = resolve_one(&project, &from, word).expect("it is there");
            assert_eq!(board.name, "qemu-arm64");
            assert_eq!(board.place, Place::Ours);
            assert_eq!(board.path.to_str(), Some("platforms/qemu-arm64.toml"));
        }
    }

    #[test]
    fn names_are_looked_for_along_the_search_path() {
        let project = Project::enter().expect("tests run inside the project");
        let folders = ["tests/reject", "tests/accept"].map(|folder| project.root().join(folder));
        assert_eq!(search(&folders, "tiny"), Some(project.root().join("tests/accept/tiny.toml")));
        assert_eq!(search(&folders, "no-such-board"), None);
    }

    #[test]
    fn an_unknown_name_lists_boards_and_the_nearest() {
        let project = Project::enter().expect("tests run inside the project");
        let failure = resolve_one(&project, project.root(), "qemu-arm46").expect_err("no such board");
        assert_eq!(failure.code(), 2);
        assert!(failure.text().contains("did you mean `qemu-arm64`?"), "{failure}");
        assert!(failure.text().contains("zcu102"), "{failure}");
    }

    #[test]
    fn all_means_each_board_once() {
        let project = Project::enter().expect("tests run inside the project");
        let words = ["zcu102".to_owned(), "all".to_owned()];
        let boards = resolve(&project, project.root(), &words).expect("both are known");
        assert_eq!(boards[0].name, "zcu102");
        assert_eq!(boards.iter().filter(|board| board.name == "zcu102").count(), 1);
        assert!(boards.len() >= 5);
    }
}
