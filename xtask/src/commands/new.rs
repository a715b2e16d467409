//! `new`: the smallest file of a board, which inherits from one that is there.

use crate::cli::New;
use crate::commands::Context;
use crate::failure::Failure;
use crate::planned::findings;

pub(crate) fn execute(context: &Context, arguments: &New) -> Result<(), Failure> {
    let like = context.board(&arguments.like)?;
    let folder = context.project.root().join("platforms");
    let file = folder.join(format!("{}.toml", arguments.name));
    if file.exists() {
        return Err(Failure::Usage(format!("platforms/{}.toml is there already", arguments.name)));
    }
    let source = std::fs::read_to_string(&like.path).map_err(|error| Failure::file("read", &like.path, &error))?;
    // Inheritance is one level deep: what inherits itself is copied.
    let inherits = source.lines().any(|line| line.trim_start().starts_with("base ="));
    let text = match inherits {
        true => source.replace(&format!("name = \"{}\"", like.name), &format!("name = \"{}\"", arguments.name)),
        false => format!(
            "# {name}: like {like}, and what this file says otherwise.\nschema = 1\nbase = \"{like}.toml\"\n\n[platform]\nname = \"{name}\"\n",
            name = arguments.name,
            like = like.name,
        ),
    };
    let read = |path: &std::path::Path| match path == file {
        true => Ok(text.clone().into_bytes()),
        false => std::fs::read(path),
    };
    codegen::load_with(&file, &read).map_err(|found| findings(&found))?;
    std::fs::write(&file, &text).map_err(|error| Failure::file("write", &file, &error))?;
    println!("platforms/{}.toml", arguments.name);
    Ok(())
}
