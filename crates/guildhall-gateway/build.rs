//! Puts the built web application (`web/dist`) into the program, if it was built.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Names another place of the bundle; a change of it builds anew.
const BUNDLE: &str = "GUILDHALL_WEB_DIST";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={BUNDLE}");
    // From this package's directory, where cargo starts this: clones that share a target directory share this program, too.
    let dist = env::var_os(BUNDLE).map_or_else(|| PathBuf::from("../../web/dist"), PathBuf::from);
    // As long as it is not there it counts as changed, so that it is found once it is.
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist.canonicalize()?, "", &mut files)?;
    }
    files.sort();
    let rows = files.iter().map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n"));
    let text = format!("static FILES: &[(&str, &[u8])] = &[\n{}];\n", rows.collect::<String>());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("bundle.rs"), text)
}

fn collect(dir: &Path, before: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}
