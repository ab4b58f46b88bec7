//! What `guildhall app new` writes: a Rust project that builds without anything else, the guest library included.
//!
//! Knows nothing of building or running it.

use std::{fs, path::Path};

use guildhall_service::files::{MODE_PUBLIC, atomic_write};
use serde::Serialize;

use crate::{
    error::{Failure, Result},
    output::{Report, Style},
};

/// The files of a project; `{name}` stands for the app's name.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    (".cargo/config.toml", include_str!("template/config.toml.in")),
    (".gitignore", "/target\n"),
    ("README.md", include_str!("template/README.md.in")),
    ("src/main.rs", include_str!("template/main.rs.in")),
    ("guildhall-guest/Cargo.toml", include_str!("template/guest.toml.in")),
    ("guildhall-guest/src/lib.rs", include_str!("../../../guildhall-guest/src/lib.rs")),
    ("guildhall-guest/src/abi.rs", include_str!("../../../guildhall-guest/src/abi.rs")),
];

/// Makes a project.
///
/// # Errors
/// `app.name` for a name that cargo refuses, `file.exists` for a directory that is there, `files.*`.
pub(super) fn make(path: &Path) -> Result<Made> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check_name(name)?;
    if path.exists() {
        return Err(Failure::new("file.exists", format!("`{}` exists already", path.display()))
            .hint("choose another name, or remove it first"));
    }
    for (file, text) in FILES {
        let file = path.join(file);
        let parent = file.parent().unwrap_or(path);
        fs::create_dir_all(parent).map_err(|error| Failure::file("make the folder", parent, &error))?;
        atomic_write(&file, text.replace("{name}", name).as_bytes(), MODE_PUBLIC)?;
    }
    Ok(Made { path: path.display().to_string(), name: name.to_owned() })
}

fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain)
        && name != "guildhall-guest"
    {
        return Ok(());
    }
    Err(Failure::new("app.name", format!("`{name}` can't be an app's name"))
        .hint("lower-case letters, digits, `-` and `_`, a letter first"))
}

#[derive(Serialize)]
pub(super) struct Made {
    path: String,
    name: String,
}

impl Report for Made {
    fn text(&self, style: Style) -> String {
        let Self { path, name } = self;
        format!(
            "made {}\n{}\n  guildhall app build {path}\n  echo hello > input.txt\n  \
             guildhall app run {path}/target/wasm32-wasip1/release/{name}.wasm --input input.txt",
            style.strong(path),
            style.faint("next:")
        )
    }
}
