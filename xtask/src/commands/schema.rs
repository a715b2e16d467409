//! `schema`: the board file's JSON schema, for editors.

use crate::failure::Failure;

pub(crate) fn execute() -> Result<(), Failure> {
    print!("{}", codegen::keys::schema());
    Ok(())
}
