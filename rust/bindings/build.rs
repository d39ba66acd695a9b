//! The built-in contexts go from the top-level folder into the wheel: maturin packs them from OUT_DIR (see `include` in
//! pyproject.toml), because it cannot pack files from outside the Python sources under another name.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR for build scripts"))?;
    for name in ["builtin.json", "schema.json"] {
        let source = Path::new("../../contexts").join(name);
        println!("cargo::rerun-if-changed={}", source.display());
        fs::copy(source, Path::new(&out).join(name))?;
    }
    Ok(())
}
