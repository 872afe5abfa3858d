//! Links the firmware's ELF file by `firmware.ld`.

use std::{env, path::Path};

fn main() {
    let folder = env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    let script = Path::new(&folder).join("firmware.ld");
    println!("cargo::rerun-if-changed={}", script.display());
    // Host tests of the library use the host's own layout.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-link-arg-bins=--script={}", script.display());
        println!("cargo::rustc-link-arg-bins=-zmax-page-size=4096");
    }
}
