//! Every committed input, and every input that once broke something, is tried in every test run.

use std::{fs, io::ErrorKind, path::Path};

/// Tries the inputs in a folder; returns for each whether it was taken.
fn try_all(folder: &str, target: &str, check: fn(&[u8]) -> bool) -> Vec<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(target);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        entries => entries.expect("the folder can be read"),
    };
    let inputs = entries.map(|entry| entry.expect("so can its entries").path());
    let tried = inputs.map(|path| {
        // When a test fails, what it printed last is the input.
        println!("{}", path.display());
        check(&fs::read(&path).expect("an input is a file"))
    });
    tried.collect()
}

/// The inputs must reach both what follows when they are taken, and what follows when they are not.
fn holds_for_all(target: &str, check: fn(&[u8]) -> bool) {
    let taken = try_all("corpus", target, check);
    assert!(taken.contains(&true) && taken.contains(&false));
    try_all("crashes", target, check);
}

#[test]
fn the_invariants_hold_for_every_madt_of_the_corpus() {
    holds_for_all("madt", reveille_fuzz::madt::check);
}

#[test]
fn the_invariants_hold_for_every_srat_of_the_corpus() {
    holds_for_all("srat", reveille_fuzz::srat::check);
}

#[test]
fn the_invariants_hold_for_every_start_info_of_the_corpus() {
    holds_for_all("boot_info", reveille_fuzz::boot_info::check);
}

#[test]
fn the_invariants_hold_for_every_command_line_of_the_corpus() {
    holds_for_all("command_line", reveille_fuzz::command_line::check);
}

#[test]
fn the_invariants_hold_for_all_that_is_typed_in_the_corpus() {
    holds_for_all("shell", reveille_fuzz::shell::check);
}
