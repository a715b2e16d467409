//! `import`: a device tree or a PC's tables in, a board file out, and what it lacks on stderr.

use std::path::Path;

use codegen::import::{ImportError, Imported, Source};

use crate::cli::Import;
use crate::commands::Context;
use crate::failure::Failure;
use crate::import::{self, Origin, pc};

pub(crate) fn execute(context: &Context, arguments: &Import) -> Result<(), Failure> {
    let imported = imported(context, arguments)?;
    match &arguments.output {
        None => print!("{}", imported.text),
        Some(file) => {
            let file = context.from.join(file);
            std::fs::write(&file, &imported.text).map_err(|error| Failure::file("write", &file, &error))?;
        }
    }
    verdict(arguments, &imported)
}

fn imported(context: &Context, arguments: &Import) -> Result<Imported, Failure> {
    let answers = import::answers(&arguments.given, arguments.qemu.as_deref())?;
    let name = name(arguments);
    let failed = |shown: &str, error: ImportError| Failure::Config(format!("error: {shown}: {error}"));
    if let Some(folder) = &arguments.live
        && let Some(saved) = pc::read(&context.from.join(folder))?
    {
        let source = Source { name, file: folder.display().to_string(), sha256: saved.sha256 };
        let imported = codegen::import::import_pc(&saved.firmware, &source, &answers);
        return imported.map_err(|error| failed(&source.file, error));
    }
    let origin = origin(context, arguments)?;
    let source = Source { name, file: origin.shown.clone(), sha256: origin.sha256() };
    codegen::import::import(&origin.bytes, &source, &answers).map_err(|error| failed(&origin.shown, error))
}

fn origin(context: &Context, arguments: &Import) -> Result<Origin, Failure> {
    match (&arguments.qemu, &arguments.live, &arguments.tree) {
        (Some(machine), _, _) => {
            let folder = context.project.target().join("import");
            import::qemu(&context.host, machine, &arguments.given, &folder)
        }
        (None, Some(folder), _) => import::live(&context.from.join(folder)),
        (None, None, Some(file)) => {
            let bytes = import::file(&context.from.join(file))?;
            Ok(Origin { bytes, shown: file.display().to_string() })
        }
        (None, None, None) => Err(Failure::Usage("name a device tree, --qemu or --live".into())),
    }
}

/// As the file will be called, else as the tree is.
fn name(arguments: &Import) -> String {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let given = arguments.name.clone().or_else(|| stem(arguments.output.as_deref()?));
    let machine = || arguments.qemu.as_ref().and_then(|machine| machine.split(',').next().map(str::to_owned));
    let found = given.or_else(|| stem(arguments.tree.as_deref()?)).or_else(machine);
    found.or_else(|| stem(arguments.live.as_deref()?)).unwrap_or_else(|| "board".into())
}

fn verdict(arguments: &Import, imported: &Imported) -> Result<(), Failure> {
    for hole in &imported.holes {
        eprintln!("TODO({}): {}", hole.key, hole.reason);
    }
    match (imported.holes.len(), arguments.allow_holes) {
        (0, _) | (_, true) => Ok(()),
        (1, false) => Err(Failure::Config("error: one thing is missing; --allow-holes accepts that".into())),
        (count, false) => {
            Err(Failure::Config(format!("error: {count} things are missing; --allow-holes accepts that")))
        }
    }
}
