//! The packages that the design names are really used, each by a crate that boots.

use std::{fs, path::Path};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use reveille_tests::kernel::workspace;

/// The design's list.
const PACKAGES: [&str; 6] = [
    "x86_64",
    "acpi",
    "spin",
    "futures-util",
    "conquer-once",
    "crossbeam-queue",
];

/// The crates that go into the kernel.
const BOOTING: [&str; 4] = [
    "reveille-executor",
    "reveille-smp",
    "reveille-trampoline",
    "reveille-kernel",
];

#[test]
fn every_package_of_the_design_is_used_by_what_boots() {
    let metadata = MetadataCommand::new()
        .current_dir(workspace())
        .no_deps()
        .exec();
    let metadata = metadata.expect("cargo knows the workspace");
    let booting = || {
        metadata
            .packages
            .iter()
            .filter(|package| BOOTING.contains(&package.name.as_str()))
    };
    assert_eq!(booting().count(), BOOTING.len());
    let unused: Vec<&str> = PACKAGES
        .into_iter()
        .filter(|name| !booting().any(|package| depends(package, name) && refers(package, name)))
        .collect();
    assert!(unused.is_empty(), "nothing that boots uses {unused:?}");
}

fn depends(package: &Package, name: &str) -> bool {
    package.dependencies.iter().any(|dependency| {
        dependency.name == name && dependency.kind == DependencyKind::Normal && !dependency.optional
    })
}

/// Whether a source file has a path that begins with the crate's name.
fn refers(package: &Package, name: &str) -> bool {
    let path = format!("{}::", name.replace('-', "_"));
    let folder = package
        .manifest_path
        .parent()
        .expect("a manifest is in a folder")
        .join("src");
    sources(folder.as_std_path()).iter().any(|source| {
        let code = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.into_iter().any(|line| line.contains(&path))
    })
}

/// The text of all Rust files below `folder`.
fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("so can its entries").path());
    paths
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(suffix) if suffix == "rs" => {
                vec![fs::read_to_string(&path).expect("a source file is text")]
            }
            _ => Vec::new(),
        })
        .collect()
}
