//! Generated files on disk: written only when all of them exist, compared without writing.
//!
//! A board that does not plan leaves its folder untouched.

use std::path::{Path, PathBuf};

use codegen::render::GeneratedFile;

use crate::cli::Profile;
use crate::failure::Failure;
use crate::planned::Planned;
use crate::project::Project;

/// Where a board's generated files belong: the other flavours lie inside the release one's folder.
pub fn folder(project: &Project, planned: &Planned, profile: Profile) -> PathBuf {
    let name = &planned.plan.board.name;
    let folder = if planned.is_ours() { project.generated(name) } else { project.generated_elsewhere(name) };
    match profile {
        Profile::Release | Profile::Measure => folder,
        Profile::Debug | Profile::MeasureChecked => folder.join(Profile::Debug.word()),
        Profile::SelfTest => folder.join(profile.word()),
    }
}

/// The files of a plan, not yet on disk.
pub fn files(planned: &Planned) -> Result<Vec<GeneratedFile>, Failure> {
    codegen::render(&planned.plan).map_err(|error| Failure::Generate(format!("{}: {error}", planned.plan.board.file)))
}

/// Writes what differs and removes what is no longer made; returns how many files changed.
pub fn write(folder: &Path, files: &[GeneratedFile]) -> Result<usize, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    let mut changed = 0;
    for file in files {
        let path = folder.join(&file.name);
        if std::fs::read(&path).is_ok_and(|old| old == file.text.as_bytes()) {
            continue;
        }
        std::fs::write(&path, &file.text).map_err(|error| Failure::file("write", &path, &error))?;
        changed += 1;
    }
    for path in left_over(folder, files) {
        std::fs::remove_file(&path).map_err(|error| Failure::file("remove", &path, &error))?;
        changed += 1;
    }
    Ok(changed)
}

/// What differs between the folder and the files, a phrase each.
pub fn differences(folder: &Path, files: &[GeneratedFile]) -> Vec<String> {
    let mut list = Vec::new();
    for file in files {
        let path = folder.join(&file.name);
        match std::fs::read(&path) {
            Ok(old) if old == file.text.as_bytes() => {}
            Ok(_) => list.push(format!("{} is not what would be written", path.display())),
            Err(_) => list.push(format!("{} is missing", path.display())),
        }
    }
    list.extend(left_over(folder, files).iter().map(|path| format!("{} is no longer generated", path.display())));
    list
}

/// Files in the folder that the generator does not make; folders inside it are other flavours.
fn left_over(folder: &Path, files: &[GeneratedFile]) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    paths.filter(|path| !files.iter().any(|file| path.ends_with(&file.name))).collect()
}
