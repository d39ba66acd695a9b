//! The built-in contexts go from the top-level folder into the wheel: maturin packs them from OUT_DIR (see `include` in
//! pyproject.toml), because it cannot pack files from outside the Python sources under another name.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR for build scripts"))?;
    let folder = Path::new("../../contexts");
    println!("cargo::rerun-if-changed={}", folder.display());
    // A file that has left the folder since the last build would still be packed.
    for stale in json_files(Path::new(&out))? {
        fs::remove_file(stale)?;
    }
    for source in json_files(folder)? {
        fs::copy(&source, Path::new(&out).join(source.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("json")) {
            found.push(path);
        }
    }
    Ok(found)
}
